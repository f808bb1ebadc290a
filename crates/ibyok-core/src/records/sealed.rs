//! Every record that the keys of one realm seal, as the store has it, whatever its kind.

use std::collections::VecDeque;

use ibyok_crypto::RealmTag;
use ibyok_storage::{Collection, Error as StorageError, Kind, RecordId, StoreExt, Stored};

use super::Records;
use crate::base::damage::Damage;
use crate::base::error::Result;
use crate::model::kind;
use crate::realm::Realm;
use crate::realm::removal::sealer_of;

/// The number of records that are read at a time.
const PAGE: usize = 500;

/// A record as the store has it, or the reason why the store cannot read it.
pub(crate) type Found = (RecordId, Result<Stored, Damage>);

/// A walk over the records that the keys of a realm seal.
pub(crate) struct SealedRecords<'a> {
    records: &'a Records,
    tag: RealmTag,
    /// The collections that are not read yet; the first is being read.
    left: VecDeque<Collection>,
    after: Option<RecordId>,
    listed: VecDeque<RecordId>,
}

impl Records {
    /// Begins a walk over the records that the keys of a realm seal: those of its collections, and the tombstones that it sealed.
    pub(crate) fn sealed_records(&self, realm: &Realm) -> Result<SealedRecords<'_>> {
        Ok(SealedRecords {
            records: self,
            tag: realm.tag(),
            left: collections_of(realm)?.into(),
            after: None,
            listed: VecDeque::new(),
        })
    }

    /// Counts the records of a realm without reading them and without tombstones: about as many as a walk finds.
    pub(crate) async fn count_sealed(&self, realm: &Realm) -> Result<u64> {
        let mut count = 0_u64;
        for collection in collections_of(realm)?.into_iter().skip(1) {
            let mut pages = self.store.pages(&collection);
            while let Some(page) = pages.next_page().await? {
                count = count.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
            }
        }
        Ok(count)
    }
}

fn collections_of(realm: &Realm) -> Result<Vec<Collection>> {
    let mut all = vec![Collection::root(Kind::new(kind::REMOVED))];
    for kind in kind::OF_ANY_REALM {
        all.push(realm.collection(kind)?);
    }
    Ok(all)
}

impl SealedRecords<'_> {
    /// Returns the next records; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Found>>> {
        loop {
            if !self.listed.is_empty() {
                let found = self.read().await?;
                if !found.is_empty() {
                    return Ok(Some(found));
                }
                continue;
            }
            let Some(collection) = self.left.front().copied() else {
                return Ok(None);
            };
            let listed = self.records.store.list(&collection, self.after.as_ref(), PAGE).await?;
            if listed.len() < PAGE {
                self.left.pop_front();
            }
            self.after = listed.last().copied().filter(|_| listed.len() == PAGE);
            self.listed = listed.into();
        }
    }

    /// Reads some of the listed records.
    async fn read(&mut self) -> Result<Vec<Found>> {
        let ids: Vec<RecordId> = self.listed.iter().copied().collect();
        let found = match self.records.store.get_many(&ids).await {
            Ok(found) if !found.is_empty() => found.into_iter().map(Ok).collect(),
            // Each record is read alone, so that one bad page of the store hides no other record.
            Ok(_) | Err(StorageError::Corrupt { .. }) => self.read_alone(&ids).await?,
            Err(error) => return Err(error.into()),
        };
        self.listed.drain(..found.len());
        let found = ids.into_iter().zip(found);
        let found = found.filter_map(|(id, found)| Some((id, found.transpose()?)));
        Ok(found.filter(|found| self.is_of_the_realm(found)).collect())
    }

    async fn read_alone(&self, ids: &[RecordId]) -> Result<Vec<Result<Option<Stored>, Damage>>> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.push(match self.records.store.get(id).await {
                Ok(stored) => Ok(stored),
                Err(StorageError::Corrupt { .. }) => Err(Damage::Unreadable),
                Err(error) => return Err(error.into()),
            });
        }
        Ok(found)
    }

    /// False for a tombstone that another realm sealed. The tombstones of all realms are in one collection.
    fn is_of_the_realm(&self, (id, found): &Found) -> bool {
        match found {
            Ok(stored) if id.collection().kind().as_u8() == kind::REMOVED => sealer_of(&stored.bytes) == Some(self.tag),
            Ok(_) | Err(_) => true,
        }
    }
}
