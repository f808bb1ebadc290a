//! The store, as an attacker sees it who can write to it and has no key.

use std::time::Duration;

use ibyok_storage::{ChangeNumber, Collection, Expect, FileStore, Kind, RecordId, Store, StoreExt};

use crate::home::Home;

/// A home's store file, opened behind the vault's back.
#[derive(Debug)]
pub struct Behind<'a> {
    home: &'a Home,
}

impl Home {
    /// Returns the store, as an attacker sees it who can write to it and has no key.
    #[must_use]
    pub fn behind(&self) -> Behind<'_> {
        Behind { home: self }
    }
}

impl Behind<'_> {
    fn with<T>(&self, work: impl AsyncFnOnce(&FileStore) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let done = runtime.block_on(async {
            let store = FileStore::open(self.home.vault().join("vault.db"))
                .await
                .expect("a store");
            work(&store).await
        });
        self.wait_until_closed();
        done
    }

    /// Waits until this process has no file of the store open. SQLite's threads close them after the store is dropped, and the last
    /// one takes `vault.db-wal` away: a copy that is made meanwhile would miss it.
    fn wait_until_closed(&self) {
        let store = self.home.vault().join("vault.db");
        let store = store.to_str().expect("a path of text");
        crate::wait_until("the store is closed", Duration::from_secs(10), || {
            let open = std::fs::read_dir("/proc/self/fd").expect("the open files");
            let mut open = open.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
            !open.any(|file| file.to_str().is_some_and(|file| file.starts_with(store)))
        });
    }

    /// Moves all of it into `vault.db`, so that this file alone is the store.
    ///
    /// # Panics
    /// If a program uses it.
    pub fn settle(&self) {
        self.with(async |store| store.checkpoint_truncate().await.expect("nobody uses it"));
    }

    /// The record of the key or token that was written last.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn newest(&self) -> RecordId {
        self.with(async |store| {
            let mut since = ChangeNumber::new(0);
            let mut last = None;
            loop {
                let changes = store.changes(since).await.expect("changes");
                // Keys and tokens are kinds 3 and 4; checkpoints of the log come after them.
                let kept = changes
                    .changes
                    .iter()
                    .rfind(|change| matches!(change.id.collection().kind().as_u8(), 3 | 4));
                last = kept.map(|change| change.id).or(last);
                since = changes.upto;
                if !changes.more {
                    return last.expect("a key or a token was written");
                }
            }
        })
    }

    /// Every record of the vault, of every kind.
    ///
    /// # Panics
    /// If the store cannot be read.
    #[must_use]
    pub fn records(&self) -> Vec<RecordId> {
        self.with(async |store| {
            let root = |kind| Collection::root(Kind::new(kind));
            let tags = store.list_all(&root(2)).await.expect("a store");
            let mut all = tags.clone();
            for kind in [0, 1, 11] {
                all.extend(store.list_all(&root(kind)).await.expect("a store"));
            }
            for tag in tags {
                let tag: [u8; 8] = tag.id()[..8].try_into().expect("a tag");
                for kind in (3..=10).chain(128..=131) {
                    let collection = Collection::new(Kind::new(kind), tag).expect("a collection");
                    all.extend(store.list_all(&collection).await.expect("a store"));
                }
            }
            all
        })
    }

    /// Removes a record, as nothing in the vault does.
    ///
    /// # Panics
    /// If it is not there.
    pub fn delete(&self, id: RecordId) {
        self.with(async |store| {
            let there = store.get(&id).await.expect("a store").expect("a record").revision;
            store.delete(&id, there).await.expect("a delete");
        });
    }

    /// Returns the bytes of a record.
    ///
    /// # Panics
    /// If the record is not there.
    #[must_use]
    pub fn bytes(&self, id: RecordId) -> Vec<u8> {
        self.with(async |store| store.get(&id).await.expect("a store").expect("a record").bytes)
    }

    /// Puts other bytes in its place.
    ///
    /// # Panics
    /// If it is not there.
    pub fn put(&self, id: RecordId, bytes: &[u8]) {
        self.with(async |store| {
            let there = store.get(&id).await.expect("a store").expect("a record").revision;
            store.put(&id, bytes, Expect::Revision(there)).await.expect("a put");
        });
    }

    /// Every record with its bytes, as a copy of the store keeps them.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(RecordId, Vec<u8>)> {
        let ids = self.records();
        self.with(async |store| {
            let mut all = Vec::new();
            for id in ids {
                let stored = store.get(&id).await.expect("a store").expect("a record");
                all.push((id, stored.bytes));
            }
            all
        })
    }

    /// Puts records in the place of those that are there, or where there are none.
    ///
    /// # Panics
    /// If the store cannot be written.
    pub fn put_back<'a>(&self, records: impl IntoIterator<Item = &'a (RecordId, Vec<u8>)>) {
        self.with(async |store| {
            for (id, bytes) in records {
                let there = store.get(id).await.expect("a store");
                let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
                store.put(id, bytes, expect).await.expect("a put");
            }
        });
    }
}
