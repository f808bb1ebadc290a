//! A store that asks many questions at once: concurrent reads share one question, and concurrent writes one transaction.

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::changes::{ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::health::Health;
use crate::lane::{Asked, Lane, Service, answered};
use crate::limiter::Limiter;
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision, Stored};
use crate::store::{MAX_RECORD, Store};

/// The name of the store in its own errors.
const BACKEND: &str = "grouped";

/// The number of reads that are under way before further ones wait for each other.
const READS: usize = 4;

/// A store that groups the concurrent calls of its callers.
///
/// A call goes straight to the store while few are under way. Calls that come meanwhile wait, and then go to the store together, with
/// [`Store::get_many`] or [`Store::put_many`]. So a caller that is alone waits for nobody, and many callers share the cost of a sync or
/// of a round trip. Each call gets its own answer: if a batch is refused because of one record, the others are written without it.
///
/// The calls must come from within a tokio runtime.
///
/// ```
/// use ibyok_storage::{Collection, Expect, GroupedStore, Kind, MemoryStore, RecordId, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ibyok_storage::Error> {
/// let store = GroupedStore::new(MemoryStore::new());
/// let id = RecordId::new(Collection::root(Kind::new(3)), [7; 16]);
/// let revision = store.put(&id, b"sealed bytes", Expect::Absent).await?;
/// assert_eq!(store.get(&id).await?.map(|stored| stored.revision), Some(revision));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GroupedStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    reads: Lane<RecordId, Option<Stored>>,
    writes: Lane<OwnedPut, Revision>,
}

/// A record that waits to be put.
struct OwnedPut {
    id: RecordId,
    bytes: Vec<u8>,
    expect: Expect,
}

impl OwnedPut {
    fn as_put(&self) -> RecordPut<'_> {
        RecordPut::new(self.id, &self.bytes, self.expect)
    }
}

impl GroupedStore {
    /// Groups the calls on a store.
    pub fn new(store: impl Store + 'static) -> Self {
        GroupedStore {
            shared: Arc::new(Shared {
                store: Arc::new(store),
                reads: Lane::new(READS),
                // One, because a database writes one transaction after the other anyway.
                writes: Lane::new(1),
            }),
        }
    }
}

impl Shared {
    /// Begins to ask the reads that wait.
    fn begin_reads(self: &Arc<Self>) {
        let serving = Service::new(self, |shared: &Shared| shared.reads.abandon());
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(batch) = shared.reads.next(|_| true) {
                shared.read(batch).await;
            }
            serving.end();
        });
    }

    /// Begins to make the writes that wait.
    fn begin_writes(self: &Arc<Self>) {
        let serving = Service::new(self, |shared: &Shared| shared.writes.abandon());
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(batch) = shared.next_writes() {
                shared.write(batch).await;
            }
            serving.end();
        });
    }

    fn next_writes(&self) -> Option<VecDeque<Asked<OwnedPut, Revision>>> {
        let (mut ids, mut bytes) = (HashSet::new(), 0_usize);
        self.writes.next(|put| {
            bytes = bytes.saturating_add(put.bytes.len());
            // The first put is always taken. A second put of its record waits for the next batch.
            (ids.is_empty() || bytes <= MAX_RECORD) && ids.insert(put.id)
        })
    }

    async fn read(&self, mut batch: VecDeque<Asked<RecordId, Option<Stored>>>) {
        while !batch.is_empty() {
            let ids: Vec<RecordId> = batch.iter().map(|asked| asked.question).collect();
            match self.store.get_many(&ids).await {
                Ok(found) if !found.is_empty() => {
                    for (asked, stored) in batch.drain(..found.len().min(ids.len())).zip(found) {
                        asked.answer(Ok(stored));
                    }
                }
                Err(error @ (Error::Unavailable { .. } | Error::Poisoned { .. })) => {
                    for asked in batch.drain(..) {
                        asked.answer(Err(error.repeated()));
                    }
                }
                // One of them may be damaged: each caller gets the answer about its own record.
                Ok(_) | Err(_) => {
                    for asked in batch.drain(..) {
                        let answer = self.store.get(&asked.question).await;
                        asked.answer(answer);
                    }
                }
            }
        }
    }

    async fn write(&self, batch: VecDeque<Asked<OwnedPut, Revision>>) {
        let mut parts = vec![batch];
        while let Some(mut batch) = parts.pop() {
            if batch.len() == 1 {
                for asked in batch {
                    let OwnedPut { id, bytes, expect } = &asked.question;
                    let answer = self.store.put(id, bytes, *expect).await;
                    asked.answer(answer);
                }
                continue;
            }
            let puts: Vec<RecordPut<'_>> = batch.iter().map(|asked| asked.question.as_put()).collect();
            let written = self.store.put_many(&puts).await;
            drop(puts);
            match written {
                Ok(written) if !written.is_empty() => {
                    let rest = batch.split_off(written.len().min(batch.len()));
                    for (asked, revision) in batch.into_iter().zip(written) {
                        asked.answer(Ok(revision));
                    }
                    parts.extend((!rest.is_empty()).then_some(rest));
                }
                Err(error @ (Error::Unavailable { .. } | Error::Poisoned { .. })) => {
                    for asked in batch {
                        asked.answer(Err(error.repeated()));
                    }
                }
                // Nothing was written, because of one of them or of more: the halves are tried.
                Ok(_) | Err(_) => {
                    let rest = batch.split_off(batch.len() / 2);
                    parts.extend([rest, batch]);
                }
            }
        }
    }
}

#[async_trait]
impl Store for GroupedStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        let shared = &self.shared;
        let entered = shared.reads.enter(|| *id, || shared.begin_reads());
        answered(BACKEND, entered, shared.store.get(id)).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        let shared = &self.shared;
        let question = || OwnedPut {
            id: *id,
            bytes: bytes.to_vec(),
            expect,
        };
        let entered = shared.writes.enter(question, || shared.begin_writes());
        answered(BACKEND, entered, shared.store.put(id, bytes, expect)).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        self.shared.store.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        self.shared.store.put_many(puts).await
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        self.shared.store.list(collection, after, limit).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        self.shared.store.changes(since).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        self.shared.store.wait(since).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        self.shared.store.delete(id, expect).await
    }

    async fn scrub(&self) -> Result<Option<String>> {
        self.shared.store.scrub().await
    }

    async fn check(&self) -> Result<Health> {
        self.shared.store.check().await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        self.shared.store.limiter()
    }
}
