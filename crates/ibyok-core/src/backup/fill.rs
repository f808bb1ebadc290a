//! Makes a store equal to the records of a sweep or of a backup.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use ibyok_storage::{Error as StorageError, Expect, RecordId, RecordPut, Store, StoreExt, Stored};

use super::read::{Backup, Progress};
use super::sweep::{Swept, Take, collections};
use crate::base::error::Result;
use crate::realm::vault_record::vault_record;

/// Fills a store. A record that is there with the same bytes stays, so that a fill which was interrupted continues.
pub(crate) struct Fill<'a> {
    to: &'a dyn Store,
    /// The number of records that were written or deleted.
    pub(crate) changed: u64,
    /// The number of records that came.
    pub(crate) taken: u64,
    progress: Progress<'a>,
}

impl<'a> Fill<'a> {
    pub(crate) fn new(to: &'a dyn Store, progress: Progress<'a>) -> Self {
        Fill {
            to,
            changed: 0,
            taken: 0,
            progress,
        }
    }

    /// Deletes the records of the store that `keep` does not name.
    pub(crate) async fn delete_others(&mut self, keep: &BTreeSet<RecordId>) -> Result<()> {
        for collection in collections(self.to).await? {
            let to = self.to;
            let mut pages = to.pages(&collection);
            while let Some(page) = pages.next_page().await? {
                for id in page.iter().filter(|id| !keep.contains(id)) {
                    self.delete(id).await?;
                }
            }
        }
        Ok(())
    }

    async fn delete(&mut self, id: &RecordId) -> Result<()> {
        if let Some(stored) = self.to.get(id).await? {
            self.to.delete(id, stored.revision).await?;
            self.changed += 1;
        }
        Ok(())
    }
}

#[async_trait]
impl Take for Fill<'_> {
    async fn take(&mut self, records: &[Swept]) -> Result<()> {
        // Of a record that came twice, the later one.
        let newest: BTreeMap<RecordId, Option<&[u8]>> = records
            .iter()
            .map(|(id, stored)| (*id, stored.as_ref().map(|stored| stored.bytes.as_slice())))
            .collect();
        let ids: Vec<RecordId> = newest.keys().copied().collect();
        let there = read_many(self.to, &ids).await?;
        let mut puts = Vec::new();
        for ((id, bytes), there) in newest.iter().zip(&there) {
            match (bytes, there) {
                (Some(bytes), Some(there)) if *bytes == there.bytes.as_slice() => {}
                (Some(bytes), Some(there)) => puts.push(RecordPut::new(*id, bytes, Expect::Revision(there.revision))),
                (Some(bytes), None) => puts.push(RecordPut::new(*id, bytes, Expect::Absent)),
                (None, Some(_)) => self.delete(id).await?,
                (None, None) => {}
            }
        }
        let mut rest = puts.as_slice();
        while !rest.is_empty() {
            let written = self.to.put_many(rest).await?.len().max(1);
            rest = rest.get(written..).unwrap_or_default();
        }
        self.changed += u64::try_from(puts.len()).unwrap_or(u64::MAX);
        self.taken += u64::try_from(records.len()).unwrap_or(u64::MAX);
        (self.progress)(self.taken);
        Ok(())
    }
}

/// Makes a store equal to a backup that was verified, and returns the number of its records. The vault's own record comes last, so a store that is
/// filled half-way holds no vault. The same call does the rest.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) if the file is damaged by now; [`Error::Unavailable`](crate::Error::Unavailable).
pub async fn restore_records(backup: &Backup, to: &dyn Store, progress: Progress<'_>) -> Result<u64> {
    // Until the last record is there, the store holds no vault.
    if let Some(there) = to.get(&vault_record()).await? {
        to.delete(&vault_record(), there.revision).await?;
    }
    let mut fill = Fill::new(to, progress);
    let mut ids = Ids::default();
    backup.records(&mut ids).await?;
    fill.delete_others(&ids.0).await?;
    backup.records(&mut fill).await?;
    Ok(u64::try_from(ids.0.len()).unwrap_or(u64::MAX))
}

/// The ids of the records that a backup has.
#[derive(Default)]
struct Ids(BTreeSet<RecordId>);

#[async_trait]
impl Take for Ids {
    async fn take(&mut self, records: &[Swept]) -> Result<()> {
        for (id, stored) in records {
            match stored {
                Some(_) => self.0.insert(*id),
                None => self.0.remove(id),
            };
        }
        Ok(())
    }
}

/// Reads records in the order of their ids. A row that the store cannot read is an error.
pub(crate) async fn read_many(store: &dyn Store, ids: &[RecordId]) -> Result<Vec<Option<Stored>>, StorageError> {
    let mut all = Vec::with_capacity(ids.len());
    while let Some(rest) = ids.get(all.len()..).filter(|rest| !rest.is_empty()) {
        let found = store.get_many(rest).await?;
        if found.is_empty() {
            return Err(StorageError::unavailable("records", "the store returned no record"));
        }
        all.extend(found);
    }
    Ok(all)
}
