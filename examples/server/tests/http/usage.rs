use ibyok_core::Scope;

use crate::world::World;

#[tokio::test]
async fn usage_is_counted_at_once_and_shown_in_both_spellings() {
    let world = World::new().await;
    let (admin, reader) = (
        world.admin().await,
        world.token(&[Scope::KeysRead], &["prod"], &[]).await,
    );
    for _ in 0..3 {
        world.ask("GET", "/api/v1/keys/prod/openai/value", &reader).await;
    }
    world.ask("GET", "/api/v1/keys/dev/openai/value", &reader).await;
    let usage = world
        .ask("GET", "/api/v1/usage?by=version&key=prod/openai", &admin)
        .await
        .json();
    let item = &usage["items"][0];
    assert_eq!((&item["ref"], &item["version"]), (&"prod/openai".into(), &1.into()));
    assert_eq!((&item["allowed"], &item["consumers"]), (&3.into(), &1.into()));
    let external = world.ask("GET", "/external/usage?by=token", &admin).await.json();
    let item = &external["items"][0];
    assert_eq!(
        (&item["allowed"], &item["denied"]),
        (&3.into(), &1.into()),
        "{external}"
    );
    assert!(item["lastUsed"].is_string() && item["kind"] == "token");
}

#[tokio::test]
async fn usage_wants_its_scope_and_parameters_that_make_sense() {
    let world = World::new().await;
    let blind = world.token(&[Scope::KeysRead, Scope::KeysList], &["prod"], &[]).await;
    let reader = world.token(&[Scope::UsageRead], &["prod"], &["open*"]).await;
    for path in ["/api/v1/usage", "/external/usage"] {
        assert_eq!(world.ask("GET", path, &blind).await.status, 403);
        assert_eq!(world.ask("GET", path, &reader).await.status, 200);
        for (query, status) in [
            ("by=user", 400),
            ("since=yesterday", 400),
            ("since=2027-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", 400),
            ("token=x", 400),
            ("by=key&by=day", 400),
            ("env=dev", 403),
            ("key=prod/stripe", 403),
            ("key=prod/openness", 404),
            ("key=prod/openai&env=dev", 400),
            ("since=0001-01-01T00:00:00Z&until=9999-01-01T00:00:00Z", 200),
        ] {
            let answer = world.ask("GET", &format!("{path}?{query}"), &reader).await;
            assert_eq!(answer.status, status, "{path}?{query}: {}", answer.text());
        }
        assert_eq!(world.ask("POST", path, &reader).await.status, 405);
    }
}

#[tokio::test]
async fn a_list_says_when_its_items_were_last_used_where_it_is_asked_for_and_may_be_known() {
    let world = World::new().await;
    let admin = world.admin().await;
    let reader = world.token(&[Scope::KeysRead, Scope::KeysList], &["prod"], &[]).await;
    world.token(&[Scope::KeysRead], &["prod"], &[]).await;
    let value = "/api/v1/keys/prod/openai/value";
    assert_eq!(world.ask("GET", value, &reader).await.status, 200);
    let list = async |path: &str, token: &str| {
        let answer = world.ask("GET", path, token).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["items"].as_array().unwrap().clone()
    };
    for key in list("/api/v1/keys?last_use=true", &admin).await {
        let used = key["ref"] == "prod/openai";
        assert_eq!(key["last_used"].is_string(), used, "{key}");
        assert!(key.get("last_used").is_some(), "{key}");
    }
    let tokens = list("/api/v1/tokens?last_use=true&limit=1000", &admin).await;
    // The administrator used its own by asking; nobody used the third.
    let used = tokens.iter().filter(|token| token["last_used"].is_string()).count();
    let never = tokens
        .iter()
        .filter(|token| token.get("last_used") == Some(&serde_json::Value::Null));
    assert_eq!((used, never.count()), (2, 1), "{tokens:?}");
    for (path, token) in [
        ("/api/v1/keys", &admin),
        ("/api/v1/keys?last_use=false", &admin),
        ("/api/v1/tokens", &admin),
        ("/api/v1/keys?last_use=true", &reader),
    ] {
        assert!(
            list(path, token)
                .await
                .iter()
                .all(|item| item.get("last_used").is_none()),
            "{path}"
        );
    }
    for bad in ["/api/v1/keys?last_use=yes", "/api/v1/tokens?last_use="] {
        assert_eq!(world.ask("GET", bad, &admin).await.status, 400, "{bad}");
    }
    let rotating = world.token(&[Scope::KeysList, Scope::KeysRotate], &["prod"], &[]).await;
    let keys = list("/api/v1/keys?last_use=true", &rotating).await;
    assert!(keys.iter().all(|key| key.get("last_used").is_some()), "{keys:?}");
}
