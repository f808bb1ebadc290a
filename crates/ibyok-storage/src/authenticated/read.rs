//! Lookups and pages.
//!
//! A lookup reads the row of the whole and one node in one statement, so that the two are of one moment. If the roots
//! are those of the last seen state, the nodes above the leaves are known, and the node is the leaf already.

use sqlx::SqliteConnection;

use super::apply::as_number;
use super::connections::Connections;
use super::digest::{Table, Whole, is_same, verified};
use super::node::{Child, Entry};
use super::refused::{Refused, Trouble};
use super::tree::{NODE, fits};
use super::{AuthenticatedMap, BACKEND};
use crate::error::{Error, Result};
use crate::file::shown;
use crate::lane::answered;
use crate::map::{MapKey, MapSummary};

/// The least number of items of a page that is not the last.
const PAGE: usize = 1000;

/// The number of times that a lookup begins again because others change the map.
pub(super) const TRIES: usize = 64;

/// The row of the whole as it is stored, and the body of a node.
pub(super) type Row = (
    i64,
    i64,
    i64,
    i64,
    i64,
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    String,
    Option<Vec<u8>>,
);

/// The position of a lookup: a node, the level of the node above, and the first key that is behind the node.
pub(super) struct Step {
    pub(super) child: Child,
    pub(super) above: Option<u8>,
    next: Option<Vec<u8>>,
}

/// The items around a key, and where the next ones begin.
struct Leaf {
    entries: Vec<Entry>,
    next: Option<Vec<u8>>,
}

impl AuthenticatedMap {
    /// Returns the number of a key, verified against the row of the whole.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file is not as it was written, or is older than this handle has seen; [`Error::Unavailable`] if it
    /// cannot be read or is not in its place any more.
    pub async fn number(&self, name: &[u8]) -> Result<Option<u64>> {
        let connections = &self.connections;
        // A file that was replaced under this handle must not answer for the one that is there.
        connections.check_identity()?;
        let entered = connections.lookups.enter(|| name.to_vec(), || self.begin_lookups());
        answered(BACKEND, entered, self.number_alone(name)).await
    }

    /// The same in a statement of its own.
    pub(super) async fn number_alone(&self, name: &[u8]) -> Result<Option<u64>> {
        let leaf = self.leaf(Table::Numbers, name).await?;
        let found = leaf.entries.iter().find(|entry| entry.key == name);
        Ok(found.and_then(|entry| as_number(Some(&entry.value))))
    }

    /// Returns the text of a key.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn text(&self, name: &[u8]) -> Result<Option<String>> {
        self.connections.check_identity()?;
        let leaf = self.leaf(Table::Texts, name).await?;
        let found = leaf.entries.into_iter().find(|entry| entry.key == name);
        found.map(|entry| self.utf8(entry.value)).transpose()
    }

    /// Returns the texts whose keys begin with a prefix, in order of their keys. For few.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn texts(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, String)>> {
        let (mut found, mut from) = (Vec::new(), Some(prefix.to_vec()));
        while let Some(name) = from {
            let leaf = self.leaf(Table::Texts, &name).await?;
            for entry in leaf.entries.into_iter().filter(|entry| entry.key.starts_with(prefix)) {
                found.push((entry.key, self.utf8(entry.value)?));
            }
            from = leaf.next.filter(|next| next.starts_with(prefix));
        }
        Ok(found)
    }

    /// Returns about a thousand numbers with keys after `after`, in order of their keys; none behind the last.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn numbers(&self, after: Option<&[u8]>) -> Result<Vec<(Vec<u8>, u64)>> {
        let behind = |entry: &Entry| after.is_none_or(|after| entry.key.as_slice() > after);
        let (mut found, mut from) = (Vec::new(), Some(after.unwrap_or_default().to_vec()));
        while let Some(name) = from.filter(|_| found.len() < PAGE) {
            let leaf = self.leaf(Table::Numbers, &name).await?;
            let entries = leaf.entries.into_iter().filter(behind);
            found.extend(entries.filter_map(|entry| Some((as_number(Some(&entry.value))?, entry.key))));
            from = leaf.next;
        }
        Ok(found.into_iter().map(|(number, name)| (name, number)).collect())
    }

    /// Returns the state of the map.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::number`].
    pub async fn summary(&self) -> Result<MapSummary> {
        let connections = &self.connections;
        let mut reader = connections.reader().await?;
        let before = connections.newest();
        let key = connections.key.as_ref();
        let read = match whole(reader.connection()?, key).await {
            Ok(whole) => connections
                .admit(before.as_ref(), &whole)
                .map(|()| whole)
                .map_err(Into::into),
            Err(trouble) => Err(trouble),
        };
        match read {
            Ok(whole) => Ok(whole.summary(key)),
            Err(trouble) => Err(reader.failed(trouble).await),
        }
    }

    /// The leaf that a key belongs to.
    async fn leaf(&self, table: Table, name: &[u8]) -> Result<Leaf> {
        let connections = &self.connections;
        let mut reader = connections.reader().await?;
        for _ in 0..TRIES {
            match step(reader.connection()?, connections, table, name).await {
                Ok(Some(leaf)) => return Ok(leaf),
                Ok(None) => {}
                Err(trouble) => return Err(reader.failed(trouble).await),
            }
        }
        Err(Error::unavailable(BACKEND, "too many concurrent changes"))
    }

    fn utf8(&self, value: Vec<u8>) -> Result<String> {
        String::from_utf8(value).map_err(|error| Error::corrupt(shown(self.path()), error))
    }
}

/// One step of a lookup: reads a node, and returns it if it is the leaf.
async fn step(
    connection: &mut SqliteConnection,
    connections: &Connections,
    table: Table,
    name: &[u8],
) -> Result<Option<Leaf>, Trouble> {
    let key = connections.key.as_ref();
    let before = connections.newest();
    let Step { mut child, above, next } = walk(connections, before.as_ref(), table, name)?;
    let (whole, body) = look(connection, key, child.id).await?;
    connections.admit(before.as_ref(), &whole)?;
    if before.is_none_or(|before| before.root(table) != whole.root(table)) {
        if child.id != table.root() {
            // The map was changed since: from the root again.
            return Ok(None);
        }
        child = whole.root(table);
    }
    let node = body.and_then(|body| verified(key, &child, &body));
    let node = node
        .filter(|node| fits(node, table, above))
        .ok_or(Refused::Damaged(NODE))?;
    if !node.is_leaf() {
        connections.keep(child.mac, node);
        return Ok(None);
    }
    Ok(Some(Leaf {
        entries: node.entries,
        next,
    }))
}

/// Goes from the root towards a key as far as the nodes are known.
pub(super) fn walk(
    connections: &Connections,
    newest: Option<&Whole>,
    table: Table,
    name: &[u8],
) -> Result<Step, Refused> {
    let root = newest.map_or(Child::later(table.root()), |whole| whole.root(table));
    let mut place = Step {
        child: root,
        above: None,
        next: None,
    };
    while let Some(node) = connections.kept(&place.child.mac) {
        let at = node.child_place(name);
        place.child = node.child(at).ok_or(Refused::Damaged(NODE))?;
        place.above = Some(node.level);
        if let Some(entry) = node.entries.get(at + 1) {
            place.next = Some(entry.key.clone());
        }
    }
    Ok(place)
}

/// The row of the whole, if it fits its MAC.
pub(super) async fn whole(connection: &mut SqliteConnection, key: &dyn MapKey) -> Result<Whole, Trouble> {
    look(connection, key, 0).await.map(|(whole, _)| whole)
}

/// The row of the whole, if it fits its MAC, and the body of a node.
async fn look(
    connection: &mut SqliteConnection,
    key: &dyn MapKey,
    id: i64,
) -> Result<(Whole, Option<Vec<u8>>), Trouble> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT generation, numbers, texts, nodes, next, numbers_root, texts_root, whole.mac, owner, body
         FROM whole LEFT JOIN nodes ON nodes.id = ?1 WHERE one = 1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    let missing = Refused::Damaged("the row of the whole is missing");
    let row = row.ok_or(missing)?;
    Ok(checked(key, row)?)
}

/// Checks the row of the whole, and takes it apart.
pub(super) fn checked(key: &dyn MapKey, row: Row) -> Result<(Whole, Option<Vec<u8>>), Refused> {
    let (generation, numbers, texts, nodes, next, numbers_root, texts_root, mac, owner, body) = row;
    if owner != key.owner() {
        return Err(Refused::Foreign);
    }
    let number = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    let root = |root: &[u8]| {
        root.try_into()
            .map_err(|_| Refused::Damaged("the row of the whole is not one"))
    };
    let whole = Whole {
        generation: number(generation),
        numbers: number(numbers),
        texts: number(texts),
        nodes: number(nodes),
        next,
        numbers_root: root(&numbers_root)?,
        texts_root: root(&texts_root)?,
    };
    if !is_same(&whole.mac(key), &mac) {
        return Err(Refused::Damaged("the row of the whole does not fit its MAC"));
    }
    Ok((whole, body))
}
