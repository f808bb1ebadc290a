//! The manifest of a backup: what the file holds, under a MAC of the vault.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::realm::Realm;

/// Separates this MAC from every other use of the realm's keyed hash.
const LABEL: &str = "ibyok backup manifest v1";

/// The first frame: the vault, for a reader that has no KEK.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) vault: String,
    pub(crate) created: Timestamp,
}

/// The contents of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupInfo {
    /// The vault's id.
    pub vault: String,
    /// The realm whose keys made the MAC: that of the node that took the backup.
    pub realm: String,
    /// The time at which the backup began.
    pub created: Timestamp,
    /// The time at which its last record was read.
    pub completed: Timestamp,
    /// The operator who took it.
    pub by: String,
    /// The number of records that were read, with those that were read again because they changed.
    pub records: u64,
    /// The number of frames before this manifest.
    pub frames: u64,
    /// The number of bytes before this manifest.
    pub bytes: u64,
    /// The SHA-256 of the bytes before this manifest, in hex.
    pub sha256: String,
    /// The change of the store at which the backup began.
    pub change_from: u64,
    /// The change of the store up to which records are in the backup.
    pub change_upto: u64,
    /// True if all records are those of one moment, which is `change_upto`. Else each record is as of a moment between the two.
    pub is_exact: bool,
    /// The state of the floors of the node that took the backup.
    pub floors: BackupFloors,
    /// The newest checkpoint of each audit log.
    pub logs: Vec<BackupLog>,
    /// The names of the files in it: `vault.toml`, and `kek` if the KEK is in it.
    pub files: Vec<String>,
    /// Records that the store could not read, and that are not in it.
    pub unreadable: Vec<String>,
}

impl BackupInfo {
    /// Returns true if the KEK is in the backup: who has the file has the keys.
    #[must_use]
    pub fn with_kek(&self) -> bool {
        self.files.iter().any(|name| name == super::read::KEK)
    }
}

/// The state of the floors of the node that took a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupFloors {
    /// Grows with every change of the floors.
    pub generation: u64,
    /// The number of records that have a floor.
    pub records: u64,
}

/// The head of an audit log at a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackupLog {
    /// The log.
    pub log: String,
    /// Its newest checkpoint, which the log's key signed.
    pub checkpoint: String,
}

pub(crate) fn mac(realm: &Realm, manifest: &[u8]) -> [u8; 32] {
    realm.keys.keyed_hash(LABEL, manifest)
}

pub(crate) fn has_mac(realm: &Realm, manifest: &[u8], given: &[u8; 32]) -> bool {
    bool::from(mac(realm, manifest).ct_eq(given))
}
