//! Changes of the file of floors that come at once share a transaction: an import raises thousands of floors a second.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ibyok_storage::{MapChange, MapDurability, MapSummary};
use tokio::sync::oneshot;

/// The changes that wait for the next write.
#[derive(Debug, Default)]
pub(super) struct Together(Mutex<Vec<Waiting>>);

/// The changes of one caller, and the way to tell the caller that the file has them.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) changes: Vec<MapChange>,
    pub(super) durability: MapDurability,
    applied: oneshot::Sender<MapSummary>,
}

impl Together {
    /// Adds changes to the next write.
    pub(super) fn add(&self, changes: Vec<MapChange>, durability: MapDurability) -> oneshot::Receiver<MapSummary> {
        let (applied, told) = oneshot::channel();
        self.waiting().push(Waiting {
            changes,
            durability,
            applied,
        });
        told
    }

    /// Takes all changes that wait, for one write.
    pub(super) fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.waiting())
    }

    /// Nothing panics while it holds the lock.
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Tells the caller that the file has the changes.
    pub(super) fn told(self, summary: MapSummary) {
        // A caller that went away needs no answer.
        self.applied.send(summary).ok();
    }
}
