//! The verification of the whole, and the reading of a file that is not whole.

use sqlx::{Connection, SqliteConnection};

use super::AuthenticatedMap;
use super::apply::as_number;
use super::connections::Connections;
use super::digest::{Table, is_same, node_mac, verified};
use super::node::{Entry, Node};
use super::read::whole;
use super::refused::{Refused, Trouble};
use super::tree::{NODE, fits};
use crate::error::Result;
use crate::map::{MapReadable, MapSummary, MapVerdict};

/// The number of nodes that are read at a time from a file that is not whole.
const NODES: i64 = 100;

impl AuthenticatedMap {
    /// Reads every item and compares the trees with the row of the whole, as they are at one moment.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) if SQLite finds the file damaged, [`Error::Unavailable`](crate::Error::Unavailable) if it cannot be read.
    pub async fn verify(&self) -> Result<MapVerdict> {
        let connections = &self.connections;
        let mut reader = connections.reader().await?;
        match verify(reader.connection()?, connections).await {
            Ok(summary) => Ok(MapVerdict::Whole(summary)),
            Err(Trouble::Refused(_)) => Ok(MapVerdict::Damaged),
            Err(trouble) => Err(reader.failed(trouble).await),
        }
    }

    /// Returns items of a damaged file, a part at a time: those with a fitting MAC. They may be older than they
    /// should be, and others may be missing. Begin with `None`, and continue with the `last` of the part before.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::verify`].
    pub async fn readable(&self, after: Option<i64>) -> Result<Option<MapReadable>> {
        let connections = &self.connections;
        let mut reader = connections.reader().await?;
        let rows = sqlx::query_as::<_, (i64, Vec<u8>, Vec<u8>)>(
            "SELECT id, body, mac FROM nodes WHERE id > ?1 ORDER BY id LIMIT ?2",
        );
        let rows = rows.bind(after.unwrap_or(i64::MIN)).bind(NODES);
        let rows = match rows.fetch_all(reader.connection()?).await {
            Ok(rows) => rows,
            Err(error) => return Err(reader.failed(error.into()).await),
        };
        let Some((last, ..)) = rows.last() else { return Ok(None) };
        let mut found = MapReadable::behind(*last);
        for (id, body, mac) in &rows {
            if is_same(&node_mac(connections.key.as_ref(), *id, body), mac) {
                found.add(Node::from_bytes(body));
            }
        }
        Ok(Some(found))
    }
}

impl MapReadable {
    fn behind(last: i64) -> Self {
        MapReadable {
            numbers: Vec::new(),
            texts: Vec::new(),
            last,
        }
    }

    fn add(&mut self, node: Option<Node>) {
        let Some(node) = node.filter(Node::is_leaf) else { return };
        for Entry { key, value } in node.entries {
            match node.table {
                Table::Numbers => self.numbers.extend(as_number(Some(&value)).map(|number| (key, number))),
                Table::Texts => self.texts.extend(String::from_utf8(value).ok().map(|text| (key, text))),
            }
        }
    }
}

async fn verify(connection: &mut SqliteConnection, connections: &Connections) -> Result<MapSummary, Trouble> {
    let key = connections.key.as_ref();
    let before = connections.newest();
    // One transaction is one moment, even if others write meanwhile.
    let mut moment = connection.begin().await?;
    let whole = whole(&mut moment, key).await?;
    connections.admit(before.as_ref(), &whole)?;
    let (mut nodes, mut items) = (0, [0, 0]);
    for (table, items) in Table::ALL.into_iter().zip(&mut items) {
        let mut open = vec![(whole.root(table), None)];
        while let Some((child, above)) = open.pop() {
            let body = sqlx::query_scalar::<_, Vec<u8>>("SELECT body FROM nodes WHERE id = ?1").bind(child.id);
            let body = body.fetch_optional(&mut *moment).await?;
            let node = body.and_then(|body| verified(key, &child, &body));
            let node = node
                .filter(|node| fits(node, table, above))
                .ok_or(Refused::Damaged(NODE))?;
            nodes += 1;
            match node.children() {
                Some(children) => open.extend(children.into_iter().map(|child| (child, Some(node.level)))),
                None => *items += u64::try_from(node.entries.len()).unwrap_or(u64::MAX),
            }
        }
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM nodes")
        .fetch_one(&mut *moment)
        .await?;
    moment.rollback().await?;
    if (nodes, items) != (whole.nodes, [whole.numbers, whole.texts]) || u64::try_from(rows) != Ok(nodes) {
        return Err(Refused::Damaged("it has other items than it says").into());
    }
    Ok(whole.summary(key))
}
