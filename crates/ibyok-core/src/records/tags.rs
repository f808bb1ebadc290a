//! The realms of a store by their tags, read once and again after the feed reported a new one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ibyok_crypto::RealmTag;
use ibyok_storage::RecordId;

use crate::base::damage::{Affected, Damage};
use crate::base::error::Error;
use crate::realm::RealmName;
use crate::realm::tags::TagList;

/// The realm of each tag of the store.
#[derive(Debug)]
pub(crate) struct Tags {
    pub(super) by_tag: HashMap<RealmTag, Arc<RealmName>>,
    names: BTreeSet<Arc<RealmName>>,
    pub(super) damaged: Vec<RecordId>,
    lost: BTreeMap<RecordId, Option<RealmName>>,
    marked: BTreeSet<RealmTag>,
}

impl Tags {
    pub(super) fn of(listed: TagList, lost: BTreeMap<RecordId, Option<RealmName>>) -> Self {
        let shared = |(tag, name)| (tag, Arc::new(name));
        let made: HashMap<_, _> = listed.names.into_iter().map(shared).collect();
        let names = made.values().cloned().collect();
        let mut by_tag: HashMap<_, _> = listed.unfinished.into_iter().map(shared).collect();
        by_tag.extend(made);
        Tags {
            by_tag,
            names,
            damaged: listed.damaged,
            lost,
            marked: listed.marked,
        }
    }

    /// Every tag with its realm; also those of realms whose making or removal was interrupted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RealmTag, &Arc<RealmName>)> {
        self.by_tag.iter().map(|(tag, name)| (*tag, name))
    }

    /// The realms whose making or removal was interrupted, or is under way.
    pub(crate) fn marked(&self) -> impl Iterator<Item = &Arc<RealmName>> {
        self.marked.iter().filter_map(|tag| self.by_tag.get(tag))
    }

    /// True if the making or removal of a tag's realm was interrupted, or is under way.
    pub(crate) fn is_marked(&self, tag: RealmTag) -> bool {
        self.marked.contains(&tag)
    }

    /// Returns the realm of a token's tag, if it has one.
    pub(crate) fn name_of(&self, tag: [u8; 8]) -> Option<&Arc<RealmName>> {
        self.by_tag.get(&RealmTag::from_bytes(tag).ok()?)
    }

    /// The records of realms that are damaged: the names of their environments are not known.
    pub(crate) fn damaged(&self) -> &[RecordId] {
        &self.damaged
    }

    /// The realms that this node has seen and the store lost: the ids of their records, with their names where those are known.
    pub(crate) fn lost(&self) -> impl Iterator<Item = (&RecordId, Option<&RealmName>)> {
        self.lost.iter().map(|(id, name)| (id, name.as_ref()))
    }

    /// The error for a realm that was not found while a record of some realm is damaged.
    pub(crate) fn damage(&self) -> Option<Error> {
        if let Some(id) = self.damaged.first() {
            let what = format!("the record that names an environment ({id})");
            return Some(Error::damaged(what, Damage::DoesNotOpen));
        }
        // A lost realm with a name is not the wanted realm, which would have been found as lost by its name.
        let (id, _) = self.lost().find(|(_, name)| name.is_none())?;
        Some(lost(&format!("the key of an environment ({id})")))
    }

    /// Every realm, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<RealmName>> {
        self.names.iter()
    }

    /// Every realm that has to be there, in order: those that the store names, and those that this node has seen and the store
    /// lost.
    pub(crate) fn expected(&self) -> BTreeSet<Arc<RealmName>> {
        let lost = self.lost.values().flatten().map(|name| Arc::new(name.clone()));
        self.names.iter().cloned().chain(lost).collect()
    }

    pub(crate) fn has(&self, name: &RealmName) -> bool {
        self.names.contains(name)
    }
}

/// The error for a realm that this node has seen and the store lost.
fn lost(what: &str) -> Error {
    Error::damaged(what.to_owned(), Damage::Missing).about(Affected::Environment)
}
