//! A vault in memory with its log in a directory that goes away.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test uses a part of it, and a setup that fails is a failed test"
)]

pub(crate) mod later;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use ibyok_core::{
    AccessToken, Environments, FileSink, Grant, KeyRef, LocalKek, MemoryStore, Scope, Scopes, Secret, Session,
    TokenRequest, Vault,
    audit::{
        SinkDurability,
        review::{Reviewer, Thresholds},
    },
    jiff::{SignedDuration, Timestamp},
};

pub(crate) struct Scene {
    pub(crate) vault: Vault,
    pub(crate) store: MemoryStore,
    pub(crate) scratch: tempfile::TempDir,
}

/// Thresholds under which no hour of a test run is an odd one.
pub(crate) fn at_any_hour() -> Thresholds {
    let mut thresholds = Thresholds::default();
    thresholds.operator_hours = "0-24".to_owned();
    thresholds
}

/// An examiner of the lines of the last week.
pub(crate) fn reviewer() -> Reviewer {
    let now = Timestamp::now();
    let week_ago = now.checked_sub(SignedDuration::from_hours(7 * 24)).unwrap();
    Reviewer::new(week_ago, now, &at_any_hour()).unwrap()
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let store = MemoryStore::new();
        let sink = FileSink::builder(scratch.path().join("audit"))
            .durability(SinkDurability::Written)
            .open()
            .await
            .unwrap();
        let kek = LocalKek::create_file(&scratch.path().join("kek")).unwrap();
        let vault = Vault::builder()
            .store(store.clone())
            .kek(kek)
            .audit(sink)
            .create()
            .await
            .unwrap();
        Scene { vault, store, scratch }
    }

    /// Another node on the same store, with a log of its own.
    pub(crate) async fn another_node(&self) -> Vault {
        self.opened_again("audit-of-another-node").await
    }

    /// Another node with its log in a directory of this name.
    pub(crate) async fn node(&self, audit: &str) -> Vault {
        self.opened_again(audit).await
    }

    /// Another process on the same store and the same place of logs.
    pub(crate) async fn process_beside(&self) -> Vault {
        self.opened_again("audit").await
    }

    /// The same place on a store that was just restored.
    pub(crate) async fn restored(&self) -> Vault {
        self.builder("audit").await.restored().open().await.unwrap()
    }

    /// Another node with guardrails of its own.
    pub(crate) async fn node_with(&self, guardrails: ibyok_core::modes::Guardrails) -> Vault {
        self.builder("audit-of-a-guarded-node")
            .await
            .guardrails(guardrails)
            .open()
            .await
            .unwrap()
    }

    /// The one record of a kind that the store holds.
    pub(crate) async fn record_of_kind(&self, kind: u8) -> ibyok_core::store::RecordId {
        use ibyok_core::store::Store;
        let changes = self.store.changes(Default::default()).await.unwrap().changes;
        let mut of_kind = changes.iter().map(|change| change.id);
        of_kind.find(|id| id.collection().kind().as_u8() == kind).unwrap()
    }

    async fn opened_again(&self, audit: &str) -> Vault {
        self.builder(audit).await.open().await.unwrap()
    }

    async fn builder(
        &self,
        audit: &str,
    ) -> ibyok_core::VaultBuilder<std::sync::Arc<dyn ibyok_core::Store>, ibyok_core::kek::Keyring, FileSink> {
        let kek = LocalKek::from_file(&self.scratch.path().join("kek")).unwrap();
        let sink = FileSink::builder(self.scratch.path().join(audit))
            .durability(SinkDurability::Written)
            .open()
            .await
            .unwrap();
        Vault::builder().store(self.store.clone()).kek(kek).audit(sink)
    }

    /// Every line of the audit log that is written by now.
    pub(crate) async fn log_text(&self) -> String {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let directory = self.scratch.path().join("audit/slot-0");
        let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|log| std::fs::read_to_string(log).unwrap()).collect()
    }

    /// The id of the record of the only key.
    pub(crate) async fn only_key_record(&self) -> ibyok_core::store::RecordId {
        use ibyok_core::store::Store;
        let changes = self
            .store
            .changes(ibyok_core::store::ChangeNumber::default())
            .await
            .unwrap();
        let mut keys: Vec<_> = changes.changes.iter().map(|change| change.id).collect();
        keys.retain(|id| id.collection().kind().as_u8() == 3);
        keys.dedup();
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys.pop().unwrap()
    }

    pub(crate) fn operator(&self) -> Session {
        self.vault.operator("os:test@here")
    }

    pub(crate) fn key(&self, text: &str) -> KeyRef {
        text.parse().unwrap()
    }

    pub(crate) async fn token(&self, grant: Grant) -> AccessToken {
        self.token_named("test", grant).await
    }

    pub(crate) async fn token_named(&self, name: &str, grant: Grant) -> AccessToken {
        self.operator()
            .tokens()
            .issue(TokenRequest::new(name, grant))
            .await
            .unwrap()
            .token
    }
}

pub(crate) fn reading(environment: &str) -> Grant {
    Grant::new(
        Scopes::from([Scope::KeysRead, Scope::KeysList]),
        Environments::named([environment]),
    )
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::copy_of(text.as_bytes())
}

/// A local KEK that counts how often it is asked.
#[derive(Clone, Debug)]
pub(crate) struct CountingKek(std::sync::Arc<(ibyok_core::kek::LocalKek, AtomicUsize, AtomicBool)>);

impl CountingKek {
    pub(crate) fn new() -> Self {
        CountingKek(std::sync::Arc::new((
            LocalKek::generate().unwrap(),
            Default::default(),
            Default::default(),
        )))
    }

    pub(crate) fn unwraps(&self) -> usize {
        self.0.1.load(SeqCst)
    }

    /// Makes it slow and then unavailable, or makes it work again.
    pub(crate) fn fail_slowly(&self, fail: bool) {
        self.0.2.store(fail, SeqCst);
    }
}

#[async_trait::async_trait]
impl ibyok_core::kek::Kek for CountingKek {
    async fn wrap(
        &self,
        key: &ibyok_core::kek::EnvironmentKey,
        context: &ibyok_core::kek::KekContext,
    ) -> Result<ibyok_core::kek::WrappedKey, ibyok_core::kek::Error> {
        self.0.0.wrap(key, context).await
    }

    async fn unwrap(
        &self,
        wrapped: &ibyok_core::kek::WrappedKey,
        context: &ibyok_core::kek::KekContext,
    ) -> Result<ibyok_core::kek::EnvironmentKey, ibyok_core::kek::Error> {
        self.0.1.fetch_add(1, SeqCst);
        if self.0.2.load(SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let kek = wrapped.kek().to_string();
            return Err(ibyok_core::kek::Error::KekUnavailable {
                kek,
                source: "it is away".into(),
            });
        }
        self.0.0.unwrap(wrapped, context).await
    }

    fn describe(&self) -> ibyok_core::kek::KekDescription {
        self.0.0.describe()
    }

    fn accepts(&self, kek: &ibyok_core::kek::KekId) -> bool {
        self.0.0.accepts(kek)
    }
}

/// A clock that a test sets; time since some point passes as on the machine.
#[derive(Clone, Debug)]
pub(crate) struct SetClock(pub(crate) std::sync::Arc<std::sync::Mutex<ibyok_core::jiff::Timestamp>>);

impl SetClock {
    pub(crate) fn at(text: &str) -> Self {
        SetClock(std::sync::Arc::new(std::sync::Mutex::new(text.parse().unwrap())))
    }

    pub(crate) fn set(&self, at: ibyok_core::jiff::Timestamp) {
        *self.0.lock().unwrap() = at;
    }
}

impl ibyok_core::clock::Clock for SetClock {
    fn now(&self) -> ibyok_core::jiff::Timestamp {
        *self.0.lock().unwrap()
    }

    fn elapsed(&self) -> std::time::Duration {
        ibyok_core::clock::SystemClock::default().elapsed()
    }
}
