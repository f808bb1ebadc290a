//! A node's sign of life: that it counts in a realm, and whether everything that it counted is in the store.

use std::sync::Arc;

use ibyok_crypto::RealmTag;
use ibyok_storage::{Collection, Error as StorageError, Expect, Kind, RecordId, Revision};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Usage;
use super::rollup::{open_body, seal_body};
use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::Realm;

/// The sealed body of a sign of life.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sign {
    /// The node's log.
    pub(super) log: String,
    /// The operator who runs it.
    pub(super) actor: String,
    /// The time at which it last agreed with the store, and the line of its log up to which it did.
    pub(super) at: Timestamp,
    pub(super) seq: u64,
    /// True if it has counted nothing since: it is then idle or gone, and nothing of it is missing.
    pub(super) at_rest: bool,
}

impl Sign {
    const WHAT: &'static str = "a node's sign of life";
}

/// The knowledge of a node about its own sign in a realm.
#[derive(Debug)]
pub(super) struct OwnSign {
    pub(super) realm: Arc<Realm>,
    pub(super) revision: Option<Revision>,
    pub(super) at_rest: bool,
}

impl Usage {
    pub(super) fn own_sign(&self, realm: &Realm) -> Result<RecordId> {
        self.own_sign_of(realm.tag())
    }

    pub(super) fn own_sign_of(&self, tag: RealmTag) -> Result<RecordId> {
        let log = from_base62(self.recorder.log.id()).ok_or_else(|| Error::integrity("the audit log's id"))?;
        let collection = Collection::new(Kind::new(kind::SIGN), *tag.as_bytes())?;
        Ok(RecordId::new(collection, log))
    }

    /// Puts this node's sign. Nobody else writes it, so another revision is one of our own whose answer was lost.
    pub(super) async fn put_sign(&self, own: &mut OwnSign, seq: u64, at_rest: bool) -> Result<()> {
        own.realm = self.records.newest(&own.realm).await?;
        let id = self.own_sign(&own.realm)?;
        let sign = Sign {
            log: self.recorder.log.id().to_owned(),
            actor: self.actor.clone(),
            at: self.records.now(),
            seq,
            at_rest,
        };
        let bytes = seal_body(&own.realm, &id, &sign, Sign::WHAT)?;
        // Taken, not copied: after a failed put the revision is unknown, and the next put must read it again.
        let known = own.revision.take();
        let put = match known {
            Some(revision) => self.records.store.put(&id, &bytes, Expect::Revision(revision)).await,
            None => Err(StorageError::Conflict),
        };
        let revision = match put {
            Err(StorageError::Conflict | StorageError::Exists) => {
                let there = self.records.store.get(&id).await?.map(|stored| stored.revision);
                let expect = there.map_or(Expect::Absent, Expect::Revision);
                self.records.store.put(&id, &bytes, expect).await?
            }
            other => other?,
        };
        own.revision = Some(revision);
        own.at_rest = at_rest;
        Ok(())
    }

    /// Reads a node's sign from the store.
    pub(super) async fn read_sign(&self, realm: &Arc<Realm>, id: &RecordId) -> Result<Option<Sign>> {
        let stored = self.records.store.get(id).await?;
        stored
            .map(|stored| open_body(realm, id, &stored, Sign::WHAT))
            .transpose()
    }
}
