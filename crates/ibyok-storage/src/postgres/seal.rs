//! The seal: a trigger that refuses every write of a record.
//!
//! The transaction locks the table of records before anything else. So it waits for the writes under way and lets no new one begin, and after its commit no write is left
//! that began before it. A write holds a lock on that table before it waits for the row of `counters`, so the two never wait for each other in a circle.
//! A seal costs other writes nothing as long as there is none. Only the owner of the tables can make it.

use sqlx::{Connection, PgConnection};

use super::connections::Question;
use super::write::Write;
use crate::record::Revision;

/// The error code of a write on a sealed store.
pub(super) const SEALED: &str = "IB001";

const OPEN: &str = "
    LOCK TABLE records IN ACCESS EXCLUSIVE MODE;
    DROP TRIGGER IF EXISTS ibyok_sealed ON records;";

const CLOSE: &str = "
    CREATE OR REPLACE FUNCTION ibyok_sealed() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        RAISE EXCEPTION USING ERRCODE = 'IB001',
            MESSAGE = coalesce((SELECT convert_from(bytes, 'UTF8') FROM records WHERE kind = 127 LIMIT 1), 'no reason');
    END
    $body$;
    CREATE TRIGGER ibyok_sealed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON records
        FOR EACH STATEMENT EXECUTE FUNCTION ibyok_sealed();";

/// A put or a delete of the seal.
pub(super) struct Seal<'a>(pub(super) Write<'a>);

impl Question for Seal<'_> {
    type Answer = Option<Revision>;
    const REPEATABLE: bool = false;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(OPEN).execute(&mut *transaction).await?;
        let (number, revision) = self.0.put_to(&mut transaction, number).await?;
        if revision.is_none() {
            transaction.rollback().await?;
            return Ok((number, None));
        }
        if self.0.is_put() {
            sqlx::raw_sql(CLOSE).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok((number, revision))
    }
}
