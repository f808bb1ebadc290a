//! The tables, and how the file is recognised.

use std::path::Path;

use sqlx::{Connection, Executor, SqliteConnection};

use super::digest::{Table, Whole};
use super::node::Node;
use super::refused::Trouble;
use super::tree::Tree;
use crate::error::{Error, Result};
use crate::file::{public, shown, write_ahead};
use crate::map::MapKey;

/// `IBFL`: says that an SQLite file is an authenticated map (<https://www.sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION: i64 = 0x4942_464C;

/// The format that this program writes, and the newest that it knows. Format 1 had a row for each item, and is not read any more.
const FORMAT: u32 = 2;

const TABLES: &str = "
    CREATE TABLE nodes (id INTEGER NOT NULL PRIMARY KEY, body BLOB NOT NULL, mac BLOB NOT NULL) STRICT;
    CREATE TABLE whole (
        one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, generation INTEGER NOT NULL,
        numbers INTEGER NOT NULL, texts INTEGER NOT NULL, nodes INTEGER NOT NULL, next INTEGER NOT NULL, numbers_root BLOB NOT NULL,
        texts_root BLOB NOT NULL, mac BLOB NOT NULL, nonce BLOB NOT NULL
    ) STRICT;
    PRAGMA application_id = 0x4942464C;
    PRAGMA user_version = 2;
";

/// The head of the file, as the file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// True if the file holds a map; an empty file does not.
    pub(super) is_map: bool,
    /// The size of the file in bytes, as its head has it.
    pub(super) bytes: u64,
}

/// Determines the kind of the file.
///
/// # Errors
/// [`Error::Corrupt`] for another program's file and for an older format, [`Error::Newer`].
pub(super) async fn look(path: &Path, connection: &mut SqliteConnection) -> Result<Look> {
    let (application, version, objects, bytes): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema),
                (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| public(path, error))?;
    let is_map = match (application, u32::try_from(version).unwrap_or(0)) {
        (0, 0) if objects == 0 => false,
        (APPLICATION, FORMAT) => true,
        (APPLICATION, found) if found > FORMAT => return Err(Error::newer(found, FORMAT)),
        (APPLICATION, _) => return Err(Error::corrupt(shown(path), "this program no longer reads its format")),
        _ => return Err(Error::corrupt(shown(path), "it is the database of another program")),
    };
    Ok(Look {
        is_map,
        bytes: u64::try_from(bytes).unwrap_or(0),
    })
}

/// Makes the tables, the row of the whole and two empty trees, unless another process was faster.
pub(super) async fn create(path: &Path, key: &dyn MapKey, connection: &mut SqliteConnection) -> Result<()> {
    write_ahead(path, connection).await?;
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|error| public(path, error))?;
    if !look(path, &mut transaction).await?.is_map {
        transaction.execute(TABLES).await.map_err(|error| public(path, error))?;
        begin(&mut transaction, key)
            .await
            .map_err(|trouble| trouble.into_error(path))?;
    }
    transaction.commit().await.map_err(|error| public(path, error))
}

async fn begin(connection: &mut SqliteConnection, key: &dyn MapKey) -> Result<(), Trouble> {
    let mut tree = Tree::new(connection, key, Whole::default());
    for table in Table::ALL {
        tree.plant(Node::empty(table));
    }
    tree.store().await.map(drop)
}
