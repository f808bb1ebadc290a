//! The file store of a program that runs for long: reopened after one of its writes or syncs failed, and after another file was put in
//! its place.
//!
//! A handle whose write failed refuses everything: a later sync that succeeds would prove nothing. So the file is
//! reopened, and everything in its log is written into the database and synced before the store serves again.
//!
//! A file that was renamed over the open one is a restored backup, or an attack. The vault decides which: it compares the change number
//! and every revision with what it knows. This module only checks that the new file is a store of the same vault.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibyok_core::status::vault_in;
use ibyok_core::store::{
    ChangeNumber, Changes, Collection, Error, Expect, FileStore, Health, Limiter, RecordId, RecordPut, Result,
    Revision, Store, Stored,
};

/// The pause before a file that could not be reopened is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A number that no store reaches: the feed answers it with its newest number.
const BEYOND: ChangeNumber = ChangeNumber::new(i64::MAX.unsigned_abs());

/// A file store that is reopened after it failed or was replaced.
#[derive(Debug)]
pub(crate) struct ReopeningStore {
    path: PathBuf,
    current: Mutex<FileStore>,
    /// The time of the last attempt. The lock is held during an attempt.
    tried: tokio::sync::Mutex<Option<Instant>>,
    /// The vault of the file that was replaced, and the reason why the new file is not used.
    replaced: Mutex<Replaced>,
    /// True until the next reader of the change feed learns that everything may have changed.
    gap: AtomicBool,
}

#[derive(Debug, Default)]
struct Replaced {
    vault: Option<String>,
    refused: Option<String>,
}

impl ReopeningStore {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let store = FileStore::open(path).await?;
        Ok(ReopeningStore {
            // The file itself: a link that somebody puts in its place later is not followed.
            path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            current: Mutex::new(store),
            tried: tokio::sync::Mutex::new(None),
            replaced: Mutex::default(),
            gap: AtomicBool::new(false),
        })
    }

    fn current(&self) -> FileStore {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes an outcome on. After one that says that the handle failed, the next call may find a new one.
    async fn after<T>(&self, outcome: Result<T>) -> Result<T> {
        if self.has_failed(&outcome) {
            self.open_anew().await;
            return outcome.map_err(|error| self.explained(error));
        }
        outcome
    }

    /// Returns true if the file was opened anew after this outcome, so that a reader asks once more.
    async fn is_mended<T>(&self, outcome: &Result<T>) -> bool {
        self.has_failed(outcome) && self.open_anew().await
    }

    fn has_failed<T>(&self, outcome: &Result<T>) -> bool {
        match outcome {
            Err(Error::Poisoned { .. }) => true,
            Err(Error::Unavailable { .. }) => self.current().was_replaced(),
            _ => false,
        }
    }

    /// Names the reason why a file that was put in the place of the open one is not used.
    fn explained(&self, error: Error) -> Error {
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        match &replaced.refused {
            Some(why) => Error::unavailable(
                "file",
                format!(
                    "`{}` was replaced or removed while it was open, and is not used: {why}",
                    self.path.display()
                ),
            ),
            None => error,
        }
    }

    /// Opens the file anew, unless that was tried a moment ago. Returns true if it is open.
    async fn open_anew(&self) -> bool {
        let Ok(mut tried) = self.tried.try_lock() else {
            return false;
        };
        if tried.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        *tried = Some(Instant::now());
        let old = self.current();
        let was_replaced = old.was_replaced() || self.refused().is_some();
        if was_replaced {
            self.leave(&old).await;
        }
        match self.opened().await {
            Ok(store) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = store;
                *self.replaced.lock().unwrap_or_else(PoisonError::into_inner) = Replaced::default();
                self.gap.store(true, Ordering::Release);
                // A file that was replaced twice within the pause is opened at once.
                *tried = None;
                tracing::warn!(was_replaced, "the store failed or its file was replaced; reopened it");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the store failed or its file was replaced; cannot reopen it yet");
                let refused = was_replaced.then(|| error.to_string());
                self.replaced.lock().unwrap_or_else(PoisonError::into_inner).refused = refused;
                false
            }
        }
    }

    fn refused(&self) -> Option<String> {
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.refused.clone()
    }

    /// Closes a file that is no longer at its path, and keeps in mind whose it was.
    async fn leave(&self, old: &FileStore) {
        if let Ok(Some(vault)) = vault_in(old).await {
            self.replaced.lock().unwrap_or_else(PoisonError::into_inner).vault = Some(vault);
        }
        old.abandon().await;
    }

    /// Opens the file that is at the path now, if it is a store of the same vault.
    async fn opened(&self) -> Result<FileStore> {
        let is_link = std::fs::symlink_metadata(&self.path).is_ok_and(|there| there.file_type().is_symlink());
        if is_link {
            return Err(Error::unavailable("file", "a link is in its place"));
        }
        let store = FileStore::open(&self.path).await?;
        if !store.is_made() {
            return Err(Error::unavailable("file", "there is no store at this path"));
        }
        let vault = vault_in(&store).await;
        let vault = vault.map_err(|error| Error::unavailable("file", error.to_string()))?;
        let known = self
            .replaced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .vault
            .clone();
        if known.is_some() && known != vault {
            return Err(Error::unavailable("file", "it is not a store of this vault"));
        }
        store.checkpoint_truncate().await?;
        Ok(store)
    }
}

#[async_trait]
impl Store for ReopeningStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        let mut outcome = self.current().get(id).await;
        if self.is_mended(&outcome).await {
            outcome = self.current().get(id).await;
        }
        self.after(outcome).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        let outcome = self.current().put(id, bytes, expect).await;
        self.after(outcome).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        let mut outcome = self.current().get_many(ids).await;
        if self.is_mended(&outcome).await {
            outcome = self.current().get_many(ids).await;
        }
        self.after(outcome).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let outcome = self.current().put_many(puts).await;
        self.after(outcome).await
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        let mut outcome = self.current().list(collection, after, limit).await;
        if self.is_mended(&outcome).await {
            outcome = self.current().list(collection, after, limit).await;
        }
        self.after(outcome).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        let mut outcome = self.current().changes(since).await;
        if self.is_mended(&outcome).await {
            outcome = self.current().changes(since).await;
        }
        let changes = self.after(outcome).await?;
        // Nothing is awaited between here and the caller, so the gap is not lost if the caller is dropped.
        if since != BEYOND && since != ChangeNumber::default() && self.gap.swap(false, Ordering::AcqRel) {
            return Ok(Changes::lost(changes.upto));
        }
        Ok(changes)
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        let outcome = self.current().wait(since).await;
        self.after(outcome).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        let outcome = self.current().delete(id, expect).await;
        self.after(outcome).await
    }

    async fn scrub(&self) -> Result<Option<String>> {
        let outcome = self.current().scrub().await;
        self.after(outcome).await
    }

    async fn check(&self) -> Result<Health> {
        let mut outcome = self.current().check().await;
        if self.is_mended(&outcome).await {
            outcome = self.current().check().await;
        }
        self.after(outcome).await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}
