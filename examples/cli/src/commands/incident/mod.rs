//! `ibyok incident`

mod open;
mod proofs;
mod report;

use std::ops::Deref;
use std::path::{Path, PathBuf};

use ibyok_api::Incident;
use ibyok_core::jiff::Timestamp;
use ibyok_operations::file::write_private;
use ibyok_reports::incident;

use super::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::table::Column;
use ibyok_reports::cell::Cell;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Open an incident on a key that may have leaked: mark it, replace or freeze it, and list the remaining steps
    Open(open::Args),
    /// List the open incidents
    List {
        /// Also list the closed incidents
        #[arg(long)]
        all: bool,
    },
    /// Report the readers of the key and their addresses, the other keys in their reach, and the remaining steps
    Report(Report),
    /// Add a note to an incident: a finding, or an action elsewhere
    Note {
        /// The id of the incident, or the reference of its key
        #[arg(value_name = "INCIDENT")]
        which: String,
        /// The text of the note
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
    /// Close an incident with its cause and its prevention; asks on a terminal for a missing one
    Close(Close),
    /// Write an incident plan for this vault, for a team's repository
    Plan {
        /// Write the plan to this file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// The id of the incident, or the reference of its key
    #[arg(value_name = "INCIDENT")]
    which: String,
    /// Read the log from this time on [default: the time of the possible leak, else 90 days before the incident]
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Write the report to this file as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a proof of each line in the report to this directory, for a person who does not have the log
    #[arg(long, value_name = "DIR")]
    proofs: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Close {
    /// The id of the incident, or the reference of its key
    #[arg(value_name = "INCIDENT")]
    which: String,
    /// The cause: the way in which the key was exposed
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
    /// The prevention: the change that prevents another leak
    #[arg(long, value_name = "TEXT")]
    prevention: Option<String>,
    /// Close the incident even if the vault still serves the leaked version
    #[arg(long)]
    force: bool,
}

const COLUMNS: [Column<Incident>; 6] = [
    ("ID", |one| one.id.cell()),
    ("REF", |one| one.reference.cell()),
    ("STATE", |one| one.state.cell()),
    ("OPENED", |one| one.opened.at.cell()),
    ("BY", |one| one.opened.by.cell()),
    ("REASON", |one| one.reason.cell()),
];

const FACTS: [Column<Incident>; 12] = [
    ("id", |one| one.id.cell()),
    ("key", |one| one.reference.cell()),
    ("state", |one| one.state.cell()),
    ("versions", |one| one.versions.cell()),
    ("reason", |one| one.reason.cell()),
    ("opened", |one| one.opened.at.cell()),
    ("by", |one| one.opened.by.cell()),
    ("frozen", |one| one.frozen.cell()),
    ("replaced by", |one| {
        one.replaced.as_ref().map(|replaced| replaced.version).cell()
    }),
    ("revoked", |one| one.revoked.cell()),
    ("cause", |one| {
        one.closed.as_ref().map(|closed| closed.cause.clone()).cell()
    }),
    ("prevention", |one| {
        one.closed.as_ref().map(|closed| closed.prevention.clone()).cell()
    }),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Open(args) => open::run(&args, cx).await,
        Verb::List { all } => {
            let none = if all { "no incidents" } else { "no incident is open" };
            cx.with_access(async |access, cx| cx.answer_documents(&access.incidents(all).await?, &COLUMNS, none))
                .await
        }
        Verb::Report(args) => report::run(&args, cx).await,
        Verb::Note { which, text } => {
            cx.with_access(async |access, cx| cx.answer_document(&access.note_incident(&which, &text).await?, &FACTS))
                .await
        }
        Verb::Close(args) => close(&args, cx).await,
        Verb::Plan { output } => plan(output.as_deref(), cx).await,
    }
}

async fn close(args: &Close, cx: &mut Cx<'_>) -> Result<Exit> {
    let cause = account(cx, args.cause.as_deref(), "cause", "How was the key exposed?")?;
    let question = "Which change prevents another leak?";
    let prevention = account(cx, args.prevention.as_deref(), "prevention", question)?;
    cx.with_access(async |access, cx| {
        let closed = access
            .close_incident(&args.which, &cause, &prevention, args.force)
            .await?;
        cx.answer_document(&closed, &FACTS)
    })
    .await
}

async fn plan(output: Option<&Path>, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let list = access.list(None).await?;
        if let Some(warning) = list.warning() {
            cx.io.warn(&warning);
        }
        let plan = incident::plan(list.items.iter().map(Deref::deref));
        match output {
            None => cx.io.answer(plan.as_bytes())?,
            Some(path) => {
                write_private(path, plan.as_bytes())?;
                cx.io.say(&format!("wrote the plan to {}", path.display()));
            }
        }
        Ok(Exit::Done)
    })
    .await
}

/// Returns the text of the flag, or asks for it on a terminal.
fn account(cx: &mut Cx<'_>, given: Option<&str>, flag: &str, question: &str) -> Result<String> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    if !(cx.io.terminal.input && cx.io.terminal.error) {
        return Err(Error::usage(
            format!("closing an incident needs its {flag}, and there is no terminal to ask for it"),
            format!("give `--{flag} TEXT`"),
        ));
    }
    cx.io.prompt(&format!("{question} "));
    Ok(cx.io.line())
}

fn past(when: Option<&str>) -> Result<Option<Timestamp>> {
    when.map(time::ago).transpose()
}
