//! The tables, and the marks by which a file is recognised as a store.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, SqliteConnection};

use super::error::{is_busy, public, shown};
use crate::error::{Error, Result};

/// `IBYK`: says that an SQLite file is a store (<https://www.sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION: i64 = 0x4942_594B;

/// The format that this program writes, and the newest that it knows.
const FORMAT: u32 = 1;

/// The longest time to wait for another process.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The tables. `forgotten` is the newest change that is no longer in the feed.
///
/// The records are in the order in which they were made, with an index of their ids. Without the row's number, a record of more than
/// 1,002 bytes would take a page of 4,096 bytes of its own, and each new record would change a random page.
const TABLES: &str = "
    CREATE TABLE records (
        place INTEGER NOT NULL PRIMARY KEY,
        kind INTEGER NOT NULL, realm BLOB NOT NULL, id BLOB NOT NULL, revision INTEGER NOT NULL, bytes BLOB NOT NULL,
        UNIQUE (kind, realm, id)
    ) STRICT;
    CREATE TABLE changes (
        number INTEGER NOT NULL PRIMARY KEY, kind INTEGER NOT NULL, realm BLOB NOT NULL, id BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counters (
        one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        revision INTEGER NOT NULL, change INTEGER NOT NULL, forgotten INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO counters VALUES (1, 0, 0, 0);
    PRAGMA application_id = 0x4942594B;
    PRAGMA user_version = 1;
";

/// The state of a file that a store may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// An empty file: a store that was never written to, or whose maker died at once.
    Blank,
    /// A store of a format that we know.
    Store,
}

/// Determines the kind of the file.
pub(super) async fn look(path: &Path, connection: &mut SqliteConnection) -> Result<Found> {
    let (application, version, objects): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| public(path, error))?;
    match (application, u32::try_from(version).unwrap_or(0)) {
        (0, 0) if objects == 0 => Ok(Found::Blank),
        (APPLICATION, 1..=FORMAT) => Ok(Found::Store),
        (APPLICATION, found) if found > FORMAT => Err(Error::newer(found, FORMAT)),
        _ => Err(Error::corrupt(shown(path), "it is the database of another program")),
    }
}

/// Makes the tables, unless another process was faster. The feed begins at the change `first`.
pub(super) async fn create(path: &Path, connection: &mut SqliteConnection, first: u64) -> Result<()> {
    write_ahead(path, connection).await?;
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|error| public(path, error))?;
    if look(path, &mut transaction).await? == Found::Blank {
        transaction.execute(TABLES).await.map_err(|error| public(path, error))?;
        sqlx::query("UPDATE counters SET change = ?1, forgotten = ?1")
            .bind(i64::try_from(first).unwrap_or(i64::MAX / 2))
            .execute(&mut *transaction)
            .await
            .map_err(|error| public(path, error))?;
    }
    transaction.commit().await.map_err(|error| public(path, error))
}

/// Puts the file into WAL mode, which it then stays in. SQLite does not always wait for others here, so this does.
pub(crate) async fn write_ahead(path: &Path, connection: &mut SqliteConnection) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL")
            .fetch_one(&mut *connection)
            .await;
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => {
                let hint = "put the store on a local disk with shared memory";
                return Err(Error::refused(format!("{} cannot be in WAL mode", shown(path)), hint));
            }
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(public(path, error)),
        }
    }
}
