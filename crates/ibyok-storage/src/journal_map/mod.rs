//! The authenticated map without SQLite: a journal that one process at a time may have open.
//!
//! The items are in memory. Each set of changes is one record at the end of the file, with a MAC over it and the MAC of the record
//! before, so that a record that was changed, removed from the middle or added opens no more. A crash may leave part of a record at the end; it
//! is cut off. A file whose last records were cut off opens as the older state that it is. The caller compares the generation.
//!
//! - `record`: the bytes of a record
//! - `journal`: the file, its lock, and its compaction
//! - `items`: the items and the effect of a change on them

mod items;
mod journal;
mod record;

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::journal::Journal;
use crate::error::{Error, Result};
use crate::map::{MapChange, MapDurability, MapKey, MapReadable, MapSummary, MapVerdict};

/// The name of the backend in errors.
const BACKEND: &str = "floors";

/// The number of items that are returned at once.
const PAGE: usize = 1000;

/// A durable map of numbers and texts, authenticated under a key that is not stored with it.
///
/// It is one file without SQLite, and one process at a time may have it open. Without the feature `file` it replaces
/// `AuthenticatedMap`. It works within a tokio runtime. Clones are the
/// same handle, and handles of one process on one file share their state.
#[derive(Clone)]
pub struct JournalMap {
    path: PathBuf,
    journal: Arc<Mutex<Journal>>,
}

impl JournalMap {
    /// Opens the map at `path`. Returns `None` if there is no file, or only an empty one.
    ///
    /// # Errors
    /// Returns [`Error::Corrupt`] if the file is not a map, or was not made under this key; [`Error::Refused`] if it names another owner;
    /// [`Error::Unavailable`] if it cannot be read, or if another process has it open.
    pub async fn open(path: impl AsRef<Path>, key: Arc<dyn MapKey>) -> Result<Option<Self>> {
        Self::begin(path.as_ref(), key, false).await
    }

    /// Makes an empty map at `path`, unless there is one by now, and opens it. Only its owner may read the file.
    ///
    /// # Errors
    /// As [`JournalMap::open`].
    pub async fn create(path: impl AsRef<Path>, key: Arc<dyn MapKey>) -> Result<Self> {
        let map = Self::begin(path.as_ref(), key, true).await?;
        map.ok_or_else(|| Error::unavailable(BACKEND, "the file was not made"))
    }

    async fn begin(path: &Path, key: Arc<dyn MapKey>, create: bool) -> Result<Option<Self>> {
        let path = path.to_owned();
        let opened = blocking(move || {
            let journal = Journal::shared(&path, key, create)?;
            Ok(journal.map(|journal| JournalMap { path, journal }))
        });
        opened.await
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns false: a journal does not know whether its last record is on the disk.
    #[must_use]
    pub fn was_settled(&self) -> bool {
        false
    }

    /// Returns true if the file at the path is still the one that was opened.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.journal().is_at(&self.path)
    }

    /// Returns true if another handle is on the same open file.
    #[must_use]
    pub fn is_same(&self, other: &JournalMap) -> bool {
        Arc::ptr_eq(&self.journal, &other.journal)
    }

    /// The newest generation that this handle has seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.journal().items.summary().generation
    }

    /// Does nothing: the file is closed when its last handle is dropped.
    pub async fn close(&self) {}

    /// Applies changes in their order, all of them or none, and returns the state after them. Changes that change nothing write nothing.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] for a key or text that is too large, and [`Error::Unavailable`] if the file cannot be written.
    pub async fn apply(&self, changes: Vec<MapChange>, durability: MapDurability) -> Result<MapSummary> {
        self.with(move |journal| journal.apply(&changes, durability == MapDurability::Disk))
            .await
    }

    /// Makes every change before this one survive power loss, and returns the state.
    ///
    /// # Errors
    /// As [`JournalMap::apply`].
    pub async fn sync(&self) -> Result<MapSummary> {
        self.with(Journal::sync).await
    }

    /// Writes to the file without changing the map: fails where a change would fail.
    ///
    /// # Errors
    /// As [`JournalMap::apply`].
    pub async fn probe(&self) -> Result<MapSummary> {
        self.with(Journal::probe).await
    }

    /// Returns the number of a key.
    ///
    /// # Errors
    /// Returns [`Error::Unavailable`] if the file is not in its place any more.
    pub async fn number(&self, name: &[u8]) -> Result<Option<u64>> {
        Ok(self.in_place()?.items.numbers.get(name).copied())
    }

    /// Returns the text of a key.
    ///
    /// # Errors
    /// As [`JournalMap::number`].
    pub async fn text(&self, name: &[u8]) -> Result<Option<String>> {
        Ok(self.in_place()?.items.texts.get(name).cloned())
    }

    /// Returns the texts whose keys begin with a prefix, in order of their keys.
    ///
    /// # Errors
    /// As [`JournalMap::number`].
    pub async fn texts(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, String)>> {
        let journal = self.in_place()?;
        let from = journal.items.texts.range(prefix.to_vec()..);
        let found = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, text)| (key.clone(), text.clone())).collect())
    }

    /// Returns about a thousand numbers with keys after `after`, in order of their keys; none behind the last.
    ///
    /// # Errors
    /// As [`JournalMap::number`].
    pub async fn numbers(&self, after: Option<&[u8]>) -> Result<Vec<(Vec<u8>, u64)>> {
        let journal = self.in_place()?;
        let from = journal.items.numbers.range(after.unwrap_or_default().to_vec()..);
        let behind = from.filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after));
        Ok(behind.take(PAGE).map(|(key, number)| (key.clone(), *number)).collect())
    }

    /// Returns the state of the map.
    ///
    /// # Errors
    /// As [`JournalMap::number`].
    pub async fn summary(&self) -> Result<MapSummary> {
        Ok(self.in_place()?.items.summary())
    }

    /// Reads the whole file again, and compares it with the state that this process knows.
    ///
    /// # Errors
    /// Returns [`Error::Unavailable`] if the file cannot be read.
    pub async fn verify(&self) -> Result<MapVerdict> {
        self.with(|journal| journal.verify()).await
    }

    /// Returns all items at once: a file that is not whole does not open, so there is nothing to salvage.
    ///
    /// # Errors
    /// None.
    pub async fn readable(&self, after: Option<i64>) -> Result<Option<MapReadable>> {
        if after.is_some() {
            return Ok(None);
        }
        let journal = self.journal();
        let items = &journal.items;
        Ok(Some(MapReadable {
            numbers: items
                .numbers
                .iter()
                .map(|(key, number)| (key.clone(), *number))
                .collect(),
            texts: items
                .texts
                .iter()
                .map(|(key, text)| (key.clone(), text.clone()))
                .collect(),
            last: 0,
        }))
    }

    async fn with<T: Send + 'static>(&self, run: impl FnOnce(&mut Journal) -> Result<T> + Send + 'static) -> Result<T> {
        let map = self.clone();
        // On a separate thread: a caller that goes away must not leave half a record.
        blocking(move || run(&mut *map.in_place()?)).await
    }

    fn in_place(&self) -> Result<MutexGuard<'_, Journal>> {
        let journal = self.journal();
        if journal.is_at(&self.path) {
            return Ok(journal);
        }
        let why = format!("another file replaced `{}` while it was open", self.path.display());
        Err(Error::unavailable(BACKEND, why))
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for JournalMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalMap")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(run).await;
    done.map_err(|error| Error::unavailable(BACKEND, error))?
}

#[cfg(test)]
mod tests;
