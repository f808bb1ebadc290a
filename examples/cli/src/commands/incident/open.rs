//! `ibyok incident open`

use ibyok_api::{Incident, IncidentOpened};
use ibyok_core::{KeyRef, incidents::IncidentRequest, keys::KeyWrite};

use super::{past, say_copy, steps};
use crate::cell::Cell;
use crate::commands::Cx;
use crate::commands::confirm::confirm;
use crate::commands::value::ValueArgs;
use crate::error::Result;
use crate::exit::Exit;
use crate::words::{is_or_are, listed, plural};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key, for example `prod/openai`. Add `?version=N` if another version than the current one leaked
    #[arg(value_name = "REF")]
    key: String,
    /// The reason, which the incident and the audit log record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The time from which on others may have had the key: `2d`, `2026-12-31` or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Make a new value current in the same step; reads the value from standard input
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    value: ValueArgs,
    /// Disable the key at once for every program; use it if there is no new value yet
    #[arg(long, conflicts_with = "replace")]
    freeze: bool,
    /// Revoke every token that read the key since this time
    #[arg(long, value_name = "WHEN")]
    revoke_readers: Option<String>,
}

pub(super) async fn run(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyRef = args.key.parse()?;
    let request = IncidentRequest::new(args.reason.clone())
        .since(past(args.since.as_deref())?)
        .freeze(args.freeze)
        .revoke_readers(past(args.revoke_readers.as_deref())?);
    sure(args, &key, cx)?;
    let request = if args.replace {
        request.replace(KeyWrite::new(args.value.read(cx.io)?))
    } else {
        args.value.none("--replace")?;
        request
    };
    cx.with_access(async |access, cx| {
        let opened = access.open_incident(&key, request).await?;
        say(&opened, cx);
        if cx.globals.json {
            cx.io.answer_json(&opened)?;
        } else {
            cx.io.answer_line(&opened.incident.id)?;
        }
        // What was asked for and not done is a failure, although the old version is marked.
        let failed = opened.not_replaced.is_some();
        Ok(if failed { Exit::Failed } else { Exit::Done })
    })
    .await
}

/// Asks before programs are stopped.
fn sure(args: &Args, key: &KeyRef, cx: &mut Cx<'_>) -> Result<()> {
    match (args.freeze, args.revoke_readers.is_some()) {
        (false, false) => Ok(()),
        (true, _) => confirm(
            cx,
            &format!("freeze {key}"),
            "every program that reads it fails at once",
        ),
        (false, true) => confirm(
            cx,
            &format!("revoke the readers of {key}"),
            "every program that holds one of their tokens fails at once",
        ),
    }
}

/// Prints each completed step on its own line, and the remaining ones.
fn say(opened: &IncidentOpened, cx: &mut Cx<'_>) {
    let incident = &opened.incident;
    let verb = if opened.was_open {
        "was already open; this report was added to it"
    } else {
        "is open"
    };
    cx.io
        .say(&format!("incident {} on {} {verb}", incident.id, incident.reference));
    for line in done(incident) {
        cx.io.say(&format!("  {line}"));
    }
    if let Some(why) = &opened.not_replaced {
        cx.io.warn(&format!("  NOT replaced: {why}"));
    }
    for warning in &opened.warnings {
        cx.io.warn(&format!("  warning: {warning}"));
    }
    for token in &opened.not_revoked {
        cx.io
            .warn(&format!("  NOT revoked: token {}: {}", token.token, token.why));
    }
    for unseen in &opened.unseen {
        cx.io.warn(&format!(
            "  a reader may be MISSING: {unseen}; after you repair this, open the incident again with `--revoke-readers`"
        ));
    }
    for copy in &opened.copies {
        say_copy(copy, cx);
    }
    cx.io.say("remaining steps:");
    for line in steps(&opened.remaining) {
        cx.io.say(&line);
    }
}

/// Returns the completed steps of an incident, a line each.
pub(super) fn done(incident: &Incident) -> Vec<String> {
    let versions: Vec<String> = incident.versions.iter().map(ToString::to_string).collect();
    let mut lines = Vec::new();
    if !versions.is_empty() {
        let (noun, verb) = (plural(versions.len(), "version"), is_or_are(versions.len()));
        lines.push(format!(
            "marked: {noun} {} {verb} marked compromised",
            listed(&versions)
        ));
    }
    if let Some(replaced) = &incident.replaced {
        lines.push(format!(
            "replaced: version {} is current, made by {} on {}",
            replaced.version,
            replaced.by,
            replaced.at.cell()
        ));
    }
    match incident.frozen {
        true => lines.push("frozen: the key is disabled for every program".to_owned()),
        false if incident.replaced.is_none() => lines.push("not frozen: the vault still serves the key".to_owned()),
        false => {}
    }
    for token in &incident.revoked {
        lines.push(format!("revoked: token {token}"));
    }
    lines
}
