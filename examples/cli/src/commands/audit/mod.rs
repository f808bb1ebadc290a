//! `ibyok audit`

mod archive;
mod floors;
mod prove;
mod review;
mod tail;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};

use ibyok_core::audit::{Error as LogError, Filter, LeftOut, Lines, unread_line};
use ibyok_settings::home_of;
use indicatif::ProgressBar;
use serde_json::json;

use super::Cx;
use crate::access::Here;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::spinner;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show events, oldest first
    Tail(tail::Args),
    /// Verify every log: its chain, its checkpoints, its signatures
    Verify {
        /// Also trust this public key, as `audit keys` prints it, or a file with one key on each line. With `--audit DIR`,
        /// verify the logs in DIR with these keys alone, without a vault
        #[arg(long, value_name = "PUB")]
        key: Vec<String>,
        /// Check a proof that `audit prove` wrote, instead of the logs; needs `--key` and no vault
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
        /// Also verify the older lines in this archive, together with the logs. Repeatable
        #[arg(long, value_name = "DIR", conflicts_with = "proof")]
        archive: Vec<PathBuf>,
    },
    /// Move old segments of the logs into an archive that can be verified
    Archive(archive::Args),
    /// Find events that a person should examine: new networks, bursts, refusals, odd hours
    Review(review::Args),
    /// Write a proof for an outsider that a line is in the log
    Prove(prove::Args),
    /// Print every line of the logs unchanged, oldest first
    Export {
        /// Export only the log with this id, even if no key of this vault vouches for it
        #[arg(long, value_name = "LOG")]
        log: Option<String>,
        /// Also export the older lines in this archive. Repeatable
        #[arg(long, value_name = "DIR")]
        archive: Vec<PathBuf>,
    },
    /// Print the public keys of the logs, for verifiers without the vault
    Keys,
    /// Manage the floors: the revisions below which this node refuses records
    #[command(subcommand)]
    Floors(floors::Verb),
}

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    is_there(cx)?;
    match verb {
        Verb::Tail(args) => tail::run(args, cx).await,
        Verb::Verify { key, proof, archive } => verify::run(&key, proof.as_deref(), archive, cx).await,
        Verb::Archive(args) => archive::run(args, cx).await,
        Verb::Review(args) => review::run(args, cx).await,
        Verb::Prove(args) => prove::run(args, cx).await,
        Verb::Export { log, archive } => {
            let mut filter = Filter::default();
            filter.log = log;
            cx.with_vault("audit export", async |here, cx| {
                export(&filter, &archive, here, cx).await
            })
            .await
        }
        Verb::Keys => cx.with_vault("audit keys", keys).await,
        Verb::Floors(verb) => floors::run(verb, cx).await,
    }
}

/// Refuses a directory of logs that a flag names and that does not exist: to read logs makes none.
fn is_there(cx: &Cx<'_>) -> Result<()> {
    let named = cx.globals.settings.audit.as_deref();
    match named.filter(|named| home_of(named).is_none()) {
        Some(named) if !Path::new(named).exists() => Err(Error::Vault(ibyok_core::Error::NotFound {
            what: format!("directory of logs `{}`", crate::show::clean(named)),
            hint: Some("give `--audit` the directory that the vault writes its logs to".into()),
        })),
        _ => Ok(()),
    }
}

async fn export(filter: &Filter, archives: &[PathBuf], here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    warn_of_foreign(filter.log.as_deref(), here, cx).await?;
    let spinner = if cx.io.terminal.output {
        ProgressBar::hidden()
    } else {
        spinner(cx, "exporting")
    };
    let lines = here.audit().with_archives(archives).lines(filter).await?;
    let (mut lines, mut unread) = (lines, Vec::new());
    let written = write_lines(&mut lines, &mut unread, cx.io.out());
    spinner.finish_and_clear();
    written?;
    for error in unread {
        pass_over(error, cx)?;
    }
    warn_of_left_out(lines.left_out(), cx);
    warn_of_archived(&lines, cx);
    Ok(Exit::Done)
}

fn write_lines(lines: &mut Lines, unread: &mut Vec<LogError>, out: &mut dyn Write) -> Result<()> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, out);
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) if unread_line(&error).is_some() => {
                unread.push(error);
                continue;
            }
            Err(error) => return Err(ibyok_core::Error::from(error).into()),
        };
        out.write_all(line.text().as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(Error::Output)?;
    }
    out.flush().map_err(Error::Output)
}

/// Warns of one line that cannot be read. The lines behind it are shown.
///
/// # Errors
/// An error that is about no single line.
fn pass_over(error: LogError, cx: &mut Cx<'_>) -> Result<()> {
    let Some(line) = unread_line(&error) else {
        return Err(ibyok_core::Error::from(error).into());
    };
    cx.io.warn(&crate::show::clean(&format!("warning: {line}")));
    Ok(())
}

/// Warns of lines that the answer lacks.
fn warn_of_left_out(left_out: impl IntoIterator<Item = LeftOut>, cx: &mut Cx<'_>) {
    for left_out in left_out {
        cx.io
            .warn(&format!("warning: {left_out}; `ibyok audit verify` says what is wrong"));
    }
}

/// Warns of archived lines that the answer lacks.
fn warn_of_archived(lines: &Lines, cx: &mut Cx<'_>) {
    for archived in lines.archived() {
        cx.io.warn(&crate::show::clean(&format!(
            "warning: {archived}; `--archive DIR` reads them, too"
        )));
    }
}

/// Warns that the log whose lines were asked for by name is not a log of this vault.
async fn warn_of_foreign(log: Option<&str>, here: &Here, cx: &mut Cx<'_>) -> Result<()> {
    if let Some(log) = log
        && here.vault().is_foreign_log(log).await?
    {
        let log = crate::show::clean(log);
        cx.io.warn(&format!(
            "warning: the log {log} is foreign: no key of this vault vouches for it, and anybody may have written its lines"
        ));
    }
    Ok(())
}

async fn keys(here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    let keys = here.session().audit().keys().await?;
    if cx.globals.json {
        let items: Vec<_> = keys
            .iter()
            .map(|key| json!({ "log": key.log(), "key": key.to_string() }))
            .collect();
        cx.io.answer_json(&json!({ "items": items, "next": null }))?;
        return Ok(Exit::Done);
    }
    for key in keys {
        cx.io.answer_line(&key.to_string())?;
    }
    Ok(Exit::Done)
}
