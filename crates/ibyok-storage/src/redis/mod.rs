//! A Redis, used by any number of servers at once.
//!
//! - `server`: the requirements on a server, and its promises
//! - `connections`: the connection, and a question put to it
//! - `keys`: the names of the keys
//! - `questions`, `many` and `scripts/`: the questions and their answers

mod connections;
mod error;
mod keys;
mod many;
mod questions;
mod server;

use std::fmt::{self, Debug};
use std::fs;

use std::sync::Arc;

use async_trait::async_trait;
use redis::{Client, IntoConnectionInfo, ProtocolVersion, TlsCertificates};

use self::connections::Connections;
use self::error::BACKEND;
use self::keys::Keys;
use self::many::{GetMany, WriteMany};
use self::questions::{Get, List, Since, Take, Write};
use self::server::Allowed;
use crate::changes::{ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::health::Health;
use crate::limiter::{Draw, Limiter, Taken};
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision, Stored};
use crate::server::{Location, POLL};
use crate::store::{LIST_LIMIT, MAX_RECORD, Store};

const FORM: &str = "use `redis://user:password@host:6379/0`, or `rediss://` for TLS, with `prefix`, `sslrootcert`, \
                    `allow_evicting`, `allow_unsynced` or `allow_unchecked` as parameters";

/// The options with which a [`RedisStore`] is opened.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    keep_changes: u32,
}

impl RedisOptions {
    /// The default: a change feed that reaches back 10,000 changes.
    pub fn new() -> Self {
        RedisOptions { keep_changes: 10_000 }
    }

    /// Sets the number of changes that the feed keeps (at least one). A caller that asks from further back gets a
    /// gap.
    #[must_use]
    pub fn keep_changes(mut self, changes: u32) -> Self {
        self.keep_changes = changes;
        self
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A store in a Redis (6 or newer, or a compatible server), for any number of servers at once.
///
/// Redis keeps everything in memory, and whether a `put` that returned survives a loss of power depends on its settings. They are read at
/// each connection: unless it appends and syncs every write (`appendonly yes`, `appendfsync always`) and never evicts
/// (`maxmemory-policy noeviction`), it is refused, or accepted by name in the URL. A call takes at most three seconds; then it is
/// [`Error::Unavailable`], and the next one finds its way back by itself.
///
/// It works within a tokio runtime, and must be used from the one that it was opened in. A clone is the same handle.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    location: String,
    prefix: String,
    keep: u32,
    connections: Connections,
}

impl RedisStore {
    /// Connects to the Redis that a URL names.
    ///
    /// The URL is `redis://user:password@host:port/database`, or `rediss://` for TLS, with these parameters: `prefix` (default `ibyok`;
    /// all keys begin with it in braces), `sslrootcert` (a PEM file of authorities to trust instead of the system's), and the
    /// acceptances `allow_evicting=yes`, `allow_unsynced=yes`, `allow_unchecked=yes`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a URL that is not of that form; [`Error::Refused`] if the server does not accept the user, may forget
    /// or lose records, or grants too little; [`Error::Newer`] if a newer program wrote the store; [`Error::Unavailable`] if the
    /// server cannot be reached or is a replica.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, RedisOptions::new()).await
    }

    /// The same with options.
    ///
    /// # Errors
    ///
    /// As [`open`](RedisStore::open).
    pub async fn open_with(url: &str, options: RedisOptions) -> Result<Self> {
        let mut location = Location::parse(url, FORM)?;
        let keys = Keys::new(&location.take_name("prefix", "ibyok")?);
        let allowed = Allowed {
            evicting: location.take_yes("allow_evicting")?,
            unsynced: location.take_yes("allow_unsynced")?,
            unchecked: location.take_yes("allow_unchecked")?,
        };
        let shown = location.to_string();
        let client = client(location)?;
        Ok(RedisStore {
            shared: Arc::new(Shared {
                location: shown,
                prefix: keys.prefix().to_owned(),
                keep: options.keep_changes,
                connections: Connections::open(client, keys, allowed).await?,
            }),
        })
    }

    async fn write(&self, id: &RecordId, bytes: Option<&[u8]>, expect: Expect) -> Result<Option<Revision>> {
        let write = Write {
            id: *id,
            bytes,
            expect,
            keep: self.shared.keep,
        };
        self.shared.connections.ask(&write).await
    }
}

/// Refuses a URL that the driver would refuse.
pub(crate) fn check_url(url: &str) -> Result<()> {
    let mut location = Location::parse(url, FORM)?;
    location.take_name("prefix", "ibyok")?;
    for parameter in ["allow_evicting", "allow_unsynced", "allow_unchecked"] {
        location.take_yes(parameter)?;
    }
    // A file that is read where the store is opened.
    location.take("sslrootcert");
    let url = location.into_driver_url(&[])?;
    url.into_connection_info()
        .map(drop)
        .map_err(|_| Error::invalid("a store URL", FORM))
}

fn client(mut location: Location) -> Result<Client> {
    let roots = location.take("sslrootcert");
    let url = location.into_driver_url(&[])?;
    let tls = url.scheme() == "rediss";
    // The driver's errors may repeat a part of the URL.
    let invalid = |_| Error::invalid("a store URL", FORM);
    let info = url.into_connection_info().map_err(invalid)?;
    // Pushed messages, for the hints, need the newer protocol.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let info = info.set_redis_settings(settings);
    if !tls {
        return match roots {
            Some(_) => Err(Error::invalid(
                "`sslrootcert` without TLS in the store URL",
                "use `rediss://`",
            )),
            None => Client::open(info).map_err(invalid),
        };
    }
    // The driver takes the process's provider, and there may be none yet. If there is one, it is left.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: roots.as_deref().map(authorities).transpose()?,
    };
    Client::build_with_tls(info, certificates)
        .map_err(|error| Error::refused(format!("cannot use the certificates for `rediss://`: {error}"), FORM))
}

/// Reads a file of authorities. A file without a certificate would trust no server, and the driver's error would not
/// give the reason.
fn authorities(path: &str) -> Result<Vec<u8>> {
    let hint = "give a readable PEM file of certificates";
    let refused = |what: &str| Error::refused(format!("`sslrootcert` in the store URL: {what}"), hint);
    let pem = fs::read(path).map_err(|error| refused(&error.to_string()))?;
    match String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(pem),
        false => Err(refused("the file holds no certificate")),
    }
}

#[async_trait]
impl Limiter for RedisStore {
    async fn take(&self, draws: &[Draw]) -> Result<Taken> {
        self.shared.connections.ask(&Take(draws)).await
    }
}

impl Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("location", &self.shared.location)
            .field("prefix", &self.shared.prefix)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.shared.connections.ask(&Get(*id)).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        if bytes.len() > MAX_RECORD {
            return Err(Error::too_large(MAX_RECORD));
        }
        let written = self.write(id, Some(bytes), expect).await?;
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
        let keep = self.shared.keep;
        self.shared.connections.ask(&WriteMany { puts, keep }).await?
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        collection.check_after(after)?;
        let list = List {
            collection: *collection,
            after: after.copied(),
            limit: limit.min(LIST_LIMIT),
        };
        self.shared.connections.ask(&list).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        if let Some(seal) = self.get(&RecordId::SEAL).await? {
            return Err(Error::sealed(&seal.bytes));
        }
        self.shared.connections.ask(&Since(since)).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        let mut heard = self.shared.connections.heard();
        while self.changes(since).await?.upto == since {
            // Hints may be lost, so after a while it asks without one.
            tokio::time::timeout(POLL, heard.changed()).await.ok();
        }
        Ok(())
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        let deleted = self.write(id, None, Expect::Revision(expect)).await?;
        deleted.map(drop).ok_or(Error::Conflict)
    }

    async fn scrub(&self) -> Result<Option<String>> {
        let remains = "Redis keeps the value in its append-only file until BGREWRITEAOF rewrites the file, in a snapshot until the next one, \
        and in replicas and backups as long as those exist";
        Ok(Some(remains.to_owned()))
    }

    async fn check(&self) -> Result<Health> {
        let server = self.shared.connections.inspect().await?;
        let newest = self.changes(ChangeNumber::new(u64::MAX)).await?.upto;
        let health = Health::new(BACKEND, server.durability())
            .with("location", format!("`{}`", self.shared.location))
            .with("prefix", self.shared.prefix.clone())
            .with("changes", newest.as_u64().to_string());
        Ok(server
            .detail()
            .into_iter()
            .fold(health, |health, (name, value)| health.with(name, value)))
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        Some(self)
    }
}
