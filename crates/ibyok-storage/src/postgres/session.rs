//! Sets up a connection as the store needs it, for any settings of the server or the role.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use super::error::{PostgresError, public};
use crate::error::{Error, Result};
use crate::health::Durability;
use crate::server::STATEMENT;

/// The oldest release that is supported, as the server counts.
const OLDEST: i32 = 13_00_00;

/// Settings that hold for this session only, so that neither a role's defaults nor a pooler's start-up rules matter.
/// A shorter timeout is left alone, and so is a stronger `synchronous_commit`. The same answer holds the properties
/// of the server.
const SETTLE: &str = "
    SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('fsync') = 'on',
           current_setting('full_page_writes') = 'on',
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                      ELSE current_setting('synchronous_commit') END, false),
           set_config('search_path', quote_ident($1) || ', pg_temp', false),
           set_config('default_transaction_isolation', 'read committed', false),
           set_config('statement_timeout', (SELECT CASE WHEN setting::bigint BETWEEN 1 AND $2 THEN setting ELSE $2::text END
                      FROM pg_settings WHERE name = 'statement_timeout'), false),
           set_config('lock_timeout', (SELECT CASE WHEN setting::bigint BETWEEN 1 AND $2 THEN setting ELSE $2::text END
                      FROM pg_settings WHERE name = 'lock_timeout'), false)";

type Settled = (i32, bool, bool, bool, bool, String);

/// The properties of a server, as one connection found them.
#[derive(Debug, Clone)]
pub(super) struct Server {
    version: i32,
    fsync: bool,
    full_page_writes: bool,
    tls: bool,
    synchronous_commit: String,
}

impl Server {
    /// Returns the worst event that a commit survives with these settings. This store never uses
    /// `synchronous_commit=off`.
    pub(super) fn durability(&self) -> Durability {
        if self.fsync && self.full_page_writes {
            Durability::PowerLoss
        } else {
            Durability::ProcessExit
        }
    }

    /// Returns the details for an operator.
    pub(super) fn detail(&self) -> [(&'static str, String); 5] {
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        [
            ("server", format!("{}.{}", self.version / 10_000, self.version % 10_000)),
            ("tls", on(self.tls)),
            ("fsync", on(self.fsync)),
            ("full_page_writes", on(self.full_page_writes)),
            ("synchronous_commit", self.synchronous_commit.clone()),
        ]
    }
}

/// Connects and settles the session.
pub(super) async fn connect(options: &PgConnectOptions, schema: &str) -> Result<(PgConnection, Server)> {
    let mut connection = options.connect().await.map_err(public)?;
    let (version, in_recovery, fsync, full_page_writes, tls, synchronous_commit): Settled = sqlx::query_as(SETTLE)
        .bind(schema)
        .bind(milliseconds(STATEMENT))
        .fetch_one(&mut connection)
        .await
        .map_err(public)?;
    if version < OLDEST {
        let hint = format!("use PostgreSQL {} or newer", OLDEST / 10_000);
        return Err(Error::refused(
            format!("PostgreSQL {} is too old", version / 10_000),
            hint,
        ));
    }
    if in_recovery {
        // It tells of changes late, so caches that rest on it would too.
        return Err(PostgresError::Replica.into());
    }
    let server = Server {
        version,
        fsync,
        full_page_writes,
        tls,
        synchronous_commit,
    };
    Ok((connection, server))
}

/// Whole milliseconds, as the server wants them.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_loss_is_promised_only_with_every_sync() {
        let server = |fsync, full_page_writes| Server {
            version: 15_00_04,
            fsync,
            full_page_writes,
            tls: false,
            synchronous_commit: "on".to_owned(),
        };
        assert_eq!(server(true, true).durability(), Durability::PowerLoss);
        assert_eq!(server(false, true).durability(), Durability::ProcessExit);
        assert_eq!(server(true, false).durability(), Durability::ProcessExit);
        assert_eq!(server(true, true).detail()[0].1, "15.4");
    }
}
