//! Changing the trees within one transaction: nodes are read once, changed in memory, and stored with their MACs at the end.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::digest::{Mac, Table, Whole, node_mac, verified};
use super::node::{Child, Entry, Node};
use super::refused::{Refused, Trouble};
use crate::map::MapKey;

/// Said of a node that is missing, changed, swapped or set back.
pub(super) const NODE: &str = "a part of it was changed, removed or set back";

/// The map as a transaction sees and changes it.
pub(super) struct Tree<'a> {
    connection: &'a mut SqliteConnection,
    key: &'a dyn MapKey,
    pub(super) whole: Whole,
    held: HashMap<i64, Held>,
    removed: Vec<i64>,
}

struct Held {
    node: Node,
    changed: bool,
}

/// A node on the way to a key, and the place that was taken in it.
#[derive(Clone, Copy, Debug)]
struct Step {
    id: i64,
    at: usize,
}

/// A node to be stored.
struct Row {
    id: i64,
    body: Vec<u8>,
    mac: Mac,
}

impl<'a> Tree<'a> {
    pub(super) fn new(connection: &'a mut SqliteConnection, key: &'a dyn MapKey, whole: Whole) -> Self {
        Tree {
            connection,
            key,
            whole,
            held: HashMap::new(),
            removed: Vec::new(),
        }
    }

    /// Adds a root, for a new map.
    pub(super) fn plant(&mut self, node: Node) {
        self.whole.nodes += 1;
        self.hold(node.table.root(), node);
    }

    /// The value of a key.
    pub(super) async fn get(&mut self, table: Table, name: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        let path = self.path(table, name).await?;
        let leaf = path.last().and_then(|step| self.held.get(&step.id));
        let entry = leaf.and_then(|held| held.node.entries.get(held.node.place_of(name).ok()?));
        Ok(entry.map(|entry| entry.value.clone()))
    }

    /// Sets or removes the value of a key.
    pub(super) async fn put(&mut self, table: Table, name: &[u8], value: Option<Vec<u8>>) -> Result<(), Trouble> {
        let mut path = self.path(table, name).await?;
        path.iter().for_each(|step| self.mark(step.id));
        let Some(step) = path.last_mut() else { return Ok(()) };
        let Some(held) = self.held.get_mut(&step.id) else {
            return Ok(());
        };
        let (place, entries) = (held.node.place_of(name), &mut held.node.entries);
        match (place, value) {
            (Ok(at), Some(value)) => {
                step.at = at;
                entries
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|entry| entry.value.clone_from(&value));
                self.split(path);
            }
            (Err(at), Some(value)) => {
                step.at = at;
                entries.insert(
                    at,
                    Entry {
                        key: name.to_vec(),
                        value,
                    },
                );
                *self.whole.count(table) += 1;
                self.split(path);
            }
            (Ok(at), None) => {
                entries.remove(at);
                let count = self.whole.count(table);
                *count = count.saturating_sub(1);
                self.prune(path);
            }
            (Err(_), None) => {}
        }
        Ok(())
    }

    /// Stores the changed nodes, and the row of the whole.
    pub(super) async fn store(mut self) -> Result<Whole, Trouble> {
        let mut rows = Vec::new();
        for table in Table::ALL {
            if let Some(mac) = self.seal(table.root(), &mut rows) {
                self.whole.set_root(table, mac);
            }
        }
        if !rows.is_empty() {
            store_nodes(self.connection, &rows).await?;
        }
        for id in self.removed {
            let remove = sqlx::query("DELETE FROM nodes WHERE id = ?1").bind(id);
            remove.execute(&mut *self.connection).await?;
        }
        store_whole(self.connection, self.key, &self.whole).await?;
        Ok(self.whole)
    }

    /// Reads the nodes from the root to the leaf that a key belongs to.
    async fn path(&mut self, table: Table, name: &[u8]) -> Result<Vec<Step>, Trouble> {
        let (mut child, mut above) = (self.whole.root(table), None);
        let mut path = Vec::new();
        loop {
            self.load(table, &child, above).await?;
            let held = self.held.get(&child.id).ok_or(Refused::Damaged(NODE))?;
            let at = held.node.child_place(name);
            path.push(Step { id: child.id, at });
            if held.node.is_leaf() {
                return Ok(path);
            }
            above = Some(held.node.level);
            child = held.node.child(at).ok_or(Refused::Damaged(NODE))?;
        }
    }

    /// Reads the nodes on the way to several keys: one statement for each level, in place of one for each node.
    pub(super) async fn read_ahead(&mut self, table: Table, names: &[&[u8]]) -> Result<(), Trouble> {
        let mut places: Vec<(&[u8], Child, Option<u8>)> =
            names.iter().map(|name| (*name, self.whole.root(table), None)).collect();
        // Each level is one below the last, which `load_all` checks.
        while !places.is_empty() {
            self.load_all(table, &places).await?;
            let mut below = Vec::new();
            for (name, child, _) in places {
                let node = &self.held.get(&child.id).ok_or(Refused::Damaged(NODE))?.node;
                if !node.is_leaf() {
                    let next = node.child(node.child_place(name)).ok_or(Refused::Damaged(NODE))?;
                    below.push((name, next, Some(node.level)));
                }
            }
            places = below;
        }
        Ok(())
    }

    async fn load_all(&mut self, table: Table, places: &[(&[u8], Child, Option<u8>)]) -> Result<(), Trouble> {
        let missing = places.iter().filter(|(_, child, _)| !self.held.contains_key(&child.id));
        let missing: HashMap<i64, (Child, Option<u8>)> =
            missing.map(|(_, child, above)| (child.id, (*child, *above))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = missing.keys().map(i64::to_string).collect();
        let bodies: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT id, body FROM nodes WHERE id IN (SELECT value FROM json_each(?1))")
                .bind(format!("[{}]", ids.join(",")))
                .fetch_all(&mut *self.connection)
                .await?;
        let mut bodies: HashMap<i64, Vec<u8>> = bodies.into_iter().collect();
        for (id, (child, above)) in missing {
            let node = bodies.remove(&id).and_then(|body| verified(self.key, &child, &body));
            let node = node
                .filter(|node| fits(node, table, above))
                .ok_or(Refused::Damaged(NODE))?;
            self.held.insert(id, Held { node, changed: false });
        }
        Ok(())
    }

    async fn load(&mut self, table: Table, child: &Child, above: Option<u8>) -> Result<(), Trouble> {
        if self.held.contains_key(&child.id) {
            return Ok(());
        }
        let body: Option<Vec<u8>> = sqlx::query_scalar("SELECT body FROM nodes WHERE id = ?1")
            .bind(child.id)
            .fetch_optional(&mut *self.connection)
            .await?;
        let node = body.and_then(|body| verified(self.key, child, &body));
        let node = node
            .filter(|node| fits(node, table, above))
            .ok_or(Refused::Damaged(NODE))?;
        self.held.insert(child.id, Held { node, changed: false });
        Ok(())
    }

    fn hold(&mut self, id: i64, node: Node) {
        self.held.insert(id, Held { node, changed: true });
    }

    fn mark(&mut self, id: i64) {
        if let Some(held) = self.held.get_mut(&id) {
            held.changed = true;
        }
    }

    /// Splits full nodes, from the leaf upwards.
    fn split(&mut self, mut path: Vec<Step>) {
        while let Some(Step { id, at }) = path.pop() {
            let Some(held) = self.held.get_mut(&id) else { return };
            if !held.node.is_full() {
                return;
            }
            let upper = held.node.split(at);
            let new = self.whole.new_node();
            let entry = Entry {
                key: upper.low(),
                value: Child::later(new).to_value(),
            };
            self.hold(new, upper);
            match path.last_mut() {
                Some(above) => {
                    above.at += 1;
                    if let Some(held) = self.held.get_mut(&above.id) {
                        held.node.entries.insert(above.at, entry);
                    }
                }
                None => self.grow(id, entry),
            }
        }
    }

    /// Puts a root that was split above its two halves. It keeps its id.
    fn grow(&mut self, id: i64, upper: Entry) {
        let new = self.whole.new_node();
        let Some(held) = self.held.get_mut(&id) else { return };
        let root = Node {
            table: held.node.table,
            level: held.node.level.saturating_add(1),
            entries: vec![
                Entry {
                    key: held.node.low(),
                    value: Child::later(new).to_value(),
                },
                upper,
            ],
        };
        let lower = std::mem::replace(&mut held.node, root);
        self.hold(new, lower);
    }

    /// Removes nodes that nothing is left in, from the leaf upwards. The root stays.
    fn prune(&mut self, mut path: Vec<Step>) {
        while let Some(Step { id, .. }) = path.pop() {
            let Some(held) = self.held.get_mut(&id) else { return };
            if !held.node.entries.is_empty() {
                return;
            }
            let Some(above) = path.last() else {
                // An empty root has no nodes below it, and so is a leaf again.
                held.node.level = 0;
                return;
            };
            self.held.remove(&id);
            self.removed.push(id);
            self.whole.nodes = self.whole.nodes.saturating_sub(1);
            if let Some(held) = self.held.get_mut(&above.id) {
                held.node.entries.remove(above.at);
            }
        }
    }

    /// Computes the MACs of a node and of the nodes below it, where they were changed.
    fn seal(&mut self, id: i64, rows: &mut Vec<Row>) -> Option<Mac> {
        let mut held = self.held.remove(&id).filter(|held| held.changed)?;
        if !held.node.is_leaf() {
            for entry in &mut held.node.entries {
                let Some(child) = Child::of(&entry.value) else { continue };
                if let Some(mac) = self.seal(child.id, rows) {
                    entry.value = Child { mac, ..child }.to_value();
                }
            }
        }
        let body = held.node.to_bytes();
        let mac = node_mac(self.key, id, &body);
        rows.push(Row { id, body, mac });
        Some(mac)
    }
}

/// Returns true if a node belongs where it was found: in its tree, and one level below the node above.
pub(super) fn fits(node: &Node, table: Table, above: Option<u8>) -> bool {
    node.table == table && above.is_none_or(|above| node.level.checked_add(1) == Some(above))
}

/// Stores nodes in one statement: their bodies and MACs in one piece each, and where each body begins, from 1, with its length.
async fn store_nodes(connection: &mut SqliteConnection, rows: &[Row]) -> sqlx::Result<()> {
    let (mut bodies, mut macs, mut pieces) = (Vec::new(), Vec::new(), Vec::with_capacity(rows.len()));
    for Row { id, body, mac } in rows {
        pieces.push(format!("[{id},{},{}]", bodies.len() + 1, body.len()));
        bodies.extend_from_slice(body);
        macs.extend_from_slice(mac);
    }
    sqlx::query(
        "INSERT OR REPLACE INTO nodes (id, body, mac)
         SELECT piece.value ->> 0, substr(?1, piece.value ->> 1, piece.value ->> 2), substr(?2, piece.key * 32 + 1, 32)
         FROM json_each(?3) AS piece",
    )
    .bind(bodies)
    .bind(macs)
    .bind(format!("[{}]", pieces.join(",")))
    .execute(connection)
    .await
    .map(drop)
}

/// Stores the row of the whole. It changes with every call, so that the transaction has something to put on the disk.
async fn store_whole(connection: &mut SqliteConnection, key: &dyn MapKey, whole: &Whole) -> sqlx::Result<()> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT OR REPLACE INTO whole (one, owner, generation, numbers, texts, nodes, next, numbers_root, texts_root, mac, nonce)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, randomblob(8))",
    )
    .bind(key.owner())
    .bind(number(whole.generation))
    .bind(number(whole.numbers))
    .bind(number(whole.texts))
    .bind(number(whole.nodes))
    .bind(whole.next)
    .bind(whole.numbers_root.to_vec())
    .bind(whole.texts_root.to_vec())
    .bind(whole.mac(key).to_vec())
    .execute(connection)
    .await
    .map(drop)
}
