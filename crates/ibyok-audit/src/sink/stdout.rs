//! Lines on standard output, best effort.

use std::io::Write as _;

use super::{Batch, Durability, Place, Sink, SinkDescription};
use crate::chain::Head;
use crate::error::Error;

/// Lines on standard output, for containers whose collector reads it. Best effort only.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct StdoutSink;

impl StdoutSink {
    /// The process's standard output.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Sink for StdoutSink {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new("stdout", Durability::BestEffort)
    }

    fn durable(&self) -> bool {
        false
    }

    fn place(&self) -> Option<Place> {
        None
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        std::io::stdout()
            .write_all(batch.bytes())
            .map_err(Error::io("write to", "standard output".as_ref()))
    }

    fn sync(&mut self) -> Result<(), Error> {
        std::io::stdout()
            .flush()
            .map_err(Error::io("write to", "standard output".as_ref()))
    }

    fn reopen(&mut self, _head: &Head) -> Result<(), Error> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        self.sync()
    }
}
