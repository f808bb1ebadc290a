//! The connections of the home.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ibyok_audit::Error as LogError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, Postgres};

use super::schema;

/// The connections that are kept: one for lines, one for checkpoints, and one for leases and readers.
const IDLE: usize = 3;

/// A statement with its arguments.
type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// The answer to a statement.
pub(super) struct Rows {
    pub(super) rows: Vec<PgRow>,
    /// True if the statement was sent twice, because the first connection was lost: the server may have done it twice.
    pub(super) again: bool,
}

/// Connections to one server, made when they are needed.
pub(super) struct Connections {
    options: PgConnectOptions,
    schema: String,
    idle: Mutex<Vec<PgConnection>>,
}

impl Connections {
    pub(super) fn new(options: PgConnectOptions, schema: String) -> Self {
        Self {
            options,
            schema,
            idle: Mutex::default(),
        }
    }

    /// Runs a statement. A connection that was lost while nobody used it, as by a restart of the server, costs a second try and no error.
    ///
    /// A connection whose call failed or was dropped may still get the answer of that call, so it is not used again.
    pub(super) async fn ask<'a>(
        &self,
        statement: &'a str,
        bind: impl Fn(Statement<'a>) -> Statement<'a> + Send,
    ) -> Result<Rows, LogError> {
        let idle = self.idle().pop();
        let again = idle.is_some();
        if let Some(mut connection) = idle {
            let asked = bind(sqlx::query(AssertSqlSafe(statement)));
            match asked.fetch_all(&mut connection).await {
                Ok(rows) => {
                    self.keep(connection);
                    return Ok(Rows { rows, again: false });
                }
                Err(error) if is_lost(&error) => self.idle().clear(),
                Err(error) => return Err(LogError::other(error)),
            }
        }
        let mut connection = self.options.connect().await.map_err(LogError::other)?;
        schema::settle(&mut connection, &self.schema).await?;
        let asked = bind(sqlx::query(AssertSqlSafe(statement)));
        let rows = asked.fetch_all(&mut connection).await.map_err(LogError::other)?;
        self.keep(connection);
        Ok(Rows { rows, again })
    }

    fn keep(&self, connection: PgConnection) {
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns true if the connection is gone. `57P01` and its neighbours are a server that shuts down or comes up.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        _ => false,
    }
}
