//! A walk over every record of a collection, many at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ibyok_storage::{Collection, Error as StorageError, LIST_LIMIT, RecordId, Stored};

use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::realm::Realm;
use crate::records::Records;
use crate::records::cache::Held;
use crate::records::record::{Record, leaps, open_record};

/// The number of records that a walk reads at a time.
const PAGE: usize = 500;

/// A record as a walk meets it: sound, or with the reason why it is refused.
pub(crate) type Met<R> = (RecordId, Result<R, Damage>);

/// A walk over every record of a collection: those in the store, and those that this node has seen there before.
pub(crate) struct Walk<'a> {
    records: &'a Records,
    realm: Arc<Realm>,
    collection: Collection,
    /// The number of records that it reads at a time.
    page: usize,
    /// The last record that was met.
    after: Option<RecordId>,
    /// Ids that were listed and are not met yet.
    listed: VecDeque<RecordId>,
    /// True if the store lists no ids behind `listed`.
    ended: bool,
    /// True if every record was met.
    met_all: bool,
}

impl Records {
    /// Walks over the records of one kind in a realm, from behind an id on.
    pub(crate) fn walk_records<R: Record>(&self, realm: &Arc<Realm>, after: Option<[u8; 16]>) -> Result<Walk<'_>> {
        let collection = realm.collection(R::KIND)?;
        Ok(Walk {
            records: self,
            realm: Arc::clone(realm),
            collection,
            page: PAGE,
            after: after.map(|id| RecordId::new(collection, id)),
            listed: VecDeque::new(),
            ended: false,
            met_all: false,
        })
    }

    /// Opens a record that was read among many, if it is sound beyond doubt; `None` if it must be read and judged alone.
    async fn sound<R: Record>(
        &self,
        realm: &Realm,
        id: &RecordId,
        stored: &Stored,
        floor: Option<u64>,
    ) -> Option<Held<R>> {
        let held = open_record::<R>(realm, id, stored).ok()?;
        let floor = self.floors.with_memory(id, floor).ok()?;
        let rev = held.record.rev();
        if leaps(rev, floor) || floor.is_some_and(|floor| rev < floor) {
            return None;
        }
        if floor.is_none_or(|floor| floor < rev) {
            self.floors.saw(id, rev).await;
        }
        self.forget_damaged_record(id);
        Some(held)
    }
}

/// Records as the store returned them, and their floors.
struct Part {
    stored: BTreeMap<RecordId, Option<Stored>>,
    floors: BTreeMap<RecordId, u64>,
}

impl Walk<'_> {
    /// Reads about as many records at a time as the caller has room for.
    pub(crate) fn at_most(mut self, room: usize) -> Self {
        self.page = room.clamp(1, LIST_LIMIT);
        self
    }

    /// The next records in the order of their ids; `None` at the end.
    pub(crate) async fn next<R: Record>(&mut self) -> Result<Option<Vec<Met<R>>>> {
        let Some(part) = self.part().await? else {
            return Ok(None);
        };
        // A record that this node has seen and the store does not list is missing, and not simply absent.
        let mut ids: Vec<RecordId> = part.stored.keys().chain(part.floors.keys()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut met = Vec::with_capacity(ids.len());
        for id in ids {
            let floor = part.floors.get(&id).copied();
            let sound = match part.stored.get(&id) {
                Some(Some(stored)) => self.records.sound::<R>(&self.realm, &id, stored, floor).await,
                Some(None) | None => None,
            };
            if let Some(held) = sound {
                met.push((id, Ok(held.record)));
                continue;
            }
            match self.records.read::<R>(&self.realm, &id).await {
                Ok(Some(held)) => met.push((id, Ok(held.record))),
                // Gone since it was listed, which only happens to a record that may be deleted.
                Ok(None) => {}
                Err(Error::Integrity { damage, .. }) => met.push((id, Err(damage))),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(met))
    }

    /// The next records of the store, and then the floors of this part of the collection: a change that took something away meanwhile
    /// has its floor by now.
    async fn part(&mut self) -> Result<Option<Part>> {
        if self.met_all {
            return Ok(None);
        }
        if self.listed.is_empty() && !self.ended {
            let listed = self
                .records
                .store
                .list(&self.collection, self.after.as_ref(), self.page)
                .await?;
            self.ended = listed.len() < self.page;
            self.listed = listed.into();
        }
        let ids: Vec<RecordId> = self.listed.iter().copied().collect();
        let found = match self.records.store.get_many(&ids).await {
            Ok(found) if found.is_empty() => vec![None; ids.len()],
            Ok(found) => found,
            // Each of them is read alone, so that one bad page of the store hides no other record.
            Err(StorageError::Corrupt { .. }) => vec![None; ids.len()],
            Err(error) => return Err(error.into()),
        };
        let stored: BTreeMap<RecordId, Option<Stored>> = ids.into_iter().zip(found).collect();
        self.listed.drain(..stored.len());
        self.met_all = self.ended && self.listed.is_empty();
        let until = stored.keys().next_back().copied().filter(|_| !self.met_all);
        let floors = &self.records.floors;
        let seen = floors
            .seen(&self.collection, self.after.as_ref(), until.as_ref())
            .await?;
        self.after = until;
        Ok(Some(Part {
            stored,
            floors: seen.into_iter().collect(),
        }))
    }
}
