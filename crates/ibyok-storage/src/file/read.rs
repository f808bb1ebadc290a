//! The reads, each in one statement, so that each is one consistent look.

use std::pin::Pin;

use sqlx::SqliteConnection;

use super::connections::Connections;
use super::error::{is_damaged, shown};
use crate::changes::{Change, ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::record::{Collection, Kind, RecordId, Revision, Stored};

/// The row of a read; `None` if it is not in the form in which this store writes rows.
type Row<T> = Option<T>;

/// A question that can be asked on any connection.
pub(super) type Answer<'c, T> = Pin<Box<dyn Future<Output = sqlx::Result<T>> + Send + 'c>>;

impl Connections {
    pub(super) async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        let id = *id;
        match self.ask(move |connection| Box::pin(select(connection, id))).await? {
            Some((revision, bytes)) => Ok(Some(Stored {
                bytes,
                revision: Self::revision(revision),
            })),
            None => Ok(None),
        }
    }

    pub(super) async fn list(
        &self,
        collection: &Collection,
        after: Option<&RecordId>,
        limit: i64,
    ) -> Result<Vec<RecordId>> {
        let (collection, after) = (*collection, after.copied());
        let rows = self
            .ask(move |connection| Box::pin(page(connection, collection, after, limit)))
            .await?;
        rows.into_iter()
            .map(|(id,)| self.whole(id.try_into().ok().map(|id| RecordId::new(collection, id))))
            .collect()
    }

    /// Returns the newest position of the feed.
    pub(super) async fn newest(&self) -> Result<u64> {
        let newest = self.ask(|connection| Box::pin(counter(connection))).await?;
        self.whole(u64::try_from(newest).ok())
    }

    pub(super) async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        if let Some(seal) = self.get(&RecordId::SEAL).await? {
            return Err(Error::sealed(&seal.bytes));
        }
        let rows = self.ask(move |connection| Box::pin(feed(connection, since))).await?;
        let Some((newest, forgotten, ..)) = rows.first() else {
            return self.whole(None);
        };
        let newest = self.whole(u64::try_from(*newest).ok().map(ChangeNumber::new))?;
        let forgotten = self.whole(u64::try_from(*forgotten).ok().map(ChangeNumber::new))?;
        if since < forgotten || since > newest {
            return Ok(Changes::lost(newest));
        }
        let changes = rows
            .into_iter()
            .filter(|row| row.2.is_some())
            .map(|row| self.whole(change(row)));
        let changes: Vec<Change> = changes.collect::<Result<_>>()?;
        Ok(Changes::told(changes, newest))
    }

    /// Asks on a connection that is free. One that failed is closed. A file that looks damaged is asked once more on a new
    /// connection, since SQLite takes a read that failed with EIO for damage.
    pub(super) async fn ask<T: Send>(
        &self,
        question: impl for<'c> Fn(&'c mut SqliteConnection) -> Answer<'c, T> + Send + Sync,
    ) -> Result<T> {
        let mut slot = self.reader().await?;
        let mut again = false;
        loop {
            let mut connection = self.take(&mut slot).await?;
            match question(&mut connection).await {
                Ok(answer) => {
                    *slot = Some(connection);
                    return Ok(answer);
                }
                Err(error) if is_damaged(&error) && !again => again = true,
                Err(error) => return Err(self.failed(error).await),
            }
        }
    }

    /// The revision in a row. A number below zero is one that this store never gave; the record is judged by its bytes, and such a
    /// row can be written over like any other.
    pub(super) fn revision(number: i64) -> Revision {
        Revision::new(number.cast_unsigned())
    }

    /// A row that is as we write them.
    fn whole<T>(&self, row: Row<T>) -> Result<T> {
        row.ok_or_else(|| Error::corrupt(shown(self.path()), "a row is not of the form that a store writes"))
    }
}

async fn counter(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT change FROM counters WHERE one = 1")
        .fetch_one(connection)
        .await
}

async fn select(connection: &mut SqliteConnection, id: RecordId) -> sqlx::Result<Option<(i64, Vec<u8>)>> {
    sqlx::query_as("SELECT revision, bytes FROM records WHERE kind = ?1 AND realm = ?2 AND id = ?3")
        .bind(i64::from(id.collection().kind().as_u8()))
        .bind(id.collection().realm().as_slice())
        .bind(id.id().as_slice())
        .fetch_optional(connection)
        .await
}

async fn page(
    connection: &mut SqliteConnection,
    collection: Collection,
    after: Option<RecordId>,
    limit: i64,
) -> sqlx::Result<Vec<(Vec<u8>,)>> {
    // An id has 16 bytes, so the empty one is before all, and a row with another is no record.
    let after = after.as_ref().map_or([].as_slice(), |after| after.id().as_slice());
    sqlx::query_as(
        "SELECT id FROM records WHERE kind = ?1 AND realm = ?2 AND id > ?3 AND length(id) = 16 ORDER BY id LIMIT ?4",
    )
    .bind(i64::from(collection.kind().as_u8()))
    .bind(collection.realm().as_slice())
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await
}

/// The counters, and with them each change; one row without a change if there is none.
type Fed = (i64, i64, Option<i64>, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>);

async fn feed(connection: &mut SqliteConnection, since: ChangeNumber) -> sqlx::Result<Vec<Fed>> {
    sqlx::query_as(
        "SELECT c.change, c.forgotten, h.number, h.kind, h.realm, h.id
         FROM counters c LEFT JOIN changes h ON h.number > ?1 WHERE c.one = 1 ORDER BY h.number LIMIT ?2",
    )
    .bind(i64::try_from(since.as_u64()).unwrap_or(i64::MAX))
    .bind(i64::try_from(Changes::LIMIT).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

fn change((_, _, number, kind, realm, id): Fed) -> Row<Change> {
    let kind = Kind::new(kind?.try_into().ok()?);
    let realm: [u8; 8] = realm?.try_into().ok()?;
    let root = Collection::root(kind);
    let collection = if realm == *root.realm() {
        root
    } else {
        Collection::new(kind, realm).ok()?
    };
    let number = ChangeNumber::new(number?.try_into().ok()?);
    Some(Change {
        number,
        id: RecordId::new(collection, id?.try_into().ok()?),
    })
}
