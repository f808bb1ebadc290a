//! A disk that fails for a moment looks like a damaged store file: that is refused, and no finding is kept of it.
#![expect(clippy::unwrap_used, reason = "what cannot be set up here is a failed test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ibyok_core::{FileSink, LocalKek, MemoryStore, Secret, Vault};
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Error, Expect, Health, Limiter, RecordId, RecordPut, Result, Revision, Store,
    Stored,
};

/// The kind of the checkpoints of logs.
const CHECKPOINT: u8 = 129;

/// A store that cannot read checkpoints for a while.
#[derive(Clone, Debug, Default)]
struct Failing {
    inner: MemoryStore,
    fails: Arc<AtomicBool>,
}

#[async_trait]
impl Store for Failing {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        if id.collection().kind().as_u8() == CHECKPOINT && self.fails.load(Ordering::Acquire) {
            return Err(Error::corrupt("the store".to_owned(), "a page cannot be read"));
        }
        self.inner.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        self.inner.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        match ids.first() {
            Some(first) => Ok(vec![self.get(first).await?]),
            None => Ok(Vec::new()),
        }
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
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

    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }

    async fn scrub(&self) -> Result<Option<String>> {
        self.inner.scrub().await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}

async fn open(place: &Path, store: &Failing) -> Vault {
    let builder = Vault::builder()
        .store(store.clone())
        .kek(LocalKek::from_file(&place.join("kek")).unwrap())
        .audit(FileSink::open(place.join("audit")).await.unwrap());
    builder.open_or_create().await.unwrap()
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_for_a_moment_leaves_no_finding() {
    let place = tempfile::tempdir().unwrap();
    drop(LocalKek::create_file(&place.path().join("kek")).unwrap());
    let store = Failing::default();
    let key = "dev/a".parse().unwrap();
    let vault = open(place.path(), &store).await;
    vault
        .operator("test")
        .keys()
        .set(&key, Secret::copy_of(b"a value"))
        .await
        .unwrap();
    // While the log puts its last checkpoint into the store, and while the next process compares the log with it.
    store.fails.store(true, Ordering::Release);
    vault
        .operator("test")
        .keys()
        .set(&key, Secret::copy_of(b"the next value"))
        .await
        .unwrap();
    vault.close().await.ok();
    open(place.path(), &store).await.close().await.ok();
    store.fails.store(false, Ordering::Release);
    for _ in 0..2 {
        let vault = open(place.path(), &store).await;
        let floors = vault.status().await.unwrap().floors;
        assert!(floors.findings.is_empty(), "{:?}", floors.findings);
        let released = vault.operator("test").retrieve(&key).await.unwrap();
        assert_eq!(released.bytes().unwrap(), b"the next value");
        vault.close().await.unwrap();
    }
}
