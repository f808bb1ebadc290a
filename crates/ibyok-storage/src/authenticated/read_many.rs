//! Many lookups in one statement: the row of the whole, and every node that they need next.

use std::collections::{BTreeMap, HashMap, VecDeque};

use sqlx::SqliteConnection;

use super::AuthenticatedMap;
use super::apply::as_number;
use super::connections::Connections;
use super::digest::{Table, Whole, verified};
use super::node::Node;
use super::read::{Step, TRIES, checked, walk};
use super::refused::{Refused, Trouble};
use super::tree::{NODE, fits};
use crate::error::{Error, Result};
use crate::lane::{Asked, Service};
use crate::map::MapKey;

/// The most nodes of one statement: each is at most 4 kB.
const NODES: usize = 256;

/// The row of the whole as it is stored, with the id and the body of one node.
type Numbered = (
    i64,
    i64,
    i64,
    i64,
    i64,
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    String,
    Option<i64>,
    Option<Vec<u8>>,
);

/// A lookup that waits, and the way back to its caller.
type Lookup = Asked<Vec<u8>, Option<u64>>;

impl AuthenticatedMap {
    /// Begins to answer the lookups that wait.
    pub(super) fn begin_lookups(&self) {
        let serving = Service::new(&self.connections, |of: &Connections| of.lookups.abandon());
        let map = self.clone();
        tokio::spawn(async move {
            while let Some(batch) = map.connections.lookups.next(|_| true) {
                map.look_up(batch).await;
            }
            serving.end();
        });
    }

    async fn look_up(&self, batch: VecDeque<Lookup>) {
        let names: Vec<&[u8]> = batch.iter().map(|asked| asked.question.as_slice()).collect();
        let found = self.numbers_of(&names).await;
        for asked in batch {
            // A damaged node is an error of the lookups that meet it, and of no other.
            let answer = match &found {
                Ok(found) => Ok(found.get(asked.question.as_slice()).copied().flatten()),
                Err(_) => self.number_alone(&asked.question).await,
            };
            asked.answer(answer);
        }
    }

    /// Returns the numbers of keys, by key, each verified against the row of the whole.
    async fn numbers_of(&self, names: &[&[u8]]) -> Result<HashMap<Vec<u8>, Option<u64>>> {
        let connections = &self.connections;
        let mut found = HashMap::with_capacity(names.len());
        let mut reader = connections.reader().await?;
        for _ in 0..TRIES {
            let rest = names.iter().filter(|name| !found.contains_key(**name)).copied();
            let rest: Vec<&[u8]> = rest.collect();
            if rest.is_empty() {
                return Ok(found);
            }
            match steps(reader.connection()?, connections, &rest).await {
                Ok(more) => found.extend(more),
                Err(trouble) => return Err(reader.failed(trouble).await),
            }
        }
        Err(Error::unavailable(super::BACKEND, "too many concurrent changes"))
    }
}

/// One step of each lookup. Returns the numbers of those that reached their leaves.
async fn steps(
    connection: &mut SqliteConnection,
    connections: &Connections,
    names: &[&[u8]],
) -> Result<Vec<(Vec<u8>, Option<u64>)>, Trouble> {
    let key = connections.key.as_ref();
    let before = connections.newest();
    // The lookups by the node that each needs next.
    let mut wanted: BTreeMap<i64, (Step, Vec<&[u8]>)> = BTreeMap::new();
    for name in names {
        let step = walk(connections, before.as_ref(), Table::Numbers, name)?;
        if wanted.len() < NODES || wanted.contains_key(&step.child.id) {
            let (_, names) = wanted.entry(step.child.id).or_insert_with(|| (step, Vec::new()));
            names.push(*name);
        }
    }
    let (whole, mut bodies) = look(connection, key, wanted.keys()).await?;
    connections.admit(before.as_ref(), &whole)?;
    let is_changed = before.is_none_or(|before| before.root(Table::Numbers) != whole.root(Table::Numbers));
    let mut found = Vec::new();
    for (id, (step, names)) in wanted {
        let Step { mut child, above, .. } = step;
        if is_changed {
            if id != Table::Numbers.root() {
                // The map was changed since: from the root again.
                continue;
            }
            child = whole.root(Table::Numbers);
        }
        let node = bodies.remove(&id).and_then(|body| verified(key, &child, &body));
        let node = node.filter(|node| fits(node, Table::Numbers, above));
        let node: Node = node.ok_or(Refused::Damaged(NODE))?;
        if node.is_leaf() {
            found.extend(names.iter().map(|name| (name.to_vec(), number_in(&node, name))));
        } else {
            connections.keep(child.mac, node);
        }
    }
    Ok(found)
}

fn number_in(leaf: &Node, name: &[u8]) -> Option<u64> {
    let entry = leaf.entries.iter().find(|entry| entry.key == name)?;
    as_number(Some(&entry.value))
}

/// The row of the whole, if it fits its MAC, and the bodies of nodes.
async fn look(
    connection: &mut SqliteConnection,
    key: &dyn MapKey,
    ids: impl Iterator<Item = &i64>,
) -> Result<(Whole, HashMap<i64, Vec<u8>>), Trouble> {
    let ids: Vec<String> = ids.map(i64::to_string).collect();
    // One statement, so that the nodes are of the same moment as the row of the whole, which is in each row of the answer.
    let mut rows: Vec<Numbered> = sqlx::query_as(
        "SELECT generation, numbers, texts, whole.nodes, next, numbers_root, texts_root, whole.mac, owner, id, body
         FROM whole LEFT JOIN nodes ON id IN (SELECT value FROM json_each(?1)) WHERE one = 1",
    )
    .bind(format!("[{}]", ids.join(",")))
    .fetch_all(connection)
    .await?;
    let missing = Refused::Damaged("the row of the whole is missing");
    let (generation, numbers, texts, nodes, next, numbers_root, texts_root, mac, owner, id, body) =
        rows.pop().ok_or(missing)?;
    let last = (
        generation,
        numbers,
        texts,
        nodes,
        next,
        numbers_root,
        texts_root,
        mac,
        owner,
        body,
    );
    let (whole, body) = checked(key, last)?;
    let bodies = rows.into_iter().filter_map(|row| Some((row.9?, row.10?)));
    let mut bodies: HashMap<i64, Vec<u8>> = bodies.collect();
    bodies.extend(id.zip(body));
    Ok((whole, bodies))
}
