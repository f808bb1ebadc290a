//! The lives of realms: whether the record of an environment's key is the newest of its name, and whether it was removed or lost.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use ibyok_crypto::RealmTag;
use ibyok_storage::{Collection, Error as StorageError, Kind, RecordId, Stored};

use super::Records;
use super::record::{UNSEEN_CHANGES, leaps};
use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::realm::removal::{Removal, generation_of, is_of_a_realm, sealer_of, tombstone_of};
use crate::realm::tags::{TagBody, TagList, tag_record};
use crate::realm::vault_record::first_environments;
use crate::realm::{Realm, RealmName, environment_key};

impl Records {
    /// Refuses a realm whose record is older than this node has seen: its environment was removed, or made again. Notes the realm
    /// otherwise.
    pub(crate) async fn check_life(&self, realm: &Realm) -> Result<()> {
        let id = realm.name.record_id(self.vault);
        let mut floor = self.floors.of(&id).await?;
        if leaps(realm.rev, floor) {
            return Err(damaged(&realm.name, &id, Damage::DoesNotOpen));
        }
        // A node that was away during a removal learns of it here, if its records come back before this node looks.
        let removed = self.removal_of(&id).await?.map(|removal| removal.rev);
        if let Some(removed) = removed.filter(|removed| floor.is_none_or(|floor| floor < *removed)) {
            self.floors.raise(&id, removed).await?;
            floor = Some(removed);
        }
        let older = || Err(damaged(&realm.name, &id, Damage::Older));
        match floor {
            Some(floor) if floor > realm.rev => match self.floors.accepted(&id, floor).await? {
                Some(rev) if rev == realm.rev => Ok(()),
                _ => older(),
            },
            floor => {
                let seen = self.floors.seen_realm(&id).await?.and_then(|seen| seen.life);
                match seen.filter(|(rev, _)| floor == Some(realm.rev) && *rev == realm.rev) {
                    Some((_, tag)) if tag != realm.tag() => older(),
                    Some(_) => Ok(()),
                    None => {
                        self.floors.saw_realm(&id, realm).await;
                        Ok(())
                    }
                }
            }
        }
    }

    /// True if a realm that is held opened is not the newest of its name any more, as far as floors tell.
    pub(super) async fn is_outlived(&self, realm: &Realm) -> Result<bool> {
        let id = realm.name.record_id(self.vault);
        match self.floors.of(&id).await? {
            Some(floor) if floor > realm.rev => Ok(self.floors.accepted(&id, floor).await? != Some(realm.rev)),
            _ => Ok(false),
        }
    }

    /// True if an operator accepted that a realm is missing.
    pub(super) async fn is_accepted_as_missing(&self, id: &RecordId) -> Result<bool> {
        match self.floors.of(id).await? {
            Some(floor) => Ok(self.floors.accepted(id, floor).await? == Some(0)),
            None => Ok(false),
        }
    }

    /// Notes the realms that were made with the vault, so that this node misses them even if it never opens them.
    pub(crate) async fn saw_first_realms(&self) -> Result<()> {
        for (environment, _) in first_environments()? {
            let name = RealmName {
                namespace: self.home.name.namespace.clone(),
                environment,
            };
            if let Some(realm) = self.read_realm(&name).await? {
                self.floors.saw_realm(&name.record_id(self.vault), &realm).await;
            }
        }
        Ok(())
    }

    /// Refuses to take a realm for one that does not exist if this node has seen it and nobody removed it.
    pub(crate) async fn check_absent(&self, name: &RealmName) -> Result<()> {
        let id = name.record_id(self.vault);
        match self.is_lost(&id).await? {
            false => Ok(()),
            true => Err(damaged(name, &id, Damage::Missing)),
        }
    }

    /// The highest revision that is known of a realm's name: its floor, or that of its tombstone.
    pub(crate) async fn last_life(&self, id: &RecordId) -> Result<u64> {
        let floor = self.floors.of(id).await?.unwrap_or(0);
        if let Some(removal) = self.removal_of(id).await? {
            return Ok(floor.max(removal.rev));
        }
        let unread = self.store.get(&tombstone_of(id)).await?.is_some();
        // A tombstone that does not open here was put by somebody who may have seen more of the name than this node.
        Ok(if unread {
            floor.saturating_add(UNSEEN_CHANGES)
        } else {
            floor
        })
    }

    /// The realms that this node has seen and whose records the store lost, with their names where those are known.
    pub(super) async fn lost_realms(&self, listed: &TagList) -> Result<BTreeMap<RecordId, Option<RealmName>>> {
        let realms = Collection::root(Kind::new(kind::REALM));
        let mut lost = BTreeMap::new();
        for (id, floor) in self.floors.of_collection(&realms).await? {
            if is_of_a_realm(floor) && !listed.records.contains(&id) && self.is_lost(&id).await? {
                lost.insert(id, self.floors.seen_realm(&id).await?.map(|seen| seen.name));
            }
        }
        Ok(lost)
    }

    /// True if this node has seen a realm, the store has no record of it, and neither a tombstone nor an operator says that it
    /// may be missing.
    pub(crate) async fn is_lost(&self, id: &RecordId) -> Result<bool> {
        let Some(floor) = self.floors.of(id).await?.filter(|floor| is_of_a_realm(*floor)) else {
            return Ok(false);
        };
        if self.floors.accepted(id, floor).await? == Some(0) || self.store.get(id).await?.is_some() {
            return Ok(false);
        }
        match self.removal_of(id).await? {
            Some(removal) if removal.rev > floor => {
                self.floors.raise(id, removal.rev).await?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// The tombstone of a realm, if there is one that opens here. One that does not proves nothing.
    async fn removal_of(&self, realm: &RecordId) -> Result<Option<Removal>> {
        let id = tombstone_of(realm);
        let Some(stored) = readable(self.store.get(&id).await)? else {
            return Ok(None);
        };
        let Some(tag) = sealer_of(&stored.bytes) else {
            return Ok(None);
        };
        let Some(sealer) = self.sealer(tag, &stored.bytes).await? else {
            return Ok(None);
        };
        let removal = Removal::open(&sealer, self.vault, &id, &stored.bytes);
        // The keys of one environment or tenant prove nothing about another.
        // A home that is an environment, on a node without the KEK of the rest, is such a realm as well.
        let spans = sealer.name.environment.is_none();
        let may_say = |removal: &Removal| {
            let is_own = removal.environment == sealer.name.environment && removal.namespace == sealer.name.namespace;
            is_own || spans && (sealer.tag() == self.home.tag() || removal.namespace == sealer.name.namespace)
        };
        let floor = self.floors.of(realm).await?;
        Ok(removal.filter(may_say).filter(|removal| !leaps(removal.rev, floor)))
    }

    /// The realm that sealed a tombstone, if it opens here: this node's home, or one that spans the environments of a namespace. Reads the store, since the realms that this node holds
    /// are not listed yet when tombstones are read.
    async fn sealer(&self, tag: RealmTag, tombstone: &[u8]) -> Result<Option<Arc<Realm>>> {
        if tag == self.home.tag() {
            let home = Arc::clone(&self.newest_home.read().unwrap_or_else(PoisonError::into_inner));
            if generation_of(tombstone).is_none_or(|number| home.keys.holds(number)) {
                return Ok(Some(home));
            }
            let home = self.read_realm(&self.home.name).await?;
            return Ok(home.filter(|home| home.tag() == tag).map(Arc::new));
        }
        let stored = readable(self.store.get(&tag_record(tag)).await)?;
        let body = stored.and_then(|stored| TagBody::parse(&stored.bytes));
        let Some(body) = body.filter(|body| body.name().environment.is_none()) else {
            return Ok(None);
        };
        match self.read_realm(&body.name()).await {
            Ok(realm) => Ok(realm.filter(|realm| realm.tag() == tag).map(Arc::new)),
            Err(Error::Kek { .. } | Error::Integrity { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The record that a store has, where a row that it cannot read counts as none: what it might say is not known.
fn readable(read: Result<Option<Stored>, StorageError>) -> Result<Option<Stored>> {
    match read {
        Err(StorageError::Corrupt { .. }) => Ok(None),
        read => Ok(read?),
    }
}

/// The error for the record of an environment's key.
pub(super) fn damaged(name: &RealmName, id: &RecordId, damage: Damage) -> Error {
    Error::damaged(environment_key(name, id), damage).about(Affected::Environment)
}
