//! The record of a value that leaked: that it did, and never the value.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The sealed body, in the realm of the key's environment. It is found by the value's keyed fingerprint, stays when the version is
/// destroyed or the key removed, and is never taken away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeakedRecord {
    pub(crate) rev: u64,
    /// The key whose version was marked first, as its id is printed.
    pub(crate) key_id: String,
    pub(crate) version: u32,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
}
