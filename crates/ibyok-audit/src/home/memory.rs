//! A home in memory, for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Hold, Home, HomeFile};
use crate::error::Error;
use crate::sink::describe::{SinkDescription, SinkDurability};

/// A home in memory, for tests of programs that embed the log.
///
/// Clones are the same home: a test keeps one, gives the other to the log, and opens the log again from it as after a restart. The
/// lines are gone when the last clone is dropped.
#[derive(Clone, Default)]
pub struct MemoryHome {
    logs: Arc<Mutex<BTreeMap<String, Log>>>,
}

#[derive(Default)]
struct Log {
    files: BTreeMap<String, Vec<u8>>,
    held: bool,
}

impl MemoryHome {
    /// Makes a home without logs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the lines of every log, without newlines: the logs by their ids, and each in its order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let logs = self.lock();
        let files = logs.values().flat_map(|log| &log.files);
        let segments = files.filter(|(name, _)| name.starts_with("audit-") && name.ends_with(".log"));
        let texts = segments.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Log>> {
        // Each change is one step, so that a thread that panicked left none half made.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHome")
            .field("logs", &self.lock().keys())
            .finish_non_exhaustive()
    }
}

impl Home for MemoryHome {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new("memory", SinkDurability::BestEffort)
    }

    fn logs(&self) -> Result<Vec<String>, Error> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn take(&self, log: &str) -> Result<Option<Hold>, Error> {
        let mut logs = self.lock();
        let held = &mut logs.entry(log.to_owned()).or_default().held;
        let is_free = !std::mem::replace(held, true);
        let guard = || Held {
            home: self.clone(),
            log: log.to_owned(),
        };
        Ok(is_free.then(|| Hold::new(guard())))
    }

    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error> {
        let logs = self.lock();
        let files = logs.get(log).into_iter().flat_map(|log| &log.files);
        Ok(files
            .map(|(name, bytes)| HomeFile::new(name, bytes.len() as u64))
            .collect())
    }

    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        let logs = self.lock();
        let bytes = logs.get(log).and_then(|log| log.files.get(file));
        let bytes = bytes.ok_or_else(|| Error::unavailable(format!("the home holds no file `{file}` of this log")))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        Ok(rest.get(..limit).unwrap_or(rest).to_vec())
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut logs = self.lock();
        let there = logs.entry(log.to_owned()).or_default();
        let there = there.files.entry(file.to_owned()).or_default();
        if there.len() as u64 != offset {
            return Err(Error::OutOfPlace {
                file: file.to_owned(),
                expected: offset,
                found: there.len() as u64,
            });
        }
        there.extend_from_slice(bytes);
        Ok(())
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut logs = self.lock();
        let files = &mut logs.entry(log.to_owned()).or_default().files;
        files.insert(file.to_owned(), bytes.to_vec());
        Ok(())
    }
}

/// Frees a log when it is dropped.
struct Held {
    home: MemoryHome,
    log: String,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.log)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(log) = self.home.lock().get_mut(&self.log) {
            log.held = false;
        }
    }
}
