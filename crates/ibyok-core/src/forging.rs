//! An attacker who holds one environment's keys and can write to the store, and no more: it can do nothing to any
//! other realm.

use std::collections::BTreeMap;
use std::sync::Arc;

use ibyok_audit::FileSink;
use ibyok_crypto::{DataKey, LocalKek, RealmKeys, Secret};
use ibyok_policy::{Environments, Grant, Scope, Scopes, TokenId, mint};
use ibyok_storage::{Expect, MemoryStore, RecordId, Store};
use jiff::Timestamp;

use crate::model::environment::Class;
use crate::model::kind;
use crate::model::settings::SETTINGS_ID;
use crate::model::token::TokenRecord;
use crate::realm::make::Opening;
use crate::realm::tags::{TagBody, tag_record};
use crate::realm::{Realm, RealmName};
use crate::records::record::seal_record;
use crate::{AccessToken, Code, KeyRef, RequestContext, Vault};

/// A realm in a new vault, for tests of the records under one.
pub(crate) async fn a_realm() -> Arc<Realm> {
    scene().await.dev
}

pub(crate) struct Scene {
    pub(crate) vault: Vault,
    pub(crate) store: MemoryStore,
    pub(crate) dev: Arc<Realm>,
    pub(crate) prod: Arc<Realm>,
    _scratch: tempfile::TempDir,
}

/// A full server with a key in dev and in prod, and an attacker who holds dev's keys.
pub(crate) async fn scene() -> Scene {
    let scratch = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    let vault = Vault::builder()
        .store(store.clone())
        .kek(LocalKek::generate().unwrap())
        .audit(FileSink::open(scratch.path().join("audit")).await.unwrap())
        .create()
        .await
        .unwrap();
    for key in ["dev/openai", "prod/openai"] {
        let value = Secret::copy_of(format!("the value of {key}").as_bytes());
        vault
            .operator("test")
            .keys()
            .set(&key.parse().unwrap(), value)
            .await
            .unwrap();
    }
    let dev = realm(&vault, "dev").await;
    let prod = realm(&vault, "prod").await;
    Scene {
        vault,
        store,
        dev,
        prod,
        _scratch: scratch,
    }
}

async fn realm(vault: &Vault, environment: &str) -> Arc<Realm> {
    let name = RealmName {
        namespace: Default::default(),
        environment: Some(environment.parse().unwrap()),
    };
    vault.inner.records.realm(&name).await.unwrap().unwrap()
}

impl Scene {
    /// Writes to the store past the vault, like an attacker with the store's password.
    pub(crate) async fn write(&self, id: &RecordId, bytes: &[u8]) {
        let there = self.store.get(id).await.unwrap();
        let expect = there.map_or(Expect::Absent, |there| Expect::Revision(there.revision));
        self.store.put(id, bytes, expect).await.unwrap();
        // The feed reports the write to the node.
        self.vault.inner.records.renew_lease().await.unwrap();
    }

    pub(crate) async fn retrieve(&self, token: &AccessToken, key: &str) -> Result<String, Code> {
        let key: KeyRef = key.parse().unwrap();
        let released = self.vault.retrieve(token, &key, &RequestContext::default()).await;
        released
            .map(|released| released.text().unwrap().to_owned())
            .map_err(|error| error.code())
    }

    pub(crate) async fn operator_reads(&self, key: &str) -> Result<String, Code> {
        let released = self.vault.operator("test").retrieve(&key.parse().unwrap()).await;
        released
            .map(|released| released.text().unwrap().to_owned())
            .map_err(|error| error.code())
    }

    /// A token and its record, made with dev's keys, with any tag and grant.
    fn forged_token(&self, tag: [u8; 8], grant: Grant) -> (TokenId, AccessToken, TokenRecord) {
        let id = TokenId::new(tag, [7; 16]).unwrap();
        let record = TokenRecord {
            rev: 1,
            name: "forged".to_owned(),
            grant,
            epoch: 0,
            older: None,
            rotated: None,
            through: None,
            created: Timestamp::now(),
            created_by: "attacker".to_owned(),
            parents: Vec::new(),
            revoked: None,
        };
        (id, AccessToken::of(&mint(self.dev.keys.token_key(), id, 0)), record)
    }
}

fn everything() -> Grant {
    Grant::new(Scopes::from([Scope::Admin]), Environments::All)
}

#[tokio::test]
async fn a_key_record_sealed_with_devs_keys_is_none_of_prods() {
    let scene = scene().await;
    let id = scene
        .prod
        .record(kind::KEY, scene.prod.keys.record_id("openai"))
        .unwrap();
    let dev_id = scene.dev.record(kind::KEY, scene.dev.keys.record_id("openai")).unwrap();
    let devs = scene.store.get(&dev_id).await.unwrap().unwrap();
    scene.write(&id, &devs.bytes).await;
    assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Integrity));

    // Sealed again, with prod's place as well as the attacker can name it.
    let body = scene
        .dev
        .keys
        .open_record(&scene.dev.place(&dev_id), &devs.bytes)
        .unwrap();
    let place = ibyok_crypto::SealedPlace::new(
        scene.dev.keys.identity().vault(),
        scene.prod.tag(),
        kind::KEY,
        *id.id(),
        "default",
        "prod",
    );
    use secrecy::ExposeSecret;
    assert!(
        scene.dev.keys.seal_record(&place, body.expose_secret()).is_err(),
        "dev's keys seal for dev only"
    );
}

#[tokio::test]
async fn a_token_of_devs_realm_that_names_prod_reaches_only_dev() {
    let scene = scene().await;
    let (id, token, record) = scene.forged_token(*scene.dev.tag().as_bytes(), everything());
    let record_id = scene.dev.record(kind::TOKEN, id.bytes()).unwrap();
    scene
        .write(&record_id, &seal_record(&scene.dev, &record_id, &record).unwrap())
        .await;
    assert_eq!(
        scene.retrieve(&token, "dev/openai").await.unwrap(),
        "the value of dev/openai"
    );
    assert_eq!(scene.retrieve(&token, "prod/openai").await, Err(Code::Denied));
    let session = scene.vault.as_token(&token);
    let issued = session
        .tokens()
        .issue(crate::TokenRequest::new("child", everything()))
        .await;
    assert_eq!(issued.unwrap_err().code(), Code::Denied);
    assert_eq!(
        session
            .keys()
            .remove(&"prod/openai".parse().unwrap())
            .await
            .unwrap_err()
            .code(),
        Code::Denied
    );
    let seen = session.keys().list(None, &Default::default()).await.unwrap();
    assert!(seen.items.iter().all(|key| key.environment.as_str() == "dev"));
}

#[tokio::test]
async fn a_token_with_prods_tag_minted_with_devs_key_is_unknown() {
    let scene = scene().await;
    let (id, token, record) = scene.forged_token(*scene.prod.tag().as_bytes(), everything());
    let record_id = scene.prod.record(kind::TOKEN, id.bytes()).unwrap();
    let dev_place = scene.dev.record(kind::TOKEN, id.bytes()).unwrap();
    scene
        .write(&record_id, &seal_record(&scene.dev, &dev_place, &record).unwrap())
        .await;
    assert_eq!(scene.retrieve(&token, "prod/openai").await, Err(Code::Unauthenticated));
}

#[tokio::test]
async fn devs_tag_pointed_at_prod_makes_no_token_valid_there() {
    let scene = scene().await;
    let (id, token, record) = scene.forged_token(*scene.dev.tag().as_bytes(), everything());
    let record_id = scene.prod.record(kind::TOKEN, id.bytes()).unwrap();
    let devs = scene.dev.record(kind::TOKEN, id.bytes()).unwrap();
    scene
        .write(&record_id, &seal_record(&scene.dev, &devs, &record).unwrap())
        .await;
    scene
        .write(&tag_record(scene.dev.tag()), &TagBody::print(&scene.prod.name))
        .await;
    assert_eq!(scene.retrieve(&token, "prod/openai").await, Err(Code::Unauthenticated));
}

#[tokio::test]
async fn prods_environment_key_cannot_be_replaced() {
    let scene = scene().await;
    let inner = &scene.vault.inner;
    let id = scene.prod.name.record_id(inner.records.vault);
    let devs = scene
        .store
        .get(&scene.dev.name.record_id(inner.records.vault))
        .await
        .unwrap()
        .unwrap();
    let good = scene.store.get(&id).await.unwrap().unwrap();

    scene.write(&id, &devs.bytes).await;
    assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Integrity));

    // Keys of the attacker's own, under a KEK of the attacker's own.
    let kek = LocalKek::generate().unwrap();
    let identity = scene.prod.keys.identity().clone();
    let attributes = serde_json::to_vec(&scene.prod.attributes).unwrap();
    let (_, forged) = RealmKeys::create(identity, &attributes, 1, &kek).await.unwrap();
    scene.write(&id, &forged).await;
    assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Kek));

    scene.write(&id, &good.bytes).await;
    assert_eq!(
        scene.operator_reads("prod/openai").await.unwrap(),
        "the value of prod/openai"
    );
}

#[tokio::test]
async fn a_realm_of_another_vault_is_refused() {
    let scene = scene().await;
    let other = MemoryStore::new();
    let keyring = &scene.vault.inner.records.keks.ring();
    let vault = ibyok_crypto::VaultId::generate().unwrap();
    let opening = Opening {
        vault,
        store: &other,
        keyring,
    };
    let stamp = crate::model::key::Stamp {
        at: Timestamp::now(),
        by: "test".to_owned(),
    };
    crate::realm::make::make_realm(&opening, &scene.prod.name, Class::Prod, 1, &stamp)
        .await
        .unwrap();
    let theirs = other.get(&scene.prod.name.record_id(vault)).await.unwrap().unwrap();
    scene
        .write(
            &scene.prod.name.record_id(scene.vault.inner.records.vault),
            &theirs.bytes,
        )
        .await;
    assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Integrity));
}

#[tokio::test]
async fn a_version_of_dev_inside_prods_record_does_not_open() {
    let scene = scene().await;
    // A record that prod's keys sealed, with a data key and value that dev's sealed: only a bug in the vault could write it.
    let id = scene
        .prod
        .record(kind::KEY, scene.prod.keys.record_id("openai"))
        .unwrap();
    let held = scene
        .vault
        .inner
        .records
        .read::<crate::model::key::KeyRecord>(&scene.prod, &id)
        .await
        .unwrap()
        .unwrap();
    let mut record = held.record;
    let dev_id = scene.dev.record(kind::KEY, *id.id()).unwrap();
    let place = scene.dev.place(&dev_id).version(1);
    let key = DataKey::generate().unwrap();
    let version = record.versions.first_mut().unwrap();
    let sealed = version.sealed.as_mut().unwrap();
    sealed.data_key.0 = scene.dev.keys.wrap_data_key(&place, &key).unwrap();
    let value = key.seal(&place.field("value"), &Secret::copy_of(b"dev's")).unwrap();
    sealed.fields = BTreeMap::from([(crate::keys::FieldName::value(), crate::model::Sealed(value))]);
    record.rev += 1;
    scene.write(&id, &seal_record(&scene.prod, &id, &record).unwrap()).await;
    assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Integrity));
}

#[tokio::test]
async fn nobody_can_give_the_audit_log_another_key() {
    let scene = scene().await;
    let inner = &scene.vault.inner;
    let id = crate::model::name::from_base62(inner.recorder.log.id()).unwrap();
    let record = inner.records.home.record(kind::LOG_KEY, id).unwrap();
    let devs = scene.dev.record(kind::LOG_KEY, id).unwrap();
    let forged = scene.dev.keys.seal_record(&scene.dev.place(&devs), &[9; 32]).unwrap();
    scene.write(&record, &forged).await;
    let report = scene.vault.operator("test").audit().verify(&[]).await.unwrap();
    let damaged = |finding: &ibyok_audit::VerifyFinding| finding.what == ibyok_audit::VerifyFault::DamagedRecord;
    assert!(!report.ok && report.findings.iter().any(damaged), "{report:?}");
}

impl Scene {
    /// Anything sealed with dev's keys, in the place of a record of prod.
    pub(crate) async fn put_devs_in_prods_place(&self, kind: u8, id: [u8; 16], body: &[u8]) {
        let dev = self.dev.record(kind, id).unwrap();
        let sealed = self.dev.keys.seal_record(&self.dev.place(&dev), body).unwrap();
        self.write(&self.prod.record(kind, id).unwrap(), &sealed).await;
    }

    pub(crate) async fn token(&self, name: &str, environment: &str) -> AccessToken {
        let scopes = Scopes::from([Scope::KeysRead, Scope::KeysList]);
        let grant = Grant::new(scopes, Environments::named([environment]));
        let request = crate::TokenRequest::new(name, grant);
        self.vault.operator("test").tokens().issue(request).await.unwrap().token
    }
}

#[tokio::test]
async fn devs_settings_set_prod_to_no_mode_and_no_limit() {
    let scene = scene().await;
    let token = scene.token("worker", "prod").await;
    let id = SETTINGS_ID;
    for body in [r#"{"rev":9,"mode":"mock"}"#, r#"{"rev":9,"limit":"1/day"}"#] {
        scene.put_devs_in_prods_place(kind::SETTINGS, id, body.as_bytes()).await;
        assert_eq!(
            scene.operator_reads("prod/openai").await,
            Err(Code::Integrity),
            "{body}"
        );
        assert_eq!(
            scene.retrieve(&token, "prod/openai").await,
            Err(Code::Integrity),
            "{body}"
        );
    }
    let store = &scene.store;
    let prods = scene.prod.record(kind::SETTINGS, id).unwrap();
    let there = store.get(&prods).await.unwrap().unwrap();
    store.delete(&prods, there.revision).await.unwrap();

    // In their own place they hold for dev, and for nothing else.
    let devs = scene.dev.record(kind::SETTINGS, id).unwrap();
    let sealed = scene
        .dev
        .keys
        .seal_record(&scene.dev.place(&devs), br#"{"rev":9,"mode":"mock"}"#);
    scene.write(&devs, &sealed.unwrap()).await;
    assert!(scene.operator_reads("dev/openai").await.unwrap().contains("mock"));
    assert_eq!(
        scene.operator_reads("prod/openai").await.unwrap(),
        "the value of prod/openai"
    );
}
