//! Limits, as a client meets them: 429, and when to come back.

use ibyok_core::{Environments, Grant, Scope, Scopes};

use crate::world::{OPENAI, World};

fn reading_at(rate: &str) -> Grant {
    let mut grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    grant.rate = Some(rate.parse().unwrap());
    grant
}

#[tokio::test]
async fn beyond_its_limit_a_token_is_answered_429_and_when_to_come_back() {
    let world = World::new().await;
    let token = world.issue(reading_at("2/hour")).await;
    let path = "/api/v1/keys/prod/openai/value";
    for path in [path, "/external/keys/openai/value"] {
        assert_eq!(world.ask("GET", path, &token).await.json()["value"], OPENAI);
    }
    for path in [
        path,
        "/external/keys/openai/value?env=production",
        "/api/v1/keys/prod/absent/value",
    ] {
        let refused = world.ask("GET", path, &token).await;
        assert_eq!(refused.status, 429, "{path}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1790..=1800).contains(&wait), "{wait}");
        assert_eq!(refused.header("cache-control"), Some("no-store"));
        let problem = refused.json();
        assert_eq!((&problem["code"], &problem["status"]), (&"limited".into(), &429.into()));
        assert_eq!(problem["detail"], "this token has reached its limit of 2/hour");
        assert_eq!(problem["hint"], "try again in 30 min");
    }
}

#[tokio::test]
async fn a_time_to_wait_is_rounded_up_to_whole_seconds() {
    let world = World::new().await;
    let token = world.issue(reading_at("1/sec")).await;
    let path = "/api/v1/keys/prod/openai/value";
    let mut refused = world.ask("GET", path, &token).await;
    while refused.status == 200 {
        refused = world.ask("GET", path, &token).await;
    }
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.ask("GET", path, &token).await.status, 200, "as it said");
}

#[tokio::test]
async fn limits_are_set_and_shown_over_http() {
    let world = World::new().await;
    let admin = world.admin().await;
    let put = async |body: &str| world.tell("PUT", "/api/v1/limits", &admin, body).await;
    let set = put(r#"{"environment":"production","limit":"2/day"}"#).await;
    let expected = serde_json::json!({"environment": "prod", "limit": "2/day", "scope": "node"});
    assert_eq!((set.status, set.json()), (200, expected.clone()));
    let one = world.ask("GET", "/api/v1/limits?env=prod", &admin).await.json();
    assert_eq!(one, serde_json::json!({"items": [expected], "next": null}));
    let all = world.ask("GET", "/api/v1/limits", &admin).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);

    let key = "/api/v1/keys/prod/openai";
    let in_force = world.ask("GET", key, &admin).await.json()["limit_in_force"].clone();
    assert_eq!(
        in_force,
        serde_json::json!({"rate": "2/day", "source": "environment", "scope": "node"})
    );
    let edited = world.tell("PATCH", key, &admin, r#"{"limit":"1/day"}"#).await.json();
    assert_eq!(edited["limit"], "1/day");
    let written = world.tell("PUT", key, &admin, r#"{"value":"sk-2"}"#).await;
    assert_eq!(written.status, 200);
    let shown = world.ask("GET", key, &admin).await.json();
    assert_eq!(
        (&shown["limit"], &shown["limit_in_force"]["source"]),
        (&"1/day".into(), &"key".into())
    );
    let path = format!("{key}/value");
    assert_eq!(world.ask("GET", &path, &admin).await.status, 200);
    let refused = world.ask("GET", &path, &admin).await;
    assert_eq!(
        refused.json()["detail"],
        "key `prod/openai` has reached its limit of 1/day"
    );
    let edited = world.tell("PATCH", key, &admin, r#"{"limit":null}"#).await.json();
    assert!(edited["limit"].is_null());
    assert_eq!(put(r#"{"environment":"prod","limit":null}"#).await.status, 200);
    assert_eq!(world.ask("GET", &path, &admin).await.status, 200);
}

#[tokio::test]
async fn a_token_with_a_rate_is_issued_over_http_and_says_over_what_it_counts() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = r#"{"name":"slow","environments":["prod"],"rate":"1/day"}"#;
    let issued = world.tell("POST", "/api/v1/tokens", &admin, body).await.json();
    assert_eq!(issued["grant"]["rate"], "1/day");
    let path = format!("/api/v1/tokens/{}", issued["id"].as_str().unwrap());
    assert_eq!(world.ask("GET", &path, &admin).await.json()["limit_scope"], "node");
    let token = issued["token"].as_str().unwrap();
    let value = "/api/v1/keys/prod/openai/value";
    assert_eq!(world.ask("GET", value, token).await.status, 200);
    assert_eq!(world.ask("GET", value, token).await.status, 429);
}

#[tokio::test]
async fn a_rate_that_is_none_is_refused_wherever_it_is_given() {
    let world = World::new().await;
    let admin = world.admin().await;
    for rate in [
        r#""0/min""#,
        r#""-1/min""#,
        r#""1e12/sec""#,
        r#""1000000000000/sec""#,
        r#""60/fortnight""#,
        r#""60""#,
        r#""""#,
        r#"" 60/min""#,
        r#""60/min;""#,
        r#""٦٠/min""#,
        "60",
        "{}",
        "[\"60/min\"]",
        "true",
    ] {
        for (method, path, body) in [
            (
                "PUT",
                "/api/v1/limits",
                format!(r#"{{"environment":"prod","limit":{rate}}}"#),
            ),
            ("PATCH", "/api/v1/keys/prod/openai", format!(r#"{{"limit":{rate}}}"#)),
            (
                "PUT",
                "/api/v1/keys/prod/openai",
                format!(r#"{{"value":"x","limit":{rate}}}"#),
            ),
            (
                "POST",
                "/api/v1/tokens",
                format!(r#"{{"name":"x","environments":["prod"],"rate":{rate}}}"#),
            ),
        ] {
            let refused = world.tell(method, path, &admin, &body).await;
            assert_eq!(
                (refused.status, refused.json()["code"].as_str()),
                (400, Some("invalid")),
                "{method} {path} {body}"
            );
        }
    }
    for body in [
        "{}",
        r#"{"environment":"prod"}"#,
        r#"{"limit":"1/min"}"#,
        r#"{"environment":"","limit":null}"#,
    ] {
        let refused = world.tell("PUT", "/api/v1/limits", &admin, body).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai", &admin).await.json()["version"],
        1
    );
}

/// Refusals of a kind until one is limited, and that one.
async fn until_limited(world: &World, method: &str, path: impl Fn(usize) -> String, token: &str) -> (usize, u16) {
    for count in 0..2_000 {
        let refused = world.ask(method, &path(count), token).await;
        if refused.status == 429 {
            assert!(refused.header("retry-after").is_some());
            assert_eq!(refused.code(), "limited");
            return (count, 429);
        }
        assert!(matches!(refused.status, 403 | 404), "{}", refused.text());
    }
    (2_000, 0)
}

#[tokio::test]
async fn refused_revocations_and_disablings_have_a_limit_and_others_never() {
    let world = World::new().await;
    let revoker = world
        .token(&[Scope::TokensRevoke, Scope::KeysWrite], &["prod"], &[])
        .await;
    let other_revoker = world.token(&[Scope::TokensRevoke], &["prod"], &[]).await;
    let operator = world.vault.operator("test");
    let issue = async |name: &str, environment: &str| {
        let grant = Grant::new(Scopes::from([Scope::TokensRevoke]), Environments::named([environment]));
        let request = ibyok_core::TokenRequest::new(name, grant);
        operator.tokens().issue(request).await.unwrap().info.id.to_string()
    };
    let outside = issue("outside", "dev").await;
    let (by_id, by_name) = (issue("by-id", "prod").await, "by-name");
    issue(by_name, "prod").await;
    let path = |count: usize| match count % 3 {
        0 => format!("/api/v1/tokens/{outside}"),
        1 => format!("/api/v1/tokens/absent-{count}"),
        _ => "/api/v1/tokens/tok_nonsense".to_owned(),
    };
    let (count, status) = until_limited(&world, "DELETE", path, &revoker).await;
    assert_eq!(status, 429);
    assert!((600..700).contains(&count), "{count}");
    // The refusals of disabling share the bucket.
    let disable = |count: usize| format!("/api/v1/keys/prod/absent-{count}/disable");
    assert!(until_limited(&world, "POST", disable, &revoker).await.0 < 20);

    // Whoever may take something away still does; only a search through all tokens waits.
    let revoked = world.ask("DELETE", &format!("/api/v1/tokens/{by_id}"), &revoker).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    let disabled = world.ask("POST", "/api/v1/keys/prod/openai/disable", &revoker).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text());
    let searched = async |token: &str| world.ask("DELETE", &format!("/api/v1/tokens/{by_name}"), token).await;
    assert_eq!(searched(&revoker).await.status, 429);
    assert_eq!(
        searched(&other_revoker).await.status,
        200,
        "each token has its own limit"
    );
    assert_eq!(world.ask("DELETE", "/api/v1/tokens/self", &revoker).await.status, 200);

    // The log has the first refusals one by one, and counts the others for a line a minute.
    let log = world.log().await;
    let refusals = log.iter().filter(|line| {
        let action = line["action"].as_str().unwrap();
        matches!(action, "token.revoke" | "key.disable") && line["outcome"] != "allowed"
    });
    let lines = refusals.count();
    assert!((20..=60).contains(&lines), "{lines} lines");
}
