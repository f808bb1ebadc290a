//! A promise on trial with the home that it is tested on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::HomeHarness;
use crate::conformance::broken::{Broken, Promise};
use crate::home::{Home, HomeFile};

/// The lines of a log's first segment.
pub(super) const LINES: &str = "audit-00000001.log";

/// The file that grows beside the lines.
pub(super) const NOTES: &str = "checkpoints";

/// A place that no other call gives.
pub(super) fn new_place() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("p{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The id of a log, of the right form.
pub(super) fn log(letter: char) -> String {
    std::iter::repeat_n(letter, 22).collect()
}

/// Bytes with every value, and with ends that a careless home would trim.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    bytes.extend_from_slice(b" \0\r\n");
    bytes
}

/// A promise with the home that it is tested on.
pub(super) struct Trial<'a, H> {
    pub(super) promise: Promise,
    harness: &'a H,
    place: String,
    pub(super) home: Arc<dyn Home>,
}

impl<'a, H: HomeHarness> Trial<'a, H> {
    pub(super) fn new(harness: &'a H, promise: Promise) -> Result<Self, Broken> {
        let place = new_place();
        let home = promise.ok("opening the home", harness.open(&place))?;
        Ok(Self {
            promise,
            harness,
            place,
            home,
        })
    }

    pub(super) fn again(&self) -> Result<Arc<dyn Home>, Broken> {
        self.promise
            .ok("opening the home again", self.harness.open(&self.place))
    }

    pub(super) fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Broken> {
        let call = format!("`append` of {} bytes to `{file}` at {offset}", bytes.len());
        self.promise.ok(&call, self.home.append(log, file, offset, bytes))
    }

    pub(super) fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Broken> {
        self.promise
            .ok(&format!("`replace` of `{file}`"), self.home.replace(log, file, bytes))
    }

    /// Checks that a handle reads exactly these bytes, as a whole and in parts.
    pub(super) fn holds(&self, home: &dyn Home, log: &str, file: &str, expected: &[u8]) -> Result<(), Broken> {
        let length = expected.len();
        let parts = [
            (0, length + 1),
            (0, length),
            (0, 1),
            (length / 2, 7),
            (length.saturating_sub(1), 7),
            (length, 7),
        ];
        for (from, limit) in parts {
            let call = format!("`read` of {limit} bytes of `{file}` from {from} on");
            let found = self.promise.ok(&call, home.read(log, file, from as u64, limit))?;
            let rest = expected.get(from..).unwrap_or_default();
            let part = rest.get(..limit).unwrap_or(rest);
            self.promise.same(&call, part, &found)?;
        }
        Ok(())
    }

    pub(super) fn files(&self, home: &dyn Home, log: &str) -> Result<Vec<(String, u64)>, Broken> {
        let files = self.promise.ok("`files`", home.files(log))?;
        let mut files: Vec<_> = files
            .into_iter()
            .map(|HomeFile { name, length }| (name, length))
            .collect();
        files.sort();
        Ok(files)
    }

    pub(super) fn has_files(&self, home: &dyn Home, log: &str, expected: &[(&str, u64)]) -> Result<(), Broken> {
        let found = self.files(home, log)?;
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, length)| ((*name).to_owned(), *length))
            .collect();
        self.promise.that(found == expected, || {
            format!("`files` gives {found:?} and should give {expected:?}")
        })
    }
}
