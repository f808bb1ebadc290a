//! The write of many records in one transaction: compared, numbered, written and told in five statements for each collection.

use std::fmt::Write as _;

use sqlx::{Connection, SqliteConnection};

use super::connections::Connections;
use super::error::{is_damaged, poisons};
use super::read_many::ID;
use super::write::{Failure, sealed};
use crate::error::{Error, Result};
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision};

/// A record that is put.
#[derive(Debug)]
pub(super) struct OwnedPut {
    id: RecordId,
    bytes: Vec<u8>,
    expect: Expect,
}

impl From<&RecordPut<'_>> for OwnedPut {
    fn from(put: &RecordPut<'_>) -> Self {
        OwnedPut {
            id: put.id,
            bytes: put.bytes.to_vec(),
            expect: put.expect,
        }
    }
}

/// The result of a batch.
#[derive(Debug)]
pub(super) struct ManyWritten {
    pub(super) revisions: Vec<Revision>,
    /// The position of the feed after the batch.
    pub(super) newest: u64,
}

impl Connections {
    /// Writes all of the records or none, keeping `keep` changes in the feed.
    pub(super) async fn write_many(&self, puts: Vec<OwnedPut>, keep: i64) -> Result<ManyWritten, Failure> {
        let mut turn = self.turn().await?;
        self.check_identity()?;
        let mut again = false;
        let done = loop {
            let mut connection = self.take(&mut turn).await?;
            match transact(&mut connection, &puts, keep).await {
                Ok(done) => {
                    *turn = Some(connection);
                    break done;
                }
                Err(error) if poisons(&error) => return Err(Failure::Poisoned),
                // As in a write of one record.
                Err(error) if is_damaged(&error) && !again => again = true,
                Err(error) => return Err(self.failed(error).await.into()),
            }
        };
        // If the file was replaced meanwhile, the batch went to a file that nobody finds again.
        self.check_identity()?;
        Ok(done?)
    }
}

/// As for one record: the outer error is SQLite's, and the inner error leaves the connection clean.
async fn transact(
    connection: &mut SqliteConnection,
    puts: &[OwnedPut],
    keep: i64,
) -> sqlx::Result<Result<ManyWritten>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if let Some(seal) = sealed(&mut transaction).await? {
        transaction.rollback().await?;
        return Ok(Err(Error::sealed(&seal)));
    }
    for run in runs(puts) {
        if let Err(refused) = compare(&mut transaction, &run).await? {
            transaction.rollback().await?;
            return Ok(Err(refused));
        }
    }
    let told = puts.iter().filter(|put| !put.id.collection().kind().is_quiet()).count();
    let (last, change, forgotten) = count(&mut transaction, (puts.len(), told), keep).await?;
    let mut revision = last - signed(puts.len());
    let mut number = change - signed(told);
    let first = revision + 1;
    for run in runs(puts) {
        upsert(&mut transaction, &run, revision + 1).await?;
        revision += signed(run.puts.len());
        if !run.collection.kind().is_quiet() {
            tell(&mut transaction, &run, number + 1).await?;
            number += signed(run.puts.len());
        }
    }
    forget(&mut transaction, forgotten).await?;
    transaction.commit().await?;
    Ok(Ok(ManyWritten {
        revisions: (first..=last).map(Connections::revision).collect(),
        newest: u64::try_from(change).unwrap_or_default(),
    }))
}

/// Puts of one collection that follow each other, with their ids in one piece.
struct Run<'a> {
    collection: Collection,
    names: Vec<u8>,
    puts: &'a [OwnedPut],
}

fn runs(puts: &[OwnedPut]) -> impl Iterator<Item = Run<'_>> {
    let runs = puts.chunk_by(|one, other| one.id.collection() == other.id.collection());
    runs.filter_map(|puts| {
        Some(Run {
            collection: *puts.first()?.id.collection(),
            names: puts.iter().flat_map(|put| put.id.id()).copied().collect(),
            puts,
        })
    })
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Refuses if one of the records is not as expected.
async fn compare(connection: &mut SqliteConnection, run: &Run<'_>) -> sqlx::Result<Result<()>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE n + 1 < ?4)
         SELECT n, revision FROM asked CROSS JOIN records
         WHERE kind = ?1 AND realm = ?2 AND id = substr(?3, n * 16 + 1, 16)",
    )
    .bind(i64::from(run.collection.kind().as_u8()))
    .bind(run.collection.realm().as_slice())
    .bind(run.names.as_slice())
    .bind(signed(run.names.len() / ID))
    .fetch_all(connection)
    .await?;
    let mut rows = rows.into_iter().peekable();
    let compared = (0..).zip(run.puts).try_for_each(|(position, put)| {
        let found = rows.next_if(|row| row.0 == position);
        put.expect
            .compare(found.map(|(_, revision)| Connections::revision(revision)))
    });
    Ok(compared)
}

/// The newest revision, the newest change number, and how far back the feed then ends.
async fn count(
    connection: &mut SqliteConnection,
    (written, told): (usize, usize),
    keep: i64,
) -> sqlx::Result<(i64, i64, i64)> {
    sqlx::query_as(
        "UPDATE counters SET revision = revision + ?1, change = change + ?2, forgotten = max(forgotten, change + ?2 - ?3)
         WHERE one = 1 RETURNING revision, change, forgotten",
    )
    .bind(signed(written))
    .bind(signed(told))
    .bind(keep)
    .fetch_one(connection)
    .await
}

async fn upsert(connection: &mut SqliteConnection, run: &Run<'_>, first: i64) -> sqlx::Result<()> {
    // The bytes of all records in one piece, and where those of each begin, from 1, with their length.
    let (mut bytes, mut pieces) = (Vec::new(), String::from("["));
    for put in run.puts {
        let comma = if bytes.is_empty() && pieces.len() == 1 { "" } else { "," };
        write!(pieces, "{comma}[{},{}]", bytes.len() + 1, put.bytes.len())
            .map_err(|error| sqlx::Error::Encode(error.into()))?;
        bytes.extend_from_slice(&put.bytes);
    }
    pieces.push(']');
    // A piece of an empty blob is NULL for SQLite, so there is always one byte more.
    bytes.push(0);
    // `WHERE true`, because SQLite would take `ON` for a part of the join.
    sqlx::query(
        "INSERT INTO records (kind, realm, id, revision, bytes)
         SELECT ?1, ?2, substr(?3, piece.key * 16 + 1, 16), ?4 + piece.key,
                substr(?5, piece.value ->> 0, piece.value ->> 1)
         FROM json_each(?6) AS piece WHERE true
         ON CONFLICT (kind, realm, id) DO UPDATE SET revision = excluded.revision, bytes = excluded.bytes",
    )
    .bind(i64::from(run.collection.kind().as_u8()))
    .bind(run.collection.realm().as_slice())
    .bind(run.names.as_slice())
    .bind(first)
    .bind(bytes)
    .bind(pieces)
    .execute(connection)
    .await
    .map(drop)
}

/// Puts the changes of a run on the feed.
async fn tell(connection: &mut SqliteConnection, run: &Run<'_>, first: i64) -> sqlx::Result<()> {
    sqlx::query(
        "WITH RECURSIVE told (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM told WHERE n + 1 < ?4)
         INSERT INTO changes (number, kind, realm, id)
         SELECT ?5 + n, ?1, ?2, substr(?3, n * 16 + 1, 16) FROM told",
    )
    .bind(i64::from(run.collection.kind().as_u8()))
    .bind(run.collection.realm().as_slice())
    .bind(run.names.as_slice())
    .bind(signed(run.puts.len()))
    .bind(first)
    .execute(connection)
    .await
    .map(drop)
}

/// Removes the changes that are too old from the feed.
async fn forget(connection: &mut SqliteConnection, forgotten: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM changes WHERE number <= ?1")
        .bind(forgotten)
        .execute(connection)
        .await
        .map(drop)
}
