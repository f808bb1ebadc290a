//! `ibyok init`

use ibyok_core::settings::Passphrase;
use serde_json::json;

use super::Cx;
use crate::access::only_here;
use crate::error::Result;
use crate::exit::Exit;
use crate::identity::operator_name;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do nothing, and be content, if there is a vault
    #[arg(long)]
    if_absent: bool,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    only_here("init", cx.globals, cx.environment)?;
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let directory = settings.directory.display().to_string();
    let ask = crate::settings::ask_twice();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let created = settings.create(&operator_name(), ask).await;
    let (vault, created) = match created {
        Err(ibyok_core::Error::Exists { .. }) if args.if_absent => {
            cx.io.say(&format!("there is a vault in {directory} already"));
            return Ok(Exit::Done);
        }
        created => created?,
    };
    let id = vault.id();
    vault.close().await?;
    if cx.globals.json {
        let kek_file = created.kek_file.as_ref().map(|path| path.display().to_string());
        cx.io
            .answer_json(&json!({ "vault": id, "directory": directory, "kek_file": kek_file }))?;
    } else {
        cx.io.answer_line(&id)?;
    }
    cx.io.say(&format!(
        "made a vault in {directory}, with the environments dev, staging and prod"
    ));
    cx.io
        .say("next:\n  ibyok import .env --env dev --dry-run\n  ibyok run --env dev -- your-program");
    match &created.kek_file {
        Some(path) => cx.io.say(&format!(
            "copy this file to a safe place, apart from the vault; without it the keys are lost:\n  {}",
            path.display()
        )),
        None => cx
            .io
            .say("the vault opens with its passphrase or KMS key only: without it the keys are lost"),
    }
    Ok(Exit::Done)
}
