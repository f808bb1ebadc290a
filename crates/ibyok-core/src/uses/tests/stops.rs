//! A store that does not answer any more from some put of counts on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};

use async_trait::async_trait;
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Error, Expect, Health, Limiter, MemoryStore, RecordId, RecordPut, Result,
    Revision, Store, Stored,
};

use crate::model::kind;

#[derive(Clone, Debug)]
pub(super) struct Stops {
    pub(super) inner: MemoryStore,
    /// The number of puts of counts that are still answered.
    pub(super) left: Arc<AtomicI64>,
    /// True if the first put that is not answered arrives.
    pub(super) arrives: Arc<AtomicBool>,
}

impl Stops {
    pub(super) fn new(inner: MemoryStore) -> Self {
        Stops {
            inner,
            left: Arc::new(AtomicI64::new(i64::MAX)),
            arrives: Arc::default(),
        }
    }

    pub(super) fn stop_after(&self, puts: i64, arrives: bool) {
        self.left.store(puts, SeqCst);
        self.arrives.store(arrives, SeqCst);
    }
}

#[async_trait]
impl Store for Stops {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.inner.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        let counts = [kind::KEY_USE, kind::TOKEN_USE, kind::SIGN].contains(&id.collection().kind().as_u8());
        let left = if counts { self.left.fetch_sub(1, SeqCst) } else { 1 };
        if left > 0 {
            return self.inner.put(id, bytes, expect).await;
        }
        if left == 0 && self.arrives.load(SeqCst) {
            self.inner.put(id, bytes, expect).await?;
        }
        Err(Error::unavailable("put", "the store does not answer"))
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        self.inner.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        // One by one, so that a stop may come between two of them.
        let Some(put) = puts.first() else { return Ok(Vec::new()) };
        Ok(vec![self.put(&put.id, put.bytes, put.expect).await?])
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
