//! One key is one record, and a record has a limit: the errors once its versions together reach the limit.

use async_trait::async_trait;
use ibyok_core::{Code, FileSink, KeyRef, LocalKek, MemoryStore, Secret, Store, Vault, audit::SinkDurability};
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Error, Expect, Health, Limiter, RecordId, RecordPut, Result, Revision, Stored,
};

/// The limit of the store here, which real stores have at 16 MiB.
const LIMIT: usize = 32 * 1024;

/// A store whose records are small.
#[derive(Debug)]
struct Small(MemoryStore);

#[async_trait]
impl Store for Small {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.0.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        if bytes.len() > LIMIT {
            return Err(Error::too_large(LIMIT));
        }
        self.0.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        self.0.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        if puts.iter().any(|put| put.bytes.len() > LIMIT) {
            return Err(Error::too_large(LIMIT));
        }
        self.0.put_many(puts).await
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

#[tokio::test]
async fn versions_that_fill_their_record_are_refused_with_what_frees_it() {
    let scratch = tempfile::tempdir().unwrap();
    let sink = FileSink::builder(scratch.path().join("audit")).durability(SinkDurability::Written);
    let builder = Vault::builder()
        .store(Small(MemoryStore::new()))
        .kek(LocalKek::generate().unwrap());
    let vault = builder.audit(sink.open().await.unwrap()).create().await.unwrap();
    let operator = vault.operator("os:test@here");
    let key: KeyRef = "dev/large".parse().unwrap();
    let mut written = 0;
    let refused = loop {
        match operator.keys().set(&key, Secret::copy_of(&[b'x'; 4096])).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!((2..8).contains(&written), "{written} versions of 4 KiB in 32");
    assert_eq!(refused.code(), Code::TooLarge, "{refused}");
    assert!(refused.to_string().contains("all its versions"), "{refused}");
    assert_eq!(refused.remedy(), Some(ibyok_core::errors::Remedy::DestroyVersions));

    // It is served as before, may be changed, and taken away.
    assert_eq!(operator.retrieve(&key).await.unwrap().info().version, written);
    operator.keys().disable(&key).await.unwrap();
    operator.keys().remove(&key).await.unwrap();
    operator.keys().set(&key, Secret::copy_of(b"y")).await.unwrap();
}
