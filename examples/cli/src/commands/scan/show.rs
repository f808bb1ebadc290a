//! Prints the report of a scan.

use std::fmt::Write;
use std::path::Path;

use ibyok_scan::{ScanFinding, ScanReport, sarif};
use serde_json::json;

use crate::commands::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::out_file::write_secret;
use crate::words::counted;

/// The largest number of unreadable places that are named.
const NAMED: usize = 20;

/// Prints the findings and returns the exit code, which reports findings even if the answer could not be printed.
pub(super) fn answer(report: &ScanReport, to: Option<&Path>, cx: &mut Cx<'_>) -> Result<Exit> {
    if let Some(path) = to {
        let log = sarif(report, env!("CARGO_PKG_VERSION"));
        let log = serde_json::to_vec_pretty(&log)
            .map_err(|error| Error::failed(format!("cannot write the findings as SARIF: {error}"), "this is a bug"))?;
        write_secret(path, &log)?;
    }
    let told = if cx.globals.json {
        cx.io.answer_json(&document(report))
    } else {
        let lines: String = report.findings.iter().map(line).collect();
        cx.io.answer(lines.as_bytes())
    };
    tell(report, cx);
    if report.findings.is_empty() {
        // Nothing was found in what was read, which says nothing about the rest.
        let exit = if report.is_whole() { Exit::Done } else { Exit::Failed };
        return told.map(|()| exit);
    }
    if let Err(error) = told {
        cx.io.warn(&format!("the scan has findings; {error}"));
    }
    Ok(Exit::Findings)
}

fn document(report: &ScanReport) -> serde_json::Value {
    json!({
        "findings": report.findings,
        "more": report.more,
        "excused": report.excused,
        "scanned": { "texts": report.files, "bytes": report.bytes, "binary": report.binary, "unreadable": report.unread, "public": report.public },
        "left_out": report.left_out,
        "notes": report.notes,
    })
}

fn line(finding: &ScanFinding) -> String {
    let ScanFinding {
        path,
        line,
        column,
        rule,
        excerpt,
        ..
    } = finding;
    let mut text = format!("{path}:{line}:{column}: {rule}: {excerpt}");
    // Writing to a string does not fail.
    if let Some(key) = &finding.known_key {
        let version = finding.known_version.map(|version| format!(" version {version}"));
        write!(text, " (key of the vault: {key}{})", version.unwrap_or_default()).unwrap_or_default();
    }
    if let Some(commit) = &finding.commit {
        write!(text, " (commit {})", commit.get(..12).unwrap_or(commit)).unwrap_or_default();
    }
    if let Some(note) = &finding.note {
        write!(text, " ({note})").unwrap_or_default();
    }
    text.push('\n');
    text
}

/// The rest, for people.
fn tell(report: &ScanReport, cx: &mut Cx<'_>) {
    for what in report.unreadable.iter().take(NAMED) {
        cx.io.warn(&format!("not read: {what}"));
    }
    let unnamed = report.unread.saturating_sub(u64::try_from(NAMED).unwrap_or(u64::MAX));
    if unnamed > 0 {
        cx.io.warn(&format!("not read: {unnamed} more"));
    }
    for what in report.left_out.iter().take(NAMED) {
        cx.io.say(&format!("skipped: {what}"));
    }
    for note in &report.notes {
        cx.io.say(note);
    }
    let found = u64::try_from(report.findings.len())
        .unwrap_or(u64::MAX)
        .saturating_add(report.more);
    let mut summary = format!("{} in {}", counted(found, "finding"), counted(report.files, "text"));
    for (count, what) in [
        (report.more, "not listed"),
        (report.excused, "excused"),
        (report.public, "public by design"),
        (report.binary, "binary skipped"),
        (report.unread, "unreadable"),
    ] {
        if count > 0 {
            write!(summary, ", {count} {what}").unwrap_or_default();
        }
    }
    cx.io.say(&summary);
}
