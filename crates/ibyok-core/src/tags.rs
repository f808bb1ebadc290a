//! Tags of realms: a record in the clear for each, which says what namespace and environment the tag stands for.
//!
//! A tag is put before its realm's environment key record and deleted after it. Meanwhile it is marked as unfinished, so that a realm
//! that is being made or removed is told apart from one whose record was lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use ibyok_crypto::{RealmTag, VaultId};
use ibyok_storage::{Collection, Kind, RecordId, Store};

use crate::damage::Damage;
use crate::error::{Error, Result};
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};
use crate::realm::{PAGE, RealmName};
use crate::vault::Inner;

/// The record that says which realm a tag stands for; in the clear.
pub(crate) fn tag_record(tag: RealmTag) -> RecordId {
    let mut id = [0; 16];
    id.iter_mut().zip(tag.as_bytes()).for_each(|(to, from)| *to = *from);
    RecordId::new(Collection::root(Kind::new(kind::TAG)), id)
}

/// The tag that a tag record's id stands for.
pub(crate) fn tag_of(id: &RecordId) -> Option<RealmTag> {
    let bytes = id.id().first_chunk::<8>()?;
    RealmTag::from_bytes(*bytes).ok()
}

/// Which realm each tag of the store stands for.
#[derive(Debug)]
pub(crate) struct Tags {
    by_tag: HashMap<RealmTag, Arc<RealmName>>,
    names: BTreeSet<Arc<RealmName>>,
    damaged: Vec<RecordId>,
}

impl Tags {
    fn of(listed: TagList) -> Self {
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

    /// Every tag, and the realm that it stands for; also those of realms whose making or removal was interrupted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RealmTag, &Arc<RealmName>)> {
        self.by_tag.iter().map(|(tag, name)| (*tag, name))
    }

    /// The realm that a token's tag stands for, if it stands for any.
    pub(crate) fn name_of(&self, tag: [u8; 8]) -> Option<&Arc<RealmName>> {
        self.by_tag.get(&RealmTag::from_bytes(tag).ok()?)
    }

    /// The records of realms that are damaged: nobody can say which environments they stand for.
    pub(crate) fn damaged(&self) -> &[RecordId] {
        &self.damaged
    }

    /// The error of whoever looks for a realm that is not there while a record of some realm is damaged.
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

impl Inner {
    /// Which realm a tag stands for. A tag that this store never gave out is told without touching the store.
    pub(crate) async fn realm_by_tag(&self, tag: RealmTag) -> Result<Option<Arc<RealmName>>> {
        let tags = self.tags().await?;
        if tags.damaged.contains(&tag_record(tag)) {
            return tags.damage().map_or(Ok(None), Err);
        }
        Ok(tags.by_tag.get(&tag).cloned())
    }

    /// Every realm of the store, read once and again after the feed told of a new one.
    pub(crate) async fn tags(&self) -> Result<Arc<Tags>> {
        if let Some(tags) = self.realms.tags.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(Arc::clone(tags));
        }
        let epoch = self.cache.epoch();
        let listed = list_tags(self.vault, self.store.as_ref()).await?;
        self.remember_damaged_tags(&listed.damaged);
        let tags = Arc::new(Tags::of(listed));
        let mut kept = self.realms.tags.write().unwrap_or_else(PoisonError::into_inner);
        if self.cache.epoch() == epoch {
            *kept = Some(Arc::clone(&tags));
        }
        Ok(tags)
    }

    /// Says whether a tag that is in the store now stands for a realm whose record has to be there.
    pub(crate) async fn is_made(&self, name: &RealmName) -> Result<bool> {
        for (tag, of) in self.tags().await?.iter() {
            if **of != *name {
                continue;
            }
            let stored = self.store.get(&tag_record(tag)).await?;
            let body = stored.and_then(|stored| TagBody::parse(&stored.bytes));
            if body.is_some_and(|body| !body.unfinished && body.name() == *name) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The realms of a store.
#[derive(Debug, Default)]
pub(crate) struct TagList {
    /// By their tags.
    pub(crate) names: BTreeMap<RealmTag, RealmName>,
    /// The tags of realms that are not made yet, or removed but for their tags.
    unfinished: BTreeMap<RealmTag, RealmName>,
    /// Tag records that cannot be read, and environment key records that no tag names.
    pub(crate) damaged: Vec<RecordId>,
}

/// Every realm of a store by its tag.
pub(crate) async fn list_tags(vault: VaultId, store: &dyn Store) -> Result<TagList> {
    let (mut listed, mut unnamed) = list_once(vault, store).await?;
    if !unnamed.is_empty() {
        // A namespace that is removed meanwhile loses its tags between the two lists. Of a realm that lost its tag, the record stays.
        let again = list_once(vault, store).await?;
        listed = again.0;
        unnamed = unnamed.intersection(&again.1).copied().collect();
    }
    // A tag that was changed into another name leaves the record of its realm behind. One that cannot be read does so as well,
    // and is damage enough.
    if listed.damaged.is_empty() {
        listed.damaged.extend(unnamed);
    }
    Ok(listed)
}

/// The tags, and the environment key records that none of them names.
async fn list_once(vault: VaultId, store: &dyn Store) -> Result<(TagList, BTreeSet<RecordId>)> {
    // Before the tags: a realm's tag is put first, so that each of these has its own by now.
    let records: BTreeSet<RecordId> = list_root(store, kind::REALM).await?.into_iter().collect();
    let mut unnamed = records.clone();
    let mut listed = TagList::default();
    for id in list_root(store, kind::TAG).await? {
        let Some(stored) = store.get(&id).await? else { continue };
        let (Some(tag), Some(body)) = (tag_of(&id), TagBody::parse(&stored.bytes)) else {
            listed.damaged.push(id);
            continue;
        };
        let (name, unfinished) = (body.name(), body.unfinished);
        let record = name.record_id(vault);
        unnamed.remove(&record);
        match unfinished && !records.contains(&record) {
            true => listed.unfinished.insert(tag, name),
            false => listed.names.insert(tag, name),
        };
    }
    Ok((listed, unnamed))
}

/// The ids of the vault's own records of a kind.
pub(crate) async fn list_root(store: &dyn Store, kind: u8) -> Result<Vec<RecordId>> {
    let collection = Collection::root(Kind::new(kind));
    let mut ids: Vec<RecordId> = Vec::new();
    loop {
        let page = store.list(&collection, ids.last(), PAGE).await?;
        let ended = page.len() < PAGE;
        ids.extend(page);
        if ended {
            return Ok(ids);
        }
    }
}

/// The clear body of a tag record.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct TagBody {
    namespace: Namespace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentName>,
    /// True if the realm is being made or removed, so that its environment key record may not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
}

impl TagBody {
    pub(crate) fn print(name: &RealmName) -> Vec<u8> {
        Self::printed(name, false)
    }

    /// The same for a realm that is being made or removed.
    pub(crate) fn print_unfinished(name: &RealmName) -> Vec<u8> {
        Self::printed(name, true)
    }

    fn printed(name: &RealmName, unfinished: bool) -> Vec<u8> {
        let body = TagBody {
            namespace: name.namespace.clone(),
            environment: name.environment.clone(),
            unfinished,
        };
        // Two strings and a word always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn name(&self) -> RealmName {
        RealmName {
            namespace: self.namespace.clone(),
            environment: self.environment.clone(),
        }
    }
}
