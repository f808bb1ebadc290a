//! The Merkle tree over the lines of a log ([RFC 6962] section 2.1).
//!
//! [RFC 6962]: https://www.rfc-editor.org/rfc/rfc6962#section-2.1

use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

/// `SHA-256(0x00 ‖ line)`, the line without its newline.
pub(crate) fn leaf(line: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(line).finalize().into()
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The right edge of a growing tree: the roots of its full subtrees, largest first. One for each 1 bit of its size, so
/// at most 64, and all that is needed to add leaves and to give the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// From the result of [`Frontier::nodes`]; `None` if the count does not fit the size.
    pub(crate) fn from_parts(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut joined = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                joined = node(&left, &joined);
            }
        }
        self.nodes.push(joined);
        self.size += 1;
    }

    /// The tree's hash; `SHA-256("")` when it is empty.
    pub(crate) fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev().copied();
        match nodes.next() {
            None => Sha256::digest(b"").into(),
            Some(last) => nodes.fold(last, |right, left| node(&left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 section 2.1, word for word.
    fn by_definition(lines: &[Vec<u8>]) -> Hash {
        match lines {
            [] => Sha256::digest(b"").into(),
            [one] => leaf(one),
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition_at_every_size() {
        let lines: Vec<Vec<u8>> = (0..200u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let mut frontier = Frontier::default();
        for size in 0..lines.len() {
            assert_eq!(frontier.root(), by_definition(&lines[..size]), "at size {size}");
            let again = Frontier::from_parts(frontier.size(), frontier.nodes().to_vec());
            assert_eq!(again.as_ref(), Some(&frontier));
            frontier.push(leaf(&lines[size]));
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(Frontier::from_parts(3, vec![[0; 32]]), None);
    }
}
