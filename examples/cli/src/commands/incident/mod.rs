//! `ibyok incident`

mod page;
mod plan;
mod proofs;
mod report;

use std::path::PathBuf;

use ibyok_core::{IncidentRequest, KeyRef, Timestamp};
use serde_json::Value;

use super::confirm::confirm;
use super::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::table::{at, text};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// A key may have leaked: mark it, stop what is to stop, and see what remains
    Open(Open),
    /// List the incidents that are open
    List {
        /// Those that are closed as well
        #[arg(long)]
        all: bool,
    },
    /// Who read the key and from where, what else they could read and did, and what remains to be done
    Report(Report),
    /// Add what was found, or was done elsewhere
    Note {
        /// The incident, or its key
        #[arg(value_name = "INCIDENT")]
        which: String,
        /// What it was
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
    /// Close an incident with its cause and what keeps it from happening again; asked for where they are not given
    Close(Close),
    /// Write a plan for this vault that a team can keep in its repository
    Plan {
        /// Write it to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Open {
    /// The key, for example prod/openai; with `?version=N` for another than the current version
    #[arg(value_name = "REF")]
    key: String,
    /// What happened
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Since when the key may have been in other hands: `2d`, `2026-12-31` or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Disable the key at once, for everybody
    #[arg(long)]
    freeze: bool,
    /// Revoke the tokens that read the key from then on
    #[arg(long, value_name = "WHEN")]
    revoke_readers: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// The incident, or its key
    #[arg(value_name = "INCIDENT")]
    which: String,
    /// From when on to look at the log [default: since the key may have leaked, else 90 days before the incident]
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Write it as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a proof for each line that it shows into a directory, for somebody who does not have the log
    #[arg(long, value_name = "DIR")]
    proofs: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Close {
    /// The incident, or its key
    #[arg(value_name = "INCIDENT")]
    which: String,
    /// How the key was exposed
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
    /// What keeps it from happening again
    #[arg(long, value_name = "TEXT")]
    prevention: Option<String>,
    /// Close it although the leaked version is still served
    #[arg(long)]
    force: bool,
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "id"),
    ("REF", "ref"),
    ("STATE", "state"),
    ("OPENED", "opened.at"),
    ("BY", "opened.by"),
    ("REASON", "reason"),
];

const FACTS: [(&str, &str); 11] = [
    ("id", "id"),
    ("key", "ref"),
    ("state", "state"),
    ("versions", "versions"),
    ("reason", "reason"),
    ("opened", "opened.at"),
    ("by", "opened.by"),
    ("frozen", "frozen"),
    ("revoked", "revoked"),
    ("cause", "closed.cause"),
    ("prevention", "closed.prevention"),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Open(args) => open(&args, cx).await,
        Verb::List { all } => {
            cx.with_access(async |access, cx| cx.answer_list(access.incidents(all).await?, &COLUMNS))
                .await
        }
        Verb::Report(args) => report::run(&args, cx).await,
        Verb::Note { which, text } => {
            cx.with_access(async |access, cx| cx.answer_one(&access.note_incident(&which, &text).await?, &FACTS))
                .await
        }
        Verb::Close(args) => close(&args, cx).await,
        Verb::Plan { output } => plan::run(output.as_deref(), cx).await,
    }
}

async fn open(args: &Open, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyRef = args.key.parse()?;
    let request = IncidentRequest::new(args.reason.clone())
        .since(past(args.since.as_deref())?)
        .freeze(args.freeze)
        .revoke_readers(past(args.revoke_readers.as_deref())?);
    match (args.freeze, args.revoke_readers.is_some()) {
        (false, false) => {}
        (true, _) => confirm(
            cx,
            &format!("freeze {key}"),
            "every program that reads it fails at once",
        )?,
        (false, true) => confirm(
            cx,
            &format!("revoke the readers of {key}"),
            "every program that holds one of their tokens fails at once",
        )?,
    }
    cx.with_access(async |access, cx| {
        let opened = access.open_incident(&key, request).await?;
        say_opened(&opened, cx);
        if cx.globals.json {
            cx.io.answer_json(&opened)?;
        } else {
            cx.io.answer_line(&text(at(&opened, "id")))?;
        }
        Ok(Exit::Done)
    })
    .await
}

fn say_opened(opened: &Value, cx: &mut Cx<'_>) {
    let reference = text(at(opened, "ref"));
    let verb = if at(opened, "was_open") == &Value::Bool(true) {
        "is open already, and was added to"
    } else {
        "is open"
    };
    cx.io.say(&format!(
        "incident {} on {reference} {verb}: versions {} are marked compromised{}",
        text(at(opened, "id")),
        text(at(opened, "versions")),
        if at(opened, "frozen") == &Value::Bool(true) {
            ", and the key is frozen"
        } else {
            ", and the key is still served"
        }
    ));
    for token in items(at(opened, "revoked")) {
        cx.io.say(&format!("  revoked: token {}", text(token)));
    }
    for token in items(at(opened, "not_revoked")) {
        cx.io.warn(&format!(
            "  NOT revoked: token {}: {}",
            text(at(token, "token")),
            text(at(token, "why"))
        ));
    }
    for unseen in items(at(opened, "unseen")) {
        cx.io.warn(&format!(
            "  a reader may be MISSING: {}; open the incident again with `--revoke-readers` when that is mended",
            text(unseen)
        ));
    }
    cx.io.say("what remains:");
    for line in steps(opened) {
        cx.io.say(&line);
    }
}

/// What remains, a line each.
fn steps(document: &Value) -> Vec<String> {
    let steps = items(at(document, "remaining"));
    let line = |step: &Value| format!("  - {}: {}", text(at(step, "what")), text(at(step, "how")));
    steps.iter().map(line).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

async fn close(args: &Close, cx: &mut Cx<'_>) -> Result<Exit> {
    let cause = account(cx, args.cause.as_deref(), "cause", "How was the key exposed?")?;
    let question = "What keeps it from happening again?";
    let prevention = account(cx, args.prevention.as_deref(), "prevention", question)?;
    cx.with_access(async |access, cx| {
        let closed = access
            .close_incident(&args.which, &cause, &prevention, args.force)
            .await?;
        cx.answer_one(&closed, &FACTS)
    })
    .await
}

/// What a person says of it: as given, else asked for on a terminal.
fn account(cx: &mut Cx<'_>, given: Option<&str>, flag: &str, question: &str) -> Result<String> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if !(cx.io.terminal.input && cx.io.terminal.error) {
        return Err(Error::usage(
            format!("an incident is closed with its {flag}, and there is nobody to ask"),
            format!("give `--{flag} TEXT`"),
        ));
    }
    cx.io.prompt(&format!("{question} "));
    Ok(cx.io.line())
}

fn past(when: Option<&str>) -> Result<Option<Timestamp>> {
    when.map(|when| time::ago(when, crate::commands::time::now()))
        .transpose()
}
