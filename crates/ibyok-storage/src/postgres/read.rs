//! The reads, each in one statement, so that each is one consistent look. Each answer has a row even if it is empty,
//! because the row returns the question's number.

use sqlx::PgConnection;

use super::connections::Question;
use crate::record::{Collection, RecordId, Revision, Stored};
use crate::store::MAX_RECORD;

/// One record.
pub(super) struct Get(pub(super) RecordId);

impl Question for Get {
    type Answer = Option<Stored>;
    const REPEATABLE: bool = true;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let (number, revision, bytes): (i64, Option<i64>, Option<Vec<u8>>) = sqlx::query_as(
            "SELECT $1::bigint, r.revision, r.bytes FROM (SELECT) AS one
             LEFT JOIN records r ON r.kind = $2 AND r.realm = $3 AND r.id = $4",
        )
        .bind(number)
        .bind(i16::from(self.0.collection().kind().as_u8()))
        .bind(self.0.collection().realm().as_slice())
        .bind(self.0.id().as_slice())
        .fetch_one(connection)
        .await?;
        let stored = match (revision, bytes) {
            // A number below zero is one that this store never gave: such a record is judged by its bytes, and can be replaced.
            (Some(revision), Some(bytes)) => Some(Stored::new(bytes, Revision::new(revision.cast_unsigned()))),
            _ => None,
        };
        Ok((number, stored))
    }
}

/// Several records.
pub(super) struct GetMany<'a>(pub(super) &'a [RecordId]);

/// The question's number, and a record's revision and bytes.
type Found = (i64, Option<i64>, Option<Vec<u8>>);

impl Question for GetMany<'_> {
    type Answer = Vec<Option<Stored>>;
    const REPEATABLE: bool = true;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let columns = Columns::of(self.0.iter());
        // The sum ends the answer before the records are too large together, but not before the first record.
        let rows: Vec<Found> = sqlx::query_as(
            "SELECT $1::bigint, revision, bytes FROM (
                 SELECT a.n, r.revision, r.bytes, sum(octet_length(r.bytes)) OVER (ORDER BY a.n) AS upto
                 FROM unnest($2::smallint[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS a (kind, realm, id, n)
                 LEFT JOIN records r ON r.kind = a.kind AND r.realm = a.realm AND r.id = a.id) AS found
             WHERE n = 1 OR coalesce(upto, 0) <= $5 ORDER BY n",
        )
        .bind(number)
        .bind(columns.kinds)
        .bind(columns.realms)
        .bind(columns.ids)
        .bind(i64::try_from(MAX_RECORD).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
        let Some(&(number, ..)) = rows.first() else {
            return Err(not_ours());
        };
        let found = rows.into_iter().map(|(_, revision, bytes)| match (revision, bytes) {
            (Some(revision), Some(bytes)) => Some(Stored::new(bytes, Revision::new(revision.cast_unsigned()))),
            _ => None,
        });
        Ok((number, found.collect()))
    }
}

/// The parts of ids, each as one array.
pub(super) struct Columns<'a> {
    pub(super) kinds: Vec<i16>,
    pub(super) realms: Vec<&'a [u8]>,
    pub(super) ids: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(ids: impl Iterator<Item = &'a RecordId> + Clone) -> Self {
        Columns {
            kinds: ids
                .clone()
                .map(|id| i16::from(id.collection().kind().as_u8()))
                .collect(),
            realms: ids.clone().map(|id| id.collection().realm().as_slice()).collect(),
            ids: ids.map(|id| id.id().as_slice()).collect(),
        }
    }
}

/// A page of a collection.
pub(super) struct List {
    pub(super) collection: Collection,
    pub(super) after: Option<RecordId>,
    pub(super) limit: i64,
}

impl Question for List {
    type Answer = Vec<RecordId>;
    const REPEATABLE: bool = true;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let (number, ids): (i64, Vec<Vec<u8>>) = sqlx::query_as(
            "SELECT $1::bigint, ARRAY(
                 SELECT id FROM records WHERE kind = $2 AND realm = $3 AND id > $4 AND octet_length(id) = 16 ORDER BY id LIMIT $5)",
        )
        .bind(number)
        .bind(i16::from(self.collection.kind().as_u8()))
        .bind(self.collection.realm().as_slice())
        // An id has 16 bytes, so the empty one is before all.
        .bind(self.after.as_ref().map_or([].as_slice(), |after| after.id().as_slice()))
        .bind(self.limit)
        .fetch_one(connection)
        .await?;
        let ids = ids.into_iter().map(|id| match id.try_into() {
            Ok(id) => Ok(RecordId::new(self.collection, id)),
            Err(_) => Err(not_ours()),
        });
        Ok((number, ids.collect::<sqlx::Result<_>>()?))
    }
}

/// A number that a store writes is never negative.
pub(super) fn unsigned(number: i64) -> sqlx::Result<u64> {
    u64::try_from(number).map_err(|_| not_ours())
}

/// A row is not as we write them.
pub(super) fn not_ours() -> sqlx::Error {
    sqlx::Error::Decode("a row is not of the form that a store writes".into())
}
