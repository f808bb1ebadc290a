//! RFC 6962's tree hash, kept as a stack of full subtrees with their heights.

use sha2::{Digest, Sha256};

/// A tree that grows leaf by leaf.
#[derive(Clone, Default)]
pub(super) struct Tree {
    full: Vec<(u32, [u8; 32])>,
}

impl Tree {
    /// The tree with so many leaves, by the hashes of its full subtrees, the largest first; `None` if their number does not fit.
    pub(super) fn of_full(size: u64, hashes: Vec<[u8; 32]>) -> Option<Self> {
        let heights = (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1);
        let full: Vec<(u32, [u8; 32])> = heights.zip(hashes.iter().copied()).collect();
        (full.len() == hashes.len() && hashes.len() == size.count_ones() as usize).then_some(Self { full })
    }

    /// The hashes of the full subtrees, the largest first.
    pub(super) fn into_hashes(self) -> Vec<[u8; 32]> {
        self.full.into_iter().map(|(_, hash)| hash).collect()
    }

    pub(super) fn add(&mut self, line: &[u8]) {
        let mut hasher = Sha256::new();
        hasher.update(b"\x00");
        hasher.update(line);
        let mut top = (0, hasher.finalize().into());
        while let Some((height, left)) = self.full.pop() {
            if height != top.0 {
                self.full.push((height, left));
                break;
            }
            top = (height + 1, join(&left, &top.1));
        }
        self.full.push(top);
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        let mut subtrees = self.full.clone();
        let Some((_, mut right)) = subtrees.pop() else {
            return Sha256::digest([]).into();
        };
        while let Some((_, left)) = subtrees.pop() {
            right = join(&left, &right);
        }
        right
    }
}

fn join(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"\x01");
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}
