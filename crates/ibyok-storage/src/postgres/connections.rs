//! A few connections that are held open. sqlx's pool asks the server before each use whether it is still there, which is as long as the
//! question itself.

use std::fmt::{self, Debug};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;

use super::error::{PostgresError, public};
use super::session::{self, Server};
use super::{history, schema};
use crate::error::{Error, Result};
use crate::server::{DEADLINE, Questions, STALE, contain};

/// A question that one statement asks.
pub(super) trait Question: Sync {
    /// The answer to the question.
    type Answer: Send;

    /// True if asking twice does no harm, so that the question may be asked again if a connection turns out to be
    /// dead.
    const REPEATABLE: bool;

    /// Asks, and returns the answer with the number in it.
    fn put_to(
        &self,
        connection: &mut PgConnection,
        number: i64,
    ) -> impl Future<Output = sqlx::Result<(i64, Self::Answer)>> + Send;
}

/// The way to one store.
pub(super) struct Connections {
    options: PgConnectOptions,
    schema: String,
    /// One permit for each connection that may be open.
    turns: Semaphore,
    /// Fewer permits, for writes: they wait for each other in the server, and readers must not wait with them.
    writes: Semaphore,
    /// Idle connections. A connection in use belongs to its user alone: if that future is dropped or fails, the
    /// connection is closed, and no other call gets the rest of its answer.
    idle: Mutex<Vec<Idle>>,
    questions: Questions,
    server: Mutex<Option<Server>>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

impl Connections {
    /// Connects for the first time, making the tables if they are not there.
    pub(super) async fn open(options: PgConnectOptions, schema: String, limit: usize) -> Result<Self> {
        let connections = Connections {
            options,
            schema,
            turns: Semaphore::new(limit),
            writes: Semaphore::new((limit / 2).max(1)),
            idle: Mutex::default(),
            questions: Questions::new(),
            server: Mutex::default(),
        };
        let begin = async {
            let (mut connection, server) = in_time(session::connect(&connections.options, &connections.schema)).await?;
            within(schema::PATIENCE, schema::migrate(&mut connection, &connections.schema)).await?;
            in_time(history::note(&mut connection)).await?;
            Ok::<_, Error>((connection, server))
        };
        let (connection, server) = contain(begin).await.ok_or(PostgresError::Nonsense)??;
        connections.settle(connection, server);
        Ok(connections)
    }

    /// Asks within the deadline, over a connection that is open or a new one.
    pub(super) async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        let answer = in_time(self.ask_in_turn(question)).await;
        if answer.is_err() {
            // What befell one connection has most likely befallen the others.
            self.idle().clear();
        }
        answer
    }

    async fn ask_in_turn<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        let _write = match Q::REPEATABLE {
            true => None,
            false => Some(self.writes.acquire().await.map_err(|_| PostgresError::Deadline)?),
        };
        let _turn = self.turns.acquire().await.map_err(|_| PostgresError::Deadline)?;
        if let Some(mut connection) = self.take(Q::REPEATABLE).await {
            match self.put(question, &mut connection).await {
                Err(_) if Q::REPEATABLE => {}
                answer => return self.keep(connection, answer),
            }
        }
        let mut connection = self.connect().await?;
        let answer = self.put(question, &mut connection).await;
        self.keep(connection, answer)
    }

    async fn put<Q: Question>(&self, question: &Q, connection: &mut PgConnection) -> Result<Q::Answer> {
        let number = self.questions.next();
        let answer = contain(question.put_to(connection, number)).await;
        let (answered, answer) = answer.ok_or(PostgresError::Nonsense)?.map_err(public)?;
        if answered == number {
            Ok(answer)
        } else {
            Err(PostgresError::WrongAnswer.into())
        }
    }

    /// Puts a connection back that answered, and closes one that did not.
    fn keep<T>(&self, connection: PgConnection, answer: Result<T>) -> Result<T> {
        if answer.is_ok() {
            self.idle().push(Idle {
                connection,
                since: Instant::now(),
            });
        }
        answer
    }

    /// Takes the idle connection that was used last. For a question that must not be asked twice, only a connection
    /// that is known to be alive.
    async fn take(&self, repeatable: bool) -> Option<PgConnection> {
        let mut idle = self.idle().pop()?;
        if repeatable || idle.since.elapsed() < STALE || idle.connection.ping().await.is_ok() {
            return Some(idle.connection);
        }
        self.idle().clear();
        None
    }

    async fn connect(&self) -> Result<PgConnection> {
        let begin = async {
            let (mut connection, server) = session::connect(&self.options, &self.schema).await?;
            schema::check(&mut connection, &self.schema).await?;
            history::note(&mut connection).await?;
            Ok::<_, Error>((connection, server))
        };
        let (connection, server) = contain(begin).await.ok_or(PostgresError::Nonsense)??;
        *self.server() = Some(server);
        Ok(connection)
    }

    fn settle(&self, connection: PgConnection, server: Server) {
        *self.server() = Some(server);
        self.idle().push(Idle {
            connection,
            since: Instant::now(),
        });
    }

    /// The server's state at the last connection.
    pub(super) fn last_server(&self) -> Option<Server> {
        self.server().clone()
    }

    /// The connection options, for the listener.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Nothing panics while it holds one of these locks.
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the options, which hold the password.
impl Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    within(DEADLINE, call).await
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => Err(PostgresError::Deadline.into()),
    }
}
