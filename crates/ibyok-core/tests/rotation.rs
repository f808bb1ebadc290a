//! A rotation: what is served when, what each step refuses, and what never comes back.
#![expect(clippy::unwrap_used, reason = "what cannot be read here is a failed test")]

mod scene;

use ibyok_core::{Code, KeyInfo, KeyRef, KeyWrite, Scope, Session, WhichVersion};
use scene::{Scene, reading, secret};

/// The states of a key's versions, oldest first.
fn states(info: &KeyInfo) -> Vec<&str> {
    info.versions.iter().map(|version| version.state).collect()
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
    operator.set_key(&key, secret("one")).await.unwrap();
    let staged = operator.stage_key(&key, secret("two")).await.unwrap();
    assert_eq!((staged.version, staged.state), (2, "pending"));
    assert_eq!(value(&operator, &key, None).await.unwrap(), "one");
    assert_eq!(value(&operator, &key, WhichVersion::Pending).await.unwrap(), "two");
    assert_eq!(value(&operator, &key, 2).await.unwrap(), "two");

    let promoted = operator.promote_key(&key).await.unwrap();
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
    operator.set_key(&key, secret("one")).await.unwrap();
    operator.stage_key(&key, secret("two")).await.unwrap();
    operator.stage_key(&key, secret("three")).await.unwrap();
    let info = operator.show_key(&key).await.unwrap();
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
        operator.set_key(&key, secret(text)).await.unwrap();
    }
    let back = operator.rollback_key(&key).await.unwrap();
    assert_eq!(
        (back.version, states(&back)),
        (Some(2), vec!["retiring", "current", "retiring"])
    );
    assert_eq!(value(&operator, &key, None).await.unwrap(), "two");
    assert_eq!(operator.rollback_key(&key).await.unwrap().version, Some(3));
    operator.rollback_key(&key).await.unwrap();
    operator.set_key(&key, secret("four")).await.unwrap();
    let back = operator.rollback_key(&key).await.unwrap();
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
    operator.set_key(&key, secret("one")).await.unwrap();
    operator.stage_key(&key, secret("two")).await.unwrap();
    operator.set_key(&key, secret("three")).await.unwrap();
    let info = operator.show_key(&key).await.unwrap();
    assert_eq!(states(&info), ["retiring", "pending", "current"]);
    let info = operator.promote_key(&key).await.unwrap();
    assert_eq!(states(&info), ["retiring", "current", "retiring"]);
}

#[tokio::test]
async fn a_step_that_is_not_next_is_refused_and_changes_nothing() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    let missing = operator.stage_key(&key, secret("one")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound, "a key begins with a current version");
    operator.set_key(&key, secret("one")).await.unwrap();
    assert_eq!(operator.promote_key(&key).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(operator.rollback_key(&key).await.unwrap_err().code(), Code::NotFound);
    operator.stage_key(&key, secret("two")).await.unwrap();
    operator.promote_key(&key).await.unwrap();
    assert_eq!(
        operator.promote_key(&key).await.unwrap_err().code(),
        Code::NotFound,
        "twice"
    );
    let info = operator.show_key(&key).await.unwrap();
    assert_eq!((info.version, states(&info)), (Some(2), vec!["retiring", "current"]));
}

#[tokio::test]
async fn what_could_not_be_served_does_not_become_current() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.set_key(&key, secret("one")).await.unwrap();
    operator.stage_key(&key, secret("two")).await.unwrap();
    let pending = key.clone().at_version(WhichVersion::Pending);
    operator.disable_key(&pending).await.unwrap();
    assert_eq!(
        operator.promote_key(&key).await.unwrap_err().code(),
        Code::VersionDisabled
    );
    operator.enable_key(&pending).await.unwrap();
    operator.promote_key(&key).await.unwrap();
    operator.disable_key(&key.clone().at_version(1)).await.unwrap();
    assert_eq!(
        operator.rollback_key(&key).await.unwrap_err().code(),
        Code::VersionDisabled
    );
    assert_eq!(value(&operator, &key, None).await.unwrap(), "two");
}

#[tokio::test]
async fn rotating_is_a_scope_of_its_own_and_changes_the_value_only() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().set_key(&key, secret("one")).await.unwrap();
    let with = async |scopes: &[Scope]| {
        let mut grant = reading("prod");
        grant.scopes = scopes.iter().copied().collect();
        scene.vault.as_token(scene.token(grant).await)
    };
    let writer = with(&[Scope::KeysWrite, Scope::KeysRead]).await;
    let rotator = with(&[Scope::KeysRotate]).await;
    let absent = scene.key("prod/absent");
    for key in [&key, &absent] {
        let refused = [
            writer.stage_key(key, secret("two")).await.map(drop),
            writer.promote_key(key).await.map(drop),
            writer.rollback_key(key).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().code(), Code::Denied);
        }
    }
    let other = KeyWrite::from(secret("two")).variable(Some("OTHER".to_owned()));
    assert_eq!(rotator.stage_key(&key, other).await.unwrap_err().code(), Code::Invalid);
    rotator.stage_key(&key, secret("two")).await.unwrap();
    assert_eq!(value(&rotator, &key, WhichVersion::Pending).await, Err(Code::Denied));
    assert_eq!(value(&writer, &key, WhichVersion::Pending).await.unwrap(), "two");
    rotator.promote_key(&key).await.unwrap();
    rotator.rollback_key(&key).await.unwrap();
}
