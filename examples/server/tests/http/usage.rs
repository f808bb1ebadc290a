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
