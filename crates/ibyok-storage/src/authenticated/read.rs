//! Lookups, pages, and the verification of the whole.

use sqlx::{Connection, SqliteConnection};

use super::apply::{Refused, fits};
use super::connections::Connections;
use super::digest::{Table, Whole, is_same};
use super::{AuthenticatedMap, MapKey, MapSummary, MapVerdict, shown};
use crate::error::{Error, Result};
use crate::file::public;

/// How many items are read at a time.
const PAGE: i64 = 1000;

/// An item as it is stored: its key, its value, its MAC.
type Row = (Vec<u8>, Vec<u8>, Vec<u8>);

/// The row of the whole as it is stored: generation, counts, nonce, masked set hash, MAC, owner.
type WholeRow = (i64, i64, i64, Vec<u8>, Vec<u8>, Vec<u8>, String);

impl AuthenticatedMap {
    /// Returns the number of a key: one indexed lookup.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it does not fit its MAC, [`Error::Unavailable`] if the file cannot be read or is not in its place any
    /// more.
    pub async fn number(&self, name: &[u8]) -> Result<Option<u64>> {
        Ok(as_number(self.value(Table::Numbers, name).await?.as_deref()))
    }

    /// Returns the text of a key.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn text(&self, name: &[u8]) -> Result<Option<String>> {
        let value = self.value(Table::Texts, name).await?;
        value.map(|value| self.utf8(value)).transpose()
    }

    /// Returns the texts whose keys begin with a prefix, in order of their keys. For few.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn texts(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, String)>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let rows = self.page(Table::Texts, after.as_deref(), false).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(found);
            };
            after = Some(last.clone());
            for (name, value) in rows.into_iter().filter(|(name, _)| name.starts_with(prefix)) {
                found.push((name, self.utf8(value)?));
            }
        }
    }

    /// Returns up to a thousand numbers with keys after `after`, in order of their keys. With `lenient`, items that do not fit
    /// their MAC are left out instead of being an error.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn numbers(&self, after: Option<&[u8]>, lenient: bool) -> Result<Vec<(Vec<u8>, u64)>> {
        let rows = self.page(Table::Numbers, after, lenient).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(name, value)| Some((name, as_number(Some(&value))?)))
            .collect())
    }

    /// Returns the state of the map.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn summary(&self) -> Result<MapSummary> {
        let connections = &self.connections;
        let mut slot = connections.reader().await?;
        let row = match slot.as_mut() {
            Some(connection) => whole(connection, connections.key.as_ref()).await,
            None => Ok(Err(Refused::Damaged("there is no connection"))),
        };
        let whole = settle(connections, &mut slot, row)?.map_err(|refused| refused.into_error(self))?;
        Ok(whole.summary(connections.key.as_ref()))
    }

    /// Reads every item and compares the set with the row of the whole, as they are at one moment.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if SQLite finds the file damaged, [`Error::Unavailable`] if it cannot be read.
    pub async fn verify(&self) -> Result<MapVerdict> {
        let connections = &self.connections;
        let mut slot = connections.reader().await?;
        let verdict = match slot.as_mut() {
            Some(connection) => verify(connection, connections.key.as_ref()).await,
            None => Ok(MapVerdict::Damaged),
        };
        settle(connections, &mut slot, verdict)
    }

    async fn value(&self, table: Table, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let connections = &self.connections;
        // A file that was replaced under this handle must not answer for the one that is there.
        connections.check_identity()?;
        let mut slot = connections.reader().await?;
        let row = match slot.as_mut() {
            Some(connection) => item(connection, connections.key.as_ref(), table, name).await,
            None => Ok(Ok(None)),
        };
        settle(connections, &mut slot, row)?.map_err(|refused| refused.into_error(self))
    }

    async fn page(&self, table: Table, after: Option<&[u8]>, lenient: bool) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let connections = &self.connections;
        let mut slot = connections.reader().await?;
        let rows = match slot.as_mut() {
            Some(connection) => rows(connection, table, after).await,
            None => Ok(Vec::new()),
        };
        let mut kept = Vec::new();
        for (name, value, mac) in settle(connections, &mut slot, rows)? {
            if fits(connections.key.as_ref(), table, &name, &value, &mac) {
                kept.push((name, value));
            } else if !lenient {
                return Err(Error::corrupt(shown(self.path()), "an item does not fit its MAC"));
            }
        }
        Ok(kept)
    }

    fn utf8(&self, value: Vec<u8>) -> Result<String> {
        String::from_utf8(value).map_err(|error| Error::corrupt(shown(self.path()), error))
    }
}

impl Connections {
    /// How many bytes the file's own header speaks of.
    pub(super) async fn pages(&self) -> Result<u64> {
        let mut slot = self.reader().await?;
        let row = match slot.as_mut() {
            Some(connection) => {
                sqlx::query_scalar::<_, i64>(
                    "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)",
                )
                .fetch_one(connection)
                .await
            }
            None => Ok(0),
        };
        Ok(u64::try_from(settle(self, &mut slot, row)?).unwrap_or(0))
    }
}

/// Gives what was read. A connection that failed is not used again.
fn settle<T>(connections: &Connections, slot: &mut Option<SqliteConnection>, read: sqlx::Result<T>) -> Result<T> {
    read.map_err(|error| {
        *slot = None;
        public(connections.path(), error)
    })
}

/// The number that an item's value is.
pub(super) fn as_number(value: Option<&[u8]>) -> Option<u64> {
    value?.try_into().ok().map(u64::from_be_bytes)
}

/// The row of the whole, if it fits its MAC.
pub(super) async fn whole(connection: &mut SqliteConnection, key: &dyn MapKey) -> sqlx::Result<Result<Whole, Refused>> {
    let row: Option<WholeRow> =
        sqlx::query_as("SELECT generation, numbers, texts, nonce, masked, mac, owner FROM whole WHERE one = 1")
            .fetch_optional(connection)
            .await?;
    let Some((generation, numbers, texts, nonce, masked, mac, owner)) = row else {
        return Ok(Err(Refused::Damaged("the row of the whole is missing")));
    };
    if owner != key.owner() {
        return Ok(Err(Refused::Foreign));
    }
    let number = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    let mut whole = Whole {
        generation: number(generation),
        numbers: number(numbers),
        texts: number(texts),
        digest: [0; 32],
    };
    let Ok(digest) = <[u8; 32]>::try_from(masked.as_slice()) else {
        return Ok(Err(Refused::Damaged("the row of the whole is not one")));
    };
    if !is_same(&whole.mac(key, &nonce, &masked), &mac) {
        return Ok(Err(Refused::Damaged("the row of the whole does not fit its MAC")));
    }
    whole.unmask(key, &nonce, digest);
    Ok(Ok(whole))
}

/// The value of an item, if it fits its MAC.
pub(super) async fn item(
    connection: &mut SqliteConnection,
    key: &dyn MapKey,
    table: Table,
    name: &[u8],
) -> sqlx::Result<Result<Option<Vec<u8>>, Refused>> {
    let row = match table {
        Table::Numbers => sqlx::query_as::<_, (i64, Vec<u8>)>("SELECT value, mac FROM numbers WHERE key = ?1")
            .bind(name)
            .fetch_optional(connection)
            .await?
            .map(|(number, mac)| (bytes(number), mac)),
        Table::Texts => {
            sqlx::query_as::<_, (Vec<u8>, Vec<u8>)>("SELECT value, mac FROM texts WHERE key = ?1")
                .bind(name)
                .fetch_optional(connection)
                .await?
        }
    };
    let Some((value, mac)) = row else {
        return Ok(Ok(None));
    };
    if fits(key, table, name, &value, &mac) {
        Ok(Ok(Some(value)))
    } else {
        Ok(Err(Refused::Damaged("an item does not fit its MAC")))
    }
}

async fn rows(connection: &mut SqliteConnection, table: Table, after: Option<&[u8]>) -> sqlx::Result<Vec<Row>> {
    let after = after.unwrap_or_default();
    Ok(match table {
        Table::Numbers => {
            let sql = "SELECT key, value, mac FROM numbers WHERE key > ?1 ORDER BY key LIMIT ?2";
            let rows = sqlx::query_as::<_, (Vec<u8>, i64, Vec<u8>)>(sql).bind(after).bind(PAGE);
            let rows = rows.fetch_all(connection).await?;
            rows.into_iter()
                .map(|(name, number, mac)| (name, bytes(number), mac))
                .collect()
        }
        Table::Texts => {
            let sql = "SELECT key, value, mac FROM texts WHERE key > ?1 ORDER BY key LIMIT ?2";
            sqlx::query_as::<_, Row>(sql)
                .bind(after)
                .bind(PAGE)
                .fetch_all(connection)
                .await?
        }
    })
}

fn bytes(number: i64) -> Vec<u8> {
    u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes().to_vec()
}

async fn verify(connection: &mut SqliteConnection, key: &dyn MapKey) -> sqlx::Result<MapVerdict> {
    // One transaction is one moment, whatever others write meanwhile.
    let mut moment = connection.begin().await?;
    let Ok(stated) = whole(&mut moment, key).await? else {
        return Ok(MapVerdict::Damaged);
    };
    let mut found = Whole {
        generation: stated.generation,
        ..Whole::default()
    };
    for table in [Table::Numbers, Table::Texts] {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = rows(&mut moment, table, after.as_deref()).await?;
            let Some((last, ..)) = page.last() else { break };
            after = Some(last.clone());
            for (name, value, mac) in &page {
                if !fits(key, table, name, value, mac) {
                    return Ok(MapVerdict::Damaged);
                }
                found.toggle(key, table, name, value);
                *found.count(table) += 1;
            }
        }
    }
    moment.rollback().await?;
    Ok(if found == stated {
        MapVerdict::Whole(stated.summary(key))
    } else {
        MapVerdict::Damaged
    })
}
