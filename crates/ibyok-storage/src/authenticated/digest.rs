//! The MACs of nodes and of the row of the whole.

use super::node::{Child, Node};
use crate::map::{MapKey, MapSummary};

/// A MAC.
pub(super) type Mac = [u8; 32];

/// Separates the uses of the map's key.
#[derive(Clone, Copy)]
enum Use {
    /// Stored with a node and in the node above it.
    Node = 1,
    /// Stored with the row of the whole.
    Whole = 2,
    /// Names a state of the map to others.
    Tag = 3,
}

/// The tree that an item is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Numbers = 1,
    Texts = 2,
}

impl Table {
    pub(super) const ALL: [Table; 2] = [Table::Numbers, Table::Texts];

    pub(super) fn of(byte: u8) -> Option<Self> {
        Table::ALL.into_iter().find(|table| *table as u8 == byte)
    }

    /// The id of the tree's root, which never changes.
    pub(super) fn root(self) -> i64 {
        match self {
            Table::Numbers => 1,
            Table::Texts => 2,
        }
    }
}

/// The row of the whole, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) generation: u64,
    pub(super) numbers: u64,
    pub(super) texts: u64,
    /// The number of nodes.
    pub(super) nodes: u64,
    /// The id that the next node gets. Ids are given once.
    pub(super) next: i64,
    /// The MACs of the roots.
    pub(super) numbers_root: Mac,
    pub(super) texts_root: Mac,
}

impl Default for Whole {
    /// A map that holds no root yet.
    fn default() -> Self {
        Whole {
            generation: 0,
            numbers: 0,
            texts: 0,
            nodes: 0,
            next: 3,
            numbers_root: [0; 32],
            texts_root: [0; 32],
        }
    }
}

impl Whole {
    pub(super) fn count(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Numbers => &mut self.numbers,
            Table::Texts => &mut self.texts,
        }
    }

    pub(super) fn root(&self, table: Table) -> Child {
        let mac = match table {
            Table::Numbers => self.numbers_root,
            Table::Texts => self.texts_root,
        };
        Child { id: table.root(), mac }
    }

    pub(super) fn set_root(&mut self, table: Table, mac: Mac) {
        match table {
            Table::Numbers => self.numbers_root = mac,
            Table::Texts => self.texts_root = mac,
        }
    }

    /// Gives a new node its id.
    pub(super) fn new_node(&mut self) -> i64 {
        let id = self.next;
        self.next += 1;
        self.nodes += 1;
        id
    }

    fn bytes(&self) -> Vec<u8> {
        let next = u64::try_from(self.next).unwrap_or(u64::MAX);
        let numbers = [self.generation, self.numbers, self.texts, self.nodes, next];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        bytes.extend(self.numbers_root);
        bytes.extend(self.texts_root);
        bytes
    }

    pub(super) fn mac(&self, key: &dyn MapKey) -> Mac {
        mac(key, Use::Whole, &[&self.bytes()])
    }

    pub(super) fn summary(&self, key: &dyn MapKey) -> MapSummary {
        MapSummary {
            generation: self.generation,
            numbers: self.numbers,
            texts: self.texts,
            tag: mac(key, Use::Tag, &[&self.bytes()]),
            changed: false,
        }
    }
}

/// The MAC of a node. It covers the id, so that no node passes for another.
pub(super) fn node_mac(key: &dyn MapKey, id: i64, body: &[u8]) -> Mac {
    mac(key, Use::Node, &[&id.to_be_bytes(), body])
}

/// Reads a node that fits the MAC of a reference to it.
pub(super) fn verified(key: &dyn MapKey, child: &Child, body: &[u8]) -> Option<Node> {
    is_same(&node_mac(key, child.id, body), &child.mac)
        .then(|| Node::from_bytes(body))
        .flatten()
}

/// Compares MACs without stopping at the first difference.
pub(super) fn is_same(ours: &[u8], given: &[u8]) -> bool {
    let differences = ours.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
    ours.len() == given.len() && std::hint::black_box(differences) == 0
}

fn mac(key: &dyn MapKey, purpose: Use, parts: &[&[u8]]) -> Mac {
    let mut bytes = vec![purpose as u8];
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    key.mac(&bytes)
}
