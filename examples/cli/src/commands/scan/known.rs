//! The vault's own keys: by the vault, by a bundle of fingerprints, or not at all.

use std::path::Path;
use std::sync::Arc;

use ibyok_core::{known_values::KnownValues, secrecy::ExposeSecret};
use ibyok_operations::scan::KnownMatcher;
use ibyok_scan::Matcher;

use super::Args;
use crate::access::{self, Access};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::identity::{Place, Who, place, who_here};
use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_operations::file::{read_text, write_private};

/// Returns the matcher that knows the vault's keys. Without one, the command says so, and the scan searches for
/// shapes alone.
pub(super) async fn matcher(args: &Args, cx: &mut Cx<'_>) -> Result<Option<Arc<dyn Matcher>>> {
    if args.no_vault {
        return Ok(None);
    }
    if let Some(path) = &args.bundle {
        let limit = u64::try_from(KnownValues::BUNDLE_MAX).unwrap_or(u64::MAX);
        let text = read_text(path, limit)?;
        return Ok(Some(KnownMatcher::of_bundle(&text)?));
    }
    let why = match place(cx.globals, cx.environment)? {
        Place::Server { why, .. } => format!("{why} names a server, and the scan sends no text to a server"),
        Place::Here => match who_here(cx.globals, cx.environment)? {
            Who::Token(_, why) => format!("{why} holds an access token, and only the operator may compare values"),
            Who::Operator(_) => match of_vault(cx).await {
                Ok(values) => return Ok(Some(KnownMatcher::of_vault(values))),
                Err(error) => error.to_string(),
            },
        },
    };
    cx.io.say(&format!(
        "searching for shapes only, not for the vault's own keys: {why}"
    ));
    Ok(None)
}

async fn of_vault(cx: &mut Cx<'_>) -> Result<KnownValues> {
    let here = access::here("scan", cx.globals, cx.environment, cx.io).await?;
    let values = here.session().known_values().collect().await;
    let closed = here.close().await;
    let values = values?;
    warn_of_damage(values.damaged(), cx);
    closed?;
    Ok(values)
}

fn warn_of_damage(damaged: u64, cx: &mut Cx<'_>) {
    if damaged > 0 {
        cx.io.warn(&format!(
            "warning: {} of keys or environments {} damaged; the scan does not search for their values; `ibyok status` lists them",
            counted(damaged, "record"),
            is_or_are(damaged)
        ));
    }
}

/// Writes a bundle of fingerprints.
pub(super) async fn export(path: &Path, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_vault("scan --export-bundle", async |here, cx| {
        let bundle = here.session().known_values().export().await?;
        write_private(path, bundle.text.expose_secret().as_bytes())?;
        if cx.globals.json {
            cx.io
                .answer_json(&serde_json::json!({ "values": bundle.values, "left_out": bundle.left_out }))?;
        }
        warn_of_damage(bundle.damaged, cx);
        let left_out = match bundle.left_out {
            0 => String::new(),
            1 => "; skipped 1 value that is easy to guess".to_owned(),
            count => format!("; skipped {count} values that are easy to guess"),
        };
        cx.io.say(&format!(
            "wrote the fingerprints of {} to {}{left_out}",
            counted(bundle.values, "value"),
            path.display()
        ));
        cx.io
            .say("keep this file secret: its holder can read the names of keys and test values");
        Ok(Exit::Done)
    })
    .await
}
