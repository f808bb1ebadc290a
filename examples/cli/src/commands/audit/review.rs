//! `ibyok audit review`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ibyok_api::{Document, Finding, Review};
use ibyok_operations::reviews::ReviewRequest;
use indicatif::ProgressBar;

use crate::access::only_here;
use crate::colour::Tone;
use crate::commands::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::spinner;
use crate::show::clean;
use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_operations::file::write_private;
use ibyok_reports::review;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Review events from this time on: `7d` ago, `2026-11-24` (00:00 UTC) or an RFC 3339 time
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// Acknowledge the finding with this id
    #[arg(long, value_name = "ID", requires = "reason", conflicts_with_all = ["done", "html"])]
    ack: Option<String>,
    /// Record that the log was reviewed, up to its last line
    #[arg(long)]
    done: bool,
    /// The reason to acknowledge the finding, or a remark on the review
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Write the review as a page for a browser: one file, without scripts or network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also review the older lines in this archive. Repeatable; needs a local vault
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.reason.is_some() && args.ack.is_none() && !args.done {
        return Err(Error::usage(
            "`--reason` needs `--ack` or `--done`",
            "add `--ack ID` or `--done`, or remove `--reason`",
        ));
    }
    let mut request = ReviewRequest::since(time::ago(&args.since)?);
    if !args.archive.is_empty() {
        only_here("audit review --archive", cx.globals, cx.environment)?;
        request.archives.clone_from(&args.archive);
    }
    let reason = args.reason.as_deref();
    cx.with_access(async |access, cx| {
        let bar = spinner(cx, "reviewing");
        let read = Arc::clone(&request.progress);
        if let Some(finding) = &args.ack {
            let work = access.acknowledge(&request, finding, reason.unwrap_or_default());
            let found = watched(work, &bar, &read).await;
            bar.finish_and_clear();
            return acknowledged(&found?, cx);
        }
        let work = async {
            match args.done {
                true => access.review_done(&request, reason).await,
                false => access.review(&request).await,
            }
        };
        let found = watched(work, &bar, &read).await;
        bar.finish_and_clear();
        let found = found?;
        if let Some(path) = &args.html {
            to_page(path, &found, cx)?;
        }
        answer(&found, args.done, cx)
    })
    .await
}

/// Shows how many lines were read while something works.
async fn watched<T>(work: impl Future<Output = T>, bar: &ProgressBar, read: &AtomicU64) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                let lines = read.load(Ordering::Relaxed);
                if lines > 0 {
                    bar.set_message(format!("reviewing: {}", counted(lines, "line")));
                }
            }
        }
    }
}

fn to_page(path: &Path, found: &Review, cx: &mut Cx<'_>) -> Result<()> {
    write_private(path, review::page(found).as_bytes())?;
    cx.io
        .say(&format!("wrote the page to `{}`; only you can read it", path.display()));
    Ok(())
}

fn acknowledged(finding: &Document<Finding>, cx: &mut Cx<'_>) -> Result<Exit> {
    if cx.globals.json {
        cx.io.answer_json(finding)?;
    } else {
        for (place, line) in review::finding(finding).iter().enumerate() {
            let line = clean(line);
            // The severity begins the first line of each.
            let (severity, rest) = line.split_once(' ').filter(|_| place == 0).unwrap_or(("", &line));
            let gap = if place == 0 { " " } else { "" };
            let line = format!("{}{gap}{rest}", cx.io.toned(severity, Tone::of(severity)));
            cx.io.answer_line(&line)?;
        }
    }
    Ok(Exit::Done)
}

/// Prints the review and returns the exit code, which reports open findings even if the answer could not be printed.
fn answer(review: &Document<Review>, done: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let open = review.open;
    let told = tell(review, done, cx);
    if open == 0 {
        return told.map(|()| Exit::Done);
    }
    if let Err(error) = told {
        cx.io.warn(&format!(
            "{} {} open; {error}",
            counted(open, "finding"),
            is_or_are(open)
        ));
    }
    Ok(Exit::Findings)
}

fn tell(found: &Document<Review>, done: bool, cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        return cx.io.answer_json(found);
    }
    for finding in &found.findings {
        for line in review::finding(finding) {
            cx.io.answer_line(&clean(&line))?;
        }
    }
    cx.io.notes(review::summary(found, done));
    Ok(())
}
