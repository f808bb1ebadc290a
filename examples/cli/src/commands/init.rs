//! `ibyok init`

use ibyok_settings::{Created, Passphrase, operator_name};
use serde_json::json;

use super::Cx;
use super::kek::files_as_json;
use crate::access::only_here;
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Exit 0 without changes if a vault already exists
    #[arg(long)]
    if_absent: bool,
    /// Accept a weak passphrase: shorter than 12 characters, or a few characters repeated
    #[arg(long)]
    weak: bool,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    only_here("init", cx.globals, cx.environment)?;
    let mut settings = crate::settings::resolve(cx.globals, cx.environment)?;
    settings.weak_passphrase = args.weak;
    settings.one_command = true;
    let directory = settings.directory.display().to_string();
    let ask = crate::settings::ask_twice();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let created = settings.create(&operator_name(), ask).await;
    let (vault, created) = match created {
        Err(ibyok_core::Error::Exists { .. }) if args.if_absent => {
            cx.io.say(&format!("a vault already exists in {directory}"));
            return Ok(Exit::Done);
        }
        created => created?,
    };
    let id = vault.id();
    vault.close().await?;
    if cx.globals.json {
        let kek_file = created.kek_file.as_ref().map(|path| path.display().to_string());
        cx.io
            .answer_json(&json!({ "vault": id, "directory": directory, "kek_file": kek_file, "kek_files": files_as_json(&created.kek_files) }))?;
    } else {
        cx.io.answer_line(&id)?;
    }
    cx.io.say(&format!(
        "created a vault in {directory}, with the environments dev, staging and prod"
    ));
    cx.io.say(&next(&created, cx));
    for variable in created
        .variables
        .iter()
        .filter(|one| one.name.starts_with("IBYOK_STORE"))
    {
        cx.io.say(&format!(
            "the store's URL holds a password, and `vault.toml` does not store passwords: set {} for each command",
            variable.name
        ));
    }
    let files: Vec<String> = created
        .kek_files
        .iter()
        .map(|path| format!("\n  {}", path.display()))
        .collect();
    match files.as_slice() {
        [file] => cx.io.say(&format!(
            "copy this file to a safe place, apart from the vault; without this file nobody can open the keys:{file}"
        )),
        [_, ..] => cx.io.say(&format!(
            "copy these files to a safe place, apart from the vault; without them nobody can open the keys:{}",
            files.concat()
        )),
        [] => cx
            .io
            .say("only the passphrase or KMS key opens the vault; without it nobody can open the keys"),
    }
    Ok(Exit::Done)
}

/// The next two commands, with every variable and flag that they need to find this vault.
fn next(created: &Created, cx: &Cx<'_>) -> String {
    let variables = created.variables.iter().map(|variable| match &variable.value {
        Some(value) => format!("{}={} ", variable.name, quoted(value)),
        None => format!("{0}=\"${0}\" ", variable.name),
    });
    let variables: String = variables.collect();
    let flag = cx.globals.vault.as_deref();
    let flag = flag.map(|directory| format!(" --vault {}", quoted(directory)));
    let ibyok = format!("{variables}ibyok{}", flag.unwrap_or_default());
    format!("next:\n  {ibyok} import .env --env dev --dry-run\n  {ibyok} run --env dev -- your-program")
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", crate::show::clean(word).replace('\'', "'\\''"))
}
