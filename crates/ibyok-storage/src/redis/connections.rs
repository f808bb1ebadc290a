//! The one connection, which many calls share. The next call makes it again after it failed.

use std::fmt::{self, Debug};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, Value};
use tokio::sync::{Mutex, watch};

use super::error::{Failure, is_refusal, public};
use super::keys::Keys;
use super::questions::{Begin, Question, decimal};
use super::server::{Allowed, Server};
use crate::error::{Error, Result};
use crate::server::{DEADLINE, Questions, STALE};

/// The format that this program writes, and the only one that it knows.
const FORMAT: u32 = 1;

/// After connecting failed, calls fail at once for this long, so that a server that comes up is not met by a crowd.
const PAUSE: Duration = Duration::from_millis(100);

/// The way to one store.
pub(super) struct Connections {
    client: Client,
    keys: Keys,
    allowed: Allowed,
    slot: Mutex<Slot>,
    questions: Questions,
    server: StdMutex<Server>,
    /// The number of messages received: a change, or the end of a connection.
    heard: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Slot {
    link: Option<Link>,
    failed: Option<Instant>,
}

/// A connection and its state.
#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    /// Set when the driver finds that it has ended, or a call that it is of no use.
    ended: Arc<AtomicBool>,
    used: Instant,
    fresh: bool,
}

impl Connections {
    /// Connects for the first time.
    pub(super) async fn open(client: Client, keys: Keys, allowed: Allowed) -> Result<Self> {
        let connections = Connections {
            client,
            keys,
            allowed,
            slot: Mutex::default(),
            questions: Questions::new(),
            server: StdMutex::default(),
            heard: Arc::new(watch::Sender::new(0)),
        };
        in_time(by(), connections.link()).await?;
        Ok(connections)
    }

    /// Asks within the deadline, over the connection that is open or a new one.
    pub(super) async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        let by = by();
        let link = in_time(by, self.link()).await?;
        // An idle connection may be dead, and a question that it loses could not be repeated.
        if !Q::REPEATABLE && link.used.elapsed() >= STALE {
            return self.ask_alive(question, link, by).await;
        }
        let fresh = link.fresh;
        match self.put(question, link, by).await {
            Err(_) if Q::REPEATABLE && !fresh => {
                let link = in_time(by, self.link()).await?;
                self.put(question, link, by).await
            }
            answer => answer,
        }
    }

    /// Asks a question that must not be asked twice, over a connection that a ping has found alive.
    async fn ask_alive<Q: Question>(&self, question: &Q, mut link: Link, by: Instant) -> Result<Q::Answer> {
        let ping = async {
            redis::cmd("PING")
                .query_async::<Value>(&mut link.connection)
                .await
                .map_err(public)
        };
        if in_time(by, ping).await.is_err() {
            link.ended.store(true, Ordering::Release);
            link = in_time(by, self.link()).await?;
        }
        self.put(question, link, by).await
    }

    /// Sends a question, and drops the connection if no answer comes: it may be dead.
    async fn put<Q: Question>(&self, question: &Q, mut link: Link, by: Instant) -> Result<Q::Answer> {
        let number = self.questions.next();
        let answer = in_time(by, put(question, &self.keys, number, &mut link.connection)).await;
        if answer.is_err() {
            link.ended.store(true, Ordering::Release);
        }
        answer
    }

    /// Returns the connection, and makes it again if need be. Other calls wait meanwhile.
    async fn link(&self) -> Result<Link> {
        let mut slot = self.slot.lock().await;
        if let Some(link) = slot.link.as_mut().filter(|link| !link.ended.load(Ordering::Acquire)) {
            let found = link.clone();
            link.used = Instant::now();
            link.fresh = false;
            return Ok(found);
        }
        slot.link = None;
        if slot.failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return Err(Failure::Again.into());
        }
        slot.failed = Some(Instant::now());
        let link = self
            .connect()
            .await
            .inspect_err(|_| slot.failed = Some(Instant::now()))?;
        slot.failed = None;
        slot.link = Some(Link {
            fresh: false,
            ..link.clone()
        });
        Ok(link)
    }

    async fn connect(&self) -> Result<Link> {
        let ended = Arc::new(AtomicBool::new(false));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(DEADLINE))
            .set_push_sender(self.listener(&ended));
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connected.map_err(public)?;
        let server = Server::inspect(&mut connection, self.allowed).await?;
        self.begin(&mut connection, &server).await?;
        match connection.subscribe(self.keys.changes()).await {
            // It is only a hint, so a user who may not have it is none the worse.
            Err(error) if !is_refusal(&error) => return Err(public(error)),
            _ => {}
        }
        *self.server_slot() = server;
        Ok(Link {
            connection,
            ended,
            used: Instant::now(),
            fresh: true,
        })
    }

    async fn begin(&self, connection: &mut MultiplexedConnection, server: &Server) -> Result<()> {
        let begin = Begin {
            format: FORMAT,
            history: server.history(),
        };
        match put(&begin, &self.keys, self.questions.next(), connection).await? {
            FORMAT => Ok(()),
            found => Err(Error::newer(found, FORMAT)),
        }
    }

    /// Hears of changes and of the connection's end.
    fn listener(&self, ended: &Arc<AtomicBool>) -> impl Fn(PushInfo) -> Result<()> + Send + Sync + 'static {
        let (heard, ended) = (Arc::clone(&self.heard), Arc::clone(ended));
        move |push| {
            if push.kind == PushKind::Disconnection {
                ended.store(true, Ordering::Release);
            }
            heard.send_modify(|times| *times = times.wrapping_add(1));
            Ok(())
        }
    }

    /// Changes whenever something was heard.
    pub(super) fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// Looks at the server's settings again.
    pub(super) async fn inspect(&self) -> Result<Server> {
        let by = by();
        let mut link = in_time(by, self.link()).await?;
        let server = in_time(by, Server::inspect(&mut link.connection, self.allowed)).await;
        let server = server.inspect_err(|_| link.ended.store(true, Ordering::Release))?;
        *self.server_slot() = server.clone();
        Ok(server)
    }

    fn server_slot(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn put<Q: Question>(
    question: &Q,
    keys: &Keys,
    number: i64,
    connection: &mut MultiplexedConnection,
) -> Result<Q::Answer> {
    let script = question.script(keys, number);
    let answer: Value = script.invoke_async(connection).await.map_err(public)?;
    let Value::Array(mut answer) = answer else {
        return Err(Failure::WrongAnswer.into());
    };
    let answered = answer.drain(..answer.len().min(1)).next();
    if answered.as_ref().and_then(decimal) != u64::try_from(number).ok() {
        return Err(Failure::WrongAnswer.into());
    }
    question.read(answer).ok_or_else(|| Failure::WrongAnswer.into())
}

/// Without the client, which holds the password.
impl Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// The time by which a call that begins now has to be over.
fn by() -> Instant {
    Instant::now() + DEADLINE
}

async fn in_time<T>(by: Instant, call: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout_at(by.into(), call).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::Deadline.into()),
    }
}
