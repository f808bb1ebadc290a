//! Older records that an operator accepted by name.
//!
//! An acceptance lowers no floor. It raises the record's floor above every revision that nodes are likely to have seen, and names the one
//! revision that nodes accept although it is below: the one in the store, or none where the record is missing. It holds as long as the floor
//! stays the same. The record is then written again above the floor, which ends the acceptance. Nodes still refuse copies from before the restore,
//! and of two acceptances the later one on the log counts. Clocks do not matter.

use std::collections::HashMap;

use ibyok_audit::Entry;
use ibyok_storage::{AuthenticatedMap, Error as StorageError, MapChange, MapDurability, RecordId};

use super::entry::{raise, unavailable};
use super::key;
use crate::base::error::Result;

/// The action of a line by which an operator accepted an older record or store.
const ACTION: &str = "vault.rollback_accepted";

/// The number of changes in one transaction.
const BATCH: usize = 500;

/// An older record that nodes accept as long as the record's floor is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) floor: u64,
    /// The accepted revision; 0 if the record may be missing.
    pub(crate) rev: u64,
}

impl Accepted {
    fn print(self) -> String {
        format!("{} {}", self.floor, self.rev)
    }

    fn parse(text: &str) -> Option<Self> {
        let (floor, rev) = text.split_once(' ')?;
        Some(Accepted {
            floor: floor.parse().ok()?,
            rev: rev.parse().ok()?,
        })
    }

    /// The changes that make it hold.
    pub(crate) fn changes(self, record: &RecordId) -> [MapChange; 2] {
        let put = MapChange::Put {
            key: key::accepted(record),
            text: Some(self.print()),
        };
        [raise(record, self.floor), put]
    }

    /// The acceptance that a line of the log states.
    pub(crate) fn of(entry: &Entry) -> Option<(RecordId, Self)> {
        let floor = entry.states.as_ref().and_then(|states| states.accepted);
        let floor = floor.filter(|_| entry.action == ACTION)?;
        let record = entry.record.as_deref()?.parse().ok()?;
        let accepted = Accepted {
            floor,
            rev: entry.rev.unwrap_or(0),
        };
        Some((record, accepted))
    }
}

/// The acceptances that lines of logs speak of: the one with the highest floor of each record.
#[derive(Debug, Default)]
pub(crate) struct Acceptances(HashMap<RecordId, Accepted>);

impl Acceptances {
    pub(crate) fn take(&mut self, entry: &Entry) {
        if let Some((record, accepted)) = Accepted::of(entry) {
            let newest = self.0.entry(record).or_insert(accepted);
            if newest.floor < accepted.floor {
                *newest = accepted;
            }
        }
    }

    /// Writes those that the file does not have yet.
    pub(crate) async fn write(&self, map: &AuthenticatedMap) -> Result<()> {
        let mut changes = Vec::new();
        for (record, accepted) in &self.0 {
            if read(map, record)
                .await?
                // An acceptance in the file with a floor at least as high is the later one, and stays.
                .is_none_or(|there| there.floor < accepted.floor)
            {
                changes.extend(accepted.changes(record));
            }
        }
        for batch in changes.chunks(BATCH) {
            let applied = map.apply(batch.to_vec(), MapDurability::Kernel).await;
            applied.map_err(unavailable)?;
        }
        Ok(())
    }
}

/// Returns true if a text of another file is an acceptance, and this file has a newer one of the same record.
pub(crate) async fn is_outdated(map: &AuthenticatedMap, name: &[u8], text: &str) -> Result<bool, StorageError> {
    if !name.starts_with(key::ACCEPTED) {
        return Ok(false);
    }
    let there = map.text(name).await?;
    // The floor orders acceptances. Clocks of two nodes would not.
    let floor = |text: &str| Accepted::parse(text).map(|accepted| accepted.floor);
    Ok(there.is_some_and(|there| floor(&there) >= floor(text)))
}

pub(crate) async fn read(map: &AuthenticatedMap, record: &RecordId) -> Result<Option<Accepted>> {
    let text = map.text(&key::accepted(record)).await.map_err(unavailable)?;
    Ok(text.as_deref().and_then(Accepted::parse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acceptance_reads_back() {
        let accepted = Accepted { floor: 12, rev: 0 };
        assert_eq!(Accepted::parse(&accepted.print()), Some(accepted));
        for bad in ["", "1", "1 x", "x 1", "1 2 3"] {
            assert_eq!(Accepted::parse(bad), None, "{bad}");
        }
    }
}
