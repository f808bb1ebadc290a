//! Lines on standard output, best effort.

use std::io::Write as _;

use super::batch::Batch;
use super::contract::Sink;
use super::describe::{SinkDescription, SinkDurability};
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
        SinkDescription::new("stdout", SinkDurability::BestEffort)
    }

    fn durable(&self) -> bool {
        false
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

    fn close(&mut self) -> Result<(), Error> {
        self.sync()
    }
}
