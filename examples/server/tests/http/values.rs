use ibyok_core::{
    AccessToken, Scope, Secret,
    keys::{FieldName, KeyWrite},
    policy::Restriction,
};

use crate::world::{DEV, OPENAI, World};

#[tokio::test]
async fn a_value_comes_with_what_it_is() {
    let world = World::new().await;
    let token = world.token(&[Scope::KeysRead], &["prod"], &[]).await;
    let answer = world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(
        (&body["ref"], &body["version"], &body["mode"]),
        (&"prod/openai".into(), &1.into(), &"live".into())
    );
    assert_eq!(body["value"], OPENAI);
    assert!(body["id"].as_str().unwrap().starts_with("key_"));
    assert_eq!(
        world
            .ask("GET", "/api/v1/keys/production/openai/value", &token)
            .await
            .json()["value"],
        OPENAI
    );
}

#[tokio::test]
async fn older_versions_and_single_fields_are_named() {
    let world = World::new().await;
    let admin = world.admin().await;
    let operator = world.vault.operator("test");
    let fields = [("value", &b"two"[..]), ("org_id", b"o-1"), ("pin", b"\xff\x00")];
    let fields = fields.map(|(name, value)| (name.parse::<FieldName>().unwrap(), Secret::copy_of(value)));
    operator
        .keys()
        .set(&"prod/openai".parse().unwrap(), KeyWrite::new(fields.into()))
        .await
        .unwrap();
    let value = |query: &'static str| {
        let path = format!("/api/v1/keys/prod/openai/value{query}");
        let (world, admin) = (&world, &admin);
        async move { world.ask("GET", &path, admin).await.json() }
    };
    let all = value("").await;
    assert_eq!((&all["value"], &all["version"]), (&"two".into(), &2.into()));
    assert_eq!(
        all["fields"],
        serde_json::json!({"value": "two", "org_id": "o-1", "pin": {"base64": "/wA="}})
    );
    assert_eq!(value("?version=1").await["value"], OPENAI);
    assert_eq!(value("?field=org_id").await["value"], "o-1");
    let pin = value("?field=pin&version=2").await;
    assert_eq!(
        (&pin["value_base64"], pin.get("value"), pin.get("fields")),
        (&"/wA=".into(), None, None)
    );
}

#[tokio::test]
async fn the_published_interface_gives_what_it_says() {
    let world = World::new().await;
    let token = world.token(&[Scope::KeysRead, Scope::KeysList], &["prod"], &[]).await;
    let body = world
        .ask("GET", "/external/keys/openai/value?env=prod", &token)
        .await
        .json();
    let id = body["keyId"].as_str().unwrap().to_owned();
    let mode = serde_json::json!({"environment": "production", "effectiveMode": "live", "source": "tenant_setting"});
    let expected = serde_json::json!({
        "keyId": id, "name": "openai", "llmType": "openai", "value": OPENAI, "version": 1, "modeInfo": mode
    });
    assert_eq!(body, expected);
    assert_eq!(
        world.ask("GET", "/external/keys/openai/value", &token).await.json(),
        expected,
        "the token's environment"
    );
    assert_eq!(
        world
            .ask("GET", &format!("/external/keys/{id}/value"), &token)
            .await
            .json(),
        expected,
        "by id"
    );
    assert_eq!(
        world
            .ask("GET", &format!("/external/keys/{id}/value?env=prod"), &token)
            .await
            .json(),
        expected
    );
    let list = world.ask("GET", "/external/keys", &token).await;
    assert!(!list.text().contains("SENTINEL"));
    let items = list.json()["items"].as_array().unwrap().clone();
    // The list is in the order of the ids, which no two vaults share.
    let mut types: Vec<_> = items.iter().filter_map(|item| item["llmType"].as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["openai", "stripe"]);
}

#[tokio::test]
async fn without_an_environment_it_is_the_servers_own() {
    let world = World::with(|options, _| options.environment = Some("dev".parse().unwrap())).await;
    let all = world.token(&[Scope::KeysRead], &[], &[]).await;
    assert_eq!(
        world.ask("GET", "/external/keys/openai/value", &all).await.json()["value"],
        DEV
    );
    let narrowed = {
        let mut restriction = Restriction::default();
        restriction.environments = Some(["prod".to_owned()].into());
        ibyok_core::tokens::attenuate(&AccessToken::from(all.as_str()), &restriction).unwrap()
    };
    let answer = world.ask("GET", "/external/keys/openai/value", narrowed.expose()).await;
    assert_eq!(answer.json()["value"], OPENAI, "the one that is left of a token's");
    let world = World::new().await;
    let all = world.token(&[Scope::KeysRead], &[], &[]).await;
    let answer = world.ask("GET", "/external/keys/openai/value", &all).await;
    assert_eq!((answer.status, answer.code()), (400, "invalid".to_owned()));
}

#[tokio::test]
async fn by_id_what_is_forbidden_and_what_does_not_exist_are_the_same() {
    let world = World::new().await;
    let admin = world.admin().await;
    let token = world
        .token(&[Scope::KeysRead, Scope::KeysList], &["prod"], &["openai"])
        .await;
    let id = world.ask("GET", "/api/v1/keys/prod/stripe", &admin).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let absent = format!("key_{}", "0".repeat(21) + "1");
    for path in [
        "/external/keys/{}/value",
        "/external/keys/{}/value?env=prod",
        "/api/v1/keys/_/{}/value",
        "/api/v1/keys/prod/{}/value",
    ] {
        let mut answers = Vec::new();
        for id in [&id, &absent] {
            let answer = world.ask("GET", &path.replace("{}", id), &token).await;
            let mut body = answer.json();
            body["request_id"] = "".into();
            answers.push((answer.status, body.to_string().replace(id.as_str(), "ID")));
        }
        assert_eq!(answers[0].0, 403, "{path}: {answers:?}");
        assert_eq!(answers[0], answers[1], "{path}");
    }
}

#[tokio::test]
async fn versions_begin_with_1_in_query_and_body() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (path, body) in [
        ("/api/v1/keys/prod/openai/disable", r#"{"version":0}"#),
        ("/api/v1/keys/prod/openai/disable?version=0", "{}"),
        ("/api/v1/keys/prod/openai/enable", r#"{"version":0}"#),
    ] {
        let answer = world.tell("POST", path, &admin, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid".to_owned()),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn a_disabled_key_is_not_there() {
    let world = World::new().await;
    let admin = world.admin().await;
    assert_eq!(
        world
            .ask("POST", "/api/v1/keys/prod/openai/disable", &admin)
            .await
            .status,
        200
    );
    let answer = world.ask("GET", "/api/v1/keys/prod/openai/value", &admin).await;
    assert_eq!((answer.status, answer.code()), (404, "key_disabled".to_owned()));
    assert_eq!(
        world
            .ask("POST", "/api/v1/keys/prod/openai/enable", &admin)
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .tell("POST", "/api/v1/keys/prod/openai/disable", &admin, r#"{"version":1}"#)
            .await
            .status,
        200
    );
    let answer = world.ask("GET", "/api/v1/keys/prod/openai/value", &admin).await;
    assert_eq!((answer.status, answer.code()), (404, "version_disabled".to_owned()));
}

#[tokio::test]
async fn a_retrieval_is_on_the_log_also_when_it_is_refused() {
    let world = World::new().await;
    let token = world.token(&[Scope::KeysRead], &["prod"], &["openai"]).await;
    world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await;
    world.ask("GET", "/api/v1/keys/prod/stripe/value", &token).await;
    let log = world.log().await;
    let outcomes: Vec<_> = log
        .iter()
        .filter(|line| line["action"] == "key.retrieve")
        .map(|line| line["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["allowed", "denied"]);
}
