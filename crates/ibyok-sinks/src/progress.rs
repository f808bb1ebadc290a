//! The lines of a batch that arrived although the batch as a whole failed.

use ibyok_audit::Batch;

/// The last line that the other side acknowledged, so that a batch that is sent again goes on where it failed.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    log: String,
    upto: u64,
}

impl Progress {
    /// Returns true if the other side has all lines of the batch.
    pub(crate) fn has(&self, batch: &Batch<'_>) -> bool {
        batch.log() == Some(self.log.as_str()) && batch.first_seq() + batch.count() - 1 <= self.upto
    }

    /// Notes that the other side has the lines of the batch.
    pub(crate) fn is_past(&mut self, batch: &Batch<'_>) {
        let log = batch.log().unwrap_or_default();
        if self.log != log {
            log.clone_into(&mut self.log);
        }
        self.upto = batch.first_seq() + batch.count() - 1;
    }
}
