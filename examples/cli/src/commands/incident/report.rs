//! `ibyok incident report`

use std::fmt::Write as _;

use serde_json::Value;

use super::open::done;
use super::{Report, items, past, steps};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::out_file::write_secret;
use crate::show::clean;
use crate::table::{at, number, shown, text};
use crate::words::{counted, plural};

pub(super) async fn run(args: &Report, cx: &mut Cx<'_>) -> Result<Exit> {
    let since = past(args.since.as_deref())?;
    if args.proofs.is_some() {
        return super::proofs::run(args, since, cx).await;
    }
    cx.with_access(async |access, cx| {
        let report = access.incident_report(&args.which, since).await?;
        if let Some(file) = &args.html {
            write_secret(file, super::page::of(&report).as_bytes())?;
            cx.io.say(&format!("the page is in `{}`", file.display()));
            return Ok(Exit::Done);
        }
        if cx.globals.json {
            cx.io.answer_json(&report)?;
        } else {
            cx.io.answer(as_text(&report).as_bytes())?;
        }
        Ok(Exit::Done)
    })
    .await
}

/// The report for a terminal or a ticket. Nothing of it can move a cursor.
fn as_text(report: &Value) -> String {
    let mut out = String::new();
    head(&mut out, report);
    readers(&mut out, report);
    reach(&mut out, report);
    findings(&mut out, report);
    timeline(&mut out, report);
    let left = steps(report);
    if !left.is_empty() {
        section(&mut out, "What remains");
        left.iter().for_each(|line| push(&mut out, line));
    }
    out
}

fn head(out: &mut String, report: &Value) {
    let incident = at(report, "incident");
    let say = |path: &str| shown(at(incident, path));
    push(
        out,
        &format!("Incident {} on {}, {}", say("id"), say("ref"), say("state")),
    );
    push(out, &format!("  reason:   {}", say("reason")));
    push(
        out,
        &format!("  opened:   {} by {}", say("opened.at"), say("opened.by")),
    );
    for step in done(incident) {
        push(out, &format!("  {step}"));
    }
    for note in items(at(incident, "notes")) {
        let (when, by) = (shown(at(note, "at")), text(at(note, "by")));
        push(out, &format!("  note:     {when} {by}: {}", text(at(note, "text"))));
    }
    if !at(incident, "closed").is_null() {
        push(
            out,
            &format!("  closed:   {} by {}", say("closed.at"), say("closed.by")),
        );
        push(out, &format!("  cause:    {}", say("closed.cause")));
        push(
            out,
            &format!("  kept from happening again by: {}", say("closed.prevention")),
        );
    }
    if !at(report, "provider").is_null() {
        push(out, &format!("  revoke:   {}", text(at(report, "provider.revoke_url"))));
    }
    push(
        out,
        &format!("  looked at the log since {}", shown(at(report, "since"))),
    );
}

fn readers(out: &mut String, report: &Value) {
    section(out, "Who was given the key");
    let readers = items(at(report, "readers"));
    if readers.is_empty() {
        push(out, "  nobody");
    }
    for reader in readers {
        let name = text(at(reader, "name"));
        let who = if name == "-" {
            text(at(reader, "id"))
        } else {
            format!("{name} ({})", text(at(reader, "id")))
        };
        let say = |path: &str| shown(at(reader, path));
        push(
            out,
            &format!(
                "  {who}: {}, {} to {}",
                counted(number(at(reader, "count")), "time"),
                say("first"),
                say("last")
            ),
        );
        push(
            out,
            &format!(
                "    {} {}, from {}, as {}",
                plural(items(at(reader, "versions")).len(), "version"),
                say("versions"),
                say("addresses"),
                say("user_agents")
            ),
        );
    }
    for unseen in items(at(report, "unseen")) {
        push(out, &format!("  and perhaps others, hidden by {}", shown(unseen)));
    }
    push(
        out,
        &format!("  released after the leak: {}", text(at(report, "released_after"))),
    );
}

fn reach(out: &mut String, report: &Value) {
    let reach = items(at(report, "reach"));
    if reach.is_empty() {
        return;
    }
    section(out, "What else they could read, and did");
    for token in reach {
        let say = |path: &str| text(at(token, path));
        push(out, &format!("  {} ({}, {})", say("name"), say("token"), say("state")));
        push(
            out,
            &format!(
                "    could: {}: {}",
                counted(number(at(token, "could_read_count")), "key"),
                say("could_read")
            ),
        );
        let did = items(at(token, "did_read"));
        let did: Vec<String> = did
            .iter()
            .map(|did| format!("{} ({})", text(at(did, "ref")), text(at(did, "count"))))
            .collect();
        push(
            out,
            &format!(
                "    did:   {}",
                if did.is_empty() {
                    "nothing".to_owned()
                } else {
                    did.join(", ")
                }
            ),
        );
    }
}

fn findings(out: &mut String, report: &Value) {
    let findings = items(at(report, "findings"));
    if findings.is_empty() {
        return;
    }
    section(out, "What a review of that time found about them");
    for finding in findings {
        let say = |path: &str| text(at(finding, path));
        push(
            out,
            &format!("  {} {}: {}", say("severity"), say("id"), say("explanation")),
        );
    }
}

fn timeline(out: &mut String, report: &Value) {
    section(out, "What happened");
    for line in items(at(report, "timeline")) {
        let say = |path: &str| shown(at(line, path));
        let name = say("name");
        let who = if name == "-" { say("by") } else { name };
        let mut told = format!("  {} {} {} by {who}", say("time"), say("action"), say("outcome"));
        for (word, path) in [("version", "version"), ("from", "address"), ("because", "reason")] {
            if !at(line, path).is_null() {
                // Writing to a text does not fail.
                write!(told, ", {word} {}", say(path)).unwrap_or_default();
            }
        }
        push(out, &told);
    }
    if at(report, "further_lines") != &Value::from(0) {
        push(
            out,
            &format!(
                "  and {}: see `ibyok audit tail --key`",
                counted(number(at(report, "further_lines")), "further line")
            ),
        );
    }
}

fn section(out: &mut String, title: &str) {
    out.push('\n');
    push(out, title);
}

fn push(out: &mut String, line: &str) {
    out.push_str(&clean(line));
    out.push('\n');
}
