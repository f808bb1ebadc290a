//! `ibyok audit review`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ibyok_api::{Document, Finding, FindingSubject, Review};
use ibyok_operations::reviews::ReviewRequest;
use indicatif::ProgressBar;
use jiff::Timestamp;

use super::page;
use crate::cell::NONE;
use crate::colour::Tone;
use crate::commands::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::out_file::write_secret;
use crate::progress::spinner;
use crate::show::clean;
use crate::words::{counted, is_or_are};

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
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.reason.is_some() && args.ack.is_none() && !args.done {
        return Err(Error::usage(
            "`--reason` needs `--ack` or `--done`",
            "add `--ack ID` or `--done`, or remove `--reason`",
        ));
    }
    let request = ReviewRequest::since(time::ago(&args.since, crate::commands::time::now())?);
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

fn to_page(path: &Path, review: &Review, cx: &mut Cx<'_>) -> Result<()> {
    write_secret(path, page::of(review).as_bytes())?;
    cx.io
        .say(&format!("wrote the page to `{}`; only you can read it", path.display()));
    Ok(())
}

fn acknowledged(finding: &Document<Finding>, cx: &mut Cx<'_>) -> Result<Exit> {
    if cx.globals.json {
        cx.io.answer_json(finding)?;
    } else {
        for (place, line) in in_words(finding).iter().enumerate() {
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

fn tell(review: &Document<Review>, done: bool, cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        return cx.io.answer_json(review);
    }
    for finding in &review.findings {
        for line in in_words(finding) {
            cx.io.answer_line(&clean(&line))?;
        }
    }
    for (detector, count) in &review.more {
        let further = counted(*count, "more finding");
        cx.io.warn(&format!("{further} of {}", clean(detector)));
    }
    cx.io.say(&format!(
        "{} found, {} of them open, in {} since {}; {} of history",
        review.findings.len(),
        review.open,
        counted(review.lines, "line"),
        second(review.since),
        counted(review.history, "line"),
    ));
    if let Some(last) = &review.last_done {
        let was = if done { "recorded: reviewed" } else { "last reviewed" };
        let (when, who) = (second(last.at), &last.by);
        cx.io.say(&clean(&format!("{was} on {when} by {who}")));
    } else {
        cx.io
            .say("no review is recorded yet; `ibyok audit review --done` records one");
    }
    Ok(())
}

/// A finding in a few lines.
fn in_words(finding: &Finding) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{:<6} {:<20} {}  {}",
            finding.severity,
            finding.detector,
            finding.id,
            who(&finding.subject)
        ),
        format!("       {}", finding.explanation),
    ];
    // `LOG:NUMBER`, as `audit prove` takes it.
    let places = finding.lines.iter().map(|line| format!("{}:{}", line.log, line.seq));
    let places: Vec<String> = places.collect();
    let (count, first, last) = (finding.count, second(finding.first), second(finding.last));
    let when = if first == last {
        first
    } else {
        format!("{first} to {last}")
    };
    lines.push(format!("       {count}×, {when}; lines {}", places.join(" ")));
    if let Some(acknowledged) = &finding.acknowledged {
        lines.push(format!(
            "       acknowledged on {} by {}: {}",
            second(acknowledged.at),
            acknowledged.by,
            acknowledged.reason
        ));
    }
    lines
}

/// A time without its fractions. The fractions are cut and not rounded, as the page cuts them.
fn second(time: Timestamp) -> String {
    let time = time.to_string();
    time.split_once('.')
        .map_or(time.clone(), |(second, _)| format!("{second}Z"))
}

/// The subject of a finding.
pub(super) fn who(subject: &FindingSubject) -> String {
    let (kind, id) = (&subject.kind, &subject.id);
    match subject.name.as_deref().unwrap_or(NONE) {
        name if name.is_empty() || name == id => format!("{kind} {id}"),
        name => format!("{kind} {name} ({id})"),
    }
}
