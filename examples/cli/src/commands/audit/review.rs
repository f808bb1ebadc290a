//! `ibyok audit review`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ibyok_core::ReviewRequest;
use indicatif::ProgressBar;
use serde_json::Value;

use super::page;
use crate::colour::Tone;
use crate::commands::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::out_file::write_secret;
use crate::progress::spinner;
use crate::show::clean;
use crate::table::{at, number, text};
use crate::words::{counted, is_or_are};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Since when: `7d` ago, `2026-11-24` (its beginning in UTC) or an RFC 3339 time
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// Acknowledge the finding with this id
    #[arg(long, value_name = "ID", requires = "reason", conflicts_with_all = ["done", "html"])]
    ack: Option<String>,
    /// Record that the log was reviewed, up to its last line
    #[arg(long)]
    done: bool,
    /// Why the finding is all right, or what was done; what is to be said of the review
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Write the review as a page for a browser: one file, without scripts or network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.reason.is_some() && args.ack.is_none() && !args.done {
        return Err(Error::usage(
            "`--reason` is of `--ack` or `--done`",
            "give one of them, or leave it out",
        ));
    }
    let request = ReviewRequest::since(time::ago(&args.since, crate::commands::time::now())?);
    cx.with_access(async |access, cx| {
        let bar = spinner(cx, "reviewing");
        let read = Arc::clone(&request.progress);
        let reason = args.reason.as_deref();
        let work = async {
            match (&args.ack, args.done) {
                (Some(finding), _) => access.acknowledge(&request, finding, reason.unwrap_or_default()).await,
                (None, true) => access.review_done(&request, reason).await,
                (None, false) => access.review(&request).await,
            }
        };
        let found = watched(work, &bar, &read).await;
        bar.finish_and_clear();
        let found = found?;
        if args.ack.is_some() {
            return acknowledged(&found, cx);
        }
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

fn to_page(path: &Path, review: &Value, cx: &mut Cx<'_>) -> Result<()> {
    write_secret(path, page::of(review).as_bytes())?;
    cx.io
        .say(&format!("the page is in `{}`, for you alone to read", path.display()));
    Ok(())
}

fn acknowledged(finding: &Value, cx: &mut Cx<'_>) -> Result<Exit> {
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
fn answer(review: &Value, done: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let open = at(review, "open").as_u64().unwrap_or(0) + list(review, "more").count() as u64;
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

fn tell(review: &Value, done: bool, cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        return cx.io.answer_json(review);
    }
    for finding in list(review, "findings") {
        for line in in_words(finding) {
            cx.io.answer_line(&clean(&line))?;
        }
    }
    if let Value::Object(more) = at(review, "more") {
        for (detector, count) in more {
            cx.io.warn(&format!(
                "{} of {}",
                counted(number(count), "more finding"),
                clean(detector)
            ));
        }
    }
    cx.io.say(&format!(
        "{} found, {} of them open, in {} since {}; {} of history",
        list(review, "findings").count(),
        text(at(review, "open")),
        counted(number(at(review, "lines")), "line"),
        second(at(review, "since")),
        counted(number(at(review, "history")), "line"),
    ));
    let last = at(review, "last_done");
    if last.is_object() {
        let was = if done { "recorded: reviewed" } else { "last reviewed" };
        let (when, who) = (second(at(last, "at")), text(at(last, "by")));
        cx.io.say(&clean(&format!("{was} on {when} by {who}")));
    } else {
        cx.io
            .say("nobody has recorded a review yet: `audit review --done` does");
    }
    Ok(())
}

/// A finding in a few lines.
fn in_words(finding: &Value) -> Vec<String> {
    let field = |name: &str| text(at(finding, name));
    let subject = at(finding, "subject");
    let mut lines = vec![
        format!(
            "{:<6} {:<20} {}  {}",
            field("severity"),
            field("detector"),
            field("id"),
            who(subject)
        ),
        format!("       {}", field("explanation")),
    ];
    let shown: Vec<String> = list(finding, "lines").map(place).collect();
    let (count, first, last) = (
        field("count"),
        second(at(finding, "first")),
        second(at(finding, "last")),
    );
    let when = if first == last {
        first
    } else {
        format!("{first} to {last}")
    };
    lines.push(format!("       {count}×, {when}; lines {}", shown.join(" ")));
    let acknowledged = at(finding, "acknowledged");
    if acknowledged.is_object() {
        let field = |name: &str| text(at(acknowledged, name));
        lines.push(format!(
            "       acknowledged on {} by {}: {}",
            second(at(acknowledged, "at")),
            field("by"),
            field("reason")
        ));
    }
    lines
}

/// A time without its fractions.
fn second(time: &Value) -> String {
    let time = text(time);
    time.split_once('.')
        .map_or(time.clone(), |(second, _)| format!("{second}Z"))
}

pub(super) fn who(subject: &Value) -> String {
    let (kind, id, name) = (
        text(at(subject, "kind")),
        text(at(subject, "id")),
        text(at(subject, "name")),
    );
    match name.is_empty() || name == id {
        true => format!("{kind} {id}"),
        false => format!("{kind} {name} ({id})"),
    }
}

/// `LOG:NUMBER`, as `audit prove` takes it.
pub(super) fn place(line: &Value) -> String {
    format!("{}:{}", text(at(line, "log")), text(at(line, "seq")))
}

pub(super) fn list<'v>(value: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> {
    at(value, path).as_array().map(Vec::as_slice).unwrap_or_default().iter()
}
