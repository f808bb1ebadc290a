//! The file store of a program that runs for long: reopened after one of its writes or syncs failed.
//!
//! A handle whose write failed refuses everything: a later sync that succeeds would prove nothing. So the file is
//! reopened, and everything in its log is written into the database and synced before the store serves again.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibyok_core::store::{
    ChangeNumber, Changes, Collection, Error, Expect, FileStore, Health, Limiter, RecordId, Result, Revision, Store,
    Stored,
};

/// The pause before a file that could not be reopened is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A file store that is reopened after it failed.
#[derive(Debug)]
pub(crate) struct ReopeningStore {
    path: PathBuf,
    current: Mutex<FileStore>,
    /// The time of the last attempt. The lock is held during an attempt.
    tried: tokio::sync::Mutex<Option<Instant>>,
}

impl ReopeningStore {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let store = FileStore::open(path).await?;
        Ok(ReopeningStore {
            path: path.to_owned(),
            current: Mutex::new(store),
            tried: tokio::sync::Mutex::new(None),
        })
    }

    fn current(&self) -> FileStore {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes an outcome on. After one that says that the handle failed, the next call may find a new one.
    async fn after<T>(&self, outcome: Result<T>) -> Result<T> {
        if matches!(outcome, Err(Error::Poisoned { .. })) {
            self.open_anew().await;
        }
        outcome
    }

    async fn open_anew(&self) {
        let Ok(mut tried) = self.tried.try_lock() else { return };
        if tried.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        *tried = Some(Instant::now());
        let opened = async {
            let store = FileStore::open(&self.path).await?;
            store.checkpoint_truncate().await?;
            Ok::<_, Error>(store)
        };
        match opened.await {
            Ok(store) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = store;
                tracing::info!("the store failed; reopened it");
            }
            Err(error) => tracing::warn!(%error, "the store failed; cannot reopen it yet"),
        }
    }
}

#[async_trait]
impl Store for ReopeningStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        let outcome = self.current().get(id).await;
        self.after(outcome).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        let outcome = self.current().put(id, bytes, expect).await;
        self.after(outcome).await
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        let outcome = self.current().list(collection, after, limit).await;
        self.after(outcome).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        let outcome = self.current().changes(since).await;
        self.after(outcome).await
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
        let outcome = self.current().check().await;
        self.after(outcome).await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}
