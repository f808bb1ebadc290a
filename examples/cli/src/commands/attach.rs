//! `ibyok attach`

use ibyok_settings::Passphrase;
use serde_json::json;

use super::Cx;
use crate::access::only_operator;
use crate::error::Result;
use crate::exit::Exit;

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    only_operator("attach", cx.globals, cx.environment)?;
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let ask = crate::settings::ask();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let attached = settings.attach(ask).await?;
    let directory = settings.directory.display().to_string();
    if cx.globals.json {
        cx.io.answer_json(&json!({
            "vault": attached.vault,
            "directory": directory,
            "environments": attached.environments,
            "closed": attached.closed,
        }))?;
    } else {
        cx.io.answer_line(&attached.vault)?;
    }
    let names = |all: &[ibyok_core::EnvironmentName]| {
        let all: Vec<&str> = all.iter().map(ibyok_core::EnvironmentName::as_str).collect();
        all.join(", ")
    };
    let opened = names(&attached.environments);
    cx.io
        .say(&format!("attached to the vault in {directory}; the KEK opens {opened}"));
    if !attached.closed.is_empty() {
        let closed = names(&attached.closed);
        cx.io.warn(&format!("warning: this machine has no KEK for {closed}"));
    }
    for variable in &attached.variables {
        cx.io.say(&format!(
            "`vault.toml` does not hold a secret: set {} for each command",
            variable.name
        ));
    }
    Ok(Exit::Done)
}
