//! The realms that lines of the log speak of, and the changes of the file that note a realm.

use std::collections::{BTreeMap, BTreeSet};

use ibyok_audit::Line;
use ibyok_crypto::VaultId;
use ibyok_storage::{MapChange, RecordId};

use super::entry::raise;
use super::key;
use crate::realm::RealmName;
use crate::realm::removal::made_after;

/// The changes that note a realm.
pub(super) fn changes(id: &RecordId, rev: u64, name: &RealmName) -> [MapChange; 2] {
    let put = MapChange::Put {
        key: key::realm_name(id),
        text: Some(name.to_string()),
    };
    [raise(id, rev), put]
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
            return changes(&id, rev, &name).into();
        }
        // Lines do not identify the realm that spans environments: a line without an environment may be about several.
        match name.environment.is_some() && self.noted.insert(id) {
            true => changes(&id, made_after(0), &name).into(),
            false => Vec::new(),
        }
    }
}
