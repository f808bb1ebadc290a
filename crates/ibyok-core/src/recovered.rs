//! Each change that takes something away, cut short between its note and the store, and the result of the next start.

use ibyok_audit::FileSink;
use ibyok_crypto::{LocalKek, Secret};
use ibyok_policy::{Environments, Grant, Scope};
use ibyok_storage::{MemoryStore, RecordId};

use crate::model::key::VersionState;
use crate::model::kind;
use crate::model::mode::Mode;
use crate::model::take_away::{KeyTakeAway, TakeAway, TokenTakeAway};
use crate::realm::RealmName;
use crate::{AccessToken, Code, KeyRef, RequestContext, TokenRequest, Vault, keys::KeyInfo};

/// A key with a retiring and a current version, and a token that reads it.
struct Scene {
    vault: Vault,
    key: KeyRef,
    record: RecordId,
    token: AccessToken,
    of_token: RecordId,
    _scratch: tempfile::TempDir,
}

async fn scene() -> Scene {
    let scratch = tempfile::tempdir().unwrap();
    let sink = FileSink::open(scratch.path().join("audit")).await.unwrap();
    let builder = Vault::builder().store(MemoryStore::new()).audit(sink);
    let vault = builder.kek(LocalKek::generate().unwrap()).create().await.unwrap();
    let (operator, key): (_, KeyRef) = (vault.operator("test"), "prod/openai".parse().unwrap());
    for value in [b"one", b"two"] {
        operator.keys().set(&key, Secret::copy_of(value)).await.unwrap();
    }
    let grant = Grant::new([Scope::KeysRead].into(), Environments::named(["prod"]));
    let token = operator
        .tokens()
        .issue(TokenRequest::new("worker", grant))
        .await
        .unwrap()
        .token;
    let name = RealmName {
        namespace: Default::default(),
        environment: Some(key.environment().clone()),
    };
    let realm = vault.inner.records.realm(&name).await.unwrap().unwrap();
    let id = crate::tokens::token_id(&token).unwrap();
    Scene {
        record: realm.record(kind::KEY, realm.keys.record_id("openai")).unwrap(),
        of_token: realm.record(kind::TOKEN, id.bytes()).unwrap(),
        vault,
        key,
        token,
        _scratch: scratch,
    }
}

impl Scene {
    /// A note whose change was never put, as a crash leaves it, and then the next start.
    async fn cut_short(&self, record: &RecordId, rev: u64, what: impl Into<TakeAway>) {
        let what = what.into();
        self.vault.inner.records.floors.note(record, rev, what).await.unwrap();
        self.vault.inner.changes.finish_interrupted("test").await;
        assert!(
            self.vault.inner.records.floors.notes().await.unwrap().is_empty(),
            "{what}"
        );
    }

    async fn shown(&self) -> KeyInfo {
        self.vault.operator("test").keys().show(&self.key).await.unwrap()
    }

    async fn reads(&self) -> Result<(), Code> {
        let nowhere = RequestContext::default();
        let read = self.vault.retrieve(&self.token, &self.key, &nowhere);
        read.await.map(|_| ()).map_err(|error| error.code())
    }
}

#[tokio::test]
async fn what_was_to_go_of_an_old_version_goes_and_its_record_does_not_come_back() {
    let compromise = |freeze| KeyTakeAway::Compromise { version: 1, freeze };
    for (what, state) in [
        (KeyTakeAway::DisableVersion(1), "disabled"),
        (KeyTakeAway::RetireVersion(1), "retired"),
        (KeyTakeAway::DestroyVersion(1), "destroyed"),
        (compromise(false), "retired"),
        (compromise(true), "retired"),
    ] {
        let scene = scene().await;
        scene.cut_short(&scene.record, 3, what).await;
        let shown = scene.shown().await;
        let states: Vec<&str> = shown.versions.iter().map(|version| version.state.as_str()).collect();
        assert_eq!(states, [state, "current"], "{what}");
        assert_eq!(shown.disabled, what == compromise(true), "{what}");
        assert_eq!(
            scene.vault.inner.records.floors.of(&scene.record).await.unwrap(),
            Some(3),
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_is_current_by_then_is_neither_retired_nor_destroyed() {
    for what in [KeyTakeAway::RetireVersion(2), KeyTakeAway::DestroyVersion(2)] {
        let scene = scene().await;
        scene.cut_short(&scene.record, 3, what).await;
        assert_eq!(
            (scene.shown().await.state.map(VersionState::as_str), scene.reads().await),
            (Some("current"), Ok(())),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_switch_of_a_key_ends_in_mock_and_an_override_that_was_dropped_is_gone() {
    let scene = scene().await;
    for (rev, mode) in [(3, Some(Mode::Mock)), (4, None)] {
        scene.cut_short(&scene.record, rev, KeyTakeAway::Live(mode)).await;
        assert_eq!(scene.shown().await.mode_override, mode);
        assert_eq!(
            scene.vault.inner.records.floors.of(&scene.record).await.unwrap(),
            Some(rev)
        );
    }
}

#[tokio::test]
async fn an_old_secret_ends_if_it_was_to_end_at_once_and_goes_on_if_nobody_has_the_new_one_yet() {
    let superseded = |epoch, at_once| TokenTakeAway::Supersede { epoch, at_once };
    let scene = scene().await;
    scene.cut_short(&scene.of_token, 2, superseded(1, false)).await;
    assert_eq!(scene.reads().await, Ok(()));
    scene.cut_short(&scene.of_token, 2, superseded(1, true)).await;
    assert_eq!(scene.reads().await, Err(Code::Unauthenticated));
    assert_eq!(
        scene.vault.inner.records.floors.of(&scene.of_token).await.unwrap(),
        Some(2)
    );
    // The token itself is still valid, and can be rotated once more.
    let again = scene
        .vault
        .operator("test")
        .tokens()
        .rotate("worker", None)
        .await
        .unwrap();
    assert_eq!(again.info.epoch, 2);
    let keep_children = false;
    scene
        .cut_short(&scene.of_token, 4, TokenTakeAway::Revoke { keep_children })
        .await;
    let shown = scene.vault.operator("test").tokens().show("worker").await.unwrap();
    assert_eq!(shown.state.as_str(), "revoked");
}
