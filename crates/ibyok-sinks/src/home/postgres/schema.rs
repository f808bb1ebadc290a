//! The tables of the home, and the settings of a session.

use ibyok_audit::Error as LogError;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::super::not_durable;
use crate::postgres::make_tables;

/// The form of the tables that this program makes and understands.
const FORMAT: i32 = 1;

/// Settings that hold for this session only, and whether the tables exist.
const SETTLE: &str = "
    SELECT pg_is_in_recovery(), current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
           set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                      ELSE current_setting('synchronous_commit') END, false),
           set_config('statement_timeout', '2500', false), set_config('lock_timeout', '2500', false),
           to_regclass($1) IS NOT NULL";

/// Settles the session, and makes the tables if they do not exist.
pub(super) async fn settle(connection: &mut PgConnection, schema: &str) -> Result<(), LogError> {
    let settled = sqlx::query(SETTLE).bind(format!("\"{schema}\".home"));
    let row = settled.fetch_one(&mut *connection).await.map_err(LogError::other)?;
    let [replica, synced, exists] = [0, 1, 5].map(|column| row.try_get::<bool, usize>(column).map_err(LogError::other));
    if replica? {
        return Err(LogError::other("it is a replica, or still recovering"));
    }
    if !synced? {
        return Err(not_durable(
            "the server does not sync its commits (`fsync`, `full_page_writes`)",
        ));
    }
    if !exists? {
        make(connection, schema).await.map_err(LogError::other)?;
    }
    let format = format!("SELECT format FROM \"{schema}\".home");
    let format = sqlx::query_scalar::<_, i32>(AssertSqlSafe(format));
    match format.fetch_one(connection).await.map_err(LogError::other)? {
        FORMAT => Ok(()),
        other => Err(LogError::other(format!(
            "the tables of the schema `{schema}` have format {other}, and this program understands {FORMAT}: use a newer program"
        ))),
    }
}

/// Makes the tables.
async fn make(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let tables = vec![
        // Ids of logs differ by case, so they are compared byte by byte in every database.
        format!(
            "CREATE TABLE IF NOT EXISTS \"{schema}\".logs (log text COLLATE \"C\" PRIMARY KEY, epoch bigint NOT NULL, \
             held_until timestamptz NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS \"{schema}\".parts (log text COLLATE \"C\" NOT NULL, file text COLLATE \"C\" NOT NULL, \
             at bigint NOT NULL CHECK (at >= 0), bytes bytea NOT NULL, PRIMARY KEY (log, file, at))"
        ),
        // A part of a large value is read without decompressing all of it.
        format!("ALTER TABLE \"{schema}\".parts ALTER COLUMN bytes SET STORAGE EXTERNAL"),
        format!("CREATE TABLE IF NOT EXISTS \"{schema}\".home (format int PRIMARY KEY)"),
        format!("INSERT INTO \"{schema}\".home (format) VALUES ({FORMAT}) ON CONFLICT DO NOTHING"),
    ];
    make_tables(connection, schema, tables).await
}
