//! Logs in strings of Redis, one string for each file.
//!
//! ```text
//! {PREFIX}:logs            set: the ids of the logs
//! {PREFIX}:LOG             hash: `epoch` and `until`, the lease of the process that writes the log
//! {PREFIX}:LOG:files       set: the names of the log's files
//! {PREFIX}:LOG:FILE        string: the bytes of a file
//! ```

mod connection;
mod scripts;

use std::fmt;

use ibyok_audit::{Error as LogError, Hold, Home, HomeFile, SinkDescription, SinkDurability};
use redis::Value;

use self::connection::{Answer, Connection};
use super::LEASE;
use super::remote::{Database, Epoch, File, Remote, Written};
use crate::error::Error;
use crate::redis::Location;

/// Keeps audit logs in Redis, shared by any number of programs. Each of them writes a log of its own.
///
/// A line is acknowledged once the server has synced it to its append-only file. The server must have `appendonly yes`, `appendfsync always`,
/// `no-appendfsync-on-rewrite no` and `maxmemory-policy noeviction`: the home checks this with every write, and from Redis 7.2 on it
/// also asks with `WAITAOF`. A failover to a replica can still lose the last lines, which the next checkpoint of a vault shows.
///
/// A process holds its log by a lease of 30 seconds, which it renews every 5. A write of a process whose log was taken is refused. A
/// call ends within three seconds, and the next one connects again.
///
/// ```no_run
/// use ibyok_audit::FileSink;
/// use ibyok_sinks::RedisHome;
///
/// let home = RedisHome::new("rediss://ibyok@redis.example.com:6379/0")?;
/// let log = FileSink::builder("/var/cache/ibyok").home(home).open_blocking()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisHome(Remote<Strings>);

impl RedisHome {
    /// Checks the URL. Connects at the first call. The parameter `sslrootcert` names a PEM file of authorities to trust instead of the
    /// system's, and `prefix` the beginning of all keys.
    ///
    /// # Errors
    /// Fails for a URL that is not `redis://` or `rediss://`, for authorities that cannot be read, and if no thread can be started.
    pub fn new(url: &str) -> Result<Self, Error> {
        let location = Location::with_authorities(url)?;
        let strings = Strings {
            name: format!("{}/{} prefix {}", location.name, location.database(), location.prefix),
            prefix: location.prefix,
            connection: Connection::new(location.client),
        };
        Ok(Self(Remote::new(strings)?))
    }
}

impl fmt::Debug for RedisHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisHome")
            .field("name", &self.describe().name)
            .finish_non_exhaustive()
    }
}

/// The keys below a prefix.
struct Strings {
    name: String,
    prefix: String,
    connection: Connection,
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Strings({})", self.name)
    }
}

impl Strings {
    /// The set of all logs. The braces make one node of a cluster have all keys.
    fn logs_key(&self) -> String {
        format!("{{{}}}:logs", self.prefix)
    }

    fn log_key(&self, log: &str) -> String {
        format!("{{{}}}:{log}", self.prefix)
    }

    fn names_key(&self, log: &str) -> String {
        format!("{{{}}}:{log}:files", self.prefix)
    }

    fn file_key(&self, log: &str, name: &str) -> String {
        format!("{{{}}}:{log}:{name}", self.prefix)
    }

    /// Runs a script that writes a file, with the keys and arguments that all of these have.
    async fn write(
        &self,
        script: &str,
        file: &File,
        epoch: Option<Epoch>,
        (offset, bytes): (u64, &[u8]),
    ) -> Result<Written, LogError> {
        let keys = [
            self.log_key(&file.log),
            self.file_key(&file.log, &file.name),
            self.names_key(&file.log),
            self.logs_key(),
        ];
        let (epoch, offset) = (epoch.unwrap_or(0).to_string(), offset.to_string());
        let lease = LEASE.as_millis().to_string();
        let arguments: [&[u8]; 6] = [
            epoch.as_bytes(),
            offset.as_bytes(),
            bytes,
            file.name.as_bytes(),
            file.log.as_bytes(),
            lease.as_bytes(),
        ];
        let command = eval(script, &keys, &arguments);
        let Answer { value, again } = self.connection.write(&command).await?;
        match read::<(String, u64)>(value)? {
            (word, _) if word == "done" => Ok(Written::Done),
            (word, _) if word == "lost" => Ok(Written::Lost),
            (_, length) => Ok(Written::Elsewhere { length, again }),
        }
    }

    async fn lease(&self, script: &str, log: &str, arguments: &[String]) -> Result<Option<Epoch>, LogError> {
        let keys = [self.log_key(log), self.logs_key()];
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let Answer { value, .. } = self.connection.write(&eval(script, &keys, &arguments)).await?;
        let epoch: Option<String> = read(value)?;
        epoch.map(|epoch| epoch.parse().map_err(LogError::other)).transpose()
    }
}

impl Database for Strings {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new(&self.name, SinkDurability::Synced)
    }

    async fn logs(&self) -> Result<Vec<String>, LogError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.logs_key());
        read(self.connection.ask(&command).await?)
    }

    async fn take(&self, log: &str) -> Result<Option<Epoch>, LogError> {
        let lease = LEASE.as_millis().to_string();
        let uptime = self.connection.uptime().await?.as_millis().to_string();
        self.lease(scripts::TAKE, log, &[lease, uptime, log.to_owned()]).await
    }

    async fn renew(&self, log: &str, epoch: Epoch) -> Result<bool, LogError> {
        let lease = LEASE.as_millis().to_string();
        let arguments = [lease, epoch.to_string(), log.to_owned()];
        let renewed = self.lease(scripts::RENEW, log, &arguments).await?;
        Ok(renewed.is_some())
    }

    async fn release(&self, log: &str, epoch: Epoch) -> Result<(), LogError> {
        self.lease(scripts::RELEASE, log, &[epoch.to_string()]).await.map(drop)
    }

    async fn files(&self, log: &str) -> Result<Vec<HomeFile>, LogError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.names_key(log));
        let names: Vec<String> = read(self.connection.ask(&command).await?)?;
        let mut files = Vec::new();
        for name in names {
            let mut command = redis::cmd("STRLEN");
            command.arg(self.file_key(log, &name));
            let length: u64 = read(self.connection.ask(&command).await?)?;
            files.push(HomeFile::new(name, length));
        }
        Ok(files)
    }

    async fn read(&self, file: &File, offset: u64, limit: usize) -> Result<Vec<u8>, LogError> {
        let keys = [self.file_key(&file.log, &file.name), self.names_key(&file.log)];
        let (from, to) = (offset.to_string(), offset.saturating_add(limit as u64).to_string());
        let arguments: [&[u8]; 3] = [file.name.as_bytes(), from.as_bytes(), to.as_bytes()];
        let value = self.connection.ask(&eval(scripts::READ, &keys, &arguments)).await?;
        let bytes: Option<Vec<u8>> = read(value)?;
        bytes.ok_or_else(|| LogError::other(format!("the home holds no file `{}` of this log", file.name)))
    }

    async fn append(&self, file: &File, epoch: Option<Epoch>, offset: u64, bytes: &[u8]) -> Result<Written, LogError> {
        self.write(scripts::APPEND, file, epoch, (offset, bytes)).await
    }

    async fn replace(&self, file: &File, epoch: Option<Epoch>, bytes: &[u8]) -> Result<Written, LogError> {
        self.write(scripts::REPLACE, file, epoch, (0, bytes)).await
    }
}

impl Home for RedisHome {
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

/// A script with its keys and arguments, as text: a server that forgot a script needs no second try.
fn eval(script: &str, keys: &[String], arguments: &[&[u8]]) -> redis::Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

fn read<T: redis::FromRedisValue>(value: Value) -> Result<T, LogError> {
    redis::from_redis_value(value).map_err(LogError::other)
}
