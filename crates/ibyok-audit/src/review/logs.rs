//! The logs themselves: missing lines, and the last line that was read of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::finding::{Detector, Severity, Shown, Subject};
use super::findings::{Findings, Hit};
use crate::read::{Entry, LinePlace};

/// Up to where a log was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogRead {
    /// The log.
    pub log: Arc<str>,
    /// The number of the first line that was read.
    pub from: u64,
    /// The number of the last.
    pub until: u64,
    /// The time of the last.
    pub last: Timestamp,
    /// The number of its lines under review.
    pub lines: u64,
}

#[derive(Debug, Default)]
pub(super) struct Logs(BTreeMap<Arc<str>, LogRead>);

impl Logs {
    /// Takes in the place of a line, and returns it for findings.
    pub(super) fn take(&mut self, place: &LinePlace<'_>, reviewed: bool, found: &mut Findings) -> Shown {
        let known = self.0.get_key_value(place.log).map(|(log, _)| Arc::clone(log));
        let log = known.unwrap_or_else(|| Arc::from(place.log));
        let line = Shown {
            log: Arc::clone(&log),
            seq: place.seq,
            time: place.time,
        };
        let read = self.0.entry(Arc::clone(&log)).or_insert_with(|| LogRead {
            log,
            from: place.seq,
            until: place.seq.saturating_sub(1),
            last: place.time,
            lines: 0,
        });
        let expected = read.until.saturating_add(1);
        if place.seq != expected {
            let text = format!(
                "line {expected} is missing: line {} is in its place; `ibyok audit verify` shows more",
                place.seq
            );
            found.hit(gap(&line, Severity::High, text));
        }
        (read.until, read.last) = (place.seq.max(read.until), place.time);
        read.lines += u64::from(reviewed);
        line
    }

    /// Takes in a line of the log about itself.
    pub(super) fn own(entry: &Entry, line: &Shown, found: &mut Findings) {
        if entry.action != "log.gap" {
            return;
        }
        let reason = entry.reason.as_deref().unwrap_or("something is missing");
        let grave = ["missing", "broken"].iter().any(|word| reason.starts_with(word));
        let severity = if grave { Severity::High } else { Severity::Low };
        found.hit(gap(line, severity, format!("the log says of itself: {reason}")));
    }

    /// Returns the last line that was read of any log. A finding about a line that cannot be read shows this one
    /// instead.
    pub(super) fn newest(&self) -> Option<Shown> {
        let newest = self.0.values().max_by_key(|read| (read.last, read.until))?;
        Some(Shown {
            log: Arc::clone(&newest.log),
            seq: newest.until,
            time: newest.last,
        })
    }

    pub(super) fn finish(self) -> Vec<LogRead> {
        self.0.into_values().collect()
    }
}

pub(super) fn gap(line: &Shown, severity: Severity, explanation: String) -> Hit {
    Hit {
        detector: Detector::LogGap,
        severity,
        subject: Subject {
            kind: "log",
            id: line.log.to_string(),
            name: None,
        },
        about: String::new(),
        explanation,
        line: line.clone(),
        count: 1,
        within: SignedDuration::from_hours(1),
    }
}
