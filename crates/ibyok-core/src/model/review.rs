//! The record of reviews: which findings were acknowledged, and up to where the log was reviewed.

use ibyok_audit::review::{Acknowledged, FindingId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The id of the one record of reviews in a namespace's whole realm.
pub(crate) const REVIEW_ID: [u8; 16] = [0; 16];

/// The number of acknowledgements that are kept, the newest. A finding whose acknowledgement was dropped shows up
/// again.
const ACKS_MAX: usize = 2000;

/// The number of reviews that are kept, the newest.
const REVIEWS_MAX: usize = 200;

/// The sealed body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRecord {
    pub(crate) rev: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) acks: Vec<Ack>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) done: Vec<ReviewDone>,
}

/// The acknowledgement of a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ack {
    pub(crate) finding: String,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) reason: String,
}

/// A finished review of the log: its time, its principal, and the line up to which it read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ReviewDone {
    /// The time of the review.
    pub at: Timestamp,
    /// The principal that reviewed.
    pub by: String,
    /// The time from which lines were under review.
    pub since: Timestamp,
    /// The last line of each log that was read.
    pub until: Vec<ReviewedLog>,
    /// The number of findings.
    pub findings: u64,
    /// The number of findings that nobody had acknowledged.
    pub open: u64,
    /// The reason that was given with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A log, and the line up to which it was reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "an examiner names both parts")]
pub struct ReviewedLog {
    /// The log.
    pub log: String,
    /// The number of the last line.
    pub seq: u64,
}

/// The follow-ups of the reviews of a namespace: the findings that people acknowledged, and the reviews that they recorded.
#[derive(Clone, Debug, Default)]
pub struct FollowUps(pub(crate) ReviewRecord);

impl FollowUps {
    /// Returns the acknowledgement of a finding.
    #[must_use]
    pub fn of(&self, finding: &FindingId) -> Option<Acknowledged> {
        self.0.ack(finding).map(|ack| Acknowledged {
            at: ack.at,
            by: ack.by.clone(),
            reason: ack.reason.clone(),
        })
    }

    /// Returns the last recorded review.
    #[must_use]
    pub fn last_done(&self) -> Option<&ReviewDone> {
        self.0.done.last()
    }
}

impl ReviewRecord {
    pub(crate) fn ack(&self, finding: &FindingId) -> Option<&Ack> {
        self.acks.iter().rev().find(|ack| ack.finding == finding.as_str())
    }

    /// Acknowledges a finding, and replaces an earlier acknowledgement.
    pub(crate) fn acknowledge(&mut self, ack: Ack) {
        self.acks.retain(|other| other.finding != ack.finding);
        self.acks.push(ack);
        let surplus = self.acks.len().saturating_sub(ACKS_MAX);
        self.acks.drain(..surplus);
    }

    pub(crate) fn add(&mut self, done: ReviewDone) {
        self.done.push(done);
        let surplus = self.done.len().saturating_sub(REVIEWS_MAX);
        self.done.drain(..surplus);
    }
}
