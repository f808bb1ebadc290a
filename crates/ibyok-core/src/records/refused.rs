//! The records that were refused, as `status` counts and lists them.

use std::ops::Bound;
use std::sync::PoisonError;

use ibyok_storage::RecordId;

use super::Records;
use crate::base::error::Error;
use crate::model::kind;

/// The number of damaged records that are remembered for `status`.
const DAMAGED_MAX: usize = 1000;

impl Records {
    /// Remembers a record that proved damaged, and forgets one that was read whole.
    pub(crate) fn note_damage(&self, id: &RecordId, error: Option<&Error>) {
        match error {
            Some(Error::Integrity { .. }) => self.remember_damaged(id),
            Some(_) => {}
            None => self.forget_damaged_record(id),
        }
    }

    /// Remembers the damaged records of environments' names, and no others of their kinds.
    pub(crate) fn remember_damaged_tags(&self, damaged: &[RecordId]) {
        let mut known = self.damaged_records.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id| id.collection().kind().as_u8() != kind::TAG || damaged.contains(id));
        drop(known);
        damaged.iter().for_each(|id| self.remember_damaged(id));
    }

    /// Remembers the realms that the store lost, and no others.
    pub(crate) fn remember_lost<'a>(&self, lost: impl Iterator<Item = &'a RecordId>) {
        lost.for_each(|id| self.remember_damaged(id));
    }

    /// Forgets that a record was damaged, once it was read whole.
    pub(crate) fn forget_damaged_record(&self, id: &RecordId) {
        let mut damaged = self.damaged_records.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.remove(id);
    }

    /// Forgets which records were damaged: those that still are show again.
    pub(crate) fn forget_damaged(&self) {
        self.damaged_records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(crate) fn remember_damaged(&self, id: &RecordId) {
        let mut damaged = self.damaged_records.lock().unwrap_or_else(PoisonError::into_inner);
        // It is read again and again: that it is still damaged is no news.
        if damaged.contains(id) {
            return;
        }
        tracing::error!(record = %id, "a record is damaged, missing, or older than the record that this node has seen");
        if damaged.len() < DAMAGED_MAX {
            damaged.insert(*id);
        }
    }

    /// Some of the records that are known to be damaged, from behind one on.
    pub(crate) fn damaged_after(&self, after: Option<&RecordId>, most: usize) -> Vec<RecordId> {
        let damaged = self.damaged_records.lock().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        damaged.range((from, Bound::Unbounded)).take(most).copied().collect()
    }

    pub(crate) fn damaged_count(&self) -> u64 {
        let damaged = self.damaged_records.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(damaged.len()).unwrap_or(u64::MAX)
    }
}
