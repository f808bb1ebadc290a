//! Changes: each set of them, with the row of the whole, in one transaction.

use sqlx::{Connection, SqliteConnection};

use super::connections::Writer;
use super::digest::{Table, Whole, is_same, item_mac};
use super::{AuthenticatedMap, BACKEND, MapChange, MapDurability, MapKey, MapSummary, read, shown};
use crate::error::{Error, Result};
use crate::file::{poisons, public};

/// The longest key, in bytes.
const KEY_MAX: usize = 255;

impl AuthenticatedMap {
    /// Applies changes in their order, all of them or none, and returns the state after them. Changes that change nothing write
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if what is there does not fit its MAC, [`Error::Invalid`] for a key or number that is too large,
    /// [`Error::Unavailable`] if the file cannot be written.
    pub async fn apply(&self, changes: Vec<MapChange>, durability: MapDurability) -> Result<MapSummary> {
        self.write(changes, durability, false).await
    }

    /// Makes every change before this one survive power loss, and returns the state.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::apply`].
    pub async fn sync(&self) -> Result<MapSummary> {
        self.write(Vec::new(), MapDurability::Disk, true).await
    }

    /// Writes to the file without changing the map: fails where a change would fail.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::apply`].
    pub async fn probe(&self) -> Result<MapSummary> {
        self.write(Vec::new(), MapDurability::Kernel, true).await
    }

    /// Writes on a task of its own: a caller that goes away must not leave half a transaction holding the lock.
    async fn write(&self, changes: Vec<MapChange>, durability: MapDurability, always: bool) -> Result<MapSummary> {
        let map = self.clone();
        let task = tokio::spawn(async move { map.write_here(&changes, durability, always).await });
        task.await.map_err(|error| Error::unavailable(BACKEND, error))?
    }

    async fn write_here(&self, changes: &[MapChange], durability: MapDurability, always: bool) -> Result<MapSummary> {
        let connections = &self.connections;
        let mut turn = connections.turn().await?;
        connections.check_identity()?;
        let mut writer = connections.take(&mut turn, durability).await?;
        let key = connections.key.as_ref();
        let done = transact(&mut writer, key, changes, always).await.map_err(|error| {
            // It is not known what of it is on the disk.
            if poisons(&error) {
                Error::poisoned(BACKEND)
            } else {
                public(self.path(), error)
            }
        })?;
        *turn = Some(writer);
        // If the file was replaced meanwhile, the change went to a file that nobody finds again.
        connections.check_identity()?;
        done.map_err(|why| why.into_error(self))
    }
}

/// Why a transaction was rolled back.
pub(super) enum Refused {
    Damaged(&'static str),
    Foreign,
    TooLarge,
}

impl Refused {
    pub(super) fn into_error(self, map: &AuthenticatedMap) -> Error {
        match self {
            Refused::Damaged(why) => Error::corrupt(shown(map.path()), why),
            Refused::Foreign => Error::refused(
                format!("{} belongs to another vault or namespace", shown(map.path())),
                "use a directory of its own for each",
            ),
            Refused::TooLarge => Error::invalid("a key or number of the map", "use a smaller one"),
        }
    }
}

/// Runs one transaction. The outer error is SQLite's, after which the connection is not used again.
async fn transact(
    writer: &mut Writer,
    key: &dyn MapKey,
    changes: &[MapChange],
    always: bool,
) -> sqlx::Result<Result<MapSummary, Refused>> {
    let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut whole = match read::whole(&mut transaction, key).await? {
        Ok(whole) => whole,
        Err(refused) => {
            transaction.rollback().await?;
            return Ok(Err(refused));
        }
    };
    let mut changed = false;
    for change in changes {
        match apply(&mut transaction, key, &mut whole, change).await? {
            Ok(did) => changed |= did,
            Err(refused) => {
                transaction.rollback().await?;
                return Ok(Err(refused));
            }
        }
    }
    if changed {
        whole.generation += 1;
    }
    if changed || always {
        store_whole(&mut transaction, key, &whole).await?;
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    Ok(Ok(whole.summary(key)))
}

/// Applies one change. Returns whether it changed anything.
async fn apply(
    connection: &mut SqliteConnection,
    key: &dyn MapKey,
    whole: &mut Whole,
    change: &MapChange,
) -> sqlx::Result<Result<bool, Refused>> {
    let (table, name) = match change {
        MapChange::Raise { key, .. } | MapChange::Set { key, .. } => (Table::Numbers, key),
        MapChange::Put { key, .. } => (Table::Texts, key),
        MapChange::Generation(least) => {
            // One less, since the change itself is one more.
            let raised = least.saturating_sub(1) > whole.generation;
            whole.generation = whole.generation.max(least.saturating_sub(1));
            return Ok(Ok(raised));
        }
    };
    if name.len() > KEY_MAX {
        return Ok(Err(Refused::TooLarge));
    }
    let before = match read::item(connection, key, table, name).await? {
        Ok(before) => before,
        Err(refused) => return Ok(Err(refused)),
    };
    let after = match change {
        MapChange::Raise { number, .. } => {
            if read::as_number(before.as_deref()).is_some_and(|there| there >= *number) {
                return Ok(Ok(false));
            }
            Some(number.to_be_bytes().to_vec())
        }
        MapChange::Set { number, .. } => number.map(|number| number.to_be_bytes().to_vec()),
        MapChange::Put { text, .. } => text.as_ref().map(|text| text.clone().into_bytes()),
        MapChange::Generation(_) => None,
    };
    if before == after {
        return Ok(Ok(false));
    }
    replace(connection, key, whole, (table, name), before, after).await
}

async fn replace(
    connection: &mut SqliteConnection,
    key: &dyn MapKey,
    whole: &mut Whole,
    (table, name): (Table, &[u8]),
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
) -> sqlx::Result<Result<bool, Refused>> {
    if let Some(value) = &before {
        whole.toggle(key, table, name, value);
        let count = whole.count(table);
        *count = count.saturating_sub(1);
    }
    let Some(value) = after else {
        remove(connection, table, name).await?;
        return Ok(Ok(true));
    };
    whole.toggle(key, table, name, &value);
    *whole.count(table) += 1;
    let mac = item_mac(key, table, name, &value);
    let query = sqlx::query(match table {
        Table::Numbers => {
            "INSERT INTO numbers (key, value, mac) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, mac = excluded.mac"
        }
        Table::Texts => {
            "INSERT INTO texts (key, value, mac) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, mac = excluded.mac"
        }
    });
    let query = query.bind(name);
    let query = match table {
        Table::Numbers => {
            let number = read::as_number(Some(&value)).and_then(|number| i64::try_from(number).ok());
            let Some(number) = number else {
                return Ok(Err(Refused::TooLarge));
            };
            query.bind(number)
        }
        Table::Texts => query.bind(value),
    };
    query.bind(mac.to_vec()).execute(connection).await?;
    Ok(Ok(true))
}

async fn remove(connection: &mut SqliteConnection, table: Table, name: &[u8]) -> sqlx::Result<()> {
    let query = match table {
        Table::Numbers => "DELETE FROM numbers WHERE key = ?1",
        Table::Texts => "DELETE FROM texts WHERE key = ?1",
    };
    sqlx::query(query).bind(name).execute(connection).await.map(drop)
}

/// Stores the row of the whole under a nonce of its own.
pub(super) async fn store_whole(
    connection: &mut SqliteConnection,
    key: &dyn MapKey,
    whole: &Whole,
) -> sqlx::Result<()> {
    let nonce: Vec<u8> = sqlx::query_scalar("SELECT randomblob(16)")
        .fetch_one(&mut *connection)
        .await?;
    let masked = whole.masked(key, &nonce);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO whole (one, generation, numbers, texts, nonce, masked, mac, owner) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (one) DO UPDATE SET generation = excluded.generation, numbers = excluded.numbers, texts = excluded.texts,
         nonce = excluded.nonce, masked = excluded.masked, mac = excluded.mac",
    )
    .bind(number(whole.generation))
    .bind(number(whole.numbers))
    .bind(number(whole.texts))
    .bind(&nonce)
    .bind(masked.to_vec())
    .bind(whole.mac(key, &nonce, &masked).to_vec())
    .bind(key.owner())
    .execute(connection)
    .await
    .map(drop)
}

/// Whether a stored MAC is the one of an item.
pub(super) fn fits(key: &dyn MapKey, table: Table, name: &[u8], value: &[u8], mac: &[u8]) -> bool {
    is_same(&item_mac(key, table, name, value), mac)
}
