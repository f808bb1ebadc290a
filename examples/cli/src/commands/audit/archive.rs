//! `ibyok audit archive`

use std::path::PathBuf;

use ibyok_core::audit::{ArchiveRun, ArchivedLog, words::counted};
use ibyok_reports::cell::Cell;
use serde_json::json;

use crate::commands::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::spinner;
use crate::table::{Column, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Move segments whose lines are all older than this time: `90d` ago, `2026-11-24` (00:00 UTC) or an RFC 3339 time. The
    /// default is `audit_retention` of `vault.toml`
    #[arg(long, value_name = "WHEN")]
    before: Option<String>,
    /// The archive: a directory outside the directory of the logs. It is created if its parent exists
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Show the lines that would move, and move nothing
    #[arg(long)]
    dry_run: bool,
}

const LOGS: [Column<ArchivedLog>; 5] = [
    ("LOG", |log| log.log.cell()),
    ("FIRST LINE", |log| log.first.cell()),
    ("LAST LINE", |log| log.last.cell()),
    ("SEGMENTS", |log| log.segments.cell()),
    ("BYTES", |log| log.bytes.cell()),
];

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let before = match &args.before {
        Some(when) => time::ago(when)?,
        None => settings.old_lines.kept_since(time::now())?.ok_or_else(|| {
            Error::usage(
                "nothing says which lines are old",
                "give `--before`, or set `audit_retention` in `vault.toml`",
            )
        })?,
    };
    let run = match args.dry_run {
        true => ArchiveRun::Show,
        false => ArchiveRun::Move,
    };
    cx.with_vault("audit archive", async |here, cx| {
        let spinner = spinner(cx, "archiving");
        let moved = here.audit().archive(before, &args.to, run).await;
        spinner.finish_and_clear();
        let moved = moved?;
        if cx.globals.json {
            cx.io
                .answer_json(&json!({ "items": moved, "next": null, "to": args.to, "dry_run": args.dry_run }))?;
            return Ok(Exit::Done);
        }
        Table::typed(&moved, &LOGS).print_or(cx.io, "no closed segment is old enough")?;
        if !args.dry_run && !moved.is_empty() {
            let lines: u64 = moved.iter().map(|log| log.last + 1 - log.first).sum();
            cx.io.say(&format!(
                "moved {}; keep `{}`: `ibyok audit verify --archive` verifies it together with the log",
                counted(lines, "line"),
                args.to.display()
            ));
        }
        Ok(Exit::Done)
    })
    .await
}
