//! One connection that writes and a few that read, each a thread of SQLite's own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::error::{BACKEND, FileError, is_busy, is_damaged, public};
use super::place::{self, Identity};
use super::probe;
use super::schema::{self, Found, PATIENCE};
use crate::error::{Error, Result};

/// The largest number of concurrent readers. A read takes some 30 µs, so more would only cost memory.
const READERS: usize = 3;

/// The time for which the locks of a process that was killed may outlive it.
const AFTERMATH: Duration = Duration::from_secs(1);

/// A place for a connection, which is made when it is first used, and again after it failed.
pub(super) type Slot = Mutex<Option<SqliteConnection>>;

/// An open file.
#[derive(Debug)]
pub(super) struct Connections {
    path: PathBuf,
    identity: Identity,
    /// Never used again. While it is open, SQLite removes neither the log nor its index, so these stay the files that they are.
    anchor: Slot,
    writer: Slot,
    readers: [Slot; READERS],
    next: AtomicUsize,
    /// True once the files were left for good.
    is_closed: AtomicBool,
}

impl Connections {
    /// Opens the file, or returns `None` if there is nothing in it yet. With a number to `create` there will be.
    pub(super) async fn open(path: &Path, create: Option<u64>) -> Result<Option<Self>> {
        match Self::try_open(path, create).await {
            Err(Error::Corrupt { .. }) => {}
            other => return other,
        }
        // As in `ask`: the disk may have failed to read once, or for good.
        match Self::try_open(path, create).await {
            Err(error @ Error::Corrupt { .. }) => Err(unread(path).await.unwrap_or(error)),
            other => other,
        }
    }

    async fn try_open(path: &Path, create: Option<u64>) -> Result<Option<Self>> {
        if create.is_some() {
            place::create(path)?;
        }
        let mut anchor = connect(path).await?;
        let found = schema::look(path, &mut anchor).await?;
        match found {
            Found::Blank => match create {
                Some(first) => schema::create(path, &mut anchor, first).await?,
                None => return Ok(None),
            },
            Found::Store => schema::write_ahead(path, &mut anchor).await?,
        }
        // Only after a read in WAL mode are all three files there.
        schema::look(path, &mut anchor).await?;
        Ok(Some(Connections {
            path: path.to_owned(),
            identity: Identity::of(path),
            anchor: Mutex::new(Some(anchor)),
            is_closed: AtomicBool::new(false),
            writer: Slot::default(),
            readers: Default::default(),
            next: AtomicUsize::new(0),
        }))
    }

    /// Fails if the files are no longer the ones that were opened.
    pub(super) fn check_identity(&self) -> Result<()> {
        self.identity.check(&self.path)
    }

    /// Returns true if the main file is no longer the one at its path.
    pub(super) fn was_replaced(&self) -> bool {
        self.identity.is_another(&self.path)
    }

    /// Closes every connection, after whoever uses it. SQLite sees that a file was moved, and then neither writes to it nor removes the
    /// files beside it, which may be the new file's.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        for slot in self.readers.iter().chain([&self.writer, &self.anchor]) {
            if let Some(connection) = slot.lock().await.take() {
                // Nothing of it is used again, whatever it says.
                connection.close().await.ok();
            }
        }
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The turn to write, first come, first served.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, Option<SqliteConnection>>> {
        tokio::time::timeout(PATIENCE, self.writer.lock())
            .await
            .map_err(|_| FileError::Queue.into())
    }

    /// Takes the connection out, for the task that has the turn. A connection that is not put back, for a failure or
    /// because the future was dropped half-way, is closed, and SQLite rolls back.
    pub(super) async fn take(&self, slot: &mut Option<SqliteConnection>) -> Result<SqliteConnection> {
        match slot.take() {
            Some(connection) => Ok(connection),
            None => self.connect_again().await,
        }
    }

    /// A place to read from: one that is free, or else the next in the round.
    pub(super) async fn reader(&self) -> Result<MutexGuard<'_, Option<SqliteConnection>>> {
        let free = self.readers.iter().find_map(|slot| slot.try_lock().ok());
        let mut slot = match free {
            Some(slot) => slot,
            None => self.next_reader().await?,
        };
        if slot.is_none() {
            *slot = Some(self.connect_again().await?);
        }
        Ok(slot)
    }

    async fn next_reader(&self) -> Result<MutexGuard<'_, Option<SqliteConnection>>> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % READERS;
        let [first, ..] = &self.readers;
        let slot = self.readers.get(next).unwrap_or(first);
        tokio::time::timeout(PATIENCE, slot.lock())
            .await
            .map_err(|_| FileError::Queue.into())
    }

    /// The public error for an error of SQLite. A file that looks damaged is read through: SQLite calls it damage as well if the
    /// disk does not read.
    pub(super) async fn failed(&self, error: sqlx::Error) -> Error {
        if is_damaged(&error)
            && let Some(unread) = unread(&self.path).await
        {
            return unread;
        }
        public(&self.path, error)
    }

    async fn connect_again(&self) -> Result<SqliteConnection> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::poisoned(BACKEND));
        }
        let connection = connect(&self.path).await?;
        // It was opened by path, which may lead elsewhere by now.
        self.check_identity()?;
        Ok(connection)
    }
}

/// The error of a disk that does not read the store's files; `None` if it reads them.
async fn unread(path: &Path) -> Option<Error> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || probe::read_through(&path)).await;
    read.ok().flatten().map(|failure| FileError::Unread(failure).into())
}

/// Returns true if another connection has the file open. The kernel releases the locks of a process that was killed only when its last
/// thread has ended, so a first answer is asked again for a moment.
pub(super) async fn is_in_use(path: &Path) -> bool {
    let begun = Instant::now();
    while is_shared(path).await {
        if begun.elapsed() > AFTERMATH {
            return true;
        }
        tokio::time::sleep(AFTERMATH / 20).await;
    }
    false
}

/// SQLite's exclusive mode is only for the connection that is alone. A file that does not open for another reason is in nobody's use.
async fn is_shared(path: &Path) -> bool {
    let alone = options(path)
        .busy_timeout(Duration::ZERO)
        .locking_mode(SqliteLockingMode::Exclusive);
    let opened = async {
        let mut connection = alone.connect().await?;
        let read = sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&mut connection)
            .await;
        connection.close().await?;
        read
    };
    opened.await.is_err_and(|error| is_busy(&error))
}

async fn connect(path: &Path) -> Result<SqliteConnection> {
    options(path).connect().await.map_err(|error| public(path, error))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
        .synchronous(SqliteSynchronous::Full)
        // What is replaced or deleted is overwritten with zeros.
        .pragma("secure_delete", "ON")
        // On macOS, fsync alone does not reach the disk.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        // The file may come from somebody else: believe less of it.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .thread_name(|number| format!("ibyok-store-{number}"))
        .disable_statement_logging()
}
