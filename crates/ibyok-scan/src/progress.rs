//! The progress of a scan, for a program that shows it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts that grow while a scan runs. Shared with the threads that scan; read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
    expected: AtomicU64,
}

impl Progress {
    /// Texts that were scanned.
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Bytes that were scanned.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The number of texts to scan; 0 while it is unknown.
    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    pub(crate) fn expect(&self, texts: usize) {
        self.expected
            .store(u64::try_from(texts).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
