//! Detects a server whose past is another one.
//!
//! After a failover to a replica that was behind, or a restore of a backup, the change number is lower than it was.
//! It then grows again over numbers that meant other changes. A reader that asks late would learn of the new ones and
//! miss that the old ones never happened. So each server's history has a name: its identity, and the timeline that
//! PostgreSQL begins at each promotion or restore. The first connection that finds a new name moves the feed to a
//! number that was never used, and so every reader gets a gap.

use sqlx::PgConnection;

use super::error::public;
use crate::error::Result;

const NAME: &str = "
    SELECT system_identifier || '-' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()";

/// The time in microseconds is beyond every number of an older history: no store commits a change in each
/// microsecond.
const BEGIN: &str = "
    WITH begun AS (
        UPDATE counters
        SET history = $1, change = greatest(change + 1, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint),
            forgotten = greatest(change + 1, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)
        WHERE history <> $1 RETURNING change
    ), emptied AS (
        DELETE FROM changes USING begun
    )
    SELECT setval('revisions', greatest(change, nextval('revisions'))) FROM begun";

/// Begins a new history if the server has one. Does nothing if the server names no history, as some hosted variants
/// do not.
pub(super) async fn note(connection: &mut PgConnection) -> Result<bool> {
    let name = sqlx::query_scalar::<_, String>(NAME).fetch_one(&mut *connection).await;
    let name = match name {
        Ok(name) => name,
        Err(sqlx::Error::Database(_)) => return Ok(false),
        Err(error) => return Err(public(error)),
    };
    let known: bool = sqlx::query_scalar("SELECT history = $1 FROM counters")
        .bind(&name)
        .fetch_one(&mut *connection)
        .await
        .map_err(public)?;
    if !known {
        sqlx::query(BEGIN)
            .bind(&name)
            .execute(connection)
            .await
            .map_err(public)?;
    }
    Ok(true)
}
