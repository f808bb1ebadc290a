//! A rotation: the versions that are served, the refusals of each step, and that a version that is gone stays gone.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

mod scene;

use ibyok_core::{
    Code, KeyRef, Scope, Session,
    jiff::SignedDuration,
    keys::{KeyInfo, KeyWrite, WhichVersion},
    modes::Mode,
    rotation::DrainRequest,
};
use ibyok_storage::{Expect, Store};
use scene::{Scene, reading, secret};

/// The states of a key's versions, oldest first.
fn states(info: &KeyInfo) -> Vec<&str> {
    info.versions.iter().map(|version| version.state.as_str()).collect()
}

async fn value(session: &Session, key: &KeyRef, which: impl Into<WhichVersion>) -> Result<String, Code> {
    let released = session.retrieve(&key.clone().at_version(which)).await;
    released
        .map(|released| released.text().unwrap().to_owned())
        .map_err(|error| error.code())
}

#[tokio::test]
async fn a_staged_version_is_served_to_who_asks_for_it_and_becomes_current_when_promoted() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    let staged = operator.rotation().stage(&key, secret("two")).await.unwrap();
    assert_eq!((staged.version, staged.state.as_str()), (2, "pending"));
    assert_eq!(value(&operator, &key, None).await.unwrap(), "one");
    assert_eq!(value(&operator, &key, WhichVersion::Pending).await.unwrap(), "two");
    assert_eq!(value(&operator, &key, 2).await.unwrap(), "two");

    let promoted = operator.rotation().promote(&key).await.unwrap();
    assert_eq!(
        (promoted.version, states(&promoted)),
        (Some(2), vec!["retiring", "current"])
    );
    assert_eq!(value(&operator, &key, None).await.unwrap(), "two");
    assert_eq!(value(&operator, &key, 1).await.unwrap(), "one");
    assert_eq!(value(&operator, &key, WhichVersion::Pending).await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_second_stage_replaces_the_first_whose_value_is_destroyed() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    operator.rotation().stage(&key, secret("two")).await.unwrap();
    operator.rotation().stage(&key, secret("three")).await.unwrap();
    let info = operator.keys().show(&key).await.unwrap();
    assert_eq!(states(&info), ["current", "destroyed", "pending"]);
    assert!(info.versions[1].fields.is_empty());
    assert_eq!(value(&operator, &key, 2).await, Err(Code::VersionDestroyed));
    assert_eq!(value(&operator, &key, WhichVersion::Pending).await.unwrap(), "three");
}

#[tokio::test]
async fn a_rollback_is_one_step_and_a_second_one_goes_forth_again() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    for text in ["one", "two", "three"] {
        operator.keys().set(&key, secret(text)).await.unwrap();
    }
    let back = operator.rotation().roll_back(&key).await.unwrap();
    assert_eq!(
        (back.version, states(&back)),
        (Some(2), vec!["retiring", "current", "retiring"])
    );
    assert_eq!(value(&operator, &key, None).await.unwrap(), "two");
    assert_eq!(operator.rotation().roll_back(&key).await.unwrap().version, Some(3));
    operator.rotation().roll_back(&key).await.unwrap();
    operator.keys().set(&key, secret("four")).await.unwrap();
    let back = operator.rotation().roll_back(&key).await.unwrap();
    assert_eq!(
        back.version,
        Some(2),
        "the one before, and not the one that was gone back from"
    );
}

#[tokio::test]
async fn a_set_leaves_what_is_pending() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    operator.rotation().stage(&key, secret("two")).await.unwrap();
    operator.keys().set(&key, secret("three")).await.unwrap();
    let info = operator.keys().show(&key).await.unwrap();
    assert_eq!(states(&info), ["retiring", "pending", "current"]);
    let info = operator.rotation().promote(&key).await.unwrap();
    assert_eq!(states(&info), ["retiring", "current", "retiring"]);
}

#[tokio::test]
async fn a_step_that_is_not_next_is_refused_and_changes_nothing() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    let missing = operator.rotation().stage(&key, secret("one")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound, "a key begins with a current version");
    operator.keys().set(&key, secret("one")).await.unwrap();
    assert_eq!(
        operator.rotation().promote(&key).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        operator.rotation().roll_back(&key).await.unwrap_err().code(),
        Code::NotFound
    );
    operator.rotation().stage(&key, secret("two")).await.unwrap();
    operator.rotation().promote(&key).await.unwrap();
    assert_eq!(
        operator.rotation().promote(&key).await.unwrap_err().code(),
        Code::NotFound,
        "twice"
    );
    let info = operator.keys().show(&key).await.unwrap();
    assert_eq!((info.version, states(&info)), (Some(2), vec!["retiring", "current"]));
}

#[tokio::test]
async fn what_could_not_be_served_does_not_become_current() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    operator.rotation().stage(&key, secret("two")).await.unwrap();
    let pending = key.clone().at_version(WhichVersion::Pending);
    operator.keys().disable(&pending).await.unwrap();
    assert_eq!(
        operator.rotation().promote(&key).await.unwrap_err().code(),
        Code::VersionDisabled
    );
    operator.keys().enable(&pending).await.unwrap();
    operator.rotation().promote(&key).await.unwrap();
    operator.keys().disable(&key.clone().at_version(1)).await.unwrap();
    assert_eq!(
        operator.rotation().roll_back(&key).await.unwrap_err().code(),
        Code::VersionDisabled
    );
    assert_eq!(value(&operator, &key, None).await.unwrap(), "two");
}

#[tokio::test]
async fn rotating_is_a_scope_of_its_own_and_changes_the_value_only() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("one")).await.unwrap();
    let with = async |scopes: &[Scope]| {
        let mut grant = reading("prod");
        grant.scopes = scopes.iter().copied().collect();
        scene.vault.as_token(&scene.token(grant).await)
    };
    let writer = with(&[Scope::KeysWrite, Scope::KeysRead]).await;
    let rotator = with(&[Scope::KeysRotate]).await;
    let absent = scene.key("prod/absent");
    for key in [&key, &absent] {
        let refused = [
            writer.rotation().stage(key, secret("two")).await.map(drop),
            writer.rotation().promote(key).await.map(drop),
            writer.rotation().roll_back(key).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().code(), Code::Denied);
        }
    }
    let other = KeyWrite::from(secret("two")).variable(Some("OTHER".to_owned()));
    assert_eq!(
        rotator.rotation().stage(&key, other).await.unwrap_err().code(),
        Code::Invalid
    );
    rotator.rotation().stage(&key, secret("two")).await.unwrap();
    assert_eq!(value(&rotator, &key, WhichVersion::Pending).await, Err(Code::Denied));
    assert_eq!(value(&writer, &key, WhichVersion::Pending).await.unwrap(), "two");
    rotator.rotation().promote(&key).await.unwrap();
    rotator.rotation().roll_back(&key).await.unwrap();
}

#[tokio::test]
async fn a_version_goes_once_every_active_consumer_has_read_the_new_one_and_the_old_not_since() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    let slow = scene.vault.as_token(&scene.token_named("slow", reading("prod")).await);
    let quick = scene.vault.as_token(&scene.token_named("quick", reading("prod")).await);
    for worker in [&slow, &quick] {
        assert_eq!(value(worker, &key, None).await.unwrap(), "one");
    }
    operator.keys().set(&key, secret("two")).await.unwrap();
    let first = key.clone().at_version(1);
    let needed = async || {
        let retire = operator
            .rotation()
            .retire(&key, &DrainRequest::default())
            .await
            .unwrap_err();
        let destroy = operator
            .rotation()
            .destroy(&first, &DrainRequest::default())
            .await
            .unwrap_err();
        assert_eq!((retire.code(), destroy.code()), (Code::InUse, Code::InUse));
        assert_eq!(retire.to_string(), destroy.to_string());
        retire.to_string()
    };
    let by = needed().await;
    assert!(by.contains("slow (") && by.contains("quick ("), "{by}");
    value(&quick, &key, None).await.unwrap();
    let by = needed().await;
    assert!(by.contains("slow (") && !by.contains("quick ("), "{by}");
    value(&slow, &key, None).await.unwrap();
    value(&quick, &key, 1).await.unwrap();
    let by = needed().await;
    assert!(!by.contains("slow (") && by.contains("version 1 again"), "{by}");
    value(&quick, &key, 2).await.unwrap();
    let quiet = DrainRequest::default().quiet(SignedDuration::from_hours(1));
    let refused = operator.rotation().retire(&key, &quiet).await.unwrap_err();
    assert_eq!(refused.code(), Code::InUse);

    let retired = operator
        .rotation()
        .retire(&key, &DrainRequest::default())
        .await
        .unwrap();
    assert_eq!(states(&retired), ["retired", "current"]);
    assert_eq!(retired.mode, Some(Mode::Live), "as the key is shown");
    assert_eq!(value(&quick, &key, 1).await, Err(Code::VersionDisabled));
    let again = operator
        .rotation()
        .retire(&key, &DrainRequest::default())
        .await
        .unwrap();
    assert_eq!(again.mode, Some(Mode::Live));
    operator
        .rotation()
        .retire(&first, &DrainRequest::default())
        .await
        .unwrap();
    let destroyed = operator
        .rotation()
        .destroy(&first, &DrainRequest::default())
        .await
        .unwrap();
    assert_eq!(states(&destroyed.key), ["destroyed", "current"]);
    operator
        .rotation()
        .destroy(&first, &DrainRequest::default())
        .await
        .unwrap();
    assert_eq!(value(&quick, &key, 1).await, Err(Code::VersionDestroyed));
    assert_eq!(value(&quick, &key, None).await.unwrap(), "two");
}

#[tokio::test]
async fn who_can_no_longer_come_holds_nothing_up_and_neither_does_an_operator_or_a_canary() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    let gone = scene.vault.as_token(&scene.token_named("gone", reading("prod")).await);
    value(&gone, &key, None).await.unwrap();
    value(&operator, &key, None).await.unwrap();
    operator.rotation().stage(&key, secret("two")).await.unwrap();
    operator.rotation().promote(&key).await.unwrap();
    operator.rotation().stage(&key, secret("three")).await.unwrap();
    let canary = scene
        .vault
        .as_token(&scene.token_named("canary", reading("prod")).await);
    value(&canary, &key, WhichVersion::Pending).await.unwrap();
    let refused = operator
        .rotation()
        .retire(&key, &DrainRequest::default())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("gone ("), "{refused}");
    let status = operator.rotation().status(&key).await.unwrap();
    assert_eq!(status.waiting_for.len(), 1, "{status:?}");
    assert_eq!(
        (
            status.waiting_for[0].name.as_deref(),
            status.waiting_for[0].why.as_str()
        ),
        (Some("gone"), "not_yet")
    );
    let read = &status.versions[0].consumers;
    assert_eq!(
        read.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(),
        ["operator", "token"]
    );
    assert_eq!(status.versions[2].consumers[0].name.as_deref(), Some("canary"));
    operator
        .tokens()
        .revoke("gone", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let retired = operator
        .rotation()
        .retire(&key, &DrainRequest::default())
        .await
        .unwrap();
    assert_eq!(states(&retired), ["retired", "current", "pending"]);
    assert!(operator.rotation().status(&key).await.unwrap().waiting_for.is_empty());
    let pending = key.clone().at_version(WhichVersion::Pending);
    operator
        .rotation()
        .destroy(&pending, &DrainRequest::default())
        .await
        .unwrap();
    assert_eq!(
        operator.rotation().promote(&key).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn the_current_version_never_goes_and_a_force_needs_a_reason_which_is_on_the_log() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    let worker = scene
        .vault
        .as_token(&scene.token_named("worker", reading("prod")).await);
    value(&worker, &key, None).await.unwrap();
    let force = DrainRequest::default().force("the provider revoked it");
    for which in [WhichVersion::Number(1), WhichVersion::Current] {
        let one = key.clone().at_version(which);
        let refused = operator.rotation().destroy(&one, &force).await.unwrap_err();
        assert!(matches!(refused.code(), Code::InUse | Code::Invalid), "{refused}");
    }
    let refused = operator
        .rotation()
        .retire(&key.clone().at_version(1), &force)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InUse);
    operator.keys().set(&key, secret("two")).await.unwrap();
    let first = key.clone().at_version(1);
    let mut without = DrainRequest::default();
    without.force = true;
    assert_eq!(
        operator.rotation().destroy(&first, &without).await.unwrap_err().code(),
        Code::Invalid
    );
    for quiet in [SignedDuration::from_secs(-1), SignedDuration::MAX] {
        let request = DrainRequest::default().quiet(quiet);
        assert_eq!(
            operator.rotation().retire(&first, &request).await.unwrap_err().code(),
            Code::Invalid
        );
    }
    let mut unforced = DrainRequest::default();
    unforced.reason = Some("only so".to_owned());
    let refused = operator.rotation().destroy(&first, &unforced).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::Invalid,
        "by its reason the log tells what was forced"
    );
    operator.rotation().destroy(&first, &force).await.unwrap();
    let lines = scene.log_text().await;
    let forced: Vec<&str> = lines
        .lines()
        .filter(|line| line.contains("the provider revoked it") && line.contains("key.destroy"))
        .collect();
    assert_eq!(forced.len(), 2, "intended and done: {lines}");
}

#[tokio::test]
async fn an_older_copy_of_the_record_is_refused_after_a_retire_and_after_a_destroy() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("one")).await.unwrap();
    operator.keys().set(&key, secret("two")).await.unwrap();
    let id = scene.only_key_record().await;
    for destroy in [false, true] {
        let before = scene.store.get(&id).await.unwrap().unwrap().bytes;
        let first = key.clone().at_version(1);
        match destroy {
            false => drop(
                operator
                    .rotation()
                    .retire(&first, &DrainRequest::default())
                    .await
                    .unwrap(),
            ),
            true => drop(
                operator
                    .rotation()
                    .destroy(&first, &DrainRequest::default())
                    .await
                    .unwrap(),
            ),
        }
        let now = scene.store.get(&id).await.unwrap().unwrap();
        let replayed = scene
            .store
            .put(&id, &before, Expect::Revision(now.revision))
            .await
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(
            value(&operator, &key, 1).await,
            Err(Code::Integrity),
            "destroyed: {destroy}"
        );
        scene
            .store
            .put(&id, &now.bytes, Expect::Revision(replayed))
            .await
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(value(&operator, &key, None).await.unwrap(), "two");
    }
}
