//! A sweep over every record of a store while others write to it.
//!
//! The walk reads each collection once. Then passes read again the records that the change feed names, until a pass finds no change: the
//! records are then those of one moment. Records of quiet kinds (counts, signs of life, checkpoints of logs) are outside the feed. Each of
//! them is as the walk read it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ibyok_storage::{
    ChangeNumber, Collection, Error as StorageError, Kind, LIST_LIMIT, RecordId, Store, StoreExt, Stored,
};

use crate::base::error::Result;
use crate::model::kind;
use crate::realm::tags::{list_root, tag_of};
use crate::realm::vault_record::vault_record;
use crate::records::lease::BEFORE_THE_FIRST;

/// The most passes after the walk. Under steady writes a pass takes milliseconds, so the last one covers the changes of that time.
const PASSES: usize = 64;

/// A record as it is in the store now; `None` if it is gone.
pub(crate) type Swept = (RecordId, Option<Stored>);

/// The receiver of a sweep.
#[async_trait]
pub(crate) trait Take: Send {
    /// Takes some records. A record that came before replaces that one.
    async fn take(&mut self, records: &[Swept]) -> Result<()>;
}

/// The end of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every record was given.
    Whole {
        /// True if the last pass found no change: the records are those of one moment.
        is_exact: bool,
    },
    /// The feed does not list every change: the sweep must begin again.
    Gap,
}

/// A sweep over a store.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    store: &'a dyn Store,
    /// The change that the store was at when the sweep began.
    pub(crate) from: u64,
    /// The change up to which the feed was read.
    upto: ChangeNumber,
    /// The records that changed and were not read again since.
    changed: BTreeSet<RecordId>,
    /// Records that the store cannot read.
    pub(crate) unreadable: BTreeSet<RecordId>,
}

impl<'a> Sweep<'a> {
    pub(crate) async fn begin(store: &'a dyn Store) -> Result<Self> {
        let upto = store.changes(BEFORE_THE_FIRST).await?.upto;
        Ok(Sweep {
            store,
            from: upto.as_u64(),
            upto,
            changed: BTreeSet::new(),
            unreadable: BTreeSet::new(),
        })
    }

    /// The change up to which the records are given.
    pub(crate) fn upto(&self) -> u64 {
        self.upto.as_u64()
    }

    /// Gives every record, the vault's own record last: without it, a store holds no vault.
    pub(crate) async fn run(&mut self, to: &mut dyn Take) -> Result<End> {
        for collection in collections(self.store).await? {
            if !self.walk(&collection, to).await? {
                return Ok(End::Gap);
            }
        }
        let mut is_exact = false;
        for _ in 0..PASSES {
            match self.follow(to).await? {
                Some(0) => {
                    is_exact = true;
                    break;
                }
                Some(_) => {}
                None => return Ok(End::Gap),
            }
        }
        self.give(&[vault_record()], to).await?;
        Ok(End::Whole { is_exact })
    }

    async fn walk(&mut self, collection: &Collection, to: &mut dyn Take) -> Result<bool> {
        let store = self.store;
        let mut pages = store.pages(collection);
        while let Some(page) = pages.next_page().await? {
            self.give(&page, to).await?;
            // A feed keeps a limited number of changes, so it is read all the time.
            if !self.read_feed().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One pass: reads the records again that changed. Returns their number; `None` if the feed has a gap.
    pub(crate) async fn follow(&mut self, to: &mut dyn Take) -> Result<Option<usize>> {
        if !self.read_feed().await? {
            return Ok(None);
        }
        let changed: Vec<RecordId> = std::mem::take(&mut self.changed).into_iter().collect();
        for part in changed.chunks(LIST_LIMIT) {
            self.give(part, to).await?;
        }
        Ok(Some(changed.len()))
    }

    /// Reads the change feed to its end. Returns `false` if it has a gap.
    async fn read_feed(&mut self) -> Result<bool> {
        loop {
            let changes = self.store.changes(self.upto).await?;
            if changes.gap || changes.upto < self.upto {
                return Ok(false);
            }
            self.upto = changes.upto;
            let ids = changes.changes.into_iter().map(|change| change.id);
            self.changed.extend(ids.filter(is_swept));
            if !changes.more {
                return Ok(true);
            }
        }
    }

    async fn give(&mut self, ids: &[RecordId], to: &mut dyn Take) -> Result<()> {
        let mut rest = ids;
        while !rest.is_empty() {
            let found = match self.store.get_many(rest).await {
                Ok(found) => found,
                // One row that the store cannot read hides no other.
                Err(StorageError::Corrupt { .. }) => return self.give_each(rest, to).await,
                Err(error) => return Err(error.into()),
            };
            let (now, later) = rest.split_at_checked(found.len().max(1)).unwrap_or((rest, &[]));
            let records: Vec<Swept> = now.iter().copied().zip(found).collect();
            to.take(&records).await?;
            rest = later;
        }
        Ok(())
    }

    async fn give_each(&mut self, ids: &[RecordId], to: &mut dyn Take) -> Result<()> {
        for id in ids {
            match self.store.get(id).await {
                Ok(found) => to.take(&[(*id, found)]).await?,
                Err(StorageError::Corrupt { .. }) => {
                    self.unreadable.insert(*id);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The kinds of records that a sweep gives, other than the vault's own.
fn is_swept(id: &RecordId) -> bool {
    let kind = id.collection().kind().as_u8();
    kind::OF_ROOT.contains(&kind) || kind::OF_ANY_REALM.contains(&kind)
}

/// The collections of a store, without the vault's own record. Records of a realm without a tag open nowhere, and are left out.
pub(crate) async fn collections(store: &dyn Store) -> Result<Vec<Collection>> {
    let mut all: Vec<Collection> = kind::OF_ROOT.map(|kind| Collection::root(Kind::new(kind))).into();
    for tag in list_root(store, kind::TAG).await?.iter().filter_map(tag_of) {
        for kind in kind::OF_ANY_REALM {
            all.push(Collection::new(Kind::new(kind), *tag.as_bytes())?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ibyok_storage::{Expect, MemoryStore};

    use super::*;

    #[derive(Default)]
    struct Taken {
        records: BTreeMap<RecordId, Stored>,
        /// Changes that another writer makes while the sweep runs.
        writes: Vec<(MemoryStore, RecordId, &'static [u8])>,
    }

    #[async_trait]
    impl Take for Taken {
        async fn take(&mut self, records: &[Swept]) -> Result<()> {
            for (id, stored) in records {
                match stored {
                    Some(stored) => drop(self.records.insert(*id, stored.clone())),
                    None => drop(self.records.remove(id)),
                }
            }
            for (store, id, bytes) in std::mem::take(&mut self.writes) {
                let there = store.get(&id).await?;
                let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
                store.put(&id, bytes, expect).await?;
            }
            Ok(())
        }
    }

    fn id(kind: u8, number: u8) -> RecordId {
        RecordId::new(Collection::new(Kind::new(kind), *b"aB3dE5gH").unwrap(), [number; 16])
    }

    async fn scene(store: &MemoryStore) {
        let tag = u128::from(u64::from_be_bytes(*b"aB3dE5gH")) << 64;
        let tag = RecordId::new(Collection::root(Kind::new(kind::TAG)), tag.to_be_bytes());
        store.put(&tag, b"tag", Expect::Absent).await.unwrap();
        store.put(&vault_record(), b"vault", Expect::Absent).await.unwrap();
        for kind in kind::OF_ANY_REALM {
            store.put(&id(kind, 1), b"old", Expect::Absent).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_sweep_gives_each_kind_and_what_others_write_meanwhile() {
        let store = MemoryStore::new();
        scene(&store).await;
        let mut taken = Taken::default();
        taken.writes.push((store.clone(), id(kind::TOKEN, 1), b"new"));
        taken.writes.push((store.clone(), id(kind::KEY, 2), b"late"));
        let mut sweep = Sweep::begin(&store).await.unwrap();
        let end = sweep.run(&mut taken).await.unwrap();
        assert_eq!(end, End::Whole { is_exact: true });
        assert_eq!(taken.records.len(), kind::OF_ANY_REALM.len() + 3);
        assert_eq!(taken.records[&id(kind::TOKEN, 1)].bytes, b"new");
        assert_eq!(taken.records[&id(kind::KEY, 2)].bytes, b"late");
        assert!(sweep.upto() >= sweep.from + 2);
    }

    #[tokio::test]
    async fn a_feed_that_lost_changes_ends_the_sweep() {
        let store = MemoryStore::keeping(1);
        scene(&store).await;
        let mut taken = Taken::default();
        for number in 2..9 {
            taken.writes.push((store.clone(), id(kind::KEY, number), b"x"));
        }
        let mut sweep = Sweep::begin(&store).await.unwrap();
        assert_eq!(sweep.run(&mut taken).await.unwrap(), End::Gap);
    }
}
