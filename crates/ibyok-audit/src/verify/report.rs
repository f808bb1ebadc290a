//! Reports of a verification.

use std::path::PathBuf;

use serde::Serialize;

/// The report of the verification of a place.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct VerifyReport {
    /// True if verification found no fault.
    pub ok: bool,
    /// The number of lines, without those of foreign logs.
    pub events: u64,
    /// The first that is wrong, in the first log that has one.
    pub first_bad: Option<BadLine>,
    /// Each log.
    pub logs: Vec<LogReport>,
    /// Everything that is wrong, one entry for each log and each further fault.
    pub findings: Vec<VerifyFinding>,
    /// Remarks for the reader that are not faults, in words.
    pub notes: Vec<String>,
}

/// Something that is wrong with a place, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyFinding {
    /// The kind of fault, in a word.
    pub what: VerifyFault,
    /// The log that it is about.
    pub log: Option<String>,
    /// The slot of that log; `None` where the log is not there.
    pub slot: Option<u32>,
    /// The description of the fault, for people.
    pub detail: String,
}

impl VerifyFinding {
    /// A finding.
    pub fn new(what: VerifyFault, log: Option<String>, slot: Option<u32>, detail: impl Into<String>) -> Self {
        Self {
            what,
            log,
            slot,
            detail: detail.into(),
        }
    }

    fn of(report: &LogReport) -> Option<Self> {
        let bad = report.first_bad.as_ref()?;
        let slot = report.slot.map_or_else(String::new, |slot| format!("slot-{slot}/"));
        let detail = match bad.what {
            VerifyFault::Foreign => {
                format!("no trusted key vouches for the log in {slot}: none of its lines is believed")
            }
            VerifyFault::Missing => {
                "the vault knows the log, but the log is not in this directory: somebody removed it".to_owned()
            }
            VerifyFault::Unsigned => format!(
                "lines from number {} on ({slot}{} line {}) have no signature, although the writer would have signed them",
                bad.seq, bad.segment, bad.line
            ),
            _ => format!("{slot}{} line {} (number {})", bad.segment, bad.line, bad.seq),
        };
        Some(Self::new(bad.what, Some(report.id.clone()), report.slot, detail))
    }
}

/// The report of the verification of one log.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LogReport {
    /// Its id.
    pub id: String,
    /// Its slot; `None` for one that is not there.
    pub slot: Option<u32>,
    /// The number of lines.
    pub events: u64,
    /// The number of archived lines before those. The vault moved them, and they were not verified.
    pub archived: u64,
    /// The archives that the vault moved those lines to.
    pub elsewhere: Vec<PathBuf>,
    /// The number of checkpoints that hold.
    pub checkpoints: u64,
    /// The number of lines at the end that no checkpoint covers. They are chained only.
    pub chained_only: u64,
    /// The first line that is wrong.
    pub first_bad: Option<BadLine>,
    /// True if a crash cut the last write. The log acknowledged nothing of it.
    pub torn: bool,
    /// True if the key was one that the caller trusts, and not the one beside the log.
    pub trusted_key: bool,
}

impl LogReport {
    /// Says in words which lines of the log are archived and were not verified; `None` if none are.
    pub(super) fn archived_in_words(&self) -> Option<String> {
        let archives = self.elsewhere.iter().map(|path| format!("`{}`", path.display()));
        let archives: Vec<String> = archives.collect();
        (self.archived > 0 && !archives.is_empty()).then(|| {
            format!(
                "log {}: lines 1 to {} are archived in {}; `--archive` verifies them, too",
                self.id,
                self.archived,
                archives.join(", ")
            )
        })
    }

    /// Returns true if no key vouches for the log.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.first_bad
            .as_ref()
            .is_some_and(|bad| bad.what == VerifyFault::Foreign)
    }
}

/// A line that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BadLine {
    /// The log.
    pub log: String,
    /// The file.
    pub segment: String,
    /// The line in it, from 1; for one that is missing, where it should be.
    pub line: u64,
    /// Its `seq`, or what that should be.
    pub seq: u64,
    /// The last line that may be wrong, where the first is known only as one of several.
    pub until: Option<u64>,
    /// The kind of fault.
    pub what: VerifyFault,
}

/// The kind of fault in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerifyFault {
    /// It is not as it was written.
    Changed,
    /// It is not there, and later ones are.
    Removed,
    /// It was not written there.
    Inserted,
    /// The line is in another place.
    Moved,
    /// It and all later ones are not there, though a checkpoint speaks of it.
    Truncated,
    /// Lines are chained, and not those that a checkpoint was signed for; or the key beside the log is another.
    Replaced,
    /// A checkpoint's signature does not hold, or there is no key to check it with.
    BadSignature,
    /// No key that the caller trusts vouches for the log: it is another's, a copy, or was made up.
    Foreign,
    /// The log is known, and is not there.
    Missing,
    /// The line and those after it have no signature, although their writer would have signed them: they were added.
    Unsigned,
    /// The store has not come as far as the log says: an older copy of it was put back, or it lost writes.
    StoreBehind,
    /// The store holds the key of the log and no checkpoint of it: the record was deleted.
    NoCheckpoint,
    /// A record of the store that is about the log does not open.
    DamagedRecord,
}

impl VerifyFault {
    /// Returns the word that a report has for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Inserted => "inserted",
            Self::Moved => "moved",
            Self::Truncated => "truncated",
            Self::Replaced => "replaced",
            Self::BadSignature => "bad_signature",
            Self::Foreign => "foreign",
            Self::Missing => "missing",
            Self::Unsigned => "unsigned",
            Self::StoreBehind => "store_behind",
            Self::NoCheckpoint => "no_checkpoint",
            Self::DamagedRecord => "damaged_record",
        }
    }
}

impl VerifyReport {
    pub(super) fn new(logs: Vec<LogReport>) -> Self {
        let first_bad = logs.iter().find_map(|log| log.first_bad.clone());
        let ours = logs.iter().filter(|log| !log.is_foreign());
        let events = ours.map(|log| log.events).sum();
        let findings = logs.iter().filter_map(VerifyFinding::of).collect();
        Self {
            ok: first_bad.is_none(),
            events,
            first_bad,
            logs,
            findings,
            notes: Vec::new(),
        }
    }

    /// Adds something that is wrong and that the lines alone do not show.
    pub fn add(&mut self, finding: VerifyFinding) {
        self.ok = false;
        self.findings.push(finding);
    }
}
