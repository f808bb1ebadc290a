//! The tables, and how the file is recognised.

use std::path::Path;

use sqlx::{Connection, Executor, SqliteConnection};

use super::digest::Whole;
use super::{MapKey, apply, shown};
use crate::error::{Error, Result};
use crate::file::{public, write_ahead};

/// `IBFL`: says that an SQLite file is an authenticated map (<https://www.sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION: i64 = 0x4942_464C;

/// The format that this program writes, and the newest that it knows.
const FORMAT: u32 = 1;

const TABLES: &str = "
    CREATE TABLE numbers (key BLOB NOT NULL PRIMARY KEY, value INTEGER NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE texts (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE whole (
        one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, generation INTEGER NOT NULL, numbers INTEGER NOT NULL,
        texts INTEGER NOT NULL, nonce BLOB NOT NULL, masked BLOB NOT NULL, mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    PRAGMA application_id = 0x4942464C;
    PRAGMA user_version = 1;
";

/// Whether the file holds a map; an empty file does not.
///
/// # Errors
/// [`Error::Corrupt`] for another program's file, [`Error::Newer`].
pub(super) async fn look(path: &Path, connection: &mut SqliteConnection) -> Result<bool> {
    let (application, version, objects): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| public(path, error))?;
    match (application, u32::try_from(version).unwrap_or(0)) {
        (0, 0) if objects == 0 => Ok(false),
        (APPLICATION, 1..=FORMAT) => Ok(true),
        (APPLICATION, found) if found > FORMAT => Err(Error::newer(found, FORMAT)),
        _ => Err(Error::corrupt(shown(path), "it is the database of another program")),
    }
}

/// Makes the tables and the row of the whole, unless another process was faster.
pub(super) async fn create(path: &Path, key: &dyn MapKey, connection: &mut SqliteConnection) -> Result<()> {
    write_ahead(path, connection).await?;
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|error| public(path, error))?;
    if !look(path, &mut transaction).await? {
        transaction.execute(TABLES).await.map_err(|error| public(path, error))?;
        apply::store_whole(&mut transaction, key, &Whole::default())
            .await
            .map_err(|error| public(path, error))?;
    }
    transaction.commit().await.map_err(|error| public(path, error))
}
