//! Attestations: statements of people about things that no program can see.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// The id of the one record of attestations in a namespace.
pub(crate) const ATTESTATIONS_ID: [u8; 16] = [0; 16];

/// The names that can be attested: each is an item of the checklist.
pub const ATTESTED_ITEMS: [&str; 3] = ["training", "backup", "incident-plan"];

/// The sealed body, in the realm that spans a namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttestationRecord {
    pub(crate) rev: u64,
    #[serde(default)]
    pub(crate) items: BTreeMap<String, Attestation>,
}

/// A person's word that something was so at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Attestation {
    /// The time of the attestation.
    pub at: Timestamp,
    /// The principal that attested it.
    pub by: String,
    /// A note of that principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The SHA-256 of the backup that the vault itself took and attested, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// Refuses an item that is not on the checklist.
pub(crate) fn check_item(item: &str) -> Result<()> {
    if ATTESTED_ITEMS.contains(&item) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: format!("{} is not an item to attest", crate::base::error::quoted(item)),
        hint: Some(format!("the items are: {}", ATTESTED_ITEMS.join(", ")).into()),
    })
}
