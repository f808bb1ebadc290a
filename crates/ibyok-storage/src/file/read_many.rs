//! The read of many records: one statement for the records of one collection, so that a thread switch is paid once.

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;

use super::connections::Connections;
use crate::error::Result;
use crate::record::{Collection, RecordId, Stored};
use crate::store::MAX_RECORD;

/// The position of a record among the ids, its revision and its bytes.
type Row = (i64, i64, Vec<u8>);

/// The number of bytes of an id within its collection.
pub(super) const ID: usize = 16;

impl Connections {
    /// Returns the records of the first ids, and of all of them if they are not too large together.
    pub(super) async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        let (mut found, mut room) = (Vec::with_capacity(ids.len()), MAX_RECORD);
        for run in ids.chunk_by(|one, other| one.collection() == other.collection()) {
            let Some(first) = run.first() else { continue };
            // The first record is read at any size, so that a caller always comes further.
            let most = if found.is_empty() { usize::MAX } else { room };
            let (rows, full) = self.rows(*first.collection(), run, most).await?;
            let read = rows.iter().fold(0, |read: usize, row| read.saturating_add(row.2.len()));
            room = room.saturating_sub(read);
            let end = match (full, rows.last()) {
                (false, _) => run.len(),
                // The ids behind the last record may have records that did not fit.
                (true, Some((position, ..))) => usize::try_from(*position).map_or(0, |position| position + 1),
                (true, None) => 0,
            };
            let mut rows = rows.into_iter().peekable();
            for position in 0..end {
                let here = rows.next_if(|row| usize::try_from(row.0) == Ok(position));
                found.push(here.map(|(_, revision, bytes)| Stored::new(bytes, Self::revision(revision))));
            }
            if full {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the rows of records of one collection, and whether they ended early because of their size.
    async fn rows(&self, collection: Collection, run: &[RecordId], most: usize) -> Result<(Vec<Row>, bool)> {
        let names: Vec<u8> = run.iter().flat_map(RecordId::id).copied().collect();
        self.ask(move |connection| Box::pin(select(connection, collection, names.clone(), most)))
            .await
    }
}

async fn select(
    connection: &mut SqliteConnection,
    collection: Collection,
    names: Vec<u8>,
    most: usize,
) -> sqlx::Result<(Vec<Row>, bool)> {
    let count = i64::try_from(names.len() / ID).unwrap_or(i64::MAX);
    // One text for any number of ids, so that the statement is prepared once. `CROSS JOIN` fixes the order of the loops.
    let mut rows = sqlx::query_as::<_, Row>(
        "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE n + 1 < ?4)
         SELECT n, revision, bytes FROM asked CROSS JOIN records
         WHERE kind = ?1 AND realm = ?2 AND id = substr(?3, n * 16 + 1, 16)",
    )
    .bind(i64::from(collection.kind().as_u8()))
    .bind(collection.realm().as_slice())
    .bind(names)
    .bind(count)
    .fetch(connection);
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.try_next().await? {
        bytes = bytes.saturating_add(row.2.len());
        let fits = if most == usize::MAX {
            found.is_empty() || bytes <= MAX_RECORD
        } else {
            bytes <= most
        };
        if !fits {
            return Ok((found, true));
        }
        found.push(row);
    }
    Ok((found, false))
}
