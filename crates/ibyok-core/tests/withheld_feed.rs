//! A store that withholds its change feed: a running process heeds what another process of its place took away all the same.
#![expect(clippy::unwrap_used, reason = "what cannot be set up here is a failed test")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibyok_core::namespaces::NamespaceRemoval;
use ibyok_core::tokens::Descendants;
use ibyok_core::{
    AccessToken, Code, FileSink, Grant, LocalKek, MemoryStore, RequestContext, Secret, TokenRequest, Vault,
};
use ibyok_policy::{Environments, Scope, Scopes};
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Expect, Health, Limiter, RecordId, RecordPut, Result, Revision, Store, Stored,
};

/// A store that can stop to tell of changes.
#[derive(Clone, Debug, Default)]
struct Silent {
    inner: MemoryStore,
    silent: Arc<AtomicBool>,
}

#[async_trait]
impl Store for Silent {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.inner.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        self.inner.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        self.inner.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        self.inner.put_many(puts).await
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        self.inner.list(collection, after, limit).await
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        let mut changes = self.inner.changes(since).await?;
        if self.silent.load(Ordering::Acquire) {
            (changes.upto, changes.gap, changes.more) = (since, false, false);
            changes.changes.clear();
        }
        Ok(changes)
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

async fn open(place: &Path, store: Silent, new: bool) -> Vault {
    let builder = Vault::builder()
        .store(store)
        .kek(LocalKek::from_file(&place.join("kek")).unwrap())
        .audit(FileSink::open(place.join("audit")).await.unwrap());
    if new {
        builder.create().await.unwrap()
    } else {
        builder.open().await.unwrap()
    }
}

/// A server that is asked all the time, a command beside it on the same place, and a token.
async fn until_refused(vault: &Vault, token: &AccessToken, key: &str) -> Code {
    let (key, nowhere) = (key.parse().unwrap(), RequestContext::default());
    let patience = Instant::now() + Duration::from_secs(3);
    loop {
        match vault.retrieve(token, &key, &nowhere).await {
            Err(error) => return error.code(),
            Ok(_) => assert!(Instant::now() < patience, "it is still served"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_another_process_of_the_place_took_away_is_refused_although_the_feed_is_silent() {
    let place = tempfile::tempdir().unwrap();
    drop(LocalKek::create_file(&place.path().join("kek")).unwrap());
    let store = Silent::default();
    let server = open(place.path(), store.clone(), true).await;
    server
        .namespaces("host")
        .create(&"acme".parse().unwrap())
        .await
        .unwrap();
    let grant = || Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    let mut tokens = Vec::new();
    for namespace in ["default", "acme"] {
        let operator = server
            .operator("test")
            .in_namespace(namespace.parse().unwrap())
            .unwrap();
        let key = "prod/openai".parse().unwrap();
        operator.keys().set(&key, Secret::copy_of(b"a value")).await.unwrap();
        let issued = operator
            .tokens()
            .issue(TokenRequest::new("worker", grant()))
            .await
            .unwrap();
        tokens.push(issued.token);
    }
    for token in &tokens {
        let nowhere = RequestContext::default();
        server
            .retrieve(token, &"prod/openai".parse().unwrap(), &nowhere)
            .await
            .unwrap();
    }
    // The command sees the store as it is; the server is told of no change.
    let told = Silent {
        inner: store.inner.clone(),
        silent: Arc::default(),
    };
    let command = open(place.path(), told, false).await;
    store.silent.store(true, Ordering::Release);
    command
        .operator("test")
        .tokens()
        .revoke("worker", Descendants::Revoke)
        .await
        .unwrap();
    let removal = NamespaceRemoval::with_contents_of("acme");
    command
        .namespaces("host")
        .remove(&"acme".parse().unwrap(), &removal)
        .await
        .unwrap();
    for token in &tokens {
        let code = until_refused(&server, token, "prod/openai").await;
        assert!(matches!(code, Code::Unauthenticated | Code::Integrity), "{code:?}");
    }
}

#[tokio::test]
async fn what_another_process_took_away_is_refused_although_the_feed_is_silent_and_the_floors_are_another_file() {
    let place = tempfile::tempdir().unwrap();
    drop(LocalKek::create_file(&place.path().join("kek")).unwrap());
    let store = Silent::default();
    let server = open(place.path(), store.clone(), true).await;
    let operator = server.operator("test");
    let key = "prod/openai".parse().unwrap();
    operator.keys().set(&key, Secret::copy_of(b"a value")).await.unwrap();
    let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    let token = operator
        .tokens()
        .issue(TokenRequest::new("worker", grant))
        .await
        .unwrap();
    let told = Silent {
        inner: store.inner.clone(),
        silent: Arc::default(),
    };
    let command = open(place.path(), told, false).await;
    // The generation of the server's file is far above the one that lines of the log state.
    for number in 0..200 {
        let key = format!("dev/k{number}").parse().unwrap();
        operator.keys().set(&key, Secret::copy_of(b"a value")).await.unwrap();
    }
    server
        .retrieve(&token.token, &key, &RequestContext::default())
        .await
        .unwrap();
    store.silent.store(true, Ordering::Release);
    for file in ["floors", "floors-wal", "floors-shm"] {
        std::fs::remove_file(place.path().join("audit").join(file)).unwrap_or_default();
    }
    command
        .operator("test")
        .tokens()
        .revoke("worker", Descendants::Revoke)
        .await
        .unwrap();
    let code = until_refused(&server, &token.token, "prod/openai").await;
    assert_eq!(code, Code::Unauthenticated);
}
