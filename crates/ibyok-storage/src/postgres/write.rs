//! The writes: each change, its revision and its place in the feed in one statement, which is a transaction.
//!
//! The parts of a `WITH` share one snapshot, but an `UPDATE` that has to wait for a row's lock reads the row as it is
//! then, and checks its conditions again. So the record's row decides which of many writers wins. The row of
//! `counters`, locked until the commit, gives out numbers in the order of the commits. The order of the locks is
//! always record, then counters, so no two writers wait for each other in a circle.

use sqlx::PgConnection;

use super::connections::Question;
use crate::record::{Expect, RecordId, Revision};

/// The part after `written`: it counts, adds to the feed, trims it, sends a hint, and answers.
macro_rules! statement {
    ($written:literal) => {
        concat!(
            "WITH written AS (",
            $written,
            "), counted AS (
                UPDATE counters SET change = change + 1, forgotten = greatest(forgotten, change + 1 - $6)
                FROM written WHERE $5 RETURNING change, forgotten
            ), told AS (
                INSERT INTO changes (number, kind, realm, id) SELECT change, $2, $3, $4 FROM counted
            ), trimmed AS (
                DELETE FROM changes USING counted WHERE number <= counted.forgotten
            )
            SELECT $1::bigint, (SELECT revision FROM written), (SELECT pg_notify($7, change::text) IS NULL FROM counted)"
        )
    };
}

const CREATE: &str = statement!(
    "INSERT INTO records (kind, realm, id, revision, bytes) VALUES ($2, $3, $4, nextval('revisions'), $8)
     ON CONFLICT DO NOTHING RETURNING revision"
);

const REPLACE: &str = statement!(
    "UPDATE records SET revision = nextval('revisions'), bytes = $8
     WHERE kind = $2 AND realm = $3 AND id = $4 AND revision = $9 RETURNING revision"
);

const DELETE: &str =
    statement!("DELETE FROM records WHERE kind = $2 AND realm = $3 AND id = $4 AND revision = $8 RETURNING revision");

/// One change of one record. The answer is its revision, or `None` if the record was not as expected.
pub(super) struct Write<'a> {
    pub(super) id: RecordId,
    pub(super) change: Change<'a>,
    /// The number of changes that the feed keeps.
    pub(super) keep: i64,
    pub(super) channel: &'a str,
}

/// The change of a record.
pub(super) enum Change<'a> {
    Put { bytes: &'a [u8], expect: Expect },
    Delete { expect: Revision },
}

impl Write<'_> {
    /// Returns true if it puts a record, and false if it deletes one.
    pub(super) fn is_put(&self) -> bool {
        matches!(self.change, Change::Put { .. })
    }
}

impl Question for Write<'_> {
    type Answer = Option<Revision>;
    const REPEATABLE: bool = false;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let statement = match self.change {
            Change::Put {
                expect: Expect::Absent, ..
            } => CREATE,
            Change::Put { .. } => REPLACE,
            Change::Delete { .. } => DELETE,
        };
        let query = sqlx::query_as(statement)
            .bind(number)
            .bind(i16::from(self.id.collection().kind().as_u8()))
            .bind(self.id.collection().realm().as_slice())
            .bind(self.id.id().as_slice())
            .bind(!self.id.collection().kind().is_quiet())
            .bind(self.keep)
            .bind(self.channel);
        let query = match self.change {
            Change::Put {
                bytes,
                expect: Expect::Absent,
            } => query.bind(bytes),
            Change::Put {
                bytes,
                expect: Expect::Revision(expect),
            } => query.bind(bytes).bind(expect.as_u64().cast_signed()),
            Change::Delete { expect } => query.bind(expect.as_u64().cast_signed()),
        };
        let (number, revision, _): (i64, Option<i64>, Option<bool>) = query.fetch_one(connection).await?;
        Ok((number, revision.map(|revision| Revision::new(revision.cast_unsigned()))))
    }
}
