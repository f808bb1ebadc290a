use ibyok_core::{Environments, Grant, Scope, Scopes};

use crate::world::{OPENAI, World};

#[tokio::test]
async fn a_token_is_issued_used_shown_and_revoked() {
    let world = World::new().await;
    let admin = world.admin().await;
    let body = r#"{"name":"ci","scopes":["keys:read"],"environments":["production"],"keys":["open*"],"expires_at":"2099-01-01T00:00:00Z"}"#;
    let issued = world.tell("POST", "/api/v1/tokens", &admin, body).await;
    assert_eq!(issued.status, 201, "{}", issued.text());
    let issued = issued.json();
    let names: Vec<&String> = issued.as_object().unwrap().keys().collect();
    let all = [
        "epoch",
        "expires_at",
        "grant",
        "id",
        "name",
        "older_secret_until",
        "token",
    ];
    assert_eq!(names, all);
    assert_eq!(issued["grant"]["environments"], serde_json::json!(["prod"]));
    let (id, token) = (issued["id"].as_str().unwrap(), issued["token"].as_str().unwrap());
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", token).await.json()["value"],
        OPENAI
    );
    for which in [id, "ci"] {
        let shown = world.ask("GET", &format!("/api/v1/tokens/{which}"), &admin).await;
        assert_eq!(
            (&shown.json()["id"], &shown.json()["state"]),
            (&id.into(), &"valid".into())
        );
        assert!(!shown.text().contains(token));
    }
    let revoked = world.ask("DELETE", "/api/v1/tokens/ci", &admin).await;
    assert_eq!((revoked.status, &revoked.json()["state"]), (200, &"revoked".into()));
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", token).await.status,
        401
    );
    let listed = world.ask("GET", "/api/v1/tokens", &admin).await;
    assert!(
        listed.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["id"] == id)
    );
    assert!(!listed.text().contains(token));
}

#[tokio::test]
async fn a_token_knows_and_revokes_itself_without_any_scope_for_it() {
    let world = World::new().await;
    let token = world.token(&[Scope::KeysList], &["dev"], &[]).await;
    let body = world.ask("GET", "/api/v1/tokens/self", &token).await.json();
    assert_eq!((&body["kind"], &body["name"]), (&"token".into(), &"test".into()));
    assert_eq!(body["grant"]["scopes"], serde_json::json!(["keys:list"]));
    assert_eq!(world.ask("DELETE", "/api/v1/tokens/self", &token).await.status, 200);
    assert_eq!(world.ask("GET", "/api/v1/tokens/self", &token).await.status, 401);
}

#[tokio::test]
async fn nobody_issues_more_than_they_have() {
    let world = World::new().await;
    let issuer = world
        .token(&[Scope::TokensIssue, Scope::KeysRead], &["dev"], &["open*"])
        .await;
    for (body, status) in [
        (
            r#"{"name":"a","scopes":["keys:read"],"environments":["dev"],"keys":["openai"]}"#,
            201,
        ),
        (r#"{"name":"a","scopes":["keys:read"],"environments":["dev"]}"#, 403),
        (
            r#"{"name":"a","scopes":["keys:write"],"environments":["dev"],"keys":["openai"]}"#,
            403,
        ),
        (
            r#"{"name":"a","scopes":["keys:read"],"environments":["prod"],"keys":["openai"]}"#,
            403,
        ),
        (
            r#"{"name":"a","scopes":["keys:read"],"all_environments":true,"keys":["openai"]}"#,
            403,
        ),
        (
            r#"{"name":"a","scopes":["keys:read"],"environments":["dev"],"keys":["openai"],"no_expiry":true}"#,
            403,
        ),
    ] {
        let answer = world.tell("POST", "/api/v1/tokens", &issuer, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    for body in [
        r#"{"scopes":["keys:read"],"environments":["dev"]}"#,
        r#"{"name":"","environments":["dev"]}"#,
        r#"{"name":"self","environments":["dev"]}"#,
        r#"{"name":"a"}"#,
        r#"{"name":"a","environments":["dev"],"all_environments":true}"#,
        r#"{"name":"a","environments":[]}"#,
        r#"{"name":"a","environments":["dev"],"scopes":[]}"#,
        r#"{"name":"a","environments":["dev"],"scopes":["keys:fly"]}"#,
        r#"{"name":"a","environments":["dev"],"cidrs":["10.0.0.0/99"]}"#,
        r#"{"name":"a","environments":["dev"],"keys":["a/b"]}"#,
        r#"{"name":"a","environments":["dev"],"expires_at":"2001-01-01T00:00:00Z"}"#,
        r#"{"name":"a","environments":["dev"],"expires_at":"2099-01-01T00:00:00Z","no_expiry":true}"#,
        r#"{"name":"a","environments":["dev"],"rate":"0/min"}"#,
        r#"{"name":"a","environments":["Dev"]}"#,
    ] {
        let answer = world.tell("POST", "/api/v1/tokens", &admin, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid".to_owned()),
            "{body}: {}",
            answer.text()
        );
    }
    let nowhere = world
        .tell(
            "POST",
            "/api/v1/tokens",
            &admin,
            r#"{"name":"a","environments":["nowhere"]}"#,
        )
        .await;
    assert_eq!(nowhere.status, 404, "{}", nowhere.text());
}

#[tokio::test]
async fn what_is_not_said_is_the_usual() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issued = world
        .tell(
            "POST",
            "/api/v1/tokens",
            &admin,
            r#"{"name":"usual","environments":["dev"]}"#,
        )
        .await
        .json();
    assert_eq!(issued["grant"]["scopes"], serde_json::json!(["keys:read", "keys:list"]));
    assert!(issued["expires_at"].is_string());
    let never = r#"{"name":"never","environments":["dev"],"no_expiry":true}"#;
    let answer = world.tell("POST", "/api/v1/tokens", &admin, never).await;
    assert_eq!(
        (answer.status, &answer.json()["expires_at"]),
        (201, &serde_json::Value::Null)
    );
}

#[tokio::test]
async fn a_parents_end_is_its_childrens_unless_they_are_kept() {
    let world = World::new().await;
    for (query, status) in [("", 401), ("?keep_children=true", 200)] {
        let parent = world
            .token(
                &[Scope::TokensIssue, Scope::KeysRead, Scope::TokensRevoke],
                &["dev"],
                &[],
            )
            .await;
        let child = world
            .tell(
                "POST",
                "/api/v1/tokens",
                &parent,
                r#"{"name":"c","scopes":["keys:read"],"environments":["dev"]}"#,
            )
            .await;
        let child = child.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(
            world
                .ask("DELETE", &format!("/api/v1/tokens/self{query}"), &parent)
                .await
                .status,
            200
        );
        assert_eq!(
            world.ask("GET", "/api/v1/keys/dev/openai/value", &child).await.status,
            status,
            "{query}"
        );
    }
    let admin = world.admin().await;
    assert_eq!(
        world
            .ask("DELETE", "/api/v1/tokens/self?keep_children=yes", &admin)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_token_for_a_network_is_refused_elsewhere() {
    let world = World::new().await;
    let mut grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    grant.networks = Some(vec!["10.0.0.0/8".parse().unwrap()]);
    let token = world.issue(grant.clone()).await;
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await.status,
        403
    );
    grant.networks = Some(vec!["127.0.0.0/8".parse().unwrap()]);
    let token = world.issue(grant).await;
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await.status,
        200
    );
}
