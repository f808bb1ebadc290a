use std::sync::Arc;

use ibyok_audit::FileSink;
use ibyok_crypto::{LocalKek, Secret};
use ibyok_policy::{Environments, Grant, Scope, Scopes};
use ibyok_storage::{Expect, MemoryStore, Store, StoreExt};

use crate::model::kind;
use crate::model::name::KeyId;
use crate::model::token::{AccessToken, TokenRequest};
use crate::realm::{Realm, RealmName};
use crate::{KeyRef, Vault};

/// A store, and any number of nodes on it.
struct Site {
    store: MemoryStore,
    scratch: tempfile::TempDir,
    key: KeyRef,
}

impl Site {
    async fn new() -> (Self, Vault) {
        let scratch = tempfile::tempdir().unwrap();
        LocalKek::create_file(&scratch.path().join("kek")).unwrap();
        let site = Site {
            store: MemoryStore::new(),
            scratch,
            key: "prod/openai".parse().unwrap(),
        };
        let vault = site.builder("audit").await.create().await.unwrap();
        let operator = vault.operator("test");
        operator.set_key(&site.key, Secret::copy_of(b"sk-1")).await.unwrap();
        (site, vault)
    }

    async fn builder(
        &self,
        audit: &str,
    ) -> crate::VaultBuilder<Arc<dyn ibyok_storage::Store>, Vec<Arc<dyn ibyok_crypto::Kek>>, FileSink> {
        let sink = FileSink::open(self.scratch.path().join(audit)).await.unwrap();
        let kek = LocalKek::from_file(&self.scratch.path().join("kek")).unwrap();
        Vault::builder().store(self.store.clone()).kek(kek).audit(sink)
    }

    async fn node(&self, audit: &str) -> Vault {
        self.builder(audit).await.open().await.unwrap()
    }

    async fn token(&self, vault: &Vault, name: &str) -> AccessToken {
        let scopes: Scopes = [Scope::KeysRead, Scope::KeysList].into();
        let grant = Grant::new(scopes, Environments::Named(["prod".to_owned()].into()));
        let issued = vault.operator("test").issue_token(TokenRequest::new(name, grant)).await;
        issued.unwrap().token
    }

    async fn realm(&self, vault: &Vault) -> (Arc<Realm>, KeyId) {
        let name = RealmName {
            namespace: Default::default(),
            environment: Some(self.key.environment().clone()),
        };
        let realm = vault.inner.realm(&name).await.unwrap().unwrap();
        let key = KeyId(realm.keys.record_id("openai"));
        (realm, key)
    }

    async fn read(&self, vault: &Vault, token: &AccessToken, times: usize) {
        for _ in 0..times {
            vault
                .retrieve(token, &self.key, &crate::RequestContext::default())
                .await
                .unwrap();
        }
    }

    /// Who read which version how often, by name.
    async fn consumers(&self, vault: &Vault) -> Vec<(String, u32, u64)> {
        let (realm, key) = self.realm(vault).await;
        let consumers = vault.inner.consumers(&realm, key).await.unwrap();
        let mut readers: Vec<_> = consumers
            .readers
            .into_iter()
            .map(|reader| (reader.name.unwrap_or_default(), reader.version, reader.count))
            .collect();
        readers.sort();
        readers
    }
}

#[tokio::test]
async fn a_read_is_known_at_once_where_it_was_made_and_after_a_restart() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    site.read(&vault, &worker, 3).await;
    assert_eq!(site.consumers(&vault).await, [("worker".to_owned(), 1, 3)]);
    let operator = vault.operator("test");
    operator.set_key(&site.key, Secret::copy_of(b"sk-2")).await.unwrap();
    site.read(&vault, &worker, 1).await;
    vault.close().await.unwrap();
    let vault = site.node("audit").await;
    site.read(&vault, &worker, 1).await;
    let expected = [("worker".to_owned(), 1, 3), ("worker".to_owned(), 2, 2)];
    assert_eq!(site.consumers(&vault).await, expected);
}

#[tokio::test]
async fn what_two_nodes_counted_adds_up() {
    let (site, one) = Site::new().await;
    let worker = site.token(&one, "worker").await;
    let two = site.node("audit-of-two").await;
    site.read(&one, &worker, 2).await;
    site.read(&two, &worker, 3).await;
    two.inner.flush_usage().await.unwrap();
    assert_eq!(site.consumers(&one).await, [("worker".to_owned(), 1, 5)]);
}

#[tokio::test]
async fn a_token_knows_what_it_was_used_for() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    site.read(&vault, &worker, 2).await;
    vault
        .as_token(worker.again())
        .list_keys(None, &Default::default())
        .await
        .unwrap();
    let (realm, key) = site.realm(&vault).await;
    let id = crate::token_id(&worker).unwrap();
    let used = vault.inner.use_of(&realm, id).await.unwrap();
    assert_eq!(used.scopes, [Scope::KeysRead, Scope::KeysList].into());
    assert_eq!(used.environments, ["prod".to_owned()].into());
    let [read] = used.keys.as_slice() else {
        panic!("{used:?}")
    };
    assert_eq!((read.id, read.name.as_deref(), read.count), (key, Some("openai"), 2));
    let since = vault.inner.now();
    let none = vault.inner.keys_read_by(&realm, id, since).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
}

#[tokio::test]
async fn a_node_that_went_away_while_it_counted_is_behind_and_one_that_closed_is_not() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    let (realm, key) = site.realm(&vault).await;
    for (log, closes) in [("closes", true), ("vanishes", false)] {
        let node = site.node(log).await;
        site.read(&node, &worker, 1).await;
        node.inner.flush_usage().await.unwrap();
        if closes {
            node.close().await.unwrap();
        }
        let vanished = node.inner.log.id().to_owned();
        drop(node);
        tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
        let behind = vault.inner.consumers(&realm, key).await.unwrap().behind;
        let nodes: Vec<_> = behind.iter().map(|behind| behind.node.as_str()).collect();
        assert_eq!(nodes.contains(&vanished.as_str()), !closes, "{behind:?}");
    }
}

#[tokio::test]
async fn a_damaged_record_of_counts_is_reported_and_hides_no_other() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    let other = site.node("audit-of-two").await;
    site.read(&other, &worker, 3).await;
    other.close().await.unwrap();
    let (realm, key) = site.realm(&vault).await;
    for kind in [kind::KEY_USE, kind::TOKEN_USE] {
        let all = site.store.list_all(&realm.collection(kind).unwrap()).await.unwrap();
        let [id] = all.as_slice() else { panic!("{all:?}") };
        let there = site.store.get(id).await.unwrap().unwrap();
        let expect = Expect::Revision(there.revision);
        site.store.put(id, b"garbage", expect).await.unwrap();
    }
    site.read(&vault, &worker, 2).await;
    let consumers = vault.inner.consumers(&realm, key).await.unwrap();
    assert_eq!((consumers.readers.len(), consumers.damaged), (1, 1));
    let id = crate::token_id(&worker).unwrap();
    let used = vault.inner.use_of(&realm, id).await.unwrap();
    assert_eq!((used.tally.live, used.damaged), (2, 1));
    let warnings = vault.status().await.unwrap().warnings;
    let damaged = warnings.iter().filter(|warning| warning.contains("is damaged"));
    assert_eq!(damaged.count(), 2, "{warnings:?}");
}
