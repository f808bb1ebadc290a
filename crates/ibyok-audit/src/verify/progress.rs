//! Progress of a verification, for a program that shows it.

use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of the logs that a verification has read, and those that it has to read.
#[derive(Debug, Default)]
pub struct VerifyProgress {
    read: AtomicU64,
    total: AtomicU64,
}

impl VerifyProgress {
    /// The bytes that were read. A log that is written to meanwhile may have more than there were at first.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The bytes that there were when it began; 0 before that is known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(super) fn has_read(&self, bytes: usize) {
        self.read
            .fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }
}
