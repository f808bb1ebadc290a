//! A small durable map whose content is authenticated, for data that must not be set back unnoticed.
//!
//! - `node`: the nodes of a tree and their bytes
//! - `digest`: the MACs, and the row of the whole
//! - `tree`: changing the trees within a transaction
//! - `schema`: the tables of the SQLite file, and the marks by which the file is recognised
//! - `connections`: one connection that writes, two that read, and the newest state that they saw
//! - `apply`, `read`, `read_many`: the statements
//! - `verify`: reading the whole, and reading a damaged file as far as possible
//! - `refused`: the reasons why a file is refused
//!
//! Numbers and texts are each a B+ tree whose nodes are rows of one table. A node has a MAC, the node above holds it,
//! and the row of the whole holds the MACs of the two roots, the counts and a generation that grows with every
//! change (a Merkle tree under a key). So every read is checked against the row of the whole: an item that was
//! changed, removed, moved or set back with any part of the file is an error of the very lookup that meets it. The
//! absence of an item is proved in the same way. A lookup reads one leaf, and the few nodes above it once for each
//! state; a change stores them.
//!
//! The row of the whole cannot show that all of the file was set back. A handle accepts no generation below one that
//! it has seen; the caller must compare the state from before the handle was opened.

mod apply;
mod connections;
mod digest;
mod node;
mod read;
mod read_many;
mod refused;
mod schema;
mod tree;
mod verify;

use std::fmt::{self, Debug};
use std::path::Path;
use std::sync::Arc;

use self::connections::Connections;
use crate::error::{Error, Result};
use crate::file::place;
use crate::map::{MapKey, map_files};

/// The backend's name in errors.
const BACKEND: &str = "floors";

/// A durable map of numbers and texts, authenticated under a key that is not stored with it. Several processes may use one file at
/// once, and each sees the changes of the others.
///
/// It is one SQLite file in WAL mode. It works within a tokio runtime. Clones are the same handle.
#[derive(Clone)]
pub struct AuthenticatedMap {
    connections: Arc<Connections>,
    settled: bool,
}

impl AuthenticatedMap {
    /// Opens the map at `path`. Returns `None` if there is no file, or only an empty one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file is not a map, or was not made under this key; [`Error::Refused`] if it names another owner;
    /// [`Error::Newer`] if a newer program made it; [`Error::Unavailable`] if it cannot be read.
    pub async fn open(path: impl AsRef<Path>, key: Arc<dyn MapKey>) -> Result<Option<Self>> {
        let path = place::resolve(path.as_ref())?;
        if place::look(&path)?.is_none_or(|file| file.len() == 0 && !has_wal(&path)) {
            return Ok(None);
        }
        let settled = !has_wal(&path);
        let Some(connections) = Connections::open(&path, key, false).await? else {
            return Ok(None);
        };
        let map = AuthenticatedMap {
            connections: Arc::new(connections),
            settled,
        };
        map.summary().await?;
        Ok(Some(map))
    }

    /// Makes an empty map at `path`, unless there is one by now, and opens it. Only its owner may read the file.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::open`].
    pub async fn create(path: impl AsRef<Path>, key: Arc<dyn MapKey>) -> Result<Self> {
        let path = place::resolve(path.as_ref())?;
        let connections = Connections::open(&path, key, true).await?;
        let connections = connections.ok_or_else(|| Error::unavailable(BACKEND, "the file was not made"))?;
        let map = AuthenticatedMap {
            connections: Arc::new(connections),
            settled: false,
        };
        map.summary().await?;
        Ok(map)
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.connections.path()
    }

    /// Returns true if everything was on the disk when the map was opened, and no other process had it open.
    #[must_use]
    pub fn was_settled(&self) -> bool {
        self.settled
    }

    /// Returns true if the file at the path is still the one that was opened.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.connections.check_identity().is_ok()
    }

    /// Returns true if another handle is this one or a clone of it.
    #[must_use]
    pub fn is_same(&self, other: &AuthenticatedMap) -> bool {
        Arc::ptr_eq(&self.connections, &other.connections)
    }

    /// The newest generation that this handle has seen; 0 if it has seen none.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.connections.newest().map_or(0, |whole| whole.generation)
    }

    /// Closes the map. The last handle of all processes moves the content of the `-wal` file into the main file.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

impl Debug for AuthenticatedMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatedMap")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

fn has_wal(path: &Path) -> bool {
    let [_, wal, _] = map_files(path);
    std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0)
}
