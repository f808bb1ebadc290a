//! The head of a log: the number of its lines, the hash of the last line, and the edge of their tree.

use sha2::{Digest, Sha256};

use crate::tree::{Frontier, Hash, leaf};

/// The head of a log. It is opaque: a log passes it to its sink when the log is reopened.
///
/// A line's `prev` is the SHA-256 of the line before it, without its newline; 32 zero bytes for the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    prev: Hash,
    tree: Frontier,
}

impl Head {
    /// Returns the number of lines, which is also the `seq` of the last line.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn from_parts(prev: Hash, tree: Frontier) -> Self {
        Self { prev, tree }
    }

    pub(crate) fn prev(&self) -> &Hash {
        &self.prev
    }

    pub(crate) fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Takes in the next line, given without its newline.
    pub(crate) fn push(&mut self, line: &[u8]) {
        self.prev = hash(line);
        self.tree.push(leaf(line));
    }

    /// Takes in lines that were chained before: the hash of the last one is known.
    pub(crate) fn grow<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>, prev: Hash) {
        lines.for_each(|line| self.tree.push(leaf(line)));
        self.prev = prev;
    }
}

pub(crate) fn hash(line: &[u8]) -> Hash {
    Sha256::digest(line).into()
}
