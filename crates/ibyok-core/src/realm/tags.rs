//! Tags of realms: a record in the clear for each, with the namespace and environment that the tag belongs to.
//!
//! A tag is put before its realm's environment key record and deleted after it. Meanwhile it is marked as unfinished,
//! so that a realm that is being made or removed differs from one whose record was lost.

use std::collections::{BTreeMap, BTreeSet};

use ibyok_crypto::{RealmTag, VaultId};
use ibyok_storage::{Collection, Error as StorageError, Kind, RecordId, Store, StoreExt};

use crate::base::error::Result;
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};
use crate::realm::RealmName;

/// The record of a tag, in the clear: the realm that the tag belongs to.
pub(crate) fn tag_record(tag: RealmTag) -> RecordId {
    // The tag is the first half of the id; the rest is zeros.
    let id = u128::from(u64::from_be_bytes(*tag.as_bytes())) << 64;
    RecordId::new(Collection::root(Kind::new(kind::TAG)), id.to_be_bytes())
}

/// Returns the tag in a tag record's id.
pub(crate) fn tag_of(id: &RecordId) -> Option<RealmTag> {
    let bytes = id.id().first_chunk::<8>()?;
    RealmTag::from_bytes(*bytes).ok()
}

/// The realms of a store.
#[derive(Debug, Default)]
pub(crate) struct TagList {
    /// The names of realms by their tags.
    pub(crate) names: BTreeMap<RealmTag, RealmName>,
    /// The tags of realms that are not made yet, or removed but for their tags.
    pub(crate) unfinished: BTreeMap<RealmTag, RealmName>,
    /// The tags that are marked as unfinished, with or without a record.
    pub(crate) marked: BTreeSet<RealmTag>,
    /// Tag records that cannot be read or name a realm that does not exist, and environment key records that no tag names.
    pub(crate) damaged: Vec<RecordId>,
    /// The ids of the environment key records.
    pub(crate) records: BTreeSet<RecordId>,
    /// The tags in `names` whose realm has no environment key record.
    without_record: Vec<RealmTag>,
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
    // A tag that was changed into another name leaves the record of its realm behind: the name that it has now is nobody's.
    if !unnamed.is_empty() {
        for tag in std::mem::take(&mut listed.without_record) {
            listed.names.remove(&tag);
            listed.damaged.push(tag_record(tag));
        }
    }
    // A tag that cannot be read leaves a record behind as well, and is damage enough.
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
        let stored = match store.get(&id).await {
            Ok(Some(stored)) => stored,
            Ok(None) => continue,
            // One row that the store cannot read is damaged, and hides no other environment.
            Err(StorageError::Corrupt { .. }) => {
                listed.damaged.push(id);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (Some(tag), Some(body)) = (tag_of(&id), TagBody::parse(&stored.bytes)) else {
            listed.damaged.push(id);
            continue;
        };
        let (name, unfinished) = (body.name(), body.unfinished);
        if unfinished {
            listed.marked.insert(tag);
        }
        let record = name.record_id(vault);
        unnamed.remove(&record);
        let has_record = records.contains(&record);
        if unfinished && !has_record {
            listed.unfinished.insert(tag, name);
            continue;
        }
        if !has_record {
            listed.without_record.push(tag);
        }
        listed.names.insert(tag, name);
    }
    listed.records = records;
    Ok((listed, unnamed))
}

/// The ids of the vault's own records of a kind.
pub(crate) async fn list_root(store: &dyn Store, kind: u8) -> Result<Vec<RecordId>> {
    Ok(store.list_all(&Collection::root(Kind::new(kind))).await?)
}

/// The clear body of a tag record.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct TagBody {
    namespace: Namespace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentName>,
    /// True if the realm is being made or removed, so that its environment key record may not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
}

impl TagBody {
    pub(crate) fn print(name: &RealmName) -> Vec<u8> {
        Self::printed(name, false)
    }

    /// Prints the body for a realm that is being made or removed.
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

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn name(&self) -> RealmName {
        RealmName {
            namespace: self.namespace.clone(),
            environment: self.environment.clone(),
        }
    }
}
