//! The report of a scan: its findings, and the items that it could not read.

mod sarif;
mod words;

pub use sarif::sarif;

use crate::engine::Scanned;
use crate::finding::ScanFinding;

/// The largest number of findings that a report holds. The rest is counted.
const HELD: usize = 100_000;
const TOLD: usize = 1000;

/// The report of a scan: its findings, and the items that it could not read.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ScanReport {
    /// The findings, ordered by path, line and column.
    pub findings: Vec<ScanFinding>,
    /// Findings beyond the 100,000 that are held.
    pub more: u64,
    /// Findings that were excused on their lines.
    pub excused: u64,
    /// Keys that their provider publishes by design. They are no findings.
    pub public: u64,
    /// Texts that were scanned.
    pub files: u64,
    /// Bytes that were scanned.
    pub bytes: u64,
    /// Texts that are binary, and were left out.
    pub binary: u64,
    /// The items that could not be read and the reasons, printable; the first thousand.
    pub unreadable: Vec<String>,
    /// The number of items that could not be read.
    pub unread: u64,
    /// Pipes, sockets and devices, which are not opened, printable; the first thousand.
    pub left_out: Vec<String>,
    /// Notes about parts that were left out for another reason, in words.
    pub notes: Vec<String>,
}

impl ScanReport {
    pub(crate) fn add(&mut self, scanned: Scanned) {
        if scanned.binary {
            self.binary += 1;
            return;
        }
        self.files += 1;
        self.bytes += scanned.bytes;
        self.excused += scanned.excused;
        self.public += scanned.public;
        self.found(scanned.findings);
    }

    pub(crate) fn found(&mut self, findings: impl IntoIterator<Item = ScanFinding>) {
        for finding in findings {
            if self.findings.len() < HELD {
                self.findings.push(finding);
            } else {
                self.more += 1;
            }
        }
    }

    pub(crate) fn not_read(&mut self, what: String) {
        self.unread += 1;
        if self.unreadable.len() < TOLD {
            self.unreadable.push(what);
        }
    }

    pub(crate) fn left_out(&mut self, what: String) {
        if self.left_out.len() < TOLD {
            self.left_out.push(what);
        }
    }

    /// Returns true if the scan read everything that it was to scan.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread == 0
    }

    /// Adds the report of another thread.
    pub(crate) fn merge(&mut self, other: ScanReport) {
        self.more += other.more;
        self.excused += other.excused;
        self.public += other.public;
        self.files += other.files;
        self.bytes += other.bytes;
        self.binary += other.binary;
        let room = HELD.saturating_sub(self.findings.len());
        self.more += u64::try_from(other.findings.len().saturating_sub(room)).unwrap_or(u64::MAX);
        self.findings.extend(other.findings.into_iter().take(room));
        self.unread += other.unread;
        let room = TOLD.saturating_sub(self.unreadable.len());
        self.unreadable.extend(other.unreadable.into_iter().take(room));
        self.notes.extend(other.notes);
        let room = TOLD.saturating_sub(self.left_out.len());
        self.left_out.extend(other.left_out.into_iter().take(room));
    }

    /// The same, with the findings of another scan.
    #[must_use]
    pub fn and(mut self, other: ScanReport) -> Self {
        self.merge(other);
        self.sort();
        self
    }

    /// In the order of the places, whichever thread was first.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by(|a, b| a.order().cmp(&b.order()));
        self.unreadable.sort();
        self.left_out.sort();
    }
}
