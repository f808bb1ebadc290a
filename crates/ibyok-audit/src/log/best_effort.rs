//! A sink that may fail or hang without holding anybody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::error::Error;
use crate::sink::{Batch, Sink, SinkDescription};

/// The largest number of batches that can wait for a slow sink.
const ROOM: usize = 256;

type Lines = (Arc<[u8]>, u64, u64);

pub(super) struct BestEffort {
    pub(super) description: SinkDescription,
    batches: SyncSender<Lines>,
    dropped: Arc<AtomicU64>,
}

impl BestEffort {
    pub(super) fn start(sink: Box<dyn Sink>) -> Result<Self, Error> {
        let description = sink.describe();
        let dropped = Arc::new(AtomicU64::new(0));
        let (batches, waiting) = sync_channel(ROOM);
        let counter = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("audit-sink".to_owned())
            .spawn(move || run(sink, &waiting, &counter))
            .map_err(Error::io("start a thread for", description.name.as_ref()))?;
        Ok(Self {
            description,
            batches,
            dropped,
        })
    }

    pub(super) fn offer(&self, bytes: &Arc<[u8]>, first_seq: u64, count: u64) {
        match self.batches.try_send((Arc::clone(bytes), first_seq, count)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Returns the number of lines dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

fn run(mut sink: Box<dyn Sink>, waiting: &Receiver<Lines>, dropped: &AtomicU64) {
    while let Ok((bytes, first_seq, count)) = waiting.recv() {
        let batch = Batch::new(&bytes, first_seq, count);
        if sink.write(&batch).and_then(|()| sink.sync()).is_err() {
            dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
    // Nobody is left to tell.
    drop(sink.close());
}
