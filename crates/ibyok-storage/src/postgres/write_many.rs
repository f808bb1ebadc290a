//! The write of many records in one transaction.
//!
//! The rows are locked in the order of their ids, so that two batches never wait for each other in a circle, and then the row of
//! `counters`, as for one record.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Postgres, Transaction};

use super::connections::Question;
use super::read::{Columns, not_ours};
use crate::error::{Error, Result};
use crate::record::{Expect, RecordId, RecordPut, Revision};

/// Several records. The answer is their revisions, or the refusal of a record that was not as expected.
pub(super) struct WriteMany<'a> {
    pub(super) puts: &'a [RecordPut<'a>],
    /// The number of changes that the feed keeps.
    pub(super) keep: i64,
    pub(super) channel: &'a str,
}

/// Locks the records that are there. The answer has a row for each record that is asked for, in the order of the ids.
const LOCK: &str = "
    WITH asked AS (
        SELECT * FROM unnest($2::smallint[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS a (kind, realm, id, n)
    ), locked AS (
        SELECT r.kind, r.realm, r.id, r.revision FROM records r JOIN asked USING (kind, realm, id)
        ORDER BY r.kind, r.realm, r.id FOR UPDATE OF r
    )
    SELECT $1::bigint, l.revision FROM asked LEFT JOIN locked l USING (kind, realm, id) ORDER BY n";

const CREATE: &str = "
    WITH made AS (
        INSERT INTO records (kind, realm, id, revision, bytes)
        SELECT kind, realm, id, nextval('revisions'), bytes
        FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS a (kind, realm, id, bytes)
        ORDER BY kind, realm, id
        ON CONFLICT DO NOTHING RETURNING kind, realm, id, revision
    )
    SELECT m.revision FROM unnest($1::smallint[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS a (kind, realm, id, n)
    LEFT JOIN made m USING (kind, realm, id) ORDER BY n";

const REPLACE: &str = "
    WITH made AS (
        UPDATE records r SET revision = nextval('revisions'), bytes = a.bytes
        FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[])
             AS a (kind, realm, id, bytes, expected)
        WHERE r.kind = a.kind AND r.realm = a.realm AND r.id = a.id AND r.revision = a.expected
        RETURNING r.kind, r.realm, r.id, r.revision
    )
    SELECT m.revision FROM unnest($1::smallint[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS a (kind, realm, id, n)
    LEFT JOIN made m USING (kind, realm, id) ORDER BY n";

const TELL: &str = "
    WITH counted AS (
        UPDATE counters SET change = change + $1, forgotten = greatest(forgotten, change + $1 - $2)
        RETURNING change, forgotten
    ), told AS (
        INSERT INTO changes (number, kind, realm, id)
        SELECT counted.change - $1 + n, kind, realm, id
        FROM counted, unnest($3::smallint[], $4::bytea[], $5::bytea[]) WITH ORDINALITY AS a (kind, realm, id, n)
    ), trimmed AS (
        DELETE FROM changes USING counted WHERE number <= counted.forgotten
    )
    SELECT pg_notify($6, change::text) IS NULL FROM counted";

impl Question for WriteMany<'_> {
    type Answer = Result<Vec<Revision>>;
    const REPEATABLE: bool = false;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let mut transaction = connection.begin().await?;
        let (number, found) = self.lock(&mut transaction, number).await?;
        let compared = self
            .puts
            .iter()
            .zip(found)
            .try_for_each(|(put, found)| put.expect.compare(found));
        if let Err(refused) = compared {
            transaction.rollback().await?;
            return Ok((number, Err(refused)));
        }
        let Some(revisions) = self.write(&mut transaction).await? else {
            transaction.rollback().await?;
            return Ok((number, Err(Error::Exists)));
        };
        self.tell(&mut transaction).await?;
        transaction.commit().await?;
        Ok((number, Ok(revisions)))
    }
}

impl WriteMany<'_> {
    /// Returns the question's number, and the revision of each record that is there.
    async fn lock(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        number: i64,
    ) -> sqlx::Result<(i64, Vec<Option<Revision>>)> {
        let columns = Columns::of(self.puts.iter().map(|put| &put.id));
        let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(LOCK)
            .bind(number)
            .bind(columns.kinds)
            .bind(columns.realms)
            .bind(columns.ids)
            .fetch_all(&mut **transaction)
            .await?;
        let Some(&(number, _)) = rows.first().filter(|_| rows.len() == self.puts.len()) else {
            return Err(not_ours());
        };
        Ok((number, rows.into_iter().map(|(_, found)| found.map(revision)).collect()))
    }

    /// Writes the records; returns `None` if another writer made one of them since they were locked.
    async fn write(&self, transaction: &mut Transaction<'_, Postgres>) -> sqlx::Result<Option<Vec<Revision>>> {
        let (new, old): (Vec<&RecordPut<'_>>, Vec<&RecordPut<'_>>) =
            self.puts.iter().partition(|put| put.expect == Expect::Absent);
        let mut created = made(transaction, CREATE, &new).await?.into_iter();
        let mut replaced = made(transaction, REPLACE, &old).await?.into_iter();
        let revisions = self.puts.iter().map(|put| match put.expect {
            Expect::Absent => created.next().flatten(),
            Expect::Revision(_) => replaced.next().flatten(),
        });
        Ok(revisions.collect())
    }

    async fn tell(&self, transaction: &mut Transaction<'_, Postgres>) -> sqlx::Result<()> {
        let told: Vec<&RecordId> = self.puts.iter().map(|put| &put.id).collect();
        let told: Vec<&RecordId> = told
            .into_iter()
            .filter(|id| !id.collection().kind().is_quiet())
            .collect();
        if told.is_empty() {
            return Ok(());
        }
        let columns = Columns::of(told.iter().copied());
        sqlx::query(TELL)
            .bind(i64::try_from(told.len()).unwrap_or(i64::MAX))
            .bind(self.keep)
            .bind(columns.kinds)
            .bind(columns.realms)
            .bind(columns.ids)
            .bind(self.channel)
            .execute(&mut **transaction)
            .await
            .map(drop)
    }
}

/// Creates or replaces records; the answer has the new revision of each, or `None` for one that was not as expected.
async fn made(
    transaction: &mut Transaction<'_, Postgres>,
    statement: &'static str,
    puts: &[&RecordPut<'_>],
) -> sqlx::Result<Vec<Option<Revision>>> {
    if puts.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(puts.iter().map(|put| &put.id));
    let bytes: Vec<&[u8]> = puts.iter().map(|put| put.bytes).collect();
    let expected = puts.iter().filter_map(|put| match put.expect {
        Expect::Absent => None,
        Expect::Revision(revision) => Some(revision.as_u64().cast_signed()),
    });
    let expected: Vec<i64> = expected.collect();
    let mut query = sqlx::query_scalar::<_, Option<i64>>(statement)
        .bind(columns.kinds)
        .bind(columns.realms)
        .bind(columns.ids)
        .bind(bytes);
    if !expected.is_empty() {
        query = query.bind(expected);
    }
    let revisions = query.fetch_all(&mut **transaction).await?;
    Ok(revisions.into_iter().map(|found| found.map(revision)).collect())
}

/// The revision in a row. As for one record, a number below zero is one that this store never gave.
fn revision(number: i64) -> Revision {
    Revision::new(number.cast_unsigned())
}
