//! Floors that this process knows and the file may not: of records that were read, and of changes whose write failed.

use std::sync::atomic::Ordering;

use ibyok_storage::{MapChange, MapDurability, RecordId};

use super::entry::{raise, unavailable};
use super::file::Floors;
use super::key;
use crate::base::error::Result;

/// The number of pending floors from which on they are written at once and not with the next second.
const MANY: usize = 4096;

/// The number of lines by which the mark of a log may lag behind it while nothing changes.
const LAG: u64 = 10_000;

impl Floors {
    /// Remembers that a record was read at a revision. The file has it with the next flush.
    pub(crate) async fn saw(&self, record: &RecordId, rev: u64) {
        self.seen.add(record, rev);
        let many = self.seen.pending().len() >= MANY;
        if many && let Err(error) = self.flush(None).await {
            tracing::warn!(%error, "the file of floors does not have a read revision yet");
        }
    }

    /// Writes the pending floors, with the mark of this process's log, whose last line had the number `upto` when
    /// this was called. Without a number, the mark stays.
    pub(crate) async fn flush(&self, upto: Option<u64>) -> Result<()> {
        let pending: Vec<(RecordId, u64)> = self.seen.pending().iter().map(|(id, rev)| (*id, *rev)).collect();
        // Taken before the write: a floor that is raised during it must move the next mark.
        let raised = self.seen.raised.swap(0, Ordering::AcqRel);
        let marked = self.seen.marked.load(Ordering::Acquire);
        // A mark says that the file has the floors of all lines up to it. So it is written in the same transaction as they are.
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
            // The exact number does not matter: the next flush writes the mark if any floor was raised.
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

    /// True if another process of this place changed the floors since the last call: it revoked or removed something, read newer
    /// records, or imported floors.
    pub(crate) async fn were_changed_by_others(&self) -> Result<bool> {
        // A write under way compares generations itself.
        let Ok(_turn) = self.writing.try_lock() else {
            return Ok(false);
        };
        let summary = self.map().summary().await.map_err(unavailable)?;
        Ok(self.seen.was_changed_by_others(summary.generation))
    }

    /// Syncs the written floors to the disk, unless they are there already, so that lines of the log may refer to
    /// them.
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
