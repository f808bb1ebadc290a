//! A store that reads and writes one record at a time serves a whole vault: batches are a matter of speed.

use async_trait::async_trait;
use ibyok_core::{FileSink, KeyRef, LocalKek, MemoryStore, Secret, Vault, audit::SinkDurability, pages::PageRequest};
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Expect, Health, Limiter, RecordId, RecordPut, Result, Revision, Store, Stored,
};
use tokio::task::JoinSet;

/// A store without batches.
#[derive(Debug)]
struct OneByOne(MemoryStore);

#[async_trait]
impl Store for OneByOne {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        tokio::task::yield_now().await;
        self.0.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        tokio::task::yield_now().await;
        self.0.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        match ids.first() {
            Some(first) => Ok(vec![self.get(first).await?]),
            None => Ok(Vec::new()),
        }
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        match RecordPut::first_batch(puts)?.first() {
            Some(put) => Ok(vec![self.put(&put.id, put.bytes, put.expect).await?]),
            None => Ok(Vec::new()),
        }
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        self.0.list(collection, after, limit).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        self.0.changes(since).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        self.0.wait(since).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        self.0.delete(id, expect).await
    }

    async fn scrub(&self) -> Result<Option<String>> {
        self.0.scrub().await
    }

    async fn check(&self) -> Result<Health> {
        self.0.check().await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        self.0.limiter()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_written_at_once_are_all_listed_once_in_pages_of_any_size() {
    let scratch = tempfile::tempdir().unwrap();
    let sink = FileSink::builder(scratch.path().join("audit")).durability(SinkDurability::Written);
    let builder = Vault::builder()
        .store(OneByOne(MemoryStore::new()))
        .kek(LocalKek::generate().unwrap());
    let vault = builder.audit(sink.open().await.unwrap()).create().await.unwrap();
    let mut writes = JoinSet::new();
    for number in 0..60 {
        let operator = vault.operator("os:test@here");
        writes.spawn(async move {
            let key: KeyRef = format!("dev/key-{number}").parse().unwrap();
            operator.keys().set(&key, Secret::copy_of(b"value")).await.unwrap();
        });
    }
    writes.join_all().await;
    let operator = vault.operator("os:test@here");
    for limit in [1, 7, 59, 60, 1000] {
        let mut names = Vec::new();
        let mut page = Some(PageRequest::default().limit(limit).last_use(true));
        while let Some(asked) = page {
            let found = operator.keys().list(None, &asked).await.unwrap();
            assert!(found.len() <= limit && !found.incomplete);
            page = asked.following(&found);
            names.extend(found.into_iter().map(|key| key.name.to_string()));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 60, "pages of {limit}");
    }
}
