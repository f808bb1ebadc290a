use std::collections::BTreeMap;

use ibyok_client::{Client, Error, Grant, KeyEdit, KeyWrite, Scope, SecretSlice, SecretString, TokenRequest};

use crate::world::{OPENAI, World};

fn client(world: &World, token: &str) -> Client {
    Client::new(&world.server.url(), SecretString::from(token)).unwrap()
}

fn secret(bytes: &[u8]) -> SecretSlice<u8> {
    SecretSlice::from(bytes.to_vec())
}

#[tokio::test]
async fn the_client_does_what_the_server_can() {
    let world = World::new().await;
    let client = client(&world, &world.admin().await);
    assert_eq!(client.whoami().await.unwrap().name.as_deref(), Some("test"));
    let key = client.retrieve("prod", "openai", None, None).await.unwrap();
    assert_eq!(
        (key.text().unwrap(), key.version, key.reference.as_str()),
        (OPENAI, 1, "prod/openai")
    );
    assert_eq!(
        client.retrieve("_", &key.id, None, None).await.unwrap().text().unwrap(),
        OPENAI
    );
    let mut write = KeyWrite::fields(BTreeMap::from([
        ("value".into(), secret(b"\xff\n")),
        ("org_id".into(), secret(b"o\"1")),
    ]));
    write.provider = Some("groq".to_owned());
    let written = client.add_key("dev", "groq", &write).await.unwrap();
    assert_eq!((written.reference.as_str(), written.version), ("dev/groq", 1));
    assert_eq!(
        client.add_key("dev", "groq", &write).await.unwrap_err().code(),
        "exists"
    );
    assert_eq!(client.set_key("dev", "groq", &write).await.unwrap().version, 2);
    assert_eq!(
        client
            .retrieve("dev", "groq", Some(1), None)
            .await
            .unwrap()
            .bytes()
            .unwrap(),
        b"\xff\n"
    );
    assert_eq!(
        client
            .retrieve("dev", "groq", None, Some("org_id"))
            .await
            .unwrap()
            .text()
            .unwrap(),
        "o\"1"
    );
    let mut edit = KeyEdit::default();
    edit.labels.insert("team".to_owned(), Some("a".to_owned()));
    assert_eq!(client.edit_key("dev", "groq", &edit).await.unwrap().labels["team"], "a");
    assert!(client.disable_key("dev", "groq", None).await.unwrap().disabled);
    assert_eq!(
        client.retrieve("dev", "groq", None, None).await.unwrap_err().code(),
        "key_disabled"
    );
    assert!(!client.enable_key("dev", "groq", None).await.unwrap().disabled);
    assert_eq!(
        client.disable_key("dev", "groq", Some(1)).await.unwrap().versions[0].state,
        "disabled"
    );
    assert_eq!(
        client.show_key("dev", "groq").await.unwrap().provider.as_deref(),
        Some("groq")
    );
    assert_eq!(client.keys(Some("dev")).await.unwrap().len(), 2);
    assert_eq!(client.keys(None).await.unwrap().len(), 4);
    client.remove_key("dev", "groq").await.unwrap();
    assert_eq!(client.show_key("dev", "groq").await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn tokens_by_the_client() {
    let world = World::new().await;
    let admin = client(&world, &world.admin().await);
    let grant = Grant::new([Scope::KeysRead], ["prod"]);
    let issued = admin
        .issue_token(&TokenRequest::new("my token", grant.clone()))
        .await
        .unwrap();
    let holder = Client::new(&world.server.url(), issued.token).unwrap();
    assert_eq!(
        holder
            .retrieve("prod", "openai", None, None)
            .await
            .unwrap()
            .text()
            .unwrap(),
        OPENAI
    );
    assert_eq!(
        holder.retrieve("dev", "openai", None, None).await.unwrap_err().code(),
        "denied"
    );
    assert_eq!(admin.show_token("my token").await.unwrap().id, issued.id);
    assert_eq!(admin.tokens().await.unwrap().len(), 2);
    let endless = admin
        .issue_token(&TokenRequest::new("n", grant).no_expiry())
        .await
        .unwrap();
    assert_eq!(endless.expires_at, None);
    admin.revoke_token("my token", false).await.unwrap();
    let error = holder.whoami().await.unwrap_err();
    assert_eq!(
        (error.code(), error.problem().map(|problem| problem.status)),
        ("unauthenticated", Some(401))
    );
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_token_is_found_by_its_name_whatever_that_holds() {
    let world = World::new().await;
    let admin = client(&world, &world.admin().await);
    let grant = Grant::new([Scope::KeysRead], ["prod"]);
    for name in ["ci/deploy", "..", "_", "a%2fb", "a\\b", "Ünï côde", "a?b#c&d=e+f"] {
        let issued = admin
            .issue_token(&TokenRequest::new(name, grant.clone()))
            .await
            .unwrap();
        assert_eq!(admin.show_token(name).await.unwrap().id, issued.id, "{name}");
        let revoked = admin.revoke_token(name, false).await.unwrap();
        assert_eq!(
            (revoked.info.id.as_str(), revoked.info.state.as_str()),
            (issued.id.as_str(), "revoked"),
            "{name}"
        );
    }
    let token = world.admin().await;
    for path in [
        "/api/v1/tokens/_",
        "/api/v1/tokens/self2?name=self2",
        "/api/v1/tokens/_?name=a&name=b",
    ] {
        assert_eq!(world.ask("GET", path, &token).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_version_is_shown_alone() {
    let world = World::new().await;
    let client = client(&world, &world.admin().await);
    client
        .set_key(
            "prod",
            "openai",
            &KeyWrite::fields(BTreeMap::from([("value".into(), secret(b"2"))])),
        )
        .await
        .unwrap();
    let shown = client.show_version("prod", "openai", "1").await.unwrap();
    assert_eq!(
        (shown.versions.len(), shown.versions_count, shown.version),
        (1, 2, Some(2))
    );
    for (version, code) in [
        ("99", "not_found"),
        ("pending", "not_found"),
        ("0", "invalid"),
        ("x", "invalid"),
    ] {
        let error = client.show_version("prod", "openai", version).await.unwrap_err();
        assert_eq!(error.code(), code, "{version}");
    }
    let listed = client.keys(Some("prod")).await.unwrap();
    assert!(
        listed
            .iter()
            .all(|key| key.versions.is_empty() && key.versions_count > 0)
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be() {
    let world = World::new().await;
    let client = client(&world, "t");
    world.server.stop().await.unwrap();
    let error = client.whoami().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.code(), "unavailable");
}
