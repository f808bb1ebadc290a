//! The floors that this process knows and the file may not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ibyok_storage::RecordId;

/// The pending floors, and the generation up to which the file is known to be on the disk.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) pending: Mutex<HashMap<RecordId, u64>>,
    /// The newest generation of the file that this process wrote, and the newest that is on the disk.
    pub(super) written: AtomicU64,
    pub(super) synced: AtomicU64,
    /// The line up to which this process's log is marked, and how many floors were raised since.
    pub(super) marked: AtomicU64,
    pub(super) raised: AtomicU64,
    /// The newest generation of the file that this process knows of, and whether another process changed the file since the last look.
    known: AtomicU64,
    by_others: AtomicBool,
}

impl Seen {
    pub(super) fn new(marked: u64) -> Self {
        Seen {
            marked: AtomicU64::new(marked),
            ..Seen::default()
        }
    }

    /// Notes the generation that the file has on the disk when it is opened.
    pub(super) fn begins_at(&self, generation: u64) {
        self.known.store(generation, Ordering::Release);
        self.is_synced(generation, 0);
    }

    pub(super) fn of(&self, record: &RecordId) -> Option<u64> {
        self.pending().get(record).copied()
    }

    pub(super) fn add(&self, record: &RecordId, rev: u64) {
        self.raised.fetch_add(1, Ordering::Relaxed);
        let mut pending = self.pending();
        let floor = pending.entry(*record).or_insert(rev);
        *floor = rev.max(*floor);
    }

    /// Drops a floor that the file has by now.
    pub(super) fn drop_up_to(&self, record: &RecordId, rev: u64) {
        let mut pending = self.pending();
        // A floor that rose during the write is not in the file yet, and stays pending.
        if pending.get(record).is_some_and(|there| *there <= rev) {
            pending.remove(record);
        }
    }

    /// Notes the generation that the file had after a write. `own` is the number of changes that the write itself made: 0 or 1.
    pub(super) fn is_written(&self, generation: u64, own: u64) {
        self.written.fetch_max(generation, Ordering::AcqRel);
        // Each change of the file is one generation: a step over more has changes of others between.
        let known = self.known.fetch_max(generation, Ordering::AcqRel);
        if generation > known.saturating_add(own) {
            self.by_others.store(true, Ordering::Release);
        }
    }

    /// Notes that another file is in the place of the one that this process knew. Its generations are not comparable with the earlier
    /// ones, and another process may have made it, with changes of its own.
    pub(super) fn was_replaced(&self, generation: u64) {
        self.known.store(generation, Ordering::Release);
        self.by_others.store(true, Ordering::Release);
    }

    /// True if another process changed the file since the last call. The file is at this generation now.
    pub(super) fn was_changed_by_others(&self, generation: u64) -> bool {
        let known = self.known.fetch_max(generation, Ordering::AcqRel);
        self.by_others.swap(false, Ordering::AcqRel) || generation > known
    }

    pub(super) fn is_synced(&self, generation: u64, own: u64) {
        self.is_written(generation, own);
        self.synced.fetch_max(generation, Ordering::AcqRel);
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.written.load(Ordering::Acquire) > self.synced.load(Ordering::Acquire)
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, HashMap<RecordId, u64>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_generations_that_this_process_did_not_write_are_changes_by_others() {
        let seen = Seen::new(0);
        seen.begins_at(40);
        assert!(!seen.was_changed_by_others(40), "it was opened like this");
        seen.is_written(41, 1);
        seen.is_written(42, 1);
        assert!(!seen.was_changed_by_others(42), "its own changes");
        assert!(seen.was_changed_by_others(43), "a change after its own");
        assert!(!seen.was_changed_by_others(43), "told once");
        seen.is_written(45, 1);
        assert!(seen.was_changed_by_others(45), "a change between its own");
        assert!(!seen.was_changed_by_others(45));
        seen.is_synced(46, 0);
        assert!(seen.was_changed_by_others(46), "a sync makes no change");
        seen.was_replaced(12);
        assert!(seen.was_changed_by_others(12), "a file of another process");
        seen.is_written(13, 1);
        assert!(!seen.was_changed_by_others(13), "its own change of the new file");
        assert!(seen.was_changed_by_others(14), "a change after its own in the new file");
    }
}
