//! The life of a key: absent, live, or removed.

use super::key::KeyRecord;

/// A key's record, by the life of the key. A removed key keeps its record, so that no node accepts an older copy. The
/// type keeps this record apart, so that no code can serve or change it as a key.
#[derive(Debug)]
pub(crate) enum KeyLife {
    /// The key never existed.
    Absent,
    Live(Box<KeyRecord>),
    Removed(Tombstone),
}

/// The numbers of a removed key from which a new key of the same name continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) rev: u64,
    pub(crate) last_version: u32,
}

impl KeyLife {
    pub(crate) fn of(record: Option<KeyRecord>) -> Self {
        match record {
            None => KeyLife::Absent,
            Some(record) if record.is_live() => KeyLife::Live(Box::new(record)),
            Some(KeyRecord { rev, last_version, .. }) => KeyLife::Removed(Tombstone { rev, last_version }),
        }
    }

    /// Returns the record of a live key.
    pub(crate) fn live(self) -> Option<KeyRecord> {
        match self {
            KeyLife::Live(record) => Some(*record),
            KeyLife::Absent | KeyLife::Removed(_) => None,
        }
    }

    /// Borrows the record of a live key.
    pub(crate) fn as_live(&self) -> Option<&KeyRecord> {
        match self {
            KeyLife::Live(record) => Some(record),
            KeyLife::Absent | KeyLife::Removed(_) => None,
        }
    }
}
