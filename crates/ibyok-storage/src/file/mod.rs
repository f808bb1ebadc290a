//! One SQLite file, in WAL mode with `synchronous=FULL`, used by several processes at once.
//!
//! - `place`: the place of the file, its permissions, and the check that it is still the same one
//! - `schema`: the tables, and the marks by which a file is recognised as a store
//! - `connections`: one connection that writes, a few that read
//! - `read`, `write`, `read_many`, `write_many`: the statements

mod connections;
mod error;
pub(crate) mod place;
mod probe;
mod read;
mod read_many;
mod schema;
mod write;
mod write_many;

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};

use self::connections::Connections;
use self::error::BACKEND;
pub(crate) use self::error::{FileError, poisons, public, shown};
pub(crate) use self::place::Identity;
pub(crate) use self::schema::{PATIENCE, write_ahead};
use self::write::{Failure, Write, Written};
use self::write_many::{ManyWritten, OwnedPut};
use crate::changes::{ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::health::{Durability, Health};
use crate::limiter::Limiter;
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision, Stored};
use crate::store::{LIST_LIMIT, MAX_RECORD, Store};

/// The interval at which [`Store::wait`] looks for changes of other processes.
const POLL: Duration = Duration::from_millis(250);

/// The options with which a [`FileStore`] is opened.
#[derive(Debug, Clone)]
pub struct FileOptions {
    allow_network: bool,
    keep_changes: u32,
    first_change: u64,
}

impl FileOptions {
    /// The defaults: a local disk, and a change feed that reaches back 10,000 changes.
    pub fn new() -> Self {
        FileOptions {
            allow_network: false,
            keep_changes: 10_000,
            first_change: 0,
        }
    }

    /// Opens a store on a network file system as well (NFS, SMB, FUSE and the like). Locks and shared memory often do not work
    /// there, and then several processes damage the file: only for a file system that is known to be right.
    #[must_use]
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.allow_network = allow;
        self
    }

    /// Sets the change number that a new file begins with: for a store that continues another one, whose numbers nodes have seen. Without effect on a
    /// file that exists.
    #[must_use]
    pub fn first_change(mut self, number: ChangeNumber) -> Self {
        self.first_change = number.as_u64();
        self
    }

    /// Sets the number of changes that the feed keeps. A caller that asks from further back gets a gap.
    #[must_use]
    pub fn keep_changes(mut self, changes: u32) -> Self {
        self.keep_changes = changes;
        self
    }
}

impl Default for FileOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A store in one SQLite file. Several processes may use it at once; a `put` that returned is on the disk.
///
/// A file that is not there reads as an empty store, and the first `put` makes it, readable by its owner alone. Next to it SQLite
/// keeps `-wal` and `-shm` files, which belong to it: none of the three may be moved or copied while a process has them open. If
/// that happens anyway, every write fails with [`Error::Unavailable`].
///
/// Nothing in the process may open the file by other means: closing it again would end SQLite's locks on it.
///
/// It works within a tokio runtime. A clone is the same handle. After a failed write or sync the handle is [poisoned](Error::Poisoned) with all its clones.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    options: FileOptions,
    connections: OnceLock<Connections>,
    /// Held while the file is opened or made.
    opening: Mutex<()>,
    poisoned: AtomicBool,
    /// The newest change that this handle knows of, for callers that wait.
    newest: watch::Sender<u64>,
}

impl FileStore {
    /// Opens the store at a path. If nothing is there, nothing is made.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if others own, may read or may replace the file, or it is on a network file system;
    /// [`Error::Corrupt`] if it is not a store; [`Error::Newer`] if a newer program made it; [`Error::Unavailable`] if it cannot
    /// be read.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, FileOptions::new()).await
    }

    /// The same with options.
    ///
    /// # Errors
    ///
    /// As [`open`](FileStore::open).
    pub async fn open_with(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        let shared = Shared {
            path: place::resolve(path.as_ref())?,
            options,
            connections: OnceLock::new(),
            opening: Mutex::new(()),
            poisoned: AtomicBool::new(false),
            newest: watch::Sender::new(0),
        };
        shared.connections().await?;
        Ok(FileStore {
            shared: Arc::new(shared),
        })
    }

    /// Returns true if another handle has the file at `path` open, in this process or in another one of this machine. Moves the
    /// write-ahead log of a file that is not in use into the file. False if there is no file, and if it cannot be read.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] as for [`open`](FileStore::open).
    pub async fn is_in_use(path: impl AsRef<Path>) -> Result<bool> {
        let path = place::resolve(path.as_ref())?;
        match place::look(&path)? {
            Some(_) => Ok(connections::is_in_use(&path).await),
            None => Ok(false),
        }
    }

    /// The path of the file: absolute, without links.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Moves everything into the main file and cuts the `-wal` file to nothing, so that deleted or replaced bytes are in
    /// neither. Without effect if there is no file yet.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if another process reads or writes all the time.
    pub async fn checkpoint_truncate(&self) -> Result<()> {
        let Some(connections) = self.shared.connections().await? else {
            return Ok(());
        };
        match self.shared.heed(connections.checkpoint().await)? {
            true => Ok(()),
            false => Err(Error::unavailable(
                BACKEND,
                "other connections use it, so its write-ahead log was not truncated",
            )),
        }
    }

    /// Returns true if another file is at the path, or none, since this handle opened its own.
    #[must_use]
    pub fn was_replaced(&self) -> bool {
        let connections = self.shared.connections.get();
        connections.is_some_and(|connections| connections.was_replaced())
    }

    /// Returns true if this handle has a file open.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.shared.connections.get().is_some()
    }

    /// Closes a file that [was replaced](FileStore::was_replaced). Every later call is refused with [`Error::Poisoned`]. Before it returns, the handle has
    /// let go of the locks that it had, so that the new file can be opened.
    pub async fn abandon(&self) {
        self.shared.poisoned.store(true, Ordering::Release);
        if let Some(connections) = self.shared.connections.get() {
            connections.close().await;
        }
    }

    /// Makes a change on a separate task: a caller that goes away must not leave a failed sync unseen.
    async fn write(&self, id: &RecordId, write: Write) -> Result<Written> {
        let (shared, id) = (Arc::clone(&self.shared), *id);
        let task = tokio::spawn(async move {
            let connections = shared.connections_or_create().await?;
            let keep = i64::from(shared.options.keep_changes);
            let written = shared.heed(connections.write(&id, write, keep).await)?;
            shared.tell(written.newest);
            Ok(written)
        });
        task.await.map_err(FileError::Interrupted)?
    }

    /// As [`FileStore::write`], for several records.
    async fn write_many(&self, puts: Vec<OwnedPut>) -> Result<ManyWritten> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let connections = shared.connections_or_create().await?;
            let keep = i64::from(shared.options.keep_changes);
            let written = shared.heed(connections.write_many(puts, keep).await)?;
            shared.tell(written.newest);
            Ok(written)
        });
        task.await.map_err(FileError::Interrupted)?
    }
}

impl Shared {
    /// The open file, or `None` if there is none yet.
    async fn connections(&self) -> Result<Option<&Connections>> {
        self.open(false).await
    }

    async fn connections_or_create(&self) -> Result<&Connections> {
        let connections = self.open(true).await?;
        connections.ok_or_else(|| Error::unavailable(BACKEND, "the file was not made"))
    }

    async fn open(&self, create: bool) -> Result<Option<&Connections>> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::poisoned(BACKEND));
        }
        if let Some(connections) = self.connections.get() {
            return Ok(Some(connections));
        }
        if !create && place::look(&self.path)?.is_none() {
            return Ok(None);
        }
        let _one_at_a_time = self.opening.lock().await;
        if self.connections.get().is_none() {
            place::check(&self.path, self.options.allow_network)?;
            let Some(connections) = Connections::open(&self.path, create.then_some(self.options.first_change)).await?
            else {
                return Ok(None);
            };
            // Nobody else sets it while this holds the lock.
            self.connections.get_or_init(|| connections);
        }
        Ok(self.connections.get())
    }

    /// Takes note of a failure after which this handle must not be used.
    fn heed<T>(&self, result: Result<T, Failure>) -> Result<T> {
        result.map_err(|failure| match failure {
            Failure::Failed(error) => error,
            Failure::Poisoned => {
                self.poisoned.store(true, Ordering::Release);
                Error::poisoned(BACKEND)
            }
        })
    }

    fn tell(&self, change: u64) {
        self.newest
            .send_if_modified(|newest| std::mem::replace(newest, change.max(*newest)) < change);
    }

    async fn newest(&self) -> Result<u64> {
        let Some(connections) = self.connections().await? else {
            return Ok(0);
        };
        connections.check_identity()?;
        connections.newest().await
    }
}

impl Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for FileStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        match self.shared.connections().await? {
            Some(connections) => connections.get(id).await,
            None => Ok(None),
        }
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        if bytes.len() > MAX_RECORD {
            return Err(Error::too_large(MAX_RECORD));
        }
        if expect != Expect::Absent && self.shared.connections().await?.is_none() {
            return Err(Error::Conflict);
        }
        let written = self
            .write(
                id,
                Write::Put {
                    bytes: bytes.to_vec(),
                    expect,
                },
            )
            .await?;
        Ok(written.revision)
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        let ids = ids.get(..LIST_LIMIT).unwrap_or(ids);
        match self.shared.connections().await? {
            Some(connections) => connections.get_many(ids).await,
            None => Ok(vec![None; ids.len()]),
        }
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let puts = RecordPut::first_batch(puts)?;
        if puts.is_empty() {
            return Ok(Vec::new());
        }
        let expects_a_record = puts.iter().any(|put| put.expect != Expect::Absent);
        if expects_a_record && self.shared.connections().await?.is_none() {
            return Err(Error::Conflict);
        }
        let written = self.write_many(puts.iter().map(OwnedPut::from).collect()).await?;
        Ok(written.revisions)
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        collection.check_after(after)?;
        let limit = i64::try_from(limit.min(LIST_LIMIT)).unwrap_or(i64::MAX);
        match self.shared.connections().await? {
            Some(connections) => connections.list(collection, after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        match self.shared.connections().await? {
            Some(connections) => {
                connections.check_identity()?;
                connections.changes(since).await
            }
            None if since == ChangeNumber::default() => Ok(Changes::default()),
            None => Ok(Changes::lost(ChangeNumber::default())),
        }
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        let mut here = self.shared.newest.subscribe();
        while self.shared.newest().await? == since.as_u64() {
            // Over time or not, the number is read again.
            tokio::time::timeout(POLL, here.changed()).await.ok();
        }
        Ok(())
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        // There is nothing to delete in a file that is not there, and no reason to make it.
        if self.shared.connections().await?.is_none() {
            return Err(Error::Conflict);
        }
        self.write(id, Write::Delete { expect }).await.map(drop)
    }

    async fn scrub(&self) -> Result<Option<String>> {
        self.checkpoint_truncate().await.map(|()| None)
    }

    async fn check(&self) -> Result<Health> {
        let path = &self.shared.path;
        let feed = self.shared.newest().await?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let durability = if place::is_in_memory(directory) {
            Durability::ProcessExit
        } else {
            Durability::PowerLoss
        };
        let size = place::look(path)?.map_or_else(|| "not made yet".to_owned(), |file| format!("{} bytes", file.len()));
        Ok(Health::new(BACKEND, durability)
            .with("path", shown(path))
            .with("size", size)
            .with("changes", feed.to_string()))
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}
