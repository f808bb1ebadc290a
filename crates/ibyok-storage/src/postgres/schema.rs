//! The tables, and the marks by which a schema is recognised as a store.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::error::{PostgresError, public};
use super::session::milliseconds;
use crate::error::{Error, Result};

/// The migrations from each format to the next. The first one begins with an empty schema.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/1_records.sql")];

/// The format that this program writes, and the newest that it knows.
const FORMAT: i32 = 1;

/// The longest time for migrating, including the wait for another program that migrates.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const FORMAT_TABLE: &str = "
    CREATE TABLE ibyok_format (one boolean PRIMARY KEY DEFAULT true CHECK (one), format integer NOT NULL);
    INSERT INTO ibyok_format (format) VALUES (0);
";

/// Returns the format of the tables in the schema; 0 if there are none. It asks the catalogue itself, because a
/// session that waited for another one to make the tables would still resolve their names to nothing.
async fn look(connection: &mut PgConnection, schema: &str) -> Result<i32> {
    let (ours, others): (bool, bool) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE tablename = 'ibyok_format') > 0, count(*) FILTER (WHERE tablename = 'records') > 0
         FROM pg_tables WHERE schemaname = $1",
    )
    .bind(schema)
    .fetch_one(&mut *connection)
    .await
    .map_err(public)?;
    match (ours, others) {
        (false, false) => Ok(0),
        (false, true) => Err(Error::corrupt(
            "the PostgreSQL schema",
            "it is the schema of another program",
        )),
        (true, _) => sqlx::query_scalar("SELECT format FROM ibyok_format")
            .fetch_one(connection)
            .await
            .map_err(public),
    }
}

/// Refuses a format that is newer than this program's. Returns true if it is the current one.
fn is_current(format: i32) -> Result<bool> {
    if format > FORMAT {
        return Err(Error::newer(format.unsigned_abs(), FORMAT.unsigned_abs()));
    }
    Ok(format == FORMAT)
}

/// Fails unless the schema holds a store of our format.
pub(super) async fn check(connection: &mut PgConnection, schema: &str) -> Result<()> {
    match is_current(look(connection, schema).await?)? {
        true => Ok(()),
        false => Err(PostgresError::Gone.into()),
    }
}

/// Makes the tables, or brings them to our format. Programs that do so at once take turns, and all but the first find it done. It is
/// one transaction, so a program that dies half-way leaves nothing.
pub(super) async fn migrate(connection: &mut PgConnection, schema: &str) -> Result<()> {
    if is_current(look(connection, schema).await?)? {
        return Ok(());
    }
    let mut transaction = connection.begin().await.map_err(public)?;
    sqlx::query("SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true)")
        .bind(milliseconds(PATIENCE).to_string())
        .execute(&mut *transaction)
        .await
        .map_err(public)?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('ibyok ' || $1, 0))")
        .bind(schema)
        .execute(&mut *transaction)
        .await
        .map_err(public)?;
    let found = look(&mut transaction, schema).await?;
    if !is_current(found)? {
        advance(&mut transaction, schema, found).await?;
    }
    transaction.commit().await.map_err(public)
}

async fn advance(transaction: &mut PgConnection, schema: &str, found: i32) -> Result<()> {
    if found == 0 {
        let exists: bool = sqlx::query_scalar("SELECT to_regnamespace(quote_ident($1)) IS NOT NULL")
            .bind(schema)
            .fetch_one(&mut *transaction)
            .await
            .map_err(public)?;
        if !exists {
            // A name cannot be bound. This one is lower-case letters, digits and underscores (`Location::take_name`).
            let create = AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\""));
            sqlx::raw_sql(create).execute(&mut *transaction).await.map_err(public)?;
        }
        sqlx::raw_sql(FORMAT_TABLE)
            .execute(&mut *transaction)
            .await
            .map_err(public)?;
    }
    let done = usize::try_from(found).unwrap_or_default();
    for migration in MIGRATIONS.into_iter().skip(done) {
        sqlx::raw_sql(migration)
            .execute(&mut *transaction)
            .await
            .map_err(public)?;
    }
    sqlx::query("UPDATE ibyok_format SET format = $1")
        .bind(FORMAT)
        .execute(transaction)
        .await
        .map_err(public)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_its_migration() {
        assert_eq!(MIGRATIONS.len(), usize::try_from(FORMAT).unwrap());
    }

    #[test]
    fn a_newer_format_is_refused_naming_both() {
        let error = is_current(FORMAT + 1).unwrap_err();
        assert!(matches!(error, Error::Newer { found: 2, known: 1, .. }), "{error:?}");
    }
}
