//! The change feed, and the hint that there is more of it.

use std::sync::Arc;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{PgConnection, Postgres};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connections::{Connections, Question};
use super::read::{not_ours, unsigned};
use crate::changes::{Change, ChangeNumber, Changes};
use crate::record::{Collection, Kind, RecordId};
use crate::server::{DEADLINE, POLL};

/// The changes after a position of the feed.
pub(super) struct Since(pub(super) ChangeNumber);

/// The question's number, the counters, and with them each change; one row without a change if there is none.
type Row = (
    i64,
    i64,
    i64,
    Option<i64>,
    Option<i16>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

impl Question for Since {
    type Answer = Changes;
    const REPEATABLE: bool = true;

    async fn put_to(&self, connection: &mut PgConnection, number: i64) -> sqlx::Result<(i64, Self::Answer)> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT $1::bigint, c.change, c.forgotten, h.number, h.kind, h.realm, h.id
             FROM counters c LEFT JOIN changes h ON h.number > $2 ORDER BY h.number LIMIT $3",
        )
        .bind(number)
        .bind(i64::try_from(self.0.as_u64()).unwrap_or(i64::MAX))
        .bind(i64::try_from(Changes::LIMIT).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
        let Some(&(number, newest, forgotten, ..)) = rows.first() else {
            return Err(not_ours());
        };
        let newest = ChangeNumber::new(unsigned(newest)?);
        if self.0 < ChangeNumber::new(unsigned(forgotten)?) || self.0 > newest {
            return Ok((number, Changes::lost(newest)));
        }
        let told = rows.into_iter().filter(|row| row.3.is_some());
        let told = told.map(|row| change(row).ok_or_else(not_ours));
        Ok((number, Changes::told(told.collect::<sqlx::Result<_>>()?, newest)))
    }
}

fn change((_, _, _, number, kind, realm, id): Row) -> Option<Change> {
    let kind = Kind::new(kind?.try_into().ok()?);
    let realm: [u8; 8] = realm?.try_into().ok()?;
    let root = Collection::root(kind);
    let collection = if realm == *root.realm() {
        root
    } else {
        Collection::new(kind, realm).ok()?
    };
    let number = ChangeNumber::new(number?.try_into().ok()?);
    Some(Change::new(number, RecordId::new(collection, id?.try_into().ok()?)))
}

/// Listens for as long as this value lives. It moves the `heard` of all waiting tasks at each notification, and each
/// time it finds that it missed some.
#[derive(Debug)]
pub(super) struct Listener(JoinHandle<()>);

impl Listener {
    /// Begins to listen, on a separate connection.
    pub(super) fn begin(connections: &Connections, channel: String, heard: Arc<watch::Sender<u64>>) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(DEADLINE);
        let pool = pool.connect_lazy_with(connections.options().clone());
        Listener(tokio::spawn(async move {
            loop {
                listen(&pool, &channel, &heard).await.ok();
                tokio::time::sleep(POLL).await;
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens until the connection is lost and cannot be made again.
async fn listen(pool: &sqlx::Pool<Postgres>, channel: &str, heard: &watch::Sender<u64>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(channel).await?;
    loop {
        heard.send_modify(|times| *times += 1);
        // `None` says that the connection was lost and is there again.
        listener.try_recv().await?;
    }
}
