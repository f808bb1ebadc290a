//! Floors that this process knows and the file may not: of records that were read, and of changes whose write failed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ibyok_storage::{MapChange, MapDurability, RecordId};

use super::{Floors, key, raise, unavailable};
use crate::error::Result;

/// From so many on they are written at once and not with the next second.
const MANY: usize = 4096;

/// By how many lines the mark of a log may lag behind it while nothing changes.
const LAG: u64 = 10_000;

#[derive(Debug, Default)]
pub(super) struct Seen {
    pending: Mutex<HashMap<RecordId, u64>>,
    /// The newest generation of the file that this process wrote, and the newest that is on the disk.
    written: AtomicU64,
    synced: AtomicU64,
    /// The line up to which this process's log is marked, and how many floors were raised since.
    marked: AtomicU64,
    raised: AtomicU64,
}

impl Seen {
    pub(super) fn new(marked: u64) -> Self {
        Seen {
            marked: AtomicU64::new(marked),
            ..Seen::default()
        }
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
        if pending.get(record).is_some_and(|there| *there <= rev) {
            pending.remove(record);
        }
    }

    pub(super) fn is_written(&self, generation: u64) {
        self.written.fetch_max(generation, Ordering::AcqRel);
    }

    pub(super) fn is_synced(&self, generation: u64) {
        self.is_written(generation);
        self.synced.fetch_max(generation, Ordering::AcqRel);
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.written.load(Ordering::Acquire) > self.synced.load(Ordering::Acquire)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<RecordId, u64>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floors {
    /// Remembers that a record was read at a revision. The file has it with the next flush.
    pub(crate) async fn saw(&self, record: &RecordId, rev: u64) {
        self.seen.add(record, rev);
        let many = self.seen.pending().len() >= MANY;
        if many && let Err(error) = self.flush(None).await {
            tracing::warn!(%error, "what was read is not in the file of floors yet");
        }
    }

    /// Writes what is pending, with the mark of this process's log, whose last line had the number `upto` when this was called.
    /// Without a number, the mark stays.
    pub(crate) async fn flush(&self, upto: Option<u64>) -> Result<()> {
        let pending: Vec<(RecordId, u64)> = self.seen.pending().iter().map(|(id, rev)| (*id, *rev)).collect();
        let raised = self.seen.raised.swap(0, Ordering::AcqRel);
        let marked = self.seen.marked.load(Ordering::Acquire);
        let mark = upto.filter(|upto| *upto > marked && (raised > 0 || upto - marked > LAG));
        let mut changes: Vec<MapChange> = pending.iter().map(|(record, rev)| raise(record, *rev)).collect();
        changes.extend(mark.map(|seq| MapChange::Put {
            key: key::mark(&self.setup.log),
            text: Some(seq.to_string()),
        }));
        if changes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.apply(changes, MapDurability::Kernel).await {
            self.seen.raised.fetch_add(1, Ordering::AcqRel);
            return Err(error);
        }
        pending
            .iter()
            .for_each(|(record, rev)| self.seen.drop_up_to(record, *rev));
        if let Some(seq) = mark {
            self.seen.marked.store(seq, Ordering::Release);
        }
        Ok(())
    }

    /// Puts what was written on the disk, if it is not there yet, so that lines of the log may speak of it.
    pub(crate) async fn sync(&self) -> Result<()> {
        if !self.seen.is_dirty() {
            return Ok(());
        }
        match self.map().sync().await {
            Ok(summary) => {
                self.applied(&summary, MapDurability::Disk);
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                Err(unavailable(error))
            }
        }
    }
}
