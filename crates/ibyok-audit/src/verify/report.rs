//! What was found.

use serde::Serialize;

/// What was found in a place.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct Report {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// How many lines there are.
    pub events: u64,
    /// The first that is wrong, in the first log that has one.
    pub first_bad: Option<Bad>,
    /// Each log.
    pub logs: Vec<LogReport>,
}

/// What was found in a log.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LogReport {
    /// Its id.
    pub id: String,
    /// Its slot; `None` for one that is not there.
    pub slot: Option<u32>,
    /// How many lines there are.
    pub events: u64,
    /// How many checkpoints hold.
    pub checkpoints: u64,
    /// How many lines at the end no checkpoint covers: they are chained only.
    pub chained_only: u64,
    /// The first line that is wrong.
    pub first_bad: Option<Bad>,
    /// Whether a last write was cut by a crash; nothing of it was acknowledged.
    pub torn: bool,
    /// Whether the key was one that the caller trusts, and not the one beside the log.
    pub trusted_key: bool,
}

/// A line that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bad {
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
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// It is not as it was written.
    Changed,
    /// It is not there, and later ones are.
    Removed,
    /// It was not written there.
    Inserted,
    /// It stands in another place.
    Moved,
    /// It and all later ones are not there, though a checkpoint speaks of it.
    Truncated,
    /// Lines are chained, and not those that a checkpoint was signed for; or the key beside the log is another.
    Replaced,
    /// A checkpoint's signature does not hold, or there is no key to check it with.
    BadSignature,
}

impl Report {
    pub(super) fn new(logs: Vec<LogReport>) -> Self {
        let first_bad = logs.iter().find_map(|log| log.first_bad.clone());
        let events = logs.iter().map(|log| log.events).sum();
        Self {
            ok: first_bad.is_none(),
            events,
            first_bad,
            logs,
        }
    }
}
