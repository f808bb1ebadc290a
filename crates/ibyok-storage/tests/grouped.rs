//! A store that groups concurrent calls keeps every promise, and gives each call its own answer.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ibyok_storage::conformance::StoreHarness;
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Durability, Error, Expect, FileOptions, FileStore, GroupedStore, Health, Kind,
    Limiter, MemoryStore, RecordId, RecordPut, Result, Revision, Store, Stored,
};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

struct Grouped(TempDir);

#[async_trait]
impl StoreHarness for Grouped {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        let store = FileStore::open(self.0.path().join(place)).await?;
        Ok(Arc::new(GroupedStore::new(store)))
    }

    async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        let store = FileStore::open_with(self.0.path().join(place), FileOptions::new().keep_changes(5)).await?;
        Ok(Some((Arc::new(GroupedStore::new(store)), 5)))
    }

    fn durability(&self) -> Durability {
        Durability::PowerLoss
    }
}

ibyok_storage::store_conformance!(Grouped(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()));

/// A store that lets calls through one by one, counts them, and cannot read one record.
#[derive(Debug)]
struct Gate {
    inner: MemoryStore,
    open: Semaphore,
    calls: AtomicUsize,
    unreadable: RecordId,
    /// True if it does not answer batches.
    is_down: bool,
}

impl Gate {
    async fn pass(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        drop(self.open.acquire().await.unwrap());
    }
}

#[async_trait]
impl Store for Gate {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.pass().await;
        if *id == self.unreadable {
            return Err(Error::corrupt("a page", "it does not read"));
        }
        self.inner.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        self.pass().await;
        self.inner.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        self.pass().await;
        if ids.contains(&self.unreadable) {
            return Err(Error::corrupt("a page", "it does not read"));
        }
        self.inner.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        self.pass().await;
        if self.is_down {
            return Err(Error::unavailable("gate", "it is down"));
        }
        self.inner.put_many(puts).await
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        self.inner.list(collection, after, limit).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        self.inner.changes(since).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        self.inner.wait(since).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        self.inner.delete(id, expect).await
    }

    async fn scrub(&self) -> Result<Option<String>> {
        self.inner.scrub().await
    }

    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}

fn id(number: u16) -> RecordId {
    RecordId::new(Collection::root(Kind::new(3)), u128::from(number).to_be_bytes())
}

fn gate(is_down: bool) -> Arc<Gate> {
    Arc::new(Gate {
        inner: MemoryStore::new(),
        open: Semaphore::new(0),
        calls: AtomicUsize::new(0),
        unreadable: id(7),
        is_down,
    })
}

/// Lets every call through, now and later.
fn open(gate: &Gate) {
    gate.open.add_permits(1000);
}

#[tokio::test]
async fn concurrent_puts_share_a_batch_and_each_gets_its_own_answer() {
    let gate = gate(false);
    gate.inner.put(&id(40), b"there", Expect::Absent).await.unwrap();
    let store = GroupedStore::new(Arc::clone(&gate));
    let mut puts = JoinSet::new();
    for number in 0..100 {
        let store = store.clone();
        // Two tasks put record 50: one of them is refused.
        let number = if number == 51 { 50 } else { number };
        puts.spawn(async move {
            (
                number,
                store.put(&id(number), &number.to_be_bytes(), Expect::Absent).await,
            )
        });
    }
    // Each task has asked before the first call returns.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    open(&gate);
    let mut refused = Vec::new();
    for (number, answer) in puts.join_all().await {
        match answer {
            Ok(revision) => assert_eq!(gate.inner.get(&id(number)).await.unwrap().unwrap().revision, revision),
            Err(Error::Exists) => refused.push(number),
            Err(error) => panic!("{number}: {error}"),
        }
    }
    refused.sort_unstable();
    assert_eq!(refused, [40, 50]);
    let calls = gate.calls.load(Ordering::SeqCst);
    assert!(calls < 40, "{calls} calls for 100 puts, of which two are refused");
}

#[tokio::test]
async fn concurrent_gets_share_a_read_and_a_damaged_record_fails_alone() {
    let gate = gate(false);
    for number in 0..50 {
        gate.inner
            .put(&id(number), &number.to_be_bytes(), Expect::Absent)
            .await
            .unwrap();
    }
    let store = GroupedStore::new(Arc::clone(&gate));
    for (asked, most) in [(8..50, 20), (0..20, 60)] {
        let before = gate.calls.load(Ordering::SeqCst);
        let mut gets = JoinSet::new();
        for number in asked {
            let store = store.clone();
            gets.spawn(async move { (number, store.get(&id(number)).await) });
        }
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        open(&gate);
        for (number, answer) in gets.join_all().await {
            match answer {
                Ok(found) => assert_eq!(found.unwrap().bytes, number.to_be_bytes()),
                Err(Error::Corrupt { .. }) => assert_eq!(number, 7),
                Err(error) => panic!("{number}: {error}"),
            }
        }
        let calls = gate.calls.load(Ordering::SeqCst) - before;
        assert!(calls <= most, "{calls} calls");
        gate.open.forget_permits(1000);
    }
}

#[tokio::test]
async fn a_batch_without_an_answer_is_unknown_to_each_of_its_callers() {
    let gate = gate(true);
    let store = GroupedStore::new(Arc::clone(&gate));
    let mut puts = JoinSet::new();
    for number in 0..10 {
        let store = store.clone();
        puts.spawn(async move { store.put(&id(number), b"x", Expect::Absent).await });
    }
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    open(&gate);
    let answers = puts.join_all().await;
    let unknown = answers
        .iter()
        .filter(|answer| matches!(answer, Err(Error::Unavailable { .. })));
    assert_eq!(unknown.count(), 9, "{answers:?}");
}

#[tokio::test]
async fn a_caller_that_goes_away_blocks_no_other() {
    let gate = gate(false);
    let store = GroupedStore::new(Arc::clone(&gate));
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.put(&id(1), b"x", Expect::Absent).await }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let store = store.clone();
        async move { store.put(&id(2), b"x", Expect::Absent).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    open(&gate);
    second.await.unwrap().unwrap();
    store.put(&id(3), b"x", Expect::Absent).await.unwrap();
}
