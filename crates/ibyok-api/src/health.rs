//! The server's health.

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The state of a part of the vault.
    pub enum PartState {
        /// The part works.
        Ok = "ok",
        /// The part does not work.
        Unavailable = "unavailable",
    }
}

words! {
    /// The agreement of the audit log and the store.
    pub enum Agreement {
        /// The store has every change on the log.
        Ok = "ok",
        /// The store lacks changes that are on the log.
        StoreBehind = "store_behind",
    }
}

words! {
    /// The history of the node.
    pub enum History {
        /// The node has floors.
        Ok = "ok",
        /// The node began without floors, and nobody gave it any.
        None = "none",
    }
}

/// The answer of a process that lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alive {
    /// Always `ok`
    pub status: PartState,
}

/// A sink that receives the lines of the audit log besides its home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditSink {
    /// The kind: `webhook`, `syslog`, `postgres`, `redis`, `stdout`, or that of an own sink
    pub kind: String,
    /// True if the server releases nothing that the sink does not hold
    pub required: bool,
    /// `unavailable`: the last call of the sink failed
    pub state: PartState,
    /// The number of lines that the sink did not acknowledge yet
    pub waiting: u64,
    /// The number of lines that the sink missed since the server started
    pub dropped: u64,
}

/// The readiness of the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ready {
    /// True if the vault can serve
    pub ready: bool,
    /// The store
    pub store: PartState,
    /// The KEK
    pub kek: PartState,
    /// The audit log
    pub audit: PartState,
    /// The sinks that receive the lines of the audit log besides its home
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_sinks: Vec<AuditSink>,
    /// The lease on the store's changes
    pub lease: PartState,
    /// The number of damaged records, which the server refuses; it serves all others
    pub damaged_records: u64,
    /// `store_behind`: the store lacks changes that are on the audit log. A vault on a file store is not ready then
    pub log_and_store: Agreement,
    /// `unavailable`: the server cannot write floors, so that nothing can be revoked, disabled or removed
    pub floors: PartState,
    /// The number of findings about the file of floors that no operator has acknowledged. The file was damaged or replaced, and was rebuilt
    pub floors_findings: u64,
    /// `none`: the node began without floors, and nobody gave it any. The node is ready nevertheless
    pub history: History,
}
