//! Logs in tables of PostgreSQL.
//!
//! ```text
//! logs    log, epoch, held_until           a log, and the lease of the process that writes it
//! parts   log, file, at, bytes             a part of a file: the bytes from `at` on, as one write added them
//! home    format                           the form of these tables
//! ```
//! The parts of a file follow each other without a gap. A part that does not end where the next one begins was changed in the
//! table: [`pieces`] shows it as damage, so that `ibyok audit verify` finds every change that a reader of the table sees.

mod connections;
mod pieces;
mod schema;
mod statements;

use std::fmt;

use ibyok_audit::{Error as LogError, Hold, Home, HomeFile, SinkDescription, SinkDurability};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use self::connections::{Connections, Rows};
use self::pieces::Piece;
use self::statements::Statements;
use super::remote::{Database, Epoch, File, Remote, Written};
use super::{LEASE, not_durable};
use crate::error::Error;
use crate::postgres::Location;

/// Keeps audit logs in tables of PostgreSQL, shared by any number of programs. Each of them writes a log of its own.
///
/// A line is acknowledged once its transaction is on the server's disk. The server must sync its commits (`fsync`,
/// `full_page_writes`), the tables must be logged, and the server must not be a replica: the home checks this with every write. Role
/// and database need `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the tables, and `CREATE` only if they do not exist.
///
/// A process holds its log by a lease of 30 seconds, which it renews every 5. A write of a process whose log was taken is refused. A
/// call ends within three seconds, and the next one connects again.
///
/// ```no_run
/// use ibyok_audit::FileSink;
/// use ibyok_sinks::PostgresHome;
///
/// let home = PostgresHome::new("postgres://ibyok@db.example.com/audit?sslmode=verify-full")?;
/// let log = FileSink::builder("/var/cache/ibyok").home(home).open_blocking()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PostgresHome(Remote<Tables>);

impl PostgresHome {
    /// Checks the URL. Connects at the first call.
    ///
    /// # Errors
    /// Fails for a URL that is not `postgres://USER@HOST[:PORT]/DATABASE`, and if no thread can be started.
    pub fn new(url: &str) -> Result<Self, Error> {
        let location = Location::parse(url)?;
        let name = format!("{} schema {}", location.with_database(), location.schema);
        let tables = Tables {
            name,
            statements: Statements::of(&location.schema),
            connections: Connections::new(location.options, location.schema),
        };
        Ok(Self(Remote::new(tables)?))
    }
}

impl fmt::Debug for PostgresHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresHome")
            .field("name", &self.describe().name)
            .finish_non_exhaustive()
    }
}

/// The tables of a schema.
struct Tables {
    name: String,
    statements: Statements,
    connections: Connections,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tables({})", self.name)
    }
}

/// Reads the answer to a write. `again` is true if its statement was sent twice.
fn written(Rows { rows, again }: &Rows) -> Result<Written, LogError> {
    let row = rows
        .first()
        .ok_or_else(|| LogError::other("the server answered a write without a row"))?;
    let (is_safe, held, done): (bool, bool, bool) =
        (column(row, "is_safe")?, column(row, "held")?, column(row, "done")?);
    if !is_safe {
        return Err(not_durable(
            "the server does not sync its commits, is a replica, or has an UNLOGGED table",
        ));
    }
    let length: i64 = column(row, "length")?;
    Ok(match (held, done) {
        (false, _) => Written::Lost,
        (true, true) => Written::Done,
        (true, false) => Written::Elsewhere {
            length: u64::try_from(length).unwrap_or_default(),
            again: *again,
        },
    })
}

impl Tables {
    /// Begins a log that is written without a lease: of a home that is filled before any process takes the log.
    async fn begin(&self, log: &str, epoch: Option<Epoch>) -> Result<Epoch, LogError> {
        if let Some(epoch) = epoch {
            return Ok(epoch);
        }
        let begin = self.connections.ask(&self.statements.begin, |query| query.bind(log));
        begin.await.map(|_| statements::NO_LEASE)
    }
}

impl Database for Tables {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new(&self.name, SinkDurability::Synced)
    }

    async fn logs(&self) -> Result<Vec<String>, LogError> {
        let answer = self.connections.ask(&self.statements.logs, |query| query).await?;
        answer.rows.iter().map(|row| column(row, "log")).collect()
    }

    async fn take(&self, log: &str) -> Result<Option<Epoch>, LogError> {
        let seconds = LEASE.as_secs_f64();
        let take = self
            .connections
            .ask(&self.statements.take, |query| query.bind(log).bind(seconds));
        let answer = take.await?;
        answer.rows.first().map(|row| column(row, "epoch")).transpose()
    }

    async fn renew(&self, log: &str, epoch: Epoch) -> Result<bool, LogError> {
        let seconds = LEASE.as_secs_f64();
        let renew = self.connections.ask(&self.statements.renew, |query| {
            query.bind(log).bind(epoch).bind(seconds)
        });
        Ok(!renew.await?.rows.is_empty())
    }

    async fn release(&self, log: &str, epoch: Epoch) -> Result<(), LogError> {
        let release = self
            .connections
            .ask(&self.statements.release, |query| query.bind(log).bind(epoch));
        release.await.map(drop)
    }

    async fn files(&self, log: &str) -> Result<Vec<HomeFile>, LogError> {
        let answer = self
            .connections
            .ask(&self.statements.files, |query| query.bind(log))
            .await?;
        let file = |row: &PgRow| {
            let length: i64 = column(row, "length")?;
            let name: String = column(row, "file")?;
            Ok(HomeFile::new(name, u64::try_from(length).unwrap_or_default()))
        };
        answer.rows.iter().map(file).collect()
    }

    async fn read(&self, file: &File, offset: u64, limit: usize) -> Result<Vec<u8>, LogError> {
        let from = i64::try_from(offset).map_err(LogError::other)?;
        let to = from.saturating_add(i64::try_from(limit).map_err(LogError::other)?);
        let read = self.connections.ask(&self.statements.read, |query| {
            query.bind(&file.log).bind(&file.name).bind(from).bind(to)
        });
        let Rows { rows, .. } = read.await?;
        let Some(first) = rows.first() else {
            let name = &file.name;
            return Err(LogError::other(format!("the home holds no file `{name}` of this log")));
        };
        let length = column(first, "length")?;
        let pieces = rows.iter().map(Piece::read).collect::<Result<Vec<_>, _>>()?;
        Ok(pieces::assemble(&pieces, from, to.min(length), length))
    }

    async fn append(&self, file: &File, epoch: Option<Epoch>, offset: u64, bytes: &[u8]) -> Result<Written, LogError> {
        let epoch = self.begin(&file.log, epoch).await?;
        let at = i64::try_from(offset).map_err(LogError::other)?;
        let append = self.connections.ask(&self.statements.append, |query| {
            query.bind(&file.log).bind(&file.name).bind(at).bind(epoch).bind(bytes)
        });
        written(&append.await?)
    }

    async fn replace(&self, file: &File, epoch: Option<Epoch>, bytes: &[u8]) -> Result<Written, LogError> {
        let epoch = self.begin(&file.log, epoch).await?;
        let replace = self.connections.ask(&self.statements.replace, |query| {
            query.bind(&file.log).bind(&file.name).bind(epoch).bind(bytes)
        });
        written(&replace.await?)
    }
}

impl Home for PostgresHome {
    fn describe(&self) -> SinkDescription {
        self.0.describe()
    }

    fn logs(&self) -> Result<Vec<String>, LogError> {
        self.0.logs()
    }

    fn take(&self, log: &str) -> Result<Option<Hold>, LogError> {
        self.0.take(log)
    }

    fn files(&self, log: &str) -> Result<Vec<HomeFile>, LogError> {
        self.0.files(log)
    }

    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, LogError> {
        self.0.read(log, file, offset, limit)
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        self.0.append(log, file, offset, bytes)
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), LogError> {
        self.0.replace(log, file, bytes)
    }
}

fn column<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    name: &str,
) -> Result<T, LogError> {
    row.try_get(name).map_err(LogError::other)
}
