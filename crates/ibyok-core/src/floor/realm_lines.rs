//! The realms that lines of the log speak of, and the changes of the file that note a realm.

use std::collections::{BTreeMap, BTreeSet};

use ibyok_audit::Line;
use ibyok_crypto::{RealmTag, VaultId};
use ibyok_storage::{MapChange, RecordId};

use super::entry::raise;
use super::key;
use crate::realm::RealmName;
use crate::realm::removal::made_after;

/// A realm as the file of floors knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenRealm {
    pub(crate) name: RealmName,
    /// The revision and the tag of the life that was seen last. Two nodes that do not know of each other may give one revision to two
    /// lives of a name; their tags differ.
    pub(crate) life: Option<(u64, RealmTag)>,
}

impl SeenRealm {
    pub(super) fn print(&self) -> String {
        match &self.life {
            Some((rev, tag)) => format!("{} {rev} {tag}", self.name),
            None => self.name.to_string(),
        }
    }

    /// Parses the text that [`SeenRealm::print`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let (name, life) = match words.as_slice() {
            [name] => (name, None),
            [name, rev, tag] => (name, Some((rev.parse().ok()?, tag.parse().ok()?))),
            _ => return None,
        };
        Some(SeenRealm {
            name: RealmName::parse(name)?,
            life,
        })
    }
}

/// The changes that note a realm.
pub(super) fn changes(id: &RecordId, rev: u64, seen: &SeenRealm) -> [MapChange; 2] {
    let put = MapChange::Put {
        key: key::realm_name(id),
        text: Some(seen.print()),
    };
    [raise(id, rev), put]
}

/// The changes that note a realm whose tag is not known.
fn changes_of_line(id: &RecordId, rev: u64, name: RealmName) -> Vec<MapChange> {
    changes(id, rev, &SeenRealm { name, life: None }).into()
}

/// The realms that lines of the log speak of. Each change of a record in an environment shows that the environment existed then.
#[derive(Debug)]
pub(super) struct Realms {
    vault: VaultId,
    known: BTreeMap<RealmName, RecordId>,
    /// The realms that are noted already.
    noted: BTreeSet<RecordId>,
}

impl Realms {
    pub(super) fn of_vault(vault: VaultId) -> Self {
        Realms {
            vault,
            known: BTreeMap::new(),
            noted: BTreeSet::new(),
        }
    }

    /// The changes that note the realm of a line, which is the end of a change of this record at this revision.
    pub(super) fn of(&mut self, line: &Line, record: &RecordId, rev: u64) -> Vec<MapChange> {
        let entry = line.entry();
        let Some(namespace) = entry.namespace.as_deref().and_then(|name| name.parse().ok()) else {
            return Vec::new();
        };
        let environment = entry.environment.as_deref().map(str::parse).transpose();
        let Ok(environment) = environment else {
            return Vec::new();
        };
        let name = RealmName { namespace, environment };
        let vault = self.vault;
        let id = *self
            .known
            .entry(name.clone())
            .or_insert_with_key(|name| name.record_id(vault));
        if id == *record {
            self.noted.insert(id);
            return changes_of_line(&id, rev, name);
        }
        // Lines do not identify the realm that spans environments: a line without an environment may be about several.
        match name.environment.is_some() && self.noted.insert(id) {
            true => changes_of_line(&id, made_after(0), name),
            false => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_that_was_seen_reads_back() {
        let tag = RealmTag::from_bytes(*b"aB3dE5gH").unwrap();
        for (name, life) in [("acme/prod", Some((3, tag))), ("acme/whole", None)] {
            let name = RealmName::parse(name).unwrap();
            let seen = SeenRealm { name, life };
            assert_eq!(SeenRealm::parse(&seen.print()), Some(seen));
        }
        for bad in [
            "",
            "acme",
            "acme/prod 3",
            "acme/prod x aB3dE5gH",
            "acme/prod 3 short",
            "acme/prod 3 aB3dE5gH x",
        ] {
            assert_eq!(SeenRealm::parse(bad), None, "{bad}");
        }
    }
}
