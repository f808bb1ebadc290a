use ibyok_core::Scope;

use crate::world::World;

#[tokio::test]
async fn put_creates_and_then_makes_new_versions() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = "/api/v1/keys/prod/groq";
    let body = r#"{"value":"gsk-1","provider":"groq","labels":{"team":"a"},"variable":"GROQ_KEY"}"#;
    let first = world.tell("PUT", path, &admin, body).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let id = first.json()["id"].clone();
    assert_eq!(
        first.json(),
        serde_json::json!({
            "ref": "prod/groq", "id": id, "version": 1, "state": "current", "provider": "groq", "variable": "GROQ_KEY",
            "warnings": ["the value does not look like a key of Groq"],
        })
    );
    let second = world.tell("PUT", path, &admin, r#"{"value":"gsk-2"}"#).await;
    assert_eq!((second.status, &second.json()["version"]), (200, &2.into()));
    let shown = world.ask("GET", path, &admin).await.json();
    assert_eq!(
        (&shown["provider"], &shown["variable"], &shown["labels"]["team"]),
        (&"groq".into(), &"GROQ_KEY".into(), &"a".into())
    );
    assert_eq!(
        (&shown["versions"][0]["state"], &shown["versions"][1]["state"]),
        (&"retiring".into(), &"current".into())
    );
    assert!(!shown.to_string().contains("gsk-"));
}

#[tokio::test]
async fn put_of_what_must_not_exist_is_refused_where_it_does() {
    let world = World::new().await;
    let admin = format!("Bearer {}", world.admin().await);
    let headers = [
        ("authorization", admin.as_str()),
        ("content-type", "application/json"),
        ("if-none-match", "*"),
    ];
    let body = br#"{"value":"v"}"#;
    let answer = world.send("PUT", "/api/v1/keys/prod/openai", &headers, body).await;
    assert_eq!((answer.status, answer.code()), (412, "precondition".to_owned()));
    assert!(answer.json()["hint"].is_string(), "{}", answer.text());
    assert_eq!(
        world.send("PUT", "/api/v1/keys/prod/new", &headers, body).await.status,
        201
    );
    for (name, value) in [("if-none-match", "\"etag\""), ("if-match", "etag")] {
        let headers = [headers[0], headers[1], (name, value)];
        assert_eq!(
            world
                .send("PUT", "/api/v1/keys/prod/openai", &headers, body)
                .await
                .status,
            400
        );
    }
}

#[tokio::test]
async fn every_byte_is_kept() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (body, key, value) in [
        (r#"{"value":"a\n\u0000\ud83d\ude00\"é"}"#, "value", "a\n\0😀\"é"),
        (r#"{"value_base64":"AP8="}"#, "value_base64", "AP8="),
        (r#"{"value_base64":"c2stMQ=="}"#, "value", "sk-1"),
        (r#"{"fields":{"value":"v"}}"#, "value", "v"),
        (r#"{"fields":{"value":{"base64":"AP8="}}}"#, "value_base64", "AP8="),
    ] {
        assert!(
            world.tell("PUT", "/api/v1/keys/dev/bytes", &admin, body).await.status < 300,
            "{body}"
        );
        let answer = world.ask("GET", "/api/v1/keys/dev/bytes/value", &admin).await.json();
        assert_eq!(answer[key], value, "{body}");
    }
}

#[tokio::test]
async fn patch_changes_what_is_named_and_nothing_else() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = "/api/v1/keys/prod/openai";
    let patch = |body: &'static str| {
        let (world, admin) = (&world, &admin);
        async move { world.tell("PATCH", path, admin, body).await.json() }
    };
    let edited = patch(r#"{"provider":"openai","labels":{"a":"1","b":"2"}}"#).await;
    assert_eq!(
        (&edited["provider"], &edited["variable"]),
        (&"openai".into(), &"OPENAI_API_KEY".into())
    );
    let edited = patch(r#"{"labels":{"a":null}}"#).await;
    assert_eq!(
        (&edited["provider"], &edited["labels"]),
        (&"openai".into(), &serde_json::json!({"b": "2"}))
    );
    assert_eq!(patch(r#"{"provider":null}"#).await["provider"], serde_json::Value::Null);
    assert_eq!(patch(r#"{"value":"x"}"#).await["code"], "invalid");
}

#[tokio::test]
async fn delete_leaves_nothing_to_be_found() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = "/api/v1/keys/prod/openai";
    assert_eq!(world.ask("DELETE", path, &admin).await.status, 200);
    assert_eq!(world.ask("GET", path, &admin).await.status, 404);
    assert_eq!(world.ask("DELETE", path, &admin).await.status, 404);
    assert_eq!(
        world
            .ask("DELETE", "/api/v1/keys/prod/stripe?version=1", &admin)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_list_shows_what_the_token_may_see_page_by_page() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut refs = Vec::new();
    let mut path = "/api/v1/keys?limit=1".to_owned();
    loop {
        let page = world.ask("GET", &path, &admin).await.json();
        refs.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["ref"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/keys?limit=1&after={next}");
    }
    refs.sort();
    assert_eq!(refs, ["dev/openai", "prod/openai", "prod/stripe"]);
    let narrow = world.token(&[Scope::KeysList], &["prod"], &["open*"]).await;
    let seen = world.ask("GET", "/api/v1/keys", &narrow).await.json();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.ask("GET", "/api/v1/keys?env=dev", &narrow).await.status, 403);
    assert_eq!(world.ask("GET", "/api/v1/keys?env=nowhere", &admin).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_and_not_repeated() {
    let world = World::new().await;
    let admin = world.admin().await;
    let large = format!(r#"{{"value":"{}"}}"#, "x".repeat(64 * 1024 + 1));
    let exact = format!(r#"{{"value":"{}"}}"#, "x".repeat(64 * 1024));
    assert_eq!(
        world.tell("PUT", "/api/v1/keys/dev/large", &admin, &exact).await.status,
        201
    );
    for (body, status) in [
        (large.as_str(), 413),
        (r#"{"value":""}"#, 400),
        (r#"{"value":"SENT","value_base64":"QQ=="}"#, 400),
        (r#"{"provider":"openai"}"#, 400),
        (r#"{"fields":{}}"#, 400),
        (r#"{"value":"a","provider":"SENT VALUE"}"#, 400),
        (r#"{"value":"a","variable":"1SENT"}"#, 400),
        (r#"{"value":"a","labels":{"SENT label":"x"}}"#, 400),
        (r#"{"value":"a","labels":{"x":"SENT\u0007"}}"#, 400),
        (r#"{"fields":{"SENT":"a"}}"#, 400),
        (r#"{"value_base64":"SENT!"}"#, 400),
    ] {
        let answer = world.tell("PUT", "/api/v1/keys/dev/bad", &admin, body).await;
        assert_eq!(answer.status, status, "{body:.60}: {}", answer.text());
        assert!(!answer.text().contains("SENT"), "{}", answer.text());
    }
    assert_eq!(world.ask("GET", "/api/v1/keys/dev/bad", &admin).await.status, 404);
}

#[tokio::test]
async fn a_token_gives_a_key_no_limit_above_its_environments() {
    let world = World::new().await;
    let operator = world.vault.operator("test");
    let prod = "prod".parse().unwrap();
    let writer = world.token(&[Scope::KeysWrite], &["prod"], &[]).await;
    let key = "/api/v1/keys/prod/openai";
    let edit = async |limit: &str| {
        world
            .tell("PATCH", key, &writer, &format!(r#"{{"limit":{limit}}}"#))
            .await
    };
    assert_eq!(edit(r#""100000/sec""#).await.status, 200, "the environment has none");
    operator
        .limits()
        .set(&prod, Some("60/min".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(edit(r#""100000/sec""#).await.status, 200, "what it has already");
    for higher in ["61/min", "2/sec", "60/sec", "3601/hour", "100/day"] {
        let refused = edit(&format!("\"{higher}\"")).await;
        assert_eq!((refused.status, refused.code()), (403, "denied".to_owned()), "{higher}");
        let body = format!(r#"{{"value":"v","limit":"{higher}"}}"#);
        for path in [key, "/api/v1/keys/prod/new"] {
            assert_eq!(world.tell("PUT", path, &writer, &body).await.status, 403, "{higher}");
        }
    }
    for lower in ["\"60/min\"", "\"1/sec\"", "\"60/hour\"", "null"] {
        assert_eq!(edit(lower).await.status, 200, "{lower}");
    }
    let mut higher = ibyok_core::keys::KeyEdit::default();
    higher.limit = Some(Some("1000/sec".parse().unwrap()));
    operator
        .keys()
        .edit(&"prod/openai".parse().unwrap(), &higher)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_an_incident_stopped_is_enabled_only_by_who_handles_incidents() {
    let world = World::new().await;
    let operator = world.vault.operator("test");
    let writer = world.token(&[Scope::KeysWrite], &["prod"], &[]).await;
    let elsewhere = world
        .token(&[Scope::KeysWrite, Scope::IncidentsWrite], &["dev"], &[])
        .await;
    let handler = world
        .token(&[Scope::KeysWrite, Scope::IncidentsWrite], &["prod"], &[])
        .await;
    let key = "/api/v1/keys/prod/openai";
    let post = async |token: &str, what: &str| world.tell("POST", &format!("{key}/{what}"), token, "").await.status;
    assert_eq!(
        (post(&writer, "disable").await, post(&writer, "enable").await),
        (200, 200)
    );
    let request = ibyok_core::incidents::IncidentRequest::new("seen on a paste site").freeze(true);
    operator
        .incidents()
        .open(&"prod/openai".parse().unwrap(), request)
        .await
        .unwrap();
    for what in ["enable", "enable?version=1"] {
        assert_eq!(post(&writer, what).await, 403, "{what}");
        assert_eq!(post(&elsewhere, what).await, 403, "{what}");
    }
    assert_eq!(post(&writer, "disable").await, 200, "to stop it is always possible");
    assert_eq!(
        post(&handler, "enable").await,
        409,
        "what leaked is served by force only"
    );
    let reader = world
        .token(
            &[Scope::KeysRead, Scope::KeysWrite, Scope::IncidentsWrite],
            &["prod"],
            &[],
        )
        .await;
    let forced = r#"{"force":true,"reason":"the drill needs it"}"#;
    let enable = format!("{key}/enable");
    assert_eq!(world.tell("POST", &enable, &handler, forced).await.status, 403);
    assert_eq!(world.tell("POST", &enable, &reader, forced).await.status, 200);
    assert_eq!(post(&writer, "disable").await, 200);
    operator
        .incidents()
        .close(
            "prod/openai",
            "a paste",
            "training",
            ibyok_core::incidents::IfStillServed::Close,
        )
        .await
        .unwrap();
    assert_eq!(post(&writer, "enable").await, 403, "its value leaked all the same");
    assert_eq!(world.tell("POST", &enable, &reader, forced).await.status, 200);
}

#[tokio::test]
async fn a_version_that_cannot_be_served_is_not_enabled() {
    let world = World::new().await;
    let admin = world.admin().await;
    let key = "/api/v1/keys/prod/openai";
    let post = async |what: &str, body: &str| world.tell("POST", &format!("{key}/{what}"), &admin, body).await;
    for value in ["sk-2", "sk-3"] {
        world
            .tell("PUT", key, &admin, &format!(r#"{{"value":"{value}"}}"#))
            .await;
    }
    assert_eq!(post("disable", r#"{"version":1}"#).await.status, 200);
    assert_eq!(post("destroy", r#"{"version":1}"#).await.status, 200);
    assert_eq!(post("retire", r#"{"version":2}"#).await.status, 200);
    for (version, code) in [(1, "version_destroyed"), (2, "version_disabled")] {
        let refused = post("enable", &format!(r#"{{"version":{version}}}"#)).await;
        assert_eq!(
            (refused.status, refused.code()),
            (404, code.to_owned()),
            "{}",
            refused.text()
        );
    }
    assert!(post("enable", r#"{"version":2}"#).await.text().contains("retired"));
    assert_eq!(
        post("enable", r#"{"version":3}"#).await.status,
        200,
        "it is not disabled"
    );
}
