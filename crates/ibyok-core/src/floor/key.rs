//! The key of the file of floors, and the names of its items.

use std::sync::Arc;

use ibyok_crypto::VaultId;
use ibyok_storage::{Collection, Kind, MapKey, RecordId};

use crate::realm::Realm;

/// Separates these MACs from every other use of the realm's keyed hash.
const LABEL: &str = "ibyok floors v2";

/// The classes of items: the first byte of an item's name.
const FLOOR: u8 = b'f';
const MARK: u8 = b'm';
const NOTE: u8 = b'n';
const FACT: u8 = b'x';
const ACCEPTANCE: u8 = b'a';
const REALM_NAME: u8 = b'r';
const END: u8 = b'e';
const LOST_KEY: u8 = b'k';

/// Computes the MACs of the file under the keyed hash of the node's home realm.
#[derive(Debug)]
pub(crate) struct FloorKey {
    pub(crate) vault: VaultId,
    pub(crate) home: Arc<Realm>,
}

impl MapKey for FloorKey {
    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        self.home.keys.keyed_hash(LABEL, bytes)
    }

    fn owner(&self) -> String {
        format!("{} {}", self.vault, self.home.name)
    }
}

/// The name of a record's floor: 26 bytes.
pub(crate) fn of_record(id: &RecordId) -> Vec<u8> {
    let mut name = vec![FLOOR, id.collection().kind().as_u8()];
    name.extend_from_slice(id.collection().realm());
    name.extend_from_slice(id.id());
    name
}

/// A name right before those of the records of a collection.
pub(crate) fn before(collection: &Collection) -> Vec<u8> {
    let mut name = vec![FLOOR, collection.kind().as_u8()];
    name.extend_from_slice(collection.realm());
    name
}

/// The record whose floor has this name.
pub(crate) fn record_of(name: &[u8]) -> Option<RecordId> {
    let (head, rest) = name.split_at_checked(2)?;
    let (realm, id) = rest.split_at_checked(8)?;
    let [FLOOR, kind] = head else { return None };
    let (kind, realm): (_, [u8; 8]) = (Kind::new(*kind), realm.try_into().ok()?);
    let collection = Collection::new(kind, realm).unwrap_or(Collection::root(kind));
    Some(RecordId::new(collection, id.try_into().ok()?))
}

/// The name of the mark of a log: up to which line its ends of changes are in the floors.
pub(crate) fn mark(log: &str) -> Vec<u8> {
    named(MARK, log)
}

/// The name of the newest checkpoint of a log.
pub(crate) fn end(log: &str) -> Vec<u8> {
    named(END, log)
}

/// The name of the fact that the store lost the key of a log, and that an operator acknowledged it.
pub(crate) fn lost_key(log: &str) -> Vec<u8> {
    named(LOST_KEY, log)
}

pub(crate) fn note(id: &str) -> Vec<u8> {
    named(NOTE, id)
}

pub(crate) fn fact(name: &str) -> Vec<u8> {
    named(FACT, name)
}

/// The name of the acceptance of an older record.
pub(crate) fn accepted(id: &RecordId) -> Vec<u8> {
    let mut name = of_record(id);
    if let Some(class) = name.first_mut() {
        *class = ACCEPTANCE;
    }
    name
}

/// The name of the item with the name of a realm, by the id of its record.
pub(crate) fn realm_name(id: &RecordId) -> Vec<u8> {
    let mut name = of_record(id);
    if let Some(class) = name.first_mut() {
        *class = REALM_NAME;
    }
    name
}

/// The prefix of the names of realms' names.
pub(crate) const REALM_NAMES: &[u8] = &[REALM_NAME];

/// The prefix of the names of all acceptances.
pub(crate) const ACCEPTED: &[u8] = &[ACCEPTANCE];

/// The prefix of the names of all notes.
pub(crate) const NOTES: &[u8] = &[NOTE];

/// The prefix of the names of all checkpoints.
pub(crate) const ENDS: &[u8] = &[END];
pub(crate) const LOST_KEYS: &[u8] = &[LOST_KEY];

/// The prefix of the names of all facts about the file itself.
pub(crate) const FACTS: &[u8] = &[FACT];

fn named(class: u8, name: &str) -> Vec<u8> {
    let mut bytes = vec![class];
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// The part of an item's name behind its class, for marks, checkpoints, notes and facts.
pub(crate) fn name_of(item: &[u8]) -> String {
    String::from_utf8_lossy(item.get(1..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_floor_leads_back_to_its_record() {
        let tagged = Collection::new(Kind::new(4), *b"abcdefgh").unwrap();
        for collection in [tagged, Collection::root(Kind::new(200))] {
            let id = RecordId::new(collection, [9; 16]);
            assert_eq!(record_of(&of_record(&id)), Some(id));
        }
        assert_eq!(record_of(&mark("log")), None);
        assert_eq!(record_of(b"f"), None);
    }
}
