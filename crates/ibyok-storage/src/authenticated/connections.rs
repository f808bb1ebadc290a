//! One connection that writes and two that read, each a thread of SQLite's own; and the state seen through them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, MutexGuard as Locked, PoisonError};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::digest::{Mac, Whole};
use super::node::Node;
use super::refused::{Refused, Trouble};
use super::schema;
use crate::error::{Error, Result};
use crate::file::{FileError, Identity, PATIENCE, place, public, shown, write_ahead};
use crate::lane::Lane;
use crate::map::{MapDurability, MapKey};

/// The largest number of concurrent readers.
const READERS: usize = 2;

/// The number of nodes above the leaves that are kept in memory: a node is at most 4 kB.
const KEPT: usize = 2048;

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
    /// The first is there from the beginning. While it is open, SQLite removes neither the `-wal` file nor its index.
    readers: [Mutex<Option<SqliteConnection>>; READERS],
    next: AtomicUsize,
    newest: Lock<Option<Whole>>,
    nodes: Lock<HashMap<Mac, Arc<Node>>>,
    /// Lookups of numbers, which share a statement when many come at once.
    pub(super) lookups: Lane<Vec<u8>, Option<u64>>,
}

impl Connections {
    /// Opens the file, or returns `None` if there is nothing in it yet. With `create` there will be.
    pub(super) async fn open(path: &Path, key: Arc<dyn MapKey>, create: bool) -> Result<Option<Self>> {
        if create {
            place::create(path)?;
        }
        let mut connection = connect(path).await?;
        match schema::look(path, &mut connection).await?.is_map {
            false if create => schema::create(path, key.as_ref(), &mut connection).await?,
            false => return Ok(None),
            true => write_ahead(path, &mut connection).await?,
        }
        // Only after a read in WAL mode are all three files there.
        let look = schema::look(path, &mut connection).await?;
        check_length(path, look.bytes)?;
        Ok(Some(Connections {
            path: path.to_owned(),
            key,
            identity: Identity::of(path),
            writer: Mutex::default(),
            readers: [Mutex::new(Some(connection)), Mutex::default()],
            next: AtomicUsize::new(0),
            newest: Lock::default(),
            nodes: Lock::default(),
            lookups: Lane::new(READERS),
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the files are no longer the ones that were opened.
    pub(super) fn check_identity(&self) -> Result<()> {
        self.identity.check(&self.path)
    }

    /// The newest state that this handle has seen.
    pub(super) fn newest(&self) -> Option<Whole> {
        lock(&self.newest).clone()
    }

    /// Takes in a state that was read. `before` is the newest one as it was before the read began: states that another task has
    /// seen meanwhile may be newer.
    pub(super) fn admit(&self, before: Option<&Whole>, read: &Whole) -> Result<(), Refused> {
        if let Some(before) = before {
            if read.generation < before.generation {
                return Err(Refused::SetBack {
                    found: read.generation,
                    seen: before.generation,
                });
            }
            if read.generation == before.generation && read != before {
                return Err(Refused::Damaged("it was replaced by another of the same generation"));
            }
        }
        self.wrote(read);
        Ok(())
    }

    /// Takes in a state that this handle made.
    pub(super) fn wrote(&self, whole: &Whole) {
        let mut newest = lock(&self.newest);
        if newest
            .as_ref()
            .is_none_or(|newest| newest.generation < whole.generation)
        {
            *newest = Some(whole.clone());
        }
    }

    /// A node above the leaves that was verified in this state.
    pub(super) fn kept(&self, mac: &Mac) -> Option<Arc<Node>> {
        lock(&self.nodes).get(mac).cloned()
    }

    pub(super) fn keep(&self, mac: Mac, node: Node) {
        let mut nodes = lock(&self.nodes);
        if nodes.len() >= KEPT {
            // Those that are in use are read again.
            nodes.clear();
        }
        nodes.insert(mac, Arc::new(node));
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
    pub(super) async fn reader(&self) -> Result<Reader<'_>> {
        let free = self.readers.iter().find_map(|slot| slot.try_lock().ok());
        let mut slot = match free {
            Some(slot) => slot,
            None => self.next_reader().await?,
        };
        if slot.is_none() {
            *slot = Some(self.connect_again().await?);
        }
        Ok(Reader {
            connections: self,
            slot,
        })
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
        close(self.writer.lock().await.take().map(|writer| writer.connection)).await;
        for reader in &self.readers {
            close(reader.lock().await.take()).await;
        }
    }
}

/// A connection to read from.
pub(super) struct Reader<'a> {
    connections: &'a Connections,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
}

impl Reader<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection> {
        let gone = || Error::unavailable(super::BACKEND, "there is no connection");
        self.slot.as_mut().ok_or_else(gone)
    }

    /// The public error of a read. A connection that failed is not used again.
    pub(super) async fn failed(&mut self, trouble: Trouble) -> Error {
        if matches!(trouble, Trouble::Sql(_)) {
            // Before the old one is closed: with the last connection SQLite would remove the `-wal` file and its index.
            let new = self.connections.connect_again().await.ok();
            *self.slot = new;
        }
        trouble.into_error(&self.connections.path)
    }
}

fn lock<T>(lock: &Lock<T>) -> Locked<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses a file that is shorter than its own header says.
fn check_length(path: &Path, bytes: u64) -> Result<()> {
    let length = place::look(path)?.map_or(0, |file| file.len());
    // Pages that only the `-wal` file holds are not missing.
    if length < bytes && !super::has_wal(path) {
        return Err(Error::corrupt(shown(path), "the file was cut"));
    }
    Ok(())
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
