//! The realms of a store by their tags, read once and again after the feed reported a new one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ibyok_crypto::RealmTag;
use ibyok_storage::RecordId;

use crate::base::damage::Damage;
use crate::base::error::Error;
use crate::realm::RealmName;
use crate::realm::tags::TagList;

/// The realm of each tag of the store.
#[derive(Debug)]
pub(crate) struct Tags {
    pub(super) by_tag: HashMap<RealmTag, Arc<RealmName>>,
    names: BTreeSet<Arc<RealmName>>,
    pub(super) damaged: Vec<RecordId>,
}

impl Tags {
    pub(super) fn of(listed: TagList) -> Self {
        let shared = |(tag, name)| (tag, Arc::new(name));
        let made: HashMap<_, _> = listed.names.into_iter().map(shared).collect();
        let names = made.values().cloned().collect();
        let mut by_tag: HashMap<_, _> = listed.unfinished.into_iter().map(shared).collect();
        by_tag.extend(made);
        Tags {
            by_tag,
            names,
            damaged: listed.damaged,
        }
    }

    /// Every tag with its realm; also those of realms whose making or removal was interrupted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RealmTag, &Arc<RealmName>)> {
        self.by_tag.iter().map(|(tag, name)| (*tag, name))
    }

    /// Returns the realm of a token's tag, if it has one.
    pub(crate) fn name_of(&self, tag: [u8; 8]) -> Option<&Arc<RealmName>> {
        self.by_tag.get(&RealmTag::from_bytes(tag).ok()?)
    }

    /// The records of realms that are damaged: the names of their environments are not known.
    pub(crate) fn damaged(&self) -> &[RecordId] {
        &self.damaged
    }

    /// The error for a realm that was not found while a record of some realm is damaged.
    pub(crate) fn damage(&self) -> Option<Error> {
        let id = self.damaged.first()?;
        let what = format!("the record that names an environment ({id})");
        Some(Error::damaged(what, Damage::DoesNotOpen))
    }

    /// Every realm, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<RealmName>> {
        self.names.iter()
    }

    pub(crate) fn has(&self, name: &RealmName) -> bool {
        self.names.contains(name)
    }
}
