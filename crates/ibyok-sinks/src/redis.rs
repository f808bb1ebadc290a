//! Lines in streams of Redis, one stream for each log.

use std::collections::HashMap;
use std::fmt;

use ibyok_audit::{Batch, Error as LogError, Sink, SinkDescription, SinkDurability};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, TlsCertificates};
use url::Url;

use crate::error::Error;
use crate::lane::{DEADLINE, Lane};
use crate::last_check::LastCheck;
use crate::place;

/// The form of a URL, for hints.
const FORM: &str = "use `redis://user:password@host:6379/0`, or `rediss://` for TLS, with `prefix` as a parameter";

/// The beginning of a stream's name, if the URL gives none.
const PREFIX: &str = "ibyok-audit";

/// The lines and the bytes of one pipeline, at most.
const LINES: usize = 2000;
const BYTES: usize = 4 << 20;

/// The member of an entry that holds the line.
const LINE: &str = "line";

/// The settings of a server that keeps each line that it acknowledged.
pub(crate) const DURABLE: [(&str, &str); 4] = [
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    // With `yes`, the server does not sync while it rewrites its file, also with `always`.
    ("no-appendfsync-on-rewrite", "no"),
    ("maxmemory-policy", "noeviction"),
];

/// The entries of a stream: the id and the members of each.
type Entries = Vec<(String, HashMap<String, Vec<u8>>)>;

/// Adds each line to the stream `PREFIX:LOG`, as the entry `SEQ-0` with the member `line`.
///
/// The id of an entry is the line's number, so a line cannot be there twice, and a batch that is sent again adds only the lines that are
/// missing. An entry with another line under the same number is an error.
pub struct RedisSink {
    name: String,
    client: Client,
    prefix: String,
    must_sync: bool,
    lane: Lane,
    link: Option<Link>,
}

/// A connection, and the newest entry that it found in the stream of a log.
struct Link {
    connection: MultiplexedConnection,
    newest: Option<(String, u64)>,
    checked: LastCheck,
}

impl RedisSink {
    /// Checks the URL. Connects only when there are lines. With `must_sync`, the sink acknowledges durability and refuses a server that
    /// does not sync each write (`appendonly yes`, `appendfsync always`) or that evicts keys. The sink reads these settings again once a
    /// second. `authorities` (PEM) are trusted instead of the system's.
    ///
    /// # Errors
    /// Fails for a URL that is not `redis://` or `rediss://`, and for authorities without TLS.
    pub fn new(url: &str, must_sync: bool, authorities: Option<Vec<u8>>) -> Result<Self, Error> {
        let location = Location::of(place::parse(url, FORM)?, authorities)?;
        Ok(Self {
            name: location.name,
            client: location.client,
            prefix: location.prefix,
            must_sync,
            lane: Lane::default(),
            link: None,
        })
    }
}

/// The server that a URL names.
pub(crate) struct Location {
    /// Scheme, host and port, for people.
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) prefix: String,
}

impl Location {
    fn of(mut url: Url, authorities: Option<Vec<u8>>) -> Result<Self, Error> {
        let prefix = place::plain_name(
            "prefix",
            place::take(&mut url, "prefix").unwrap_or_else(|| PREFIX.to_owned()),
        )?;
        place::refuse_others(&url, &[], FORM)?;
        let name = place::shown(&url);
        // The driver's errors may repeat a part of the URL.
        let invalid = |_| Error::new("the URL of Redis is not valid", FORM);
        let client = match (url.scheme(), authorities) {
            ("redis", Some(_)) => return Err(Error::new("authorities are for `rediss://` alone", FORM)),
            ("redis", None) => Client::open(url.into_connection_info().map_err(invalid)?).map_err(invalid)?,
            ("rediss", root_cert) => {
                // The driver takes the process's provider, and there may be none yet. If there is one, it is left.
                rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert,
                };
                let info = url.into_connection_info().map_err(invalid)?;
                Client::build_with_tls(info, certificates).map_err(|error| {
                    Error::new(format!("cannot use the certificates for `rediss://`: {error}"), FORM)
                })?
            }
            _ => return Err(Error::new("the URL of Redis has another scheme", FORM)),
        };
        Ok(Self { name, client, prefix })
    }

    /// Reads a URL that may name a file of authorities as `sslrootcert`.
    pub(crate) fn with_authorities(url: &str) -> Result<Self, Error> {
        let mut url = place::parse(url, FORM)?;
        let authorities = place::take(&mut url, "sslrootcert").map(std::fs::read).transpose();
        let authorities = authorities.map_err(|error| {
            Error::new(
                format!("cannot read the file in `sslrootcert`: {error}"),
                "give a readable PEM file of certificates",
            )
        })?;
        Self::of(url, authorities)
    }

    /// The number of the database.
    pub(crate) fn database(&self) -> i64 {
        self.client.get_connection_info().redis_settings().db()
    }
}

async fn connect(client: &Client) -> Result<Link, LogError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE));
    let connected = client.get_multiplexed_async_connection_with_config(&config).await;
    Ok(Link {
        connection: connected.map_err(LogError::other)?,
        newest: None,
        checked: LastCheck::default(),
    })
}

/// Refuses a server that may lose a line that it took.
async fn check_durable(connection: &mut MultiplexedConnection) -> Result<(), LogError> {
    for (name, needed) in DURABLE {
        let mut ask = redis::cmd("CONFIG");
        ask.arg("GET").arg(name);
        let found: HashMap<String, String> = ask.query_async(connection).await.map_err(LogError::other)?;
        if found.get(name).is_none_or(|found| found != needed) {
            return Err(LogError::other(format!(
                "the server's `{name}` is not `{needed}`, so it may lose lines and the sink can only be best effort"
            )));
        }
    }
    Ok(())
}

impl Link {
    async fn add(&mut self, prefix: &str, batch: &Batch<'_>) -> Result<(), LogError> {
        let log = batch.log().ok_or_else(|| LogError::rejected("a line names no log"))?;
        let stream = format!("{prefix}:{log}");
        let newest = match &self.newest {
            Some((of, newest)) if of == log => *newest,
            _ => newest(&mut self.connection, &stream).await?,
        };
        let last = batch.first_seq() + batch.count().saturating_sub(1);
        if batch.first_seq() <= newest {
            self.compare(&stream, batch, newest.min(last)).await?;
        }
        let new = (batch.first_seq()..)
            .zip(batch.lines())
            .filter(|(seq, _)| *seq > newest);
        let mut pipeline = redis::pipe();
        for (seq, line) in new {
            pipeline
                .cmd("XADD")
                .arg(&stream)
                .arg(format!("{seq}-0"))
                .arg(LINE)
                .arg(line)
                .ignore();
        }
        if !pipeline.is_empty() {
            pipeline
                .query_async::<()>(&mut self.connection)
                .await
                .map_err(LogError::other)?;
        }
        self.newest = Some((log.to_owned(), newest.max(last)));
        Ok(())
    }

    /// Compares the lines that are there already, up to `last`.
    async fn compare(&mut self, stream: &str, batch: &Batch<'_>, last: u64) -> Result<(), LogError> {
        let mut ask = redis::cmd("XRANGE");
        ask.arg(stream)
            .arg(format!("{}-0", batch.first_seq()))
            .arg(format!("{last}-0"));
        let found: Entries = ask.query_async(&mut self.connection).await.map_err(LogError::other)?;
        let lines = found
            .into_iter()
            .map(|(id, mut members)| Some((id, members.remove(LINE)?)));
        let there: HashMap<String, Vec<u8>> = lines.flatten().collect();
        let differs = (batch.first_seq()..=last)
            .zip(batch.lines())
            .find(|(seq, line)| there.get(&format!("{seq}-0")).is_none_or(|found| found != line));
        match differs {
            None => Ok(()),
            Some((seq, _)) => Err(LogError::rejected(format!(
                "the stream `{stream}` holds another line, or none, under the number {seq} that it has passed"
            ))),
        }
    }
}

/// Returns the number of the newest line in a stream; 0 for an empty one.
async fn newest(connection: &mut MultiplexedConnection, stream: &str) -> Result<u64, LogError> {
    let mut ask = redis::cmd("XREVRANGE");
    ask.arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
    let found: Entries = ask.query_async(connection).await.map_err(LogError::other)?;
    let Some((id, _)) = found.first() else {
        return Ok(0);
    };
    let number = id.split('-').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| LogError::other(format!("the stream `{stream}` holds an entry that is not ours")))
}

impl fmt::Debug for RedisSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSink")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Sink for RedisSink {
    fn describe(&self) -> SinkDescription {
        let durability = match self.must_sync {
            true => SinkDurability::Synced,
            false => SinkDurability::BestEffort,
        };
        SinkDescription::new(&self.name, durability)
    }

    fn durable(&self) -> bool {
        self.must_sync
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        for part in batch.parts(LINES, BYTES) {
            // A connection whose call failed may still get the answer of that call, so it is not used again.
            let link = self.link.take();
            let (client, prefix, must_sync) = (&self.client, self.prefix.as_str(), self.must_sync);
            let kept = self.lane.run(async {
                let mut link = match link {
                    Some(link) => link,
                    None => connect(client).await?,
                };
                if must_sync {
                    link.checked.repeat(check_durable(&mut link.connection)).await?;
                }
                link.add(prefix, &part).await?;
                Ok(link)
            })?;
            self.link = Some(kept);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        // With `appendfsync always` the server answers after its sync.
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        self.link = None;
        Ok(())
    }
}
