//! The nodes of a tree: their entries, their bytes, and how a full one is split.
//!
//! ```text
//! node  = table (1) ‖ level (1) ‖ entry…
//! entry = length of the key (1) ‖ key ‖ length of the value (2, big-endian) ‖ value
//! ```
//!
//! A leaf has level 0, and its entries are items. The entries of any other node are its children: the key is one that no key of an
//! earlier child reaches, and the value is the child's id (8, big-endian) and its MAC (32).

use super::digest::{Mac, Table};

/// The most bytes of a leaf: two of them fit into a page of SQLite's.
const LEAF_MAX: usize = 1980;

/// The most bytes of a node above the leaves: it fits into a page of SQLite's.
const INNER_MAX: usize = 3900;

/// An item of a leaf, or a child of a node above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// A reference to a node: the MAC says in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) id: i64,
    pub(super) mac: Mac,
}

impl Child {
    /// A reference whose MAC is filled in when the child is stored.
    pub(super) fn later(id: i64) -> Self {
        Child { id, mac: [0; 32] }
    }

    pub(super) fn to_value(self) -> Vec<u8> {
        [&self.id.to_be_bytes()[..], &self.mac[..]].concat()
    }

    pub(super) fn of(value: &[u8]) -> Option<Self> {
        let (id, mac) = value.split_first_chunk()?;
        Some(Child {
            id: i64::from_be_bytes(*id),
            mac: mac.try_into().ok()?,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) table: Table,
    pub(super) level: u8,
    pub(super) entries: Vec<Entry>,
}

impl Node {
    /// The root of an empty tree.
    pub(super) fn empty(table: Table) -> Self {
        Node {
            table,
            level: 0,
            entries: Vec::new(),
        }
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.level == 0
    }

    /// Returns the place of a key among the items of a leaf, or the place where it belongs.
    pub(super) fn place_of(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.as_slice().cmp(key))
    }

    /// Returns the place of the child that a key belongs to: the last one that does not begin behind it.
    pub(super) fn child_place(&self, key: &[u8]) -> usize {
        let behind = self.entries.partition_point(|entry| entry.key.as_slice() <= key);
        behind.saturating_sub(1)
    }

    pub(super) fn child(&self, at: usize) -> Option<Child> {
        self.entries.get(at).and_then(|entry| Child::of(&entry.value))
    }

    /// Returns the children in order; `None` for a leaf, and for a node whose entries are no children.
    pub(super) fn children(&self) -> Option<Vec<Child>> {
        let children = self.entries.iter().map(|entry| Child::of(&entry.value));
        (!self.is_leaf()).then(|| children.collect()).flatten()
    }

    pub(super) fn is_full(&self) -> bool {
        let most = if self.is_leaf() { LEAF_MAX } else { INNER_MAX };
        self.entries.len() > 1 && self.length() > most
    }

    /// Splits a full node into itself and a node for the keys behind. `at` is the place of the entry that was added last: keys that
    /// come in ascending order leave full nodes behind, and not half empty ones.
    pub(super) fn split(&mut self, at: usize) -> Node {
        let last = self.entries.len().saturating_sub(1);
        let middle = if at == last { last } else { self.entries.len() / 2 };
        Node {
            table: self.table,
            level: self.level,
            entries: self.entries.split_off(middle),
        }
    }

    /// The first key that the node holds.
    pub(super) fn low(&self) -> Vec<u8> {
        self.entries.first().map(|entry| entry.key.clone()).unwrap_or_default()
    }

    fn length(&self) -> usize {
        let lengths = self.entries.iter().map(|entry| 3 + entry.key.len() + entry.value.len());
        2 + lengths.sum::<usize>()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length());
        bytes.extend([self.table as u8, self.level]);
        for Entry { key, value } in &self.entries {
            // Longer keys and values were refused before they came here.
            bytes.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(key);
            bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(value);
        }
        bytes
    }

    /// Reads a node; `None` for bytes that are none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([table, level], mut rest) = bytes.split_first_chunk::<2>()?;
        let mut node = Node {
            table: Table::of(*table)?,
            level: *level,
            entries: Vec::new(),
        };
        while let Some((length, behind)) = rest.split_first() {
            let (key, behind) = behind.split_at_checked(usize::from(*length))?;
            let (length, behind) = behind.split_first_chunk::<2>()?;
            let (value, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            node.entries.push(Entry {
                key: key.to_vec(),
                value: value.to_vec(),
            });
            rest = behind;
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(keys: std::ops::Range<u8>) -> Node {
        let entries = keys.map(|n| Entry {
            key: vec![n; 26],
            value: vec![n],
        });
        Node {
            entries: entries.collect(),
            ..Node::empty(Table::Numbers)
        }
    }

    #[test]
    fn the_bytes_of_a_node_lead_back_to_it_and_no_prefix_of_them_is_one() {
        let node = leaf(0..9);
        let bytes = node.to_bytes();
        assert_eq!(bytes.len(), node.length());
        assert_eq!(Node::from_bytes(&bytes), Some(node));
        for cut in 0..bytes.len() {
            let whole = cut >= 2 && (cut - 2) % 30 == 0;
            assert_eq!(Node::from_bytes(&bytes[..cut]).is_some(), whole, "{cut}");
        }
        assert_eq!(Node::from_bytes(&[9, 0]), None, "an unknown table");
    }

    #[test]
    fn a_split_keeps_every_entry_and_leaves_a_node_full_where_keys_ascend() {
        let whole = leaf(0..100);
        assert!(whole.is_full());
        for (at, left) in [(3, 50), (99, 99)] {
            let mut lower = whole.clone();
            let upper = lower.split(at);
            assert_eq!(lower.entries.len(), left);
            assert_eq!(upper.low(), vec![u8::try_from(left).unwrap(); 26]);
            assert_eq!([lower.entries, upper.entries].concat(), whole.entries);
        }
    }

    #[test]
    fn a_key_belongs_to_the_last_child_that_does_not_begin_behind_it() {
        let entries = [10, 20, 30].map(|n| Entry {
            key: vec![n],
            value: Child::later(i64::from(n)).to_value(),
        });
        let node = Node {
            table: Table::Texts,
            level: 1,
            entries: entries.into(),
        };
        for (key, child) in [(0, 10), (10, 10), (19, 10), (20, 20), (31, 30)] {
            assert_eq!(node.child(node.child_place(&[key])).unwrap().id, child);
        }
        assert_eq!(node.children().unwrap().len(), 3);
        assert_eq!(leaf(0..3).children(), None);
    }
}
