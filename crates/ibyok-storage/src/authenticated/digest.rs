//! The MAC of each item, and the keyed hash of the whole set.

use super::MapKey;

/// How many bytes of an item's MAC are stored with it.
pub(super) const ITEM_MAC: usize = 16;

/// Separates the uses of the map's key.
#[derive(Clone, Copy)]
enum Use {
    /// Stored with an item.
    Item = 1,
    /// One element of the set hash. Never stored: differences of set hashes must not show it.
    Element = 2,
    /// Masks the set hash where it is stored.
    Mask = 3,
    /// Stored with the row of the whole.
    Whole = 4,
    /// Names a state of the map to others.
    Tag = 5,
}

/// The table that an item is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Numbers = 1,
    Texts = 2,
}

/// A state of an [`AuthenticatedMap`](super::AuthenticatedMap).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapSummary {
    /// Grows by one with every change.
    pub generation: u64,
    /// How many numbers the map holds.
    pub numbers: u64,
    /// How many texts the map holds.
    pub texts: u64,
    /// A keyed hash of the state: two states with the same tag hold the same items.
    pub tag: [u8; 32],
}

/// The result of [`AuthenticatedMap::verify`](super::AuthenticatedMap::verify).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapVerdict {
    /// Every item is as it was written, and none is missing.
    Whole(MapSummary),
    /// An item was changed, removed, added or set back.
    Damaged,
}

/// The row of the whole, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) generation: u64,
    pub(super) numbers: u64,
    pub(super) texts: u64,
    pub(super) digest: [u8; 32],
}

impl Whole {
    pub(super) fn count(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Numbers => &mut self.numbers,
            Table::Texts => &mut self.texts,
        }
    }

    fn counts(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let numbers = [self.generation, self.numbers, self.texts];
        for (to, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            to.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// The set hash as it is stored: masked under a nonce that is used once.
    pub(super) fn masked(&self, key: &dyn MapKey, nonce: &[u8]) -> [u8; 32] {
        let mask = mac(key, Use::Mask, &[nonce, &self.generation.to_be_bytes()]);
        let mut masked = self.digest;
        xor(&mut masked, &mask);
        masked
    }

    /// Takes the mask off a stored set hash.
    pub(super) fn unmask(&mut self, key: &dyn MapKey, nonce: &[u8], masked: [u8; 32]) {
        self.digest = masked;
        self.digest = self.masked(key, nonce);
    }

    pub(super) fn mac(&self, key: &dyn MapKey, nonce: &[u8], masked: &[u8]) -> [u8; 32] {
        mac(key, Use::Whole, &[&self.counts(), nonce, masked])
    }

    pub(super) fn summary(&self, key: &dyn MapKey) -> MapSummary {
        MapSummary {
            generation: self.generation,
            numbers: self.numbers,
            texts: self.texts,
            tag: mac(key, Use::Tag, &[&self.counts(), &self.digest]),
        }
    }

    /// Adds an element to the set hash, or takes it out: the two are one operation.
    pub(super) fn toggle(&mut self, key: &dyn MapKey, table: Table, name: &[u8], value: &[u8]) {
        xor(&mut self.digest, &item(key, Use::Element, table, name, value));
    }
}

/// The MAC that is stored with an item.
pub(super) fn item_mac(key: &dyn MapKey, table: Table, name: &[u8], value: &[u8]) -> [u8; ITEM_MAC] {
    let whole = item(key, Use::Item, table, name, value);
    let mut cut = [0; ITEM_MAC];
    cut.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    cut
}

/// Compares MACs without stopping at the first difference.
pub(super) fn is_same(ours: &[u8], given: &[u8]) -> bool {
    let differences = ours.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
    ours.len() == given.len() && std::hint::black_box(differences) == 0
}

fn item(key: &dyn MapKey, purpose: Use, table: Table, name: &[u8], value: &[u8]) -> [u8; 32] {
    // A name is at most 255 bytes, so one byte holds its length.
    let head = [table as u8, u8::try_from(name.len()).unwrap_or(u8::MAX)];
    mac(key, purpose, &[&head, name, value])
}

fn mac(key: &dyn MapKey, purpose: Use, parts: &[&[u8]]) -> [u8; 32] {
    let mut bytes = vec![purpose as u8];
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    key.mac(&bytes)
}

fn xor(to: &mut [u8; 32], with: &[u8; 32]) {
    to.iter_mut().zip(with).for_each(|(to, with)| *to ^= with);
}
