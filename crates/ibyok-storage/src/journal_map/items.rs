//! The items of a map, and the effect of a change on them.

use std::collections::BTreeMap;

use super::record::{Entry, Mac, next_tag, put, take_entry};
use crate::error::{Error, Result};
use crate::map::{MapChange, MapKey, MapSummary};

/// The longest key, in bytes.
const KEY_MAX: usize = 255;

/// The longest text, in bytes.
const TEXT_MAX: usize = 60_000;

/// A state of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Items {
    pub(super) generation: u64,
    pub(super) tag: Mac,
    pub(super) numbers: BTreeMap<Vec<u8>, u64>,
    pub(super) texts: BTreeMap<Vec<u8>, String>,
}

impl Items {
    pub(super) fn summary(&self) -> MapSummary {
        MapSummary {
            generation: self.generation,
            numbers: self.numbers.len() as u64,
            texts: self.texts.len() as u64,
            tag: self.tag,
            changed: false,
        }
    }

    /// The entries and the generation that some changes come to; `None` if they change nothing.
    pub(super) fn entries_of(&self, changes: &[MapChange]) -> Result<Option<(Vec<u8>, u64)>> {
        let (mut entries, mut generation) = (Vec::new(), self.generation);
        // Later changes of one set see the earlier ones.
        let (mut numbers, mut texts) = (BTreeMap::new(), BTreeMap::new());
        for change in changes {
            match change {
                MapChange::Raise { key, number } => {
                    let key = checked(key)?;
                    let known = numbers.get(key).or_else(|| self.numbers.get(key));
                    if known.is_none_or(|known| known < number) {
                        put(&mut entries, &Entry::Number(key, *number));
                        numbers.insert(key, *number);
                    }
                }
                MapChange::Put { key, text } => {
                    let key = checked(key)?;
                    let known: Option<&str> = match texts.get(key) {
                        Some(known) => *known,
                        None => self.texts.get(key).map(String::as_str),
                    };
                    if known == text.as_deref() {
                        continue;
                    }
                    put(&mut entries, &entry_of(key, text.as_deref())?);
                    texts.insert(key, text.as_deref());
                }
                MapChange::Generation(least) => generation = generation.max(*least),
            }
        }
        let changed = !entries.is_empty() || generation > self.generation;
        let next = generation.max(self.generation.saturating_add(1));
        Ok(changed.then_some((entries, next)))
    }

    /// Takes in the entries of a record. Returns `None` if they are malformed.
    pub(super) fn take_in(&mut self, mut entries: &[u8]) -> Option<()> {
        while !entries.is_empty() {
            match take_entry(&mut entries)? {
                Entry::Number(key, number) => drop(self.numbers.insert(key.to_vec(), number)),
                Entry::Text(key, text) => drop(self.texts.insert(key.to_vec(), text.to_owned())),
                Entry::Removed(key) => drop(self.texts.remove(key)),
            }
        }
        Some(())
    }

    /// The tag of the state that these entries lead to.
    pub(super) fn tag_after(&self, key: &dyn MapKey, entries: &[u8]) -> Mac {
        next_tag(key, &self.tag, entries)
    }

    /// All items as entries.
    pub(super) fn all(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        for (key, number) in &self.numbers {
            put(&mut entries, &Entry::Number(key, *number));
        }
        for (key, text) in &self.texts {
            put(&mut entries, &Entry::Text(key, text));
        }
        entries
    }
}

fn checked(key: &[u8]) -> Result<&[u8]> {
    if key.len() <= KEY_MAX {
        Ok(key)
    } else {
        Err(too_large())
    }
}

fn entry_of<'a>(key: &'a [u8], text: Option<&'a str>) -> Result<Entry<'a>> {
    match text {
        Some(text) if text.len() > TEXT_MAX => Err(too_large()),
        Some(text) => Ok(Entry::Text(key, text)),
        None => Ok(Entry::Removed(key)),
    }
}

fn too_large() -> Error {
    Error::invalid("a key, number or text of the map", "use a smaller one")
}
