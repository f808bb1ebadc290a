//! One connection that writes and two that read, each a thread of SQLite's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::{MapDurability, MapKey, schema};
use crate::error::Result;
use crate::file::{FileError, Identity, PATIENCE, place, public, write_ahead};

/// How many may read at once.
const READERS: usize = 2;

/// A connection that writes, and how durable its commits are.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    durability: MapDurability,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Connections {
    path: PathBuf,
    pub(super) key: Arc<dyn MapKey>,
    identity: Identity,
    writer: Mutex<Option<Writer>>,
    readers: [Mutex<Option<SqliteConnection>>; READERS],
    next: AtomicUsize,
}

impl Connections {
    /// Opens the file, or returns `None` if there is nothing in it yet. With `create` there will be.
    pub(super) async fn open(path: &Path, key: Arc<dyn MapKey>, create: bool) -> Result<Option<Self>> {
        if create {
            place::create(path)?;
        }
        let mut connection = connect(path).await?;
        match schema::look(path, &mut connection).await? {
            false if create => schema::create(path, key.as_ref(), &mut connection).await?,
            false => return Ok(None),
            true => write_ahead(path, &mut connection).await?,
        }
        // Only after a read in WAL mode are all three files there.
        schema::look(path, &mut connection).await?;
        let writer = Writer {
            connection,
            durability: MapDurability::Disk,
        };
        Ok(Some(Connections {
            path: path.to_owned(),
            key,
            identity: Identity::of(path),
            writer: Mutex::new(Some(writer)),
            readers: Default::default(),
            next: AtomicUsize::new(0),
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the files are no longer the ones that were opened.
    pub(super) fn check_identity(&self) -> Result<()> {
        self.identity.check(&self.path)
    }

    /// The turn to write, first come, first served.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, Option<Writer>>> {
        tokio::time::timeout(PATIENCE, self.writer.lock())
            .await
            .map_err(|_| FileError::Queue.into())
    }

    /// The connection of the turn, taken out: SQLite rolls back and closes one that is not put back.
    pub(super) async fn take(&self, slot: &mut Option<Writer>, durability: MapDurability) -> Result<Writer> {
        let mut writer = match slot.take() {
            Some(writer) => writer,
            None => Writer {
                connection: self.connect_again().await?,
                durability: MapDurability::Disk,
            },
        };
        if writer.durability != durability {
            let pragma = match durability {
                MapDurability::Kernel => "PRAGMA synchronous = NORMAL",
                MapDurability::Disk => "PRAGMA synchronous = FULL",
            };
            sqlx::query(pragma)
                .execute(&mut writer.connection)
                .await
                .map_err(|error| public(&self.path, error))?;
            writer.durability = durability;
        }
        Ok(writer)
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

    async fn connect_again(&self) -> Result<SqliteConnection> {
        let connection = connect(&self.path).await?;
        // The path may lead to another file by now.
        self.check_identity()?;
        Ok(connection)
    }

    pub(super) async fn close(&self) {
        for reader in &self.readers {
            close(reader.lock().await.take()).await;
        }
        close(self.writer.lock().await.take().map(|writer| writer.connection)).await;
    }
}

async fn close(connection: Option<SqliteConnection>) {
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        // Everything was committed: the next process that opens the file tidies up.
        drop(error);
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
        .synchronous(SqliteSynchronous::Full)
        // 512 KiB for each connection: a lookup touches a handful of pages.
        .pragma("cache_size", "-512")
        // On macOS, fsync alone does not reach the disk.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        // The file may come from somebody else: believe less of it.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .thread_name(|number| format!("ibyok-floors-{number}"))
        .disable_statement_logging();
    options.connect().await.map_err(|error| public(path, error))
}
