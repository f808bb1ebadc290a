//! The words of an authenticated map: its key, its changes, and its states.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// Computes a keyed hash of bytes under a key that belongs to the map alone.
pub trait MapKey: Debug + Send + Sync {
    /// Returns the keyed hash of `bytes`.
    fn mac(&self, bytes: &[u8]) -> [u8; 32];

    /// Names the owner of the key. The name is in the clear in the file, so that the file of another owner is refused
    /// instead of being taken for a damaged one.
    fn owner(&self) -> String;
}

/// One change of an [`AuthenticatedMap`](crate::AuthenticatedMap). Keys are at most 255 bytes, texts 60,000.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapChange {
    /// Raises a number, or adds it. A number that is as high already stays.
    Raise {
        /// The number's key.
        key: Vec<u8>,
        /// The least that the number is afterwards.
        number: u64,
    },
    /// Sets a text; `None` removes it.
    Put {
        /// The text's key.
        key: Vec<u8>,
        /// The text afterwards.
        text: Option<String>,
    },
    /// Raises the generation of the map to at least this number.
    Generation(u64),
}

/// Items of a file that need not be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapReadable {
    /// Numbers and their keys.
    pub numbers: Vec<(Vec<u8>, u64)>,
    /// Texts and their keys.
    pub texts: Vec<(Vec<u8>, String)>,
    /// The key at which the next part begins.
    pub last: i64,
}

/// The durability of a change of an [`AuthenticatedMap`](crate::AuthenticatedMap) when the change returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapDurability {
    /// The change survives the end of the process. A later change with [`MapDurability::Disk`] makes it survive power loss.
    Kernel,
    /// The change, and every one before it, survives power loss.
    Disk,
}

/// A state of an [`AuthenticatedMap`](crate::AuthenticatedMap).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapSummary {
    /// Grows by one with every change.
    pub generation: u64,
    /// The number of numbers in the map.
    pub numbers: u64,
    /// The number of texts in the map.
    pub texts: u64,
    /// A keyed hash of the state: two states with the same tag hold the same items.
    pub tag: [u8; 32],
    /// True if the call that returned this summary changed the map.
    pub changed: bool,
}

/// The result of [`AuthenticatedMap::verify`](crate::AuthenticatedMap::verify).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapVerdict {
    /// Every item is as it was written, and none is missing.
    Whole(MapSummary),
    /// An item was changed, removed, added or set back.
    Damaged,
}

/// The names of the files of the map at `path`: the main file and the two that SQLite keeps next to it.
#[must_use]
pub fn map_files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}
