use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::changes::{Change, ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::health::{Durability, Health};
use crate::limiter::Limiter;
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision, Stored};
use crate::store::{LIST_LIMIT, MAX_RECORD, Store};

/// The number of changes that the feed keeps.
const FEED: usize = 10_000;

/// A store in memory: for tests, and for data that need not outlive the process.
///
/// A clone is another handle on the same data, as another node would have.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    data: Mutex<Data>,
    /// The newest change number, for callers that wait.
    newest: watch::Sender<u64>,
}

struct Data {
    records: BTreeMap<RecordId, Stored>,
    feed: VecDeque<Change>,
    keep: usize,
    revision: u64,
    change: u64,
}

impl MemoryStore {
    /// A new, empty store, whose change feed reaches back 10,000 changes.
    pub fn new() -> Self {
        Self::keeping(FEED)
    }

    /// A new, empty store, whose change feed reaches back `changes` changes only.
    pub fn keeping(changes: usize) -> Self {
        let data = Data {
            records: BTreeMap::new(),
            feed: VecDeque::new(),
            keep: changes,
            revision: 0,
            change: 0,
        };
        MemoryStore {
            shared: Arc::new(Shared {
                data: Mutex::new(data),
                newest: watch::Sender::new(0),
            }),
        }
    }

    /// Nothing in here panics half-way through a change, so the data of a poisoned lock is whole.
    fn data(&self) -> MutexGuard<'_, Data> {
        self.shared.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.data().records.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        Ok(self.data().records.get(id).cloned())
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        if bytes.len() > MAX_RECORD {
            return Err(Error::too_large(MAX_RECORD));
        }
        let mut data = self.data();
        data.refuse_if_sealed(Some(id))?;
        data.compare(id, expect)?;
        Ok(self.insert(&mut data, id, bytes))
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        let data = self.data();
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        for id in ids.iter().take(LIST_LIMIT) {
            let stored = data.records.get(id);
            bytes = bytes.saturating_add(stored.map_or(0, |stored| stored.bytes.len()));
            if bytes > MAX_RECORD && !found.is_empty() {
                break;
            }
            found.push(stored.cloned());
        }
        Ok(found)
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let puts = RecordPut::first_batch(puts)?;
        let mut data = self.data();
        puts.iter().try_for_each(|put| data.refuse_if_sealed(Some(&put.id)))?;
        puts.iter().try_for_each(|put| data.compare(&put.id, put.expect))?;
        let written = puts.iter().map(|put| self.insert(&mut data, &put.id, put.bytes));
        Ok(written.collect())
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        collection.check_after(after)?;
        let first = RecordId::new(*collection, [0; 16]);
        let from = after.map_or(Included(&first), Excluded);
        let data = self.data();
        let there = data.records.range((from, Unbounded)).map(|(id, _)| *id);
        Ok(there
            .take_while(|id| id.collection() == collection)
            .take(limit.min(LIST_LIMIT))
            .collect())
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        let data = self.data();
        data.refuse_if_sealed(None)?;
        let newest = ChangeNumber::new(data.change);
        let forgotten = ChangeNumber::new(data.change - data.feed.len() as u64);
        if since > newest || since < forgotten {
            return Ok(Changes::lost(newest));
        }
        let skip = usize::try_from(since.as_u64() - forgotten.as_u64()).unwrap_or(usize::MAX);
        let changes: Vec<Change> = data.feed.iter().skip(skip).take(Changes::LIMIT).copied().collect();
        Ok(Changes::told(changes, newest))
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        let mut newest = self.shared.newest.subscribe();
        let changed = newest.wait_for(|newest| *newest != since.as_u64()).await;
        changed.map(|_| ()).map_err(|gone| Error::unavailable("memory", gone))
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        let mut data = self.data();
        data.refuse_if_sealed(Some(id))?;
        data.compare(id, Expect::Revision(expect))?;
        data.records.remove(id);
        self.tell(&mut data, id);
        Ok(())
    }

    async fn scrub(&self) -> Result<Option<String>> {
        Ok(Some("freed memory holds it until it is used again".to_owned()))
    }

    async fn check(&self) -> Result<Health> {
        let records = self.data().records.len();
        Ok(Health::new("memory", Durability::None).with("records", records.to_string()))
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}

impl Data {
    /// Refuses the feed, or a write of a record other than the seal, while there is a seal.
    fn refuse_if_sealed(&self, id: Option<&RecordId>) -> Result<()> {
        match self.records.get(&RecordId::SEAL) {
            Some(seal) if id != Some(&RecordId::SEAL) => Err(Error::sealed(&seal.bytes)),
            _ => Ok(()),
        }
    }

    fn compare(&self, id: &RecordId, expect: Expect) -> Result<()> {
        expect.compare(self.records.get(id).map(|stored| stored.revision))
    }
}

impl MemoryStore {
    /// Writes a record that is as expected, and its change.
    fn insert(&self, data: &mut Data, id: &RecordId, bytes: &[u8]) -> Revision {
        // One counter for all records, so that a record that is made again never repeats a revision.
        data.revision += 1;
        let revision = Revision::new(data.revision);
        data.records.insert(*id, Stored::new(bytes.to_vec(), revision));
        self.tell(data, id);
        revision
    }

    /// Puts a change on the feed, under the same lock as the change itself.
    fn tell(&self, data: &mut Data, id: &RecordId) {
        if id.collection().kind().is_quiet() {
            return;
        }
        data.change += 1;
        let number = ChangeNumber::new(data.change);
        data.feed.push_back(Change { number, id: *id });
        while data.feed.len() > data.keep {
            data.feed.pop_front();
        }
        self.shared.newest.send_replace(data.change);
    }
}
