//! `ibyok incident open`

use ibyok_core::{KeyRef, incidents::IncidentRequest, keys::KeyWrite};

use super::past;
use crate::commands::Cx;
use crate::commands::confirm::confirm;
use crate::commands::value::ValueArgs;
use crate::error::Result;
use crate::exit::Exit;
use ibyok_reports::incident;

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
        cx.io.notes(incident::opened(&opened));
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
