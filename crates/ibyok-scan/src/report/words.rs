//! The report of a scan in words and as JSON.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::ScanReport;
use crate::finding::ScanFinding;

impl ScanReport {
    /// Returns the report as one JSON document: `findings`, `more`, `excused`, `scanned`, `left_out` and `notes`.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "findings": self.findings,
            "more": self.more,
            "excused": self.excused,
            "scanned": {
                "texts": self.files, "bytes": self.bytes, "binary": self.binary, "unreadable": self.unread, "public": self.public,
            },
            "left_out": self.left_out,
            "notes": self.notes,
        })
    }

    /// Summarises the report in one line: the numbers of findings and texts, and of the items that it leaves out.
    #[must_use]
    pub fn summary(&self) -> String {
        let found = u64::try_from(self.findings.len()).unwrap_or(u64::MAX);
        let found = found.saturating_add(self.more);
        let mut summary = format!("{} in {}", counted(found, "finding"), counted(self.files, "text"));
        for (count, what) in [
            (self.more, "not listed"),
            (self.excused, "excused"),
            (self.public, "public by design"),
            (self.binary, "binary skipped"),
            (self.unread, "unreadable"),
        ] {
            if count > 0 {
                // Writing to a string does not fail.
                write!(summary, ", {count} {what}").unwrap_or_default();
            }
        }
        summary
    }
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Describes the finding in one line: `path:line:column: rule: excerpt`, then the key of the vault, the commit and a note, if it has them.
impl fmt::Display for ScanFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanFinding {
            path,
            line,
            column,
            rule,
            excerpt,
            ..
        } = self;
        write!(f, "{path}:{line}:{column}: {rule}: {excerpt}")?;
        if let Some(key) = &self.known_key {
            let version = self.known_version.map(|version| format!(" version {version}"));
            write!(f, " (key of the vault: {key}{})", version.unwrap_or_default())?;
        }
        if let Some(commit) = &self.commit {
            write!(f, " (commit {})", commit.get(..12).unwrap_or(commit))?;
        }
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_what_a_scan_left_out_and_nothing_that_is_zero() {
        let mut report = ScanReport {
            files: 1,
            ..ScanReport::default()
        };
        assert_eq!(report.summary(), "0 findings in 1 text");
        (report.files, report.more, report.unread) = (2, 1, 3);
        assert_eq!(report.summary(), "1 finding in 2 texts, 1 not listed, 3 unreadable");
        assert_eq!(report.document()["scanned"]["unreadable"], 3);
    }
}
