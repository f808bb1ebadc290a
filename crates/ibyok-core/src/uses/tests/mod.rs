mod forged;
mod sheets;
mod stops;

use std::sync::Arc;

use ibyok_audit::FileSink;
use ibyok_crypto::{LocalKek, Secret};
use ibyok_policy::{Environments, Grant, Scope, Scopes};
use ibyok_storage::{Expect, MemoryStore, Store, StoreExt};
use jiff::Timestamp;

use self::stops::Stops;
use super::count::{Once, UseKey, Whereto};
use super::rollup::RollupId;
use super::{Caller, UsageBy, UsageRequest, day_of, rollup};
use crate::gate::meter::Ended;
use crate::model::kind;
use crate::model::name::KeyId;
use crate::model::token::{AccessToken, TokenRequest};
use crate::realm::{Realm, RealmName};
use crate::{Code, KeyRef, Vault};

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
        operator.keys().set(&site.key, Secret::copy_of(b"sk-1")).await.unwrap();
        (site, vault)
    }

    async fn builder(
        &self,
        audit: &str,
    ) -> crate::VaultBuilder<Arc<dyn ibyok_storage::Store>, ibyok_crypto::Keyring, FileSink> {
        let sink = FileSink::open(self.scratch.path().join(audit)).await.unwrap();
        let kek = LocalKek::from_file(&self.scratch.path().join("kek")).unwrap();
        Vault::builder().store(self.store.clone()).kek(kek).audit(sink)
    }

    async fn node(&self, audit: &str) -> Vault {
        self.builder(audit).await.open().await.unwrap()
    }

    /// Opens the next process in the same place, after one that did not close: it continues the same log.
    async fn after_a_crash(&self, vault: Vault) -> Vault {
        let log = vault.inner.recorder.log.id().to_owned();
        drop(vault);
        loop {
            let vault = self.node("audit").await;
            if vault.inner.recorder.log.id() == log {
                return vault;
            }
            // The log of the process that is gone is still being given free.
            vault.close().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn node_on(&self, audit: &str, store: Stops) -> Vault {
        let sink = FileSink::open(self.scratch.path().join(audit)).await.unwrap();
        let kek = LocalKek::from_file(&self.scratch.path().join("kek")).unwrap();
        let builder = Vault::builder().store(store).kek(kek).audit(sink);
        builder.open().await.unwrap()
    }

    async fn token(&self, vault: &Vault, name: &str) -> AccessToken {
        let scopes: Scopes = [Scope::KeysRead, Scope::KeysList].into();
        let grant = Grant::new(scopes, Environments::Named(["prod".to_owned()].into()));
        let issued = vault
            .operator("test")
            .tokens()
            .issue(TokenRequest::new(name, grant))
            .await;
        issued.unwrap().token
    }

    async fn realm(&self, vault: &Vault) -> (Arc<Realm>, KeyId) {
        let name = RealmName {
            namespace: Default::default(),
            environment: Some(self.key.environment().clone()),
        };
        let realm = vault.inner.records.realm(&name).await.unwrap().unwrap();
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

    /// Returns the readers of each version by name, with the number of their reads.
    async fn consumers(&self, vault: &Vault) -> Vec<(String, u32, u64)> {
        let (realm, key) = self.realm(vault).await;
        let consumers = vault.inner.usage.consumers(&realm, key).await.unwrap();
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
    operator.keys().set(&site.key, Secret::copy_of(b"sk-2")).await.unwrap();
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
    two.inner.usage.flush_usage().await.unwrap();
    assert_eq!(site.consumers(&one).await, [("worker".to_owned(), 1, 5)]);
}

#[tokio::test]
async fn a_token_knows_what_it_was_used_for() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    site.read(&vault, &worker, 2).await;
    vault
        .as_token(&worker)
        .keys()
        .list(None, &Default::default())
        .await
        .unwrap();
    let (realm, key) = site.realm(&vault).await;
    let id = crate::tokens::token_id(&worker).unwrap();
    let used = vault.inner.usage.use_of(&realm, id).await.unwrap();
    assert_eq!(used.scopes, [Scope::KeysRead, Scope::KeysList].into());
    assert_eq!(used.environments, ["prod".to_owned()].into());
    let [read] = used.keys.as_slice() else {
        panic!("{used:?}")
    };
    assert_eq!((read.id, read.name.as_deref(), read.count), (key, Some("openai"), 2));
    let since = vault.inner.records.now();
    let (none, complete) = vault.inner.usage.keys_read_by(&realm, id, since).await.unwrap();
    assert!(none.is_empty() && complete, "{none:?}");
}

#[tokio::test]
async fn who_read_mocks_has_seen_no_value_and_damaged_counts_may_hide_one() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    let (realm, _) = site.realm(&vault).await;
    let id = crate::tokens::token_id(&worker).unwrap();
    let staging: KeyRef = "staging/openai".parse().unwrap();
    vault
        .operator("test")
        .keys()
        .set(&staging, Secret::copy_of(b"sk-1"))
        .await
        .unwrap();
    let grant = Grant::new([Scope::KeysRead].into(), Environments::named(["staging"]));
    let tester = vault
        .operator("test")
        .tokens()
        .issue(TokenRequest::new("tester", grant))
        .await
        .unwrap();
    let mock = Some(crate::modes::Mode::Mock);
    vault.operator("test").modes().set_of_key(&staging, mock).await.unwrap();
    let nowhere = crate::RequestContext::default();
    vault.retrieve(&tester.token, &staging, &nowhere).await.unwrap();
    let revoked = vault
        .operator("test")
        .tokens()
        .revoke("tester", crate::tokens::Descendants::Revoke)
        .await
        .unwrap();
    assert!(
        revoked.read_keys.is_empty() && revoked.read_keys_complete,
        "{revoked:?}"
    );

    let other = site.node("audit-of-two").await;
    site.read(&other, &worker, 1).await;
    other.close().await.unwrap();
    let all = site
        .store
        .list_all(&realm.collection(kind::TOKEN_USE).unwrap())
        .await
        .unwrap();
    let [record] = all.as_slice() else { panic!("{all:?}") };
    let there = site.store.get(record).await.unwrap().unwrap();
    site.store
        .put(record, b"garbage", Expect::Revision(there.revision))
        .await
        .unwrap();
    let (keys, complete) = vault
        .inner
        .usage
        .keys_read_by(&realm, id, Timestamp::MIN)
        .await
        .unwrap();
    assert!(keys.is_empty() && !complete);
}

#[tokio::test]
async fn a_node_that_went_away_while_it_counted_is_behind_and_one_that_closed_is_not() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    let (realm, key) = site.realm(&vault).await;
    for (log, closes) in [("closes", true), ("vanishes", false)] {
        let node = site.node(log).await;
        site.read(&node, &worker, 1).await;
        node.inner.usage.flush_usage().await.unwrap();
        if closes {
            node.close().await.unwrap();
        }
        let vanished = node.inner.recorder.log.id().to_owned();
        drop(node);
        tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
        let behind = vault.inner.usage.consumers(&realm, key).await.unwrap().behind;
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
    let consumers = vault.inner.usage.consumers(&realm, key).await.unwrap();
    assert_eq!((consumers.readers.len(), consumers.damaged), (1, 1));
    let id = crate::tokens::token_id(&worker).unwrap();
    let used = vault.inner.usage.use_of(&realm, id).await.unwrap();
    assert_eq!((used.tally.live, used.damaged), (2, 1));
    let warnings = vault.status().await.unwrap().warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.starts_with("2 more records are damaged")),
        "{warnings:?}"
    );
}

/// Returns the uses of a token by its own records, and of a key by its readers: each counted once.
async fn counts(site: &Site, vault: &Vault, token: &AccessToken) -> (u64, u64, u64) {
    let (realm, key) = site.realm(vault).await;
    let readers = vault.inner.usage.consumers(&realm, key).await.unwrap().readers;
    let used = vault
        .inner
        .usage
        .use_of(&realm, crate::tokens::token_id(token).unwrap())
        .await
        .unwrap();
    (
        readers.iter().map(|reader| reader.count).sum(),
        used.tally.live,
        used.tally.denied,
    )
}

#[tokio::test]
async fn a_node_that_was_killed_counts_the_rest_from_its_log_and_nothing_twice() {
    for arrives in [false, true] {
        for puts in 0..8 {
            let (site, vault) = Site::new().await;
            let worker = site.token(&vault, "worker").await;
            vault.close().await.unwrap();
            let store = Stops::new(site.store.clone());
            let vault = site.node_on("audit", store.clone()).await;
            site.read(&vault, &worker, 2).await;
            vault.inner.usage.flush_usage().await.unwrap();
            site.read(&vault, &worker, 3).await;
            let denied: KeyRef = "dev/other".parse().unwrap();
            vault.retrieve(&worker, &denied, &Default::default()).await.unwrap_err();
            store.stop_after(puts, arrives);
            // From here on the store takes some of it and no more; a write that is tried again is lost as well.
            drop(vault.inner.usage.flush_usage().await);
            site.read(&vault, &worker, 1).await;
            drop(vault.inner.usage.flush_usage().await);
            let vault = site.after_a_crash(vault).await;
            site.read(&vault, &worker, 1).await;
            assert_eq!(
                counts(&site, &vault, &worker).await,
                (7, 7, 1),
                "{puts} puts, {arrives}"
            );
            vault.close().await.unwrap();
            let vault = site.node("audit").await;
            assert_eq!(
                counts(&site, &vault, &worker).await,
                (7, 7, 1),
                "{puts} puts, {arrives}, again"
            );
        }
    }
}

#[tokio::test]
async fn without_the_mark_beside_the_log_the_whole_log_is_looked_at_and_nothing_counted_twice() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    site.read(&vault, &worker, 3).await;
    vault.close().await.unwrap();
    for garbage in [None, Some(""), Some("0 open\n"), Some("99999999999 closed\n")] {
        let mark = site.scratch.path().join("audit/slot-0/usage");
        std::fs::remove_file(&mark).unwrap();
        if let Some(garbage) = garbage {
            std::fs::write(&mark, garbage).unwrap();
        }
        let vault = site.node("audit").await;
        assert_eq!(counts(&site, &vault, &worker).await, (3, 3, 0), "{garbage:?}");
        vault.close().await.unwrap();
    }
}

#[tokio::test]
async fn counts_survive_a_store_that_does_not_answer_for_a_while() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    vault.close().await.unwrap();
    let store = Stops::new(site.store.clone());
    let vault = site.node_on("audit", store.clone()).await;
    for (puts, arrives) in [(0, false), (0, true), (1, false), (1, true), (2, true)] {
        store.stop_after(puts, arrives);
        site.read(&vault, &worker, 1).await;
        drop(vault.inner.usage.flush_usage().await);
        site.read(&vault, &worker, 1).await;
        drop(vault.inner.usage.flush_usage().await);
        store.stop_after(i64::MAX, false);
    }
    assert_eq!(counts(&site, &vault, &worker).await, (10, 10, 0));
}

#[tokio::test]
async fn an_older_record_that_the_store_gives_back_is_written_anew_by_its_node() {
    let (site, vault) = Site::new().await;
    let worker = site.token(&vault, "worker").await;
    let (realm, _) = site.realm(&vault).await;
    site.read(&vault, &worker, 1).await;
    vault.inner.usage.flush_usage().await.unwrap();
    let all = site
        .store
        .list_all(&realm.collection(kind::KEY_USE).unwrap())
        .await
        .unwrap();
    let [id] = all.as_slice() else { panic!("{all:?}") };
    let old = site.store.get(id).await.unwrap().unwrap().bytes;
    for _ in 0..3 {
        site.read(&vault, &worker, 1).await;
        vault.inner.usage.flush_usage().await.unwrap();
    }
    let now = site.store.get(id).await.unwrap().unwrap().revision;
    site.store.put(id, &old, Expect::Revision(now)).await.unwrap();
    site.read(&vault, &worker, 1).await;
    assert_eq!(counts(&site, &vault, &worker).await, (5, 5, 0));
}

#[tokio::test]
async fn a_key_with_a_thousand_readers_names_each() {
    let (site, vault) = Site::new().await;
    let mut uses = Vec::new();
    let (realm, key) = site.realm(&vault).await;
    for number in 0..1000u128 {
        let id = ibyok_policy::TokenId::new(*realm.tag().as_bytes(), number.to_be_bytes()).unwrap();
        uses.push(Caller::Token(id));
    }
    for round in 1..=2 {
        for caller in &uses {
            let key = UseKey {
                caller: caller.clone(),
                key: Some((realm.tag(), key)),
                version: Some(1),
                day: day_of(vault.inner.records.now()),
            };
            let once = Once {
                ended: Ended::Live,
                count: 1,
                at: vault.inner.records.now(),
                source: None,
            };
            let flight = vault.inner.counting.take_off();
            vault.inner.counting.note(flight, 1, key, once, || Whereto {
                key_realm: Some(realm.clone()),
                ..Whereto::default()
            });
        }
        let readers = vault.inner.usage.consumers(&realm, key).await.unwrap().readers;
        assert_eq!(
            (readers.len(), readers.iter().all(|reader| reader.count == round)),
            (1000, true)
        );
    }
    let records = site
        .store
        .list_all(&realm.collection(kind::KEY_USE).unwrap())
        .await
        .unwrap();
    assert_eq!(records.len(), 1000usize.div_ceil(rollup::ROWS_MAX));
}

#[tokio::test]
async fn counts_are_forgotten_after_400_days_and_not_before() {
    let (site, vault) = Site::new().await;
    let (realm, key) = site.realm(&vault).await;
    let today = day_of(vault.inner.records.now());
    let days = [today - 401, today - 399, today, today + 3650];
    for day in days {
        let of = RollupId::of(rollup::Subject::Key(key), day, [1; 5], 0);
        let id = realm.record(kind::KEY_USE, of.bytes()).unwrap();
        site.store.put(&id, b"of another node", Expect::Absent).await.unwrap();
    }
    assert_eq!(vault.inner.usage.forget_some().await.unwrap(), 1);
    let left = site
        .store
        .list_all(&realm.collection(kind::KEY_USE).unwrap())
        .await
        .unwrap();
    let left: Vec<u16> = left.iter().map(|id| RollupId::parse(id.id()).unwrap().day).collect();
    assert_eq!(left, days[1..]);
}

#[tokio::test]
async fn usage_is_shown_for_the_keys_that_a_token_may_see_the_usage_of_and_no_others() {
    let (site, vault) = Site::new().await;
    let operator = vault.operator("test");
    for key in ["prod/stripe", "dev/openai"] {
        operator
            .keys()
            .set(&key.parse().unwrap(), Secret::copy_of(b"sk"))
            .await
            .unwrap();
        operator.retrieve(&key.parse().unwrap()).await.unwrap();
    }
    let worker = site.token(&vault, "worker").await;
    site.read(&vault, &worker, 2).await;
    let of_dev: KeyRef = "dev/openai".parse().unwrap();
    vault.retrieve(&worker, &of_dev, &Default::default()).await.unwrap_err();
    let mut grant = Grant::new(
        [Scope::UsageRead].into(),
        Environments::Named(["prod".to_owned()].into()),
    );
    grant.keys = Some(vec!["open*".parse().unwrap()]);
    let issued = operator
        .tokens()
        .issue(TokenRequest::new("reader", grant))
        .await
        .unwrap();
    let reader = vault.as_token(&issued.token);
    for by in UsageBy::ALL {
        let report = reader.usage().report(&UsageRequest::new(by)).await.unwrap();
        let sums: Vec<_> = report.items.iter().map(|item| (item.allowed, item.denied)).collect();
        assert_eq!(sums, [(2, 0)], "{by}");
    }
    let all = operator
        .usage()
        .report(&UsageRequest::new(UsageBy::Env))
        .await
        .unwrap()
        .items;
    let sums: Vec<_> = all
        .iter()
        .map(|item| (item.allowed, item.denied, item.consumers))
        .collect();
    assert_eq!(sums, [(3, 1, 2), (1, 0, 1)]);
    for (key, code) in [
        ("prod/stripe", Code::Denied),
        ("prod/nothing", Code::Denied),
        ("prod/openness", Code::NotFound),
    ] {
        let asked = UsageRequest::new(UsageBy::Key).key(key.parse().unwrap());
        assert_eq!(reader.usage().report(&asked).await.unwrap_err().code(), code, "{key}");
    }
    let blind = vault.as_token(&worker).usage().report(&UsageRequest::default()).await;
    assert_eq!(blind.unwrap_err().code(), Code::Denied);
    operator.keys().remove(&site.key).await.unwrap();
    let gone = operator.usage().report(&UsageRequest::default()).await.unwrap().items;
    assert_eq!(
        gone[0].reference.as_deref(),
        Some("prod/openai"),
        "a key that was removed keeps its name"
    );
}
