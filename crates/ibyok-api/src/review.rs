//! Reviews of the audit log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The weight of a finding.
    pub enum Severity {
        /// Usually harmless.
        Low = "low",
        /// Examine it soon.
        Medium = "medium",
        /// Examine it now.
        High = "high",
    }
}

words! {
    /// The kind of subject of a finding.
    pub enum SubjectKind {
        /// An access token of the vault.
        Token = "token",
        /// An operator.
        Operator = "operator",
        /// A network.
        Network = "network",
        /// A log.
        Log = "log",
        /// A token id that the vault does not know.
        Unknown = "unknown",
    }
}

/// A review of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Review {
    /// The first time under review
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub since: Timestamp,
    /// The last time under review
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub until: Timestamp,
    /// The first time of the lines that the review learned from
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub history_since: Timestamp,
    /// The number of lines under review
    pub lines: u64,
    /// The number of lines that the review learned from
    pub history: u64,
    /// The findings, the gravest first
    pub findings: Vec<Finding>,
    /// The number of further findings of each detector
    pub more: BTreeMap<String, u64>,
    /// The number of lines of tokens beyond those that the review profiles
    pub not_judged: u64,
    /// The logs, each with the last line that the review read
    pub logs: Vec<LogRead>,
    /// The requests by day and hour
    pub days: Vec<ReviewDay>,
    /// The tokens that read the most
    pub tokens: Vec<ReviewToken>,
    /// The networks with the most requests
    pub networks: Vec<ReviewNetwork>,
    /// The thresholds of the detectors
    pub thresholds: ReviewThresholds,
    /// The number of findings that nobody has acknowledged
    pub open: u64,
    /// The last review that somebody recorded as done
    pub last_done: Option<ReviewDone>,
}

/// A finding of a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The id, which is the same in every review that sees the finding's first line
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::FindingId"))]
    pub id: String,
    /// The detector, for example `new_network`
    pub detector: String,
    /// The weight
    pub severity: Severity,
    /// The subject
    pub subject: FindingSubject,
    /// The finding in a sentence. Names in it come from outside
    pub explanation: String,
    /// The number of lines or requests that show it
    pub count: u64,
    /// The time at which it began
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub first: Timestamp,
    /// The time at which it was last seen
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
    /// The first lines that show it
    pub lines: Vec<ShownLine>,
    /// The acknowledgement
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Acknowledged"))]
    pub acknowledged: Option<Acknowledged>,
}

/// The subject of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingSubject {
    /// The kind
    pub kind: SubjectKind,
    /// The id
    pub id: String,
    /// The name, as it came from outside
    pub name: Option<String>,
}

/// A line that shows a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShownLine {
    /// The log's id
    pub log: String,
    /// The line's number in the log
    pub seq: u64,
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub time: Timestamp,
}

/// An acknowledgement of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Acknowledged {
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The principal
    pub by: String,
    /// The reason
    pub reason: String,
}

/// A log that a review read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogRead {
    /// The log's id
    pub log: String,
    /// The number of the first line
    pub from: u64,
    /// The number of the last line
    pub until: u64,
    /// The time of the last line
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
    /// The number of the log's lines under review
    pub lines: u64,
}

/// The requests of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewDay {
    /// The date, in the time zone of the review
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Day"))]
    pub date: Date,
    /// The requests in each hour
    pub hours: [u64; 24],
    /// The number of requests that were refused or failed
    pub refused: u64,
}

/// A token in the time under review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewToken {
    /// The id; empty for all tokens beyond those that the review counts apart
    pub id: String,
    /// The name, as it came from outside
    pub name: Option<String>,
    /// The number of released values
    pub reads: u64,
    /// The number of requests that were refused or failed
    pub refused: u64,
    /// The number of different keys
    pub keys: u64,
    /// The number of different networks
    pub networks: u64,
    /// The time of the first request
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub first: Timestamp,
    /// The time of the last request
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
}

/// A network in the time under review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewNetwork {
    /// The network, a /24 or a /48; empty for all networks beyond those that the review counts apart
    pub network: String,
    /// The country's two letters, where the server knows it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub country: Option<String>,
    /// The number of different tokens
    pub tokens: u64,
    /// The number of requests
    pub requests: u64,
    /// The number of requests that were refused or failed
    pub refused: u64,
    /// The time of the first request
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub first: Timestamp,
    /// The time of the last request
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
}

/// The thresholds of a review's detectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewThresholds {
    /// The days before the time under review that the review learns from
    pub history_days: u32,
    /// The first days of a token's life, which the review learns from and does not judge
    pub learning_days: u32,
    /// The days of silence after which a token is dormant
    pub dormant_days: u32,
    /// The days of activity after which a token's hours are known
    pub active_days: u32,
    /// The lines of a token in an hour below which there is no burst
    pub burst_lines: u64,
    /// The multiple of a token's busiest hour from which there is a burst
    pub burst_factor: u64,
    /// The number of different keys in an hour below which reading is not broad
    pub breadth_keys: u64,
    /// The multiple of a token's most keys in an hour from which reading is broad
    pub breadth_factor: u64,
    /// The number of requests of a network without a valid token in an hour that is a burst
    pub failed_by_network: u64,
    /// The number of refusals of one token in an hour that is a burst
    pub failed_by_token: u64,
    /// The hours in which operators work, `from-to`
    pub operator_hours: String,
    /// The time zone of hours and days, by its IANA name
    pub time_zone: String,
}

/// A review that somebody recorded as done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewDone {
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The principal
    pub by: String,
    /// The first time under review
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub since: Timestamp,
    /// The last line of each log that the review read
    pub until: Vec<ReviewedLog>,
    /// The number of findings
    pub findings: u64,
    /// The number of findings that nobody had acknowledged
    pub open: u64,
    /// The reason that was given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub reason: Option<String>,
}

/// The last reviewed line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewedLog {
    /// The log's id
    pub log: String,
    /// The number of the last line
    pub seq: u64,
}

/// The request to acknowledge a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingAck {
    /// The finding's id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::FindingId"))]
    pub id: String,
    /// The reason
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::ReviewReason"))]
    pub reason: String,
    /// The first time under review; the last seven days if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub since: Option<Timestamp>,
}

/// The request to record that the log was reviewed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewDoneRequest {
    /// The reason
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::ReviewReason>"))]
    pub reason: Option<String>,
    /// The first time under review; the last seven days if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub since: Option<Timestamp>,
}
