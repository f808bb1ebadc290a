//! A copy of a key is a retrieval and a write, and takes along what belongs to the key and not to its place.

mod scene;

use ibyok_core::{
    Code, Environments, Grant, Scope, Scopes, TokenRequest,
    audit::{Filter, Outcome},
    incidents::IncidentRequest,
    keys::{IfExists, KeyEdit, KeyWrite},
    modes::Mode,
};
use scene::{Scene, secret};

#[tokio::test]
async fn a_copy_has_the_value_and_what_is_known_about_the_key() {
    let scene = Scene::new().await;
    let (from, to) = (scene.key("dev/openai"), scene.key("prod/openai"));
    let operator = scene.operator();
    let write = KeyWrite::from(secret("the value")).provider(Some("acme".to_owned()));
    let write = write
        .variable(Some("ACME_KEY".to_owned()))
        .limit(Some(Some("5/min".parse().unwrap())));
    operator.keys().set(&from, write).await.unwrap();
    let mut edit = KeyEdit::default();
    edit.labels.insert("owner".to_owned(), Some("billing".to_owned()));
    operator.keys().edit(&from, &edit).await.unwrap();

    let written = operator.keys().copy(&from, &to, IfExists::Keep).await.unwrap();
    assert!(written.created);
    let copy = operator.retrieve(&to).await.unwrap();
    assert_eq!(copy.bytes().unwrap(), b"the value");
    let shown = operator.keys().show(&to).await.unwrap();
    assert_eq!(
        (shown.provider.as_deref(), shown.variable.as_str()),
        (Some("acme"), "ACME_KEY")
    );
    assert_eq!(shown.labels.get("owner").map(String::as_str), Some("billing"));
    assert_eq!(shown.limit, None, "a limit belongs to the place of a key");

    let lines = operator.audit().lines(&Filter::default()).await.unwrap();
    let lines: Vec<_> = lines.map(|line| line.unwrap().entry().clone()).collect();
    let read =
        |entry: &&ibyok_core::audit::Entry| entry.action == "key.retrieve" && entry.key.as_deref() == Some("openai");
    assert_eq!(
        lines
            .iter()
            .filter(read)
            .filter(|e| e.environment.as_deref() == Some("dev"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_compromised_version_is_not_copied_to_an_environment_that_does_not_know_its_value() {
    let scene = Scene::new().await;
    let (from, to) = (scene.key("dev/a"), scene.key("prod/a"));
    let operator = scene.operator();
    operator.keys().set(&from, secret("a value that leaks")).await.unwrap();
    operator
        .incidents()
        .open(&from, IncidentRequest::new("it was in a log"))
        .await
        .unwrap();
    for existing in [IfExists::Keep, IfExists::Replace] {
        let refused = operator.keys().copy(&from, &to, existing).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
        assert!(
            refused.to_string().contains("version 1 of key `dev/a` is compromised"),
            "{refused}"
        );
    }
    assert_eq!(operator.retrieve(&to).await.unwrap_err().code(), Code::NotFound);
    operator
        .keys()
        .set(&from, secret("the next value of the key"))
        .await
        .unwrap();
    operator.keys().copy(&from, &to, IfExists::Keep).await.unwrap();
    let number_one = from.clone().at_version(1);
    let refused = operator
        .keys()
        .copy(&number_one, &to, IfExists::Replace)
        .await
        .unwrap_err();
    assert_ne!(refused.code(), Code::NotFound, "{refused}");
    assert_eq!(
        operator.retrieve(&to).await.unwrap().bytes().unwrap(),
        b"the next value of the key"
    );
}

#[tokio::test]
async fn a_copy_replaces_a_key_only_if_it_is_asked_to() {
    let scene = Scene::new().await;
    let (from, to) = (scene.key("dev/a"), scene.key("dev/b"));
    let operator = scene.operator();
    for key in [&from, &to] {
        operator.keys().set(key, secret(&key.to_string())).await.unwrap();
    }
    let refused = operator.keys().copy(&from, &to, IfExists::Keep).await.unwrap_err();
    assert_eq!(refused.code(), Code::Exists);
    let lines = operator.audit().lines(&Filter::default()).await.unwrap();
    let read = lines
        .map(|line| line.unwrap().entry().clone())
        .filter(|entry| entry.action == "key.retrieve");
    assert_eq!(read.count(), 0, "a value that cannot be written is not retrieved");
    assert_eq!(operator.retrieve(&to).await.unwrap().bytes().unwrap(), b"dev/b");
    let refused = operator
        .keys()
        .copy(&from, &to.clone().at_version(1), IfExists::Replace)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Invalid, "a copy is a new version");
    let written = operator.keys().copy(&from, &to, IfExists::Replace).await.unwrap();
    assert_eq!((written.version, written.created), (2, false));
    assert_eq!(operator.retrieve(&to).await.unwrap().bytes().unwrap(), b"dev/a");
}

#[tokio::test]
async fn a_mock_is_not_copied() {
    let scene = Scene::new().await;
    let (from, to) = (scene.key("dev/a"), scene.key("dev/b"));
    let operator = scene.operator();
    operator.keys().set(&from, secret("live")).await.unwrap();
    operator.modes().set_of_key(&from, Some(Mode::Mock)).await.unwrap();
    let refused = operator.keys().copy(&from, &to, IfExists::Keep).await.unwrap_err();
    assert_eq!(refused.code(), Code::Invalid);
    assert_eq!(operator.keys().show(&to).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_token_copies_what_it_may_read_to_where_it_may_write_and_reads_nothing_else() {
    let scene = Scene::new().await;
    let (from, to) = (scene.key("dev/api-key"), scene.key("prod/api-key"));
    scene.operator().keys().set(&from, secret("sk")).await.unwrap();
    for (scopes, environments, copied) in [
        (vec![Scope::KeysRead, Scope::KeysWrite], vec!["dev", "prod"], true),
        (vec![Scope::KeysRead, Scope::KeysWrite], vec!["dev"], false),
        (vec![Scope::KeysWrite], vec!["dev", "prod"], false),
        (vec![Scope::KeysRead], vec!["dev", "prod"], false),
    ] {
        let grant = Grant::new(Scopes::from_iter(scopes), Environments::named(environments));
        let issued = scene
            .operator()
            .tokens()
            .issue(TokenRequest::new("copier", grant))
            .await
            .unwrap();
        let session = scene.vault.as_token(&issued.token);
        let done = session
            .keys()
            .copy(&from, &to, IfExists::Replace)
            .await
            .map_err(|error| error.code());
        assert_eq!(done.map(|_| ()), if copied { Ok(()) } else { Err(Code::Denied) });
    }
    let lines = scene.operator().audit().lines(&Filter::default()).await.unwrap();
    let released = lines.map(|line| line.unwrap().entry().clone());
    let released = released.filter(|entry| entry.action == "key.retrieve" && entry.outcome == Outcome::Allowed);
    assert_eq!(released.count(), 1, "a value that cannot be written is not retrieved");
}
