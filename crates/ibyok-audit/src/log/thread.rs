//! The thread of the log: it writes what no caller writes itself, and makes checkpoints.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant};

use super::combine::Combiner;
use super::keeper::{Keeping, Kept, Snapshot};
use super::lines::Lines;
use super::writer::Writer;
use crate::error::Error;
use crate::sink::{LaterSync, SinkDurability};

/// The largest number of lines, and the longest time, that a log goes without a checkpoint.
const CHECKPOINT_LINES: u64 = 1000;
const CHECKPOINT_TIME: Duration = Duration::from_secs(1);

/// Works until the log is closed.
pub(super) fn run(combiner: &Combiner) {
    let (mut lines, mut jobs) = (Lines::default(), Vec::new());
    loop {
        let Some((shared, wait)) = combiner
            .lock()
            .as_mut()
            .map(|writer| (Arc::clone(&writer.shared), writer.wait()))
        else {
            return;
        };
        shared.queue.wait(wait);
        let mut guard = combiner.lock();
        let Some(writer) = guard.as_mut() else { return };
        // Taken under the writer's lock: lines are written in the order in which they are taken.
        shared.queue.take(&mut lines, &mut jobs);
        if let Some(reply) = writer.work(&mut lines, &mut jobs) {
            let ended = guard.take();
            drop(guard);
            return ended.map_or((), |writer| writer.end(reply));
        }
        match writer.later_checkpoint() {
            None => writer.checkpoint_if_due(),
            Some((sync, snapshot)) => {
                drop(guard);
                sync_and_hand_over(combiner, sync, snapshot);
            }
        }
    }
}

/// Syncs without the writer's lock, so that callers write on meanwhile. The snapshot was taken before, so that it covers only lines
/// that this sync covers.
fn sync_and_hand_over(combiner: &Combiner, sync: LaterSync, snapshot: Snapshot) {
    let synced = sync();
    if let Some(writer) = combiner.lock().as_mut() {
        writer.hand_over(synced, snapshot);
    }
}

impl Writer {
    /// The longest time for which the thread may sleep. A log whose lines are all covered by a checkpoint costs no CPU.
    fn wait(&self) -> Option<Duration> {
        let open = self.last_line() > self.checkpointed;
        open.then(|| CHECKPOINT_TIME.saturating_sub(self.last_checkpoint.elapsed()))
    }

    fn last_line(&self) -> u64 {
        self.shared.last_seq.load(Ordering::Acquire)
    }

    /// Has the beginning of a new segment signed: a reader can then begin there, and know that it reads the log's own lines.
    pub(super) fn begin_segment(&mut self) {
        let place = self.home.place();
        self.segment = place.segment;
        if self.head.size() == 0 {
            return;
        }
        let (keeping, _) = Kept::new();
        let mut snapshot = self.snapshot(keeping);
        (snapshot.offset, snapshot.begins) = (0, true);
        // Without it a reader begins with an earlier segment.
        drop(self.keeper.snapshots.try_send(snapshot));
    }

    fn checkpoint_if_due(&mut self) {
        let lines = self.head.size().saturating_sub(self.checkpointed);
        // Without synced batches a checkpoint costs an extra sync, so then only the time decides.
        let many = lines >= CHECKPOINT_LINES && self.durability == SinkDurability::Synced;
        if lines > 0 && (many || self.last_checkpoint.elapsed() >= CHECKPOINT_TIME) {
            drop(self.checkpoint());
        }
    }

    /// Hands the head of the log to the keeper. A checkpoint covers durable lines only, so this syncs if batches are
    /// not synced.
    pub(super) fn checkpoint(&mut self) -> Kept {
        self.grow();
        self.last_checkpoint = Instant::now();
        let (keeping, kept) = Kept::new();
        if self.poisoned.is_some() {
            return kept;
        }
        if self.durability != SinkDurability::Synced
            && let Err(error) = self.home.sync()
        {
            self.poison(&error);
            return kept;
        }
        let snapshot = self.snapshot(keeping);
        self.hand_to_keeper(snapshot);
        kept
    }

    /// Returns a checkpoint that is due and needs a sync first, where lines can be written during the sync.
    fn later_checkpoint(&mut self) -> Option<(LaterSync, Snapshot)> {
        let due = self.head.size() > self.checkpointed && self.last_checkpoint.elapsed() >= CHECKPOINT_TIME;
        if !due || !self.can_be_quick() || self.poisoned.is_some() {
            return None;
        }
        let sync = self.home.later_sync()?;
        let now = Instant::now();
        (self.last_checkpoint, self.syncing) = (now, Some(now));
        let (keeping, _) = Kept::new();
        Some((sync, self.snapshot(keeping)))
    }

    /// Ends a sync that was made without the writer's lock.
    fn hand_over(&mut self, synced: Result<(), Error>, snapshot: Snapshot) {
        self.syncing = None;
        match synced {
            Err(error) => self.poison(&error),
            Ok(()) if self.poisoned.is_none() => self.hand_to_keeper(snapshot),
            Ok(()) => {}
        }
    }

    fn hand_to_keeper(&mut self, snapshot: Snapshot) {
        let size = snapshot.head.size();
        match self.keeper.snapshots.try_send(snapshot) {
            // Left as it was if the keeper is busy, so that the next turn tries again.
            Ok(()) => self.checkpointed = self.checkpointed.max(size),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// The state of the log, with all lines written so far.
    fn snapshot(&self, keeping: Keeping) -> Snapshot {
        let place = self.home.place();
        Snapshot {
            head: self.head.clone(),
            beside: place.beside(),
            segment: place.segment,
            offset: place.offset,
            begins: false,
            mark: self.mark,
            _keeping: keeping,
        }
    }
}
