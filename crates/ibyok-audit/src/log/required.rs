//! A sink without whose acknowledgement no line counts.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use backon::ExponentialBackoff;

use super::status::{Reports, SinkMode, SinkStatus};
use super::{delays, lock};
use crate::error::Error;
use crate::sink::{Batch, Sink, SinkDescription};

/// A required sink, and the batch that it did not acknowledge yet.
///
/// That batch is on the log already. So the sink gets it before any other one, and until then the log takes no line: the sink then lacks
/// one batch at most, however long it fails.
pub(super) struct Required {
    sink: Box<dyn Sink>,
    status: Arc<Mutex<SinkStatus>>,
    pending: Option<Pending>,
    delays: ExponentialBackoff,
    /// The time before which no attempt is made.
    not_before: Option<Instant>,
}

struct Pending {
    bytes: Vec<u8>,
    first_seq: u64,
    count: u64,
}

impl Required {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        let status = SinkStatus::new(sink.describe(), SinkMode::Required);
        Self {
            sink,
            status: Arc::new(Mutex::new(status)),
            pending: None,
            delays: delays::of_required(),
            not_before: None,
        }
    }

    pub(super) fn describe(&self) -> SinkDescription {
        self.sink.describe()
    }

    /// Returns the sink's state, to be read by others.
    pub(super) fn reports(&self) -> Arc<dyn Reports> {
        Arc::clone(&self.status) as Arc<dyn Reports>
    }

    /// Delivers the batch that is pending, if there is one. Waits a moment if the last attempt failed just now, so that a sink that is
    /// down is not asked without a pause.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        if let Some(not_before) = self.not_before {
            std::thread::sleep(not_before.saturating_duration_since(Instant::now()));
        }
        let result = self.send(&Batch::new(&pending.bytes, pending.first_seq, pending.count));
        if result.is_err() {
            self.pending = Some(pending);
        }
        result
    }

    /// Delivers a batch that is on the log now.
    pub(super) fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        if self.pending.is_some() {
            // Only the last lines of a session come here: the sink never gets them.
            let mut status = lock(&self.status);
            status.dropped += batch.count();
            let why = status.failure.clone().unwrap_or_default();
            return Err(Error::unavailable(format!("`{}`: {why}", status.name)));
        }
        let result = self.send(batch);
        if result.is_err() {
            self.pending = Some(Pending {
                bytes: batch.bytes().to_vec(),
                first_seq: batch.first_seq(),
                count: batch.count(),
            });
            lock(&self.status).waiting = batch.count();
        }
        result
    }

    fn send(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let result = self.sink.write(batch).and_then(|()| self.sink.sync());
        let mut status = lock(&self.status);
        let Err(error) = result else {
            (status.waiting, status.failure, self.not_before) = (0, None, None);
            self.delays = delays::of_required();
            return Ok(());
        };
        let why = error.chain();
        let refused = Error::unavailable(format!("`{}`: {why}", status.name));
        status.failure = Some(why);
        self.not_before = self.delays.next().map(|delay| Instant::now() + delay);
        Err(refused)
    }

    pub(super) fn close(&mut self) -> Result<(), Error> {
        self.sink.close()
    }
}
