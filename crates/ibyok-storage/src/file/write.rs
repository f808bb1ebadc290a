//! The writes: each change, its revision and its place in the feed in one transaction.

use sqlx::{Connection, SqliteConnection};

use super::connections::Connections;
use super::error::{is_damaged, poisons, public};
use crate::error::{Error, Result};
use crate::record::{Expect, RecordId, Revision};

/// One change of one record.
#[derive(Debug)]
pub(super) enum Write {
    Put { bytes: Vec<u8>, expect: Expect },
    Delete { expect: Revision },
}

impl Write {
    fn expect(&self) -> Expect {
        match self {
            Write::Put { expect, .. } => *expect,
            Write::Delete { expect } => Expect::Revision(*expect),
        }
    }
}

/// The result of a change.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) revision: Revision,
    /// The position of the feed after the change.
    pub(super) newest: u64,
}

/// Why it was not done, or is not known to be done.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was written, or that is unknown: see the error.
    Failed(Error),
    /// The state of the disk is unknown.
    Poisoned,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Failed(error)
    }
}

impl Connections {
    /// Does one change, keeping `keep` changes in the feed.
    pub(super) async fn write(&self, id: &RecordId, write: Write, keep: i64) -> Result<Written, Failure> {
        let mut turn = self.turn().await?;
        self.check_identity()?;
        let mut again = false;
        let done = loop {
            let mut connection = self.take(&mut turn).await?;
            match transact(&mut connection, id, &write, keep).await {
                Ok(done) => {
                    *turn = Some(connection);
                    break done;
                }
                Err(error) if poisons(&error) => return Err(Failure::Poisoned),
                // As in a read. The connection is closed, so that nothing of the first attempt is kept.
                Err(error) if is_damaged(&error) && !again => again = true,
                Err(error) => return Err(self.failed(error).await.into()),
            }
        };
        // If the file was replaced meanwhile, the change went to a file that nobody finds again.
        self.check_identity()?;
        let (revision, change) = done?;
        let newest = u64::try_from(change).unwrap_or_default();
        Ok(Written {
            revision: Self::revision(revision),
            newest,
        })
    }

    /// Moves the content of the log into the main file, and cuts the log to nothing. Returns true if no other process
    /// was in the way.
    pub(super) async fn checkpoint(&self) -> Result<bool, Failure> {
        let mut turn = self.turn().await?;
        self.check_identity()?;
        let mut connection = self.take(&mut turn).await?;
        let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| {
                if poisons(&error) {
                    Failure::Poisoned
                } else {
                    public(self.path(), error).into()
                }
            })?;
        *turn = Some(connection);
        Ok(busy == 0)
    }
}

/// The outer error is SQLite's, after which the connection is not used again. The inner error is this store's and
/// leaves the connection clean.
async fn transact(
    connection: &mut SqliteConnection,
    id: &RecordId,
    write: &Write,
    keep: i64,
) -> sqlx::Result<Result<(i64, i64)>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if *id != RecordId::SEAL
        && let Some(seal) = sealed(&mut transaction).await?
    {
        transaction.rollback().await?;
        return Ok(Err(Error::sealed(&seal)));
    }
    let found = revision(&mut transaction, id).await?;
    // A number that this store never gave is no reason to take the record for absent.
    let found = found.map(Connections::revision);
    if let Err(refused) = write.expect().compare(found) {
        transaction.rollback().await?;
        return Ok(Err(refused));
    }
    let (revision, change, forgotten) = count(&mut transaction, id, keep).await?;
    match write {
        Write::Put { bytes, .. } => upsert(&mut transaction, id, bytes, revision).await?,
        Write::Delete { .. } => remove(&mut transaction, id).await?,
    }
    if !id.collection().kind().is_quiet() {
        tell(&mut transaction, id, change, forgotten).await?;
    }
    transaction.commit().await?;
    Ok(Ok((revision, change)))
}

/// Returns the seal, if the store is sealed. In the transaction of a write: of a write and the seal, one is first.
pub(super) async fn sealed(connection: &mut SqliteConnection) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT bytes FROM records WHERE kind = ?1 AND realm = ?2 AND id = ?3")
        .bind(i64::from(RecordId::SEAL.collection().kind().as_u8()))
        .bind(RecordId::SEAL.collection().realm().as_slice())
        .bind(RecordId::SEAL.id().as_slice())
        .fetch_optional(connection)
        .await
}

async fn revision(connection: &mut SqliteConnection, id: &RecordId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT revision FROM records WHERE kind = ?1 AND realm = ?2 AND id = ?3")
        .bind(i64::from(id.collection().kind().as_u8()))
        .bind(id.collection().realm().as_slice())
        .bind(id.id().as_slice())
        .fetch_optional(connection)
        .await
}

/// The next revision, the next change number (unless the kind is quiet), and how far back the feed then ends.
async fn count(connection: &mut SqliteConnection, id: &RecordId, keep: i64) -> sqlx::Result<(i64, i64, i64)> {
    sqlx::query_as(
        "UPDATE counters SET revision = revision + 1, change = change + ?1, forgotten = max(forgotten, change + ?1 - ?2)
         WHERE one = 1 RETURNING revision, change, forgotten",
    )
    .bind(i64::from(!id.collection().kind().is_quiet()))
    .bind(keep)
    .fetch_one(connection)
    .await
}

async fn upsert(connection: &mut SqliteConnection, id: &RecordId, bytes: &[u8], revision: i64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO records (kind, realm, id, revision, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, realm, id) DO UPDATE SET revision = excluded.revision, bytes = excluded.bytes",
    )
    .bind(i64::from(id.collection().kind().as_u8()))
    .bind(id.collection().realm().as_slice())
    .bind(id.id().as_slice())
    .bind(revision)
    .bind(bytes)
    .execute(connection)
    .await
    .map(drop)
}

async fn remove(connection: &mut SqliteConnection, id: &RecordId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM records WHERE kind = ?1 AND realm = ?2 AND id = ?3")
        .bind(i64::from(id.collection().kind().as_u8()))
        .bind(id.collection().realm().as_slice())
        .bind(id.id().as_slice())
        .execute(connection)
        .await
        .map(drop)
}

/// Puts a change on the feed and removes changes that are too old.
async fn tell(connection: &mut SqliteConnection, id: &RecordId, change: i64, forgotten: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO changes (number, kind, realm, id) VALUES (?1, ?2, ?3, ?4)")
        .bind(change)
        .bind(i64::from(id.collection().kind().as_u8()))
        .bind(id.collection().realm().as_slice())
        .bind(id.id().as_slice())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM changes WHERE number <= ?1")
        .bind(forgotten)
        .execute(connection)
        .await
        .map(drop)
}
