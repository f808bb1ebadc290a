//! The connection of the home.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibyok_audit::Error as LogError;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, Value};

use super::super::not_durable;
use crate::redis::DURABLE;

/// The time of one answer. Shorter than the deadline of a call, so that a connection without answers is given up by then.
const PATIENCE: Duration = Duration::from_millis(2500);

/// The answer to a command that writes.
pub(super) struct Answer {
    pub(super) value: Value,
    /// True if the command was sent twice, because the first connection was lost: the server may have done it twice.
    pub(super) again: bool,
}

/// A connection that several calls share, and the facts about its server.
#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    /// True if the server knows `WAITAOF`, which came with Redis 7.2.
    waits: bool,
}

/// A connection to one server, made when it is needed.
pub(super) struct Connection {
    client: Client,
    link: Mutex<Option<Link>>,
}

impl Connection {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            link: Mutex::default(),
        }
    }

    /// Runs a command that changes nothing.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, LogError> {
        let mut pipeline = redis::pipe();
        pipeline.add_command(command.clone());
        let (mut values, _) = self.send(|_| pipeline.clone()).await?;
        values.pop().ok_or_else(no_answer)
    }

    /// Runs a command that writes, and asks with it for the server's settings: they change while a server runs.
    pub(super) async fn write(&self, command: &Cmd) -> Result<Answer, LogError> {
        let build = |waits: bool| {
            let mut pipeline = redis::pipe();
            pipeline.add_command(command.clone());
            for (name, _) in DURABLE {
                pipeline.cmd("CONFIG").arg("GET").arg(name);
            }
            if waits {
                let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or_default();
                pipeline.cmd("WAITAOF").arg(1).arg(0).arg(patience);
            }
            pipeline
        };
        let (values, again) = self.send(build).await?;
        let mut values = values.into_iter();
        let value = values.next().ok_or_else(no_answer)?;
        for (name, needed) in DURABLE {
            let found = values.next().ok_or_else(no_answer)?;
            let found: HashMap<String, String> = redis::from_redis_value(found).map_err(LogError::other)?;
            if found.get(name).is_none_or(|found| found != needed) {
                return Err(not_durable(&format!("the server's `{name}` is not `{needed}`")));
            }
        }
        if let Some(synced) = values.next() {
            let (here, _): (u64, u64) = redis::from_redis_value(synced).map_err(LogError::other)?;
            if here < 1 {
                return Err(not_durable("the server did not sync its append-only file in time"));
            }
        }
        Ok(Answer { value, again })
    }

    /// Returns the time since the server was started.
    pub(super) async fn uptime(&self) -> Result<Duration, LogError> {
        let mut command = redis::cmd("INFO");
        command.arg("server");
        let text: String = redis::from_redis_value(self.ask(&command).await?).map_err(LogError::other)?;
        let seconds = field(&text, "uptime_in_seconds:").and_then(|seconds| seconds.parse().ok());
        Ok(Duration::from_secs(seconds.unwrap_or(0)))
    }

    /// Sends commands at once. A connection that was lost while nobody used it costs a second try and no error.
    async fn send(&self, build: impl Fn(bool) -> Pipeline) -> Result<(Vec<Value>, bool), LogError> {
        let kept = self.link().clone();
        let again = kept.is_some();
        if let Some(mut link) = kept {
            match build(link.waits).query_async(&mut link.connection).await {
                Ok(values) => return Ok((values, false)),
                Err(error) => {
                    *self.link() = None;
                    if !is_lost(&error) {
                        return Err(LogError::other(error));
                    }
                }
            }
        }
        let mut link = self.connect().await?;
        let sent = build(link.waits).query_async(&mut link.connection).await;
        let values = sent.map_err(LogError::other)?;
        *self.link() = Some(link);
        Ok((values, again))
    }

    async fn connect(&self) -> Result<Link, LogError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connected = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connected.await.map_err(LogError::other)?;
        let mut ask = redis::cmd("INFO");
        ask.arg("server");
        let text: String = ask.query_async(&mut connection).await.map_err(LogError::other)?;
        let mut version = field(&text, "redis_version:").unwrap_or_default().split('.');
        let mut number = || version.next().and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        let waits = (number(), number()) >= (7, 2);
        Ok(Link { connection, waits })
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a field of the server's `INFO`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal()
}

fn no_answer() -> LogError {
    LogError::other("the server left out an answer")
}
