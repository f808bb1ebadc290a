//! A PostgreSQL database, used by any number of servers at once.
//!
//! - `session`: the requirements on a connection, and the promises of the server
//! - `connections`: connections held open, and a question put to one of them
//! - `schema` and `migrations/`: the tables
//! - `history`: a failover or a restored backup is noticed
//! - `read`, `write`, `write_many`, `changes`: the statements

mod changes;
mod connections;
mod error;
mod history;
mod read;
mod schema;
mod seal;
mod session;
mod write;
mod write_many;

use std::fmt::{self, Debug};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

use self::changes::{Listener, Since};
use self::connections::Connections;
use self::error::{BACKEND, PostgresError};
use self::read::{Get, GetMany, List};
use self::seal::Seal;
use self::write::{Change, Write};
use self::write_many::WriteMany;
use crate::changes::{ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::health::Health;
use crate::limiter::Limiter;
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision, Stored};
use crate::server::{Location, POLL};
use crate::store::{LIST_LIMIT, MAX_RECORD, Store};

const FORM: &str = "use `postgres://user@host:5432/database?sslmode=verify-full`, with `schema`, `connections`, `sslmode`, \
                    `sslrootcert`, `sslcert`, `sslkey`, `application_name` or `host` (of a socket) as parameters";

/// The driver's parameters that we let through.
const DRIVER: [&str; 8] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "host",
    "user",
    "password",
];

/// The options with which a [`PostgresStore`] is opened.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    keep_changes: u32,
    connections: u32,
}

impl PostgresOptions {
    /// The defaults: a change feed that reaches back 10,000 changes, and at most 8 connections in addition to the one that listens.
    pub fn new() -> Self {
        PostgresOptions {
            keep_changes: 10_000,
            connections: 8,
        }
    }

    /// Sets the number of changes that the feed keeps. A caller that asks from further back gets a gap.
    #[must_use]
    pub fn keep_changes(mut self, changes: u32) -> Self {
        self.keep_changes = changes;
        self
    }

    /// Sets the largest number of open connections (at least one), without the one that listens. A `connections` in
    /// the URL wins.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A store in one schema of a PostgreSQL database, version 13 or newer, for any number of servers at once.
///
/// A `put` that returned is on the server's disk ([`Health::durability`] says so if the server is set not to sync). The tables are
/// made when it is first opened. A call takes at most three seconds; then it is [`Error::Unavailable`], and the next call
/// connects again.
///
/// It works within a tokio runtime, and must be used from the one that it was opened in. A clone is the same handle.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    location: String,
    schema: String,
    /// The channel of `NOTIFY`. Each schema has its own.
    channel: String,
    keep: i64,
    connections: Connections,
    listener: OnceLock<Listener>,
    /// The number of notifications that the listener has received.
    heard: Arc<watch::Sender<u64>>,
}

impl PostgresStore {
    /// Connects to the database that a URL names, and makes the tables if they are not there.
    ///
    /// The URL is `postgres://user:password@host:port/database`, as for other programs, with these parameters:
    /// `schema` (default `ibyok`), `connections`, and the driver's `sslmode`, `sslrootcert`, `sslcert`, `sslkey`,
    /// `application_name`, `host`, `user`, `password`. Parts that the URL leaves out are read from the variables
    /// `PGHOST`, `PGPASSWORD` and so on, and from `~/.pgpass`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a URL that is not of that form; [`Error::Refused`] if the server does not accept the user, has no such
    /// database, is too old or grants too little; [`Error::Newer`] if a newer program made the tables; [`Error::Corrupt`] if the
    /// schema is another program's; [`Error::Unavailable`] if the server cannot be reached or is a replica.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, PostgresOptions::new()).await
    }

    /// The same with options.
    ///
    /// # Errors
    ///
    /// As [`open`](PostgresStore::open).
    pub async fn open_with(url: &str, options: PostgresOptions) -> Result<Self> {
        let mut location = Location::parse(url, FORM)?;
        let schema = location.take_name("schema", "ibyok")?;
        let limit = match location.take("connections") {
            Some(limit) => limit
                .parse()
                .ok()
                .filter(|limit| (1..=1000).contains(limit))
                .ok_or_else(|| {
                    Error::invalid(
                        "the parameter `connections` of the store URL",
                        "give a number from 1 to 1000",
                    )
                })?,
            None => options.connections,
        };
        let shown = location.to_string();
        let driver = driver(location)?;
        let limit = usize::try_from(limit).unwrap_or(1);
        let connections = Connections::open(driver, schema.clone(), limit).await?;
        Ok(PostgresStore {
            shared: Arc::new(Shared {
                location: shown,
                channel: format!("ibyok_{schema}"),
                schema,
                keep: i64::from(options.keep_changes),
                connections,
                listener: OnceLock::new(),
                heard: Arc::new(watch::Sender::new(0)),
            }),
        })
    }

    /// Writes or deletes the seal.
    async fn seal(&self, change: Change<'_>) -> Result<Option<Revision>> {
        let write = Write {
            id: RecordId::SEAL,
            change,
            keep: self.shared.keep,
            channel: &self.shared.channel,
        };
        self.shared.connections.ask(&Seal(write)).await
    }

    async fn write(&self, id: &RecordId, change: Change<'_>) -> Result<Option<Revision>> {
        let write = Write {
            id: *id,
            change,
            keep: self.shared.keep,
            channel: &self.shared.channel,
        };
        self.shared.connections.ask(&write).await
    }
}

/// Refuses a URL that the driver would refuse.
pub(crate) fn check_url(url: &str) -> Result<()> {
    let mut location = Location::parse(url, FORM)?;
    location.take_name("schema", "ibyok")?;
    // Read and judged where the store is opened.
    location.take("connections");
    driver(location).map(drop)
}

/// The driver's options. It must not log statements: they would show which record is being served.
fn driver(location: Location) -> Result<PgConnectOptions> {
    let url = location.into_driver_url(&DRIVER)?;
    // The driver's error may repeat a part of the URL.
    let options = PgConnectOptions::from_str(url.as_str()).map_err(|_| Error::invalid("a store URL", FORM))?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("ibyok"),
    };
    Ok(options.disable_statement_logging())
}

impl Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("location", &self.shared.location)
            .field("schema", &self.shared.schema)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.shared.connections.ask(&Get(*id)).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        if bytes.len() > MAX_RECORD {
            return Err(Error::too_large(MAX_RECORD));
        }
        let change = Change::Put { bytes, expect };
        let written = match *id == RecordId::SEAL {
            true => self.seal(change).await?,
            false => self.write(id, change).await?,
        };
        written.ok_or(match expect {
            Expect::Absent => Error::Exists,
            Expect::Revision(_) => Error::Conflict,
        })
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        match ids.get(..LIST_LIMIT).unwrap_or(ids) {
            [] => Ok(Vec::new()),
            ids => self.shared.connections.ask(&GetMany(ids)).await,
        }
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let puts = RecordPut::first_batch(puts)?;
        if puts.is_empty() {
            return Ok(Vec::new());
        }
        let write = WriteMany {
            puts,
            keep: self.shared.keep,
            channel: &self.shared.channel,
        };
        self.shared.connections.ask(&write).await?
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        collection.check_after(after)?;
        let list = List {
            collection: *collection,
            after: after.copied(),
            limit: i64::try_from(limit.min(LIST_LIMIT)).unwrap_or(i64::MAX),
        };
        self.shared.connections.ask(&list).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        if let Some(seal) = self.shared.connections.ask(&Get(RecordId::SEAL)).await? {
            return Err(Error::sealed(&seal.bytes));
        }
        self.shared.connections.ask(&Since(since)).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        let shared = &self.shared;
        shared
            .listener
            .get_or_init(|| Listener::begin(&shared.connections, shared.channel.clone(), Arc::clone(&shared.heard)));
        let mut heard = shared.heard.subscribe();
        while self.changes(since).await?.upto == since {
            // Hints may be lost, so after a while it asks without one.
            tokio::time::timeout(POLL, heard.changed()).await.ok();
        }
        Ok(())
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        let change = Change::Delete { expect };
        let deleted = match *id == RecordId::SEAL {
            true => self.seal(change).await?,
            false => self.write(id, change).await?,
        };
        deleted.map(drop).ok_or(Error::Conflict)
    }

    async fn scrub(&self) -> Result<Option<String>> {
        let remains = "PostgreSQL keeps the value in the table until VACUUM cleans the table, and in its write-ahead log, replicas and \
        backups as long as those exist";
        Ok(Some(remains.to_owned()))
    }

    async fn check(&self) -> Result<Health> {
        let newest = self.changes(ChangeNumber::new(u64::MAX)).await?.upto;
        let Some(server) = self.shared.connections.last_server() else {
            return Err(PostgresError::Deadline.into());
        };
        let health = Health::new(BACKEND, server.durability())
            .with("location", format!("`{}`", self.shared.location))
            .with("schema", self.shared.schema.clone())
            .with("changes", newest.as_u64().to_string());
        Ok(server
            .detail()
            .into_iter()
            .fold(health, |health, (name, value)| health.with(name, value)))
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}
