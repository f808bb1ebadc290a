//! Writing in the task of a caller: what would take two switches of threads is then a call of a function.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::writer::Writer;
use super::{Shared, lock};

/// The number of batches that a caller writes for others before the thread takes over.
const ROUNDS: usize = 4;

/// The writer, for whoever writes: the thread of the log, or a caller. `None` once the log is closed.
#[derive(Clone)]
pub(super) struct Combiner(Arc<Mutex<Option<Writer>>>);

impl Combiner {
    pub(super) fn new(writer: Writer) -> Self {
        Self(Arc::new(Mutex::new(Some(writer))))
    }

    /// The writer, for the thread of the log.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        lock(&self.0)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Option<Writer>>> {
        match self.0.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(writer)) => Some(writer.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Writes the lines that wait, unless that could take its time: then the thread does it. Never waits for the thread or the disk.
    pub(super) fn write_now(&self, shared: &Shared) {
        for _ in 0..ROUNDS {
            let writer = self.try_lock().or_else(|| {
                // The one that writes now looks for this after its write, so that one of the two sees these lines.
                shared.queue.leave();
                self.try_lock()
            });
            let Some(mut guard) = writer else { return };
            let bytes = shared.queue.only_lines();
            let begins = match guard.as_mut().zip(bytes) {
                Some((writer, bytes)) if writer.is_quick(bytes) => writer.append_now(),
                _ => break,
            };
            drop(guard);
            if begins {
                // There is something to sync and to sign within a second.
                shared.queue.call();
            }
            if !shared.queue.take_over() {
                return;
            }
        }
        shared.queue.call();
    }
}
