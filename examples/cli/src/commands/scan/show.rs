//! Prints the report of a scan.

use std::path::Path;

use ibyok_scan::{ScanReport, sarif};

use crate::commands::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use ibyok_operations::file::write_private;

/// The largest number of unreadable places that are named.
const NAMED: usize = 20;

/// Prints the findings and returns the exit code, which reports findings even if the answer could not be printed.
pub(super) fn answer(report: &ScanReport, to: Option<&Path>, cx: &mut Cx<'_>) -> Result<Exit> {
    if let Some(path) = to {
        let log = sarif(report, env!("CARGO_PKG_VERSION"));
        let log = serde_json::to_vec_pretty(&log)
            .map_err(|error| Error::failed(format!("cannot write the findings as SARIF: {error}"), "this is a bug"))?;
        write_private(path, &log)?;
    }
    let told = if cx.globals.json {
        cx.io.answer_json(&report.document())
    } else {
        let lines: String = report.findings.iter().map(|finding| format!("{finding}\n")).collect();
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
    cx.io.say(&report.summary());
}
