//! The report of an incident.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Finding, Grant, Incident, KeyInfo, LeakedCopy, PrincipalKind, Step, TokenState};

words! {
    /// The outcome of a request on the audit log.
    pub enum Outcome {
        /// The request was permitted and succeeded.
        Allowed = "allowed",
        /// Policy refused the request.
        Denied = "denied",
        /// The request was permitted and failed.
        Failed = "failed",
    }
}

words! {
    /// The source of a reader's counts.
    pub enum ReaderSource {
        /// The audit logs of this place.
        Log = "log",
        /// The counts of another node, whose own log has the addresses.
        Usage = "usage",
    }
}

/// All facts about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IncidentReport {
    /// The incident
    pub incident: Incident,
    /// The key as it is now; null once it is removed
    pub key: Option<KeyInfo>,
    /// The pages of the provider
    pub provider: Option<ProviderPages>,
    /// The first time of the log that the report covers
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub since: Timestamp,
    /// The time of the report
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub made: Timestamp,
    /// The lines about the key, oldest first: changes, refusals, and each release after the leak
    pub timeline: Vec<ReportLine>,
    /// The number of lines that the report leaves out
    pub further_lines: u64,
    /// The readers of the key on any node, last first
    pub readers: Vec<KeyReader>,
    /// Gaps of the report: nodes that do not report, counts that do not open, damaged records, unreadable lines
    pub unseen: Vec<String>,
    /// The number of releases of a leaked version after the leak
    pub released_after: u64,
    /// Other keys that the readers could read, and did
    pub reach: Vec<Reach>,
    /// The findings of a review about the readers; null while another review is running
    pub findings: Option<Vec<Finding>>,
    /// Other keys of the environment that hold the value, as far as the principal may read them
    pub copies: Vec<LeakedCopy>,
    /// The steps that remain, in order
    pub remaining: Vec<Step>,
}

/// The pages of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderPages {
    /// The provider's id in the catalogue
    pub id: String,
    /// The provider's name
    pub name: String,
    /// The page that revokes keys
    pub revoke_url: String,
    /// The page that creates keys
    pub create_url: String,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportLine {
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub time: Timestamp,
    /// The log's id
    pub log: String,
    /// The line's number in the log
    pub seq: u64,
    /// The action, for example `key.retrieve`
    pub action: String,
    /// The outcome
    pub outcome: Outcome,
    /// The principal: the token's id or the operator's name
    pub by: Option<String>,
    /// The token's name
    pub name: Option<String>,
    /// The version's number
    pub version: Option<u64>,
    /// The client's address
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub address: Option<IpAddr>,
    /// The client's user agent
    pub user_agent: Option<String>,
    /// The reason on the line
    pub reason: Option<String>,
    /// The number of requests that the line stands for
    pub count: u64,
}

/// A reader of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyReader {
    /// The token's id, or the operator's name
    pub id: String,
    /// The kind of principal
    pub kind: PrincipalKind,
    /// The token's name at its last read
    pub name: Option<String>,
    /// The number of reads: in the logs of this place since the report's first time, or as other nodes counted them in 90 days
    pub count: u64,
    /// The time of the first read that the report covers
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub first: Timestamp,
    /// The time of the last read
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
    /// The line of the last read in the logs of this place
    pub last_line: Option<LineAt>,
    /// The versions
    pub versions: BTreeSet<u64>,
    /// The addresses, at most 32; of another node's counts, the networks
    #[cfg_attr(feature = "schema", schemars(with = "BTreeSet<String>"))]
    pub addresses: BTreeSet<IpAddr>,
    /// The user agents, at most 32
    pub user_agents: BTreeSet<String>,
    /// The source of the counts
    pub source: ReaderSource,
}

/// The place of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LineAt {
    /// The log's id
    pub log: String,
    /// The line's number in the log
    pub seq: u64,
}

/// Other keys that a reader could read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reach {
    /// The token's id
    pub token: String,
    /// The token's name
    pub name: String,
    /// The token's state
    pub state: TokenState,
    /// The token's grant. Only a principal that may read the namespace's whole log sees it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Grant"))]
    pub grant: Option<Grant>,
    /// The keys that the token can read, as far as the principal may know of them; at most 500
    pub could_read: Vec<String>,
    /// The number of keys that the token can read
    pub could_read_count: u64,
    /// The keys that the token did read, most often first; at most 500
    pub did_read: Vec<DidRead>,
}

/// A key that a token did read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DidRead {
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The number of reads
    pub count: u64,
    /// The time of the last read
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
}
