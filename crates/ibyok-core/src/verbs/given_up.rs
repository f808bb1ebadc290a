//! Records that may be whole are not given up, and an acceptance that was cut short is ended by the same command.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ibyok_audit::FileSink;
use ibyok_crypto::{LocalKek, RealmKeys, Secret};
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Error as StorageError, Expect, Health, Limiter, MemoryStore, RecordId,
    RecordPut, Result, Revision, Store, Stored,
};

use crate::forging::scene;
use crate::model::kind;
use crate::model::name::KeyId;
use crate::{Code, Vault, errors::Damage};

/// A store that calls one record damaged, as SQLite does where a page does not read.
#[derive(Clone, Debug, Default)]
struct BadPage {
    inner: MemoryStore,
    bad: Arc<Mutex<Option<RecordId>>>,
    /// A record that cannot be written.
    stuck: Arc<Mutex<Option<RecordId>>>,
}

impl BadPage {
    fn damage(&self, id: Option<RecordId>) {
        *self.bad.lock().unwrap() = id;
    }

    fn looks_at(&self, id: &RecordId) -> Result<()> {
        match *self.bad.lock().unwrap() == Some(*id) {
            true => Err(StorageError::corrupt("the database", "a page does not read")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Store for BadPage {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        self.looks_at(id)?;
        self.inner.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        if *self.stuck.lock().unwrap() == Some(*id) {
            return Err(StorageError::unavailable("put", "the disk is full"));
        }
        self.inner.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        ids.iter().try_for_each(|id| self.looks_at(id))?;
        self.inner.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
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

#[tokio::test]
async fn an_environment_whose_kek_was_not_given_is_not_given_up() {
    let scene = scene().await;
    let inner = &scene.vault.inner;
    let id = scene.prod.name.record_id(inner.records.vault);
    let whole = scene.store.get(&id).await.unwrap().unwrap();
    // The same environment under a KEK that this node does not have.
    let kek = LocalKek::generate().unwrap();
    let attributes = serde_json::to_vec(&scene.prod.attributes).unwrap();
    let identity = scene.prod.keys.identity().clone();
    let (_, elsewhere) = RealmKeys::create(identity, &attributes, 1, &kek).await.unwrap();
    scene.write(&id, &elsewhere).await;
    let operator = scene.vault.operator("test");
    for which in ["prod".to_owned(), id.to_string()] {
        let error = operator.environments().remove_damaged(&which).await.unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{error}");
        assert!(error.to_string().contains("its KEK was not given"), "{error}");
    }
    scene.write(&id, &whole.bytes).await;
    let value = scene.operator_reads("prod/openai").await.unwrap();
    assert_eq!(value, "the value of prod/openai");
}

#[tokio::test]
async fn a_record_that_the_store_cannot_read_is_not_given_up() {
    let scratch = tempfile::tempdir().unwrap();
    let store = BadPage::default();
    let vault = Vault::builder()
        .store(store.clone())
        .kek(LocalKek::generate().unwrap())
        .audit(FileSink::open(scratch.path().join("audit")).await.unwrap())
        .create()
        .await
        .unwrap();
    let operator = vault.operator("test");
    let key = "prod/openai".parse().unwrap();
    operator.keys().set(&key, Secret::copy_of(b"a value")).await.unwrap();
    let name = crate::realm::RealmName {
        namespace: Default::default(),
        environment: Some("prod".parse().unwrap()),
    };
    let realm = vault.inner.records.realm(&name).await.unwrap().unwrap();
    let key_id = KeyId(realm.keys.record_id("openai"));

    store.damage(Some(realm.record(kind::KEY, key_id.0).unwrap()));
    vault.inner.records.cache.clear();
    let error = operator.keys().remove_damaged(key_id).await.unwrap_err();
    assert_eq!(error.code(), Code::Invalid, "{error}");
    assert!(error.to_string().contains("may be intact"), "{error}");

    store.damage(Some(name.record_id(vault.inner.records.vault)));
    vault.inner.records.realms.forget_all();
    let listed = operator.environments().list().await.unwrap();
    assert_eq!(listed.damaged[0].damaged, Damage::Unreadable);
    let error = operator.environments().remove_damaged("prod").await.unwrap_err();
    assert_eq!(error.code(), Code::Invalid, "{error}");
    assert!(error.to_string().contains("the store cannot read"), "{error}");

    store.damage(None);
    vault.inner.records.realms.forget_all();
    assert_eq!(operator.retrieve(&key).await.unwrap().text().unwrap(), "a value");
}

/// A vault on such a store, opened again with the same KEK and log.
async fn opened(store: &BadPage, scratch: &tempfile::TempDir) -> Vault {
    let (place, kek) = (scratch.path().join("audit"), scratch.path().join("kek"));
    let is_new = !kek.exists();
    let kek = match is_new {
        true => LocalKek::create_file(&kek).unwrap(),
        false => LocalKek::from_file(&kek).unwrap(),
    };
    let builder = Vault::builder().store(store.clone()).kek(kek);
    let builder = builder.audit(FileSink::open(place).await.unwrap());
    match is_new {
        true => builder.create().await.unwrap(),
        false => builder.open().await.unwrap(),
    }
}

#[tokio::test]
async fn an_acceptance_that_was_cut_short_is_ended_by_the_same_command() {
    let scratch = tempfile::tempdir().unwrap();
    let store = BadPage::default();
    let vault = opened(&store, &scratch).await;
    let operator = vault.operator("test");
    let keys: Vec<crate::KeyRef> = ["prod/one", "prod/two"].map(|key| key.parse().unwrap()).into();
    let name = crate::realm::RealmName {
        namespace: Default::default(),
        environment: Some("prod".parse().unwrap()),
    };
    let realm = vault.inner.records.realm(&name).await.unwrap().unwrap();
    let ids = ["one", "two"].map(|key| realm.record(kind::KEY, realm.keys.record_id(key)).unwrap());
    let mut older = Vec::new();
    for (key, id) in keys.iter().zip(&ids) {
        operator.keys().set(key, Secret::copy_of(b"older")).await.unwrap();
        older.push(store.inner.get(id).await.unwrap().unwrap().bytes);
        operator.keys().set(key, Secret::copy_of(b"newer")).await.unwrap();
    }
    for (id, bytes) in ids.iter().zip(&older) {
        let there = store.inner.get(id).await.unwrap().unwrap().revision;
        store.inner.put(id, bytes, Expect::Revision(there)).await.unwrap();
    }
    vault.inner.records.cache.clear();
    let found = operator.floors().rolled_back().await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    *store.stuck.lock().unwrap() = Some(found[1].record.parse().unwrap());
    assert!(
        operator.floors().accept_rollback(&found).await.is_err(),
        "the second cannot be written again"
    );
    vault.close().await.unwrap();

    let vault = opened(&store, &scratch).await;
    let operator = vault.operator("test");
    let left = operator.floors().rolled_back().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].record, found[1].record);
    *store.stuck.lock().unwrap() = None;
    operator.floors().accept_rollback(&left).await.unwrap();
    assert!(operator.floors().rolled_back().await.unwrap().is_empty());
    for (key, id) in keys.iter().zip(&ids) {
        assert_eq!(operator.retrieve(key).await.unwrap().text().unwrap(), "older");
        // Written again, so the copy that was accepted does not come back either.
        let there = store.inner.get(id).await.unwrap().unwrap();
        assert!(!older.contains(&there.bytes), "{key}");
    }
    vault.close().await.unwrap();
}
