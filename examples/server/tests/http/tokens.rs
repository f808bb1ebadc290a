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

#[tokio::test]
async fn a_token_rotates_itself_only_if_its_grant_says_so() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (extra, status) in [
        ("", 403),
        (r#","self_rotate":false"#, 403),
        (r#","self_rotate":true"#, 200),
    ] {
        let body = format!(r#"{{"name":"service","scopes":["keys:read"],"environments":["prod"]{extra}}}"#);
        let issued = world.tell("POST", "/api/v1/tokens", &admin, &body).await;
        // An admin without the right hands none on.
        if status == 200 {
            assert_eq!(issued.status, 403, "{}", issued.text());
            continue;
        }
        let token = issued.json()["token"].as_str().unwrap().to_owned();
        for path in [
            "/api/v1/tokens/self/rotate".to_owned(),
            format!("/api/v1/tokens/{}/rotate", issued.json()["id"].as_str().unwrap()),
        ] {
            let refused = world.tell("POST", &path, &token, r#"{"grace_seconds":0}"#).await;
            assert_eq!((refused.status, refused.code()), (403, "denied".to_owned()), "{path}");
        }
        let still = world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await;
        assert_eq!(still.status, 200);
    }
    let mut grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    grant.self_rotate = true;
    let token = world.issue(grant).await;
    let whoami = world.ask("GET", "/api/v1/tokens/self", &token).await.json();
    assert_eq!(whoami["grant"]["self_rotate"], true);
    let rotated = world.tell("POST", "/api/v1/tokens/self/rotate", &token, "").await;
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let new = rotated.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", &new).await.status,
        200
    );
    // The secret before is in its grace: it gets no other, and ends the token.
    let again = world.tell("POST", "/api/v1/tokens/self/rotate", &token, "").await;
    assert_eq!(again.status, 403);
    assert_eq!(world.ask("DELETE", "/api/v1/tokens/self", &token).await.status, 200);
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", &new).await.status,
        401
    );
}

#[tokio::test]
async fn a_sibling_is_neither_seen_nor_rotated_nor_revoked() {
    let world = World::new().await;
    let scopes = [Scope::KeysRead, Scope::TokensIssue, Scope::TokensRevoke];
    let keeper = world.token(&scopes, &["prod"], &["open*"]).await;
    for (keys, seen) in [
        (&["stripe"][..], false),
        (&[], false),
        (&["openai"], true),
        (&["open?i"], true),
    ] {
        let sibling = world.token(&[Scope::KeysRead], &["prod"], keys).await;
        let who = world.ask("GET", "/api/v1/tokens/self", &sibling).await.json();
        let path = format!("/api/v1/tokens/{}", who["id"].as_str().unwrap());
        let listed = world.ask("GET", "/api/v1/tokens", &keeper).await.json();
        let in_list = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["id"] == who["id"]);
        assert_eq!(in_list, seen, "{keys:?}");
        let status = if seen { 200 } else { 403 };
        assert_eq!(world.ask("GET", &path, &keeper).await.status, status, "{keys:?}");
        // Seen or not, its secret is nobody's but whoever issued it.
        let rotated = world.tell("POST", &format!("{path}/rotate"), &keeper, "").await;
        assert_eq!(rotated.status, 403, "{keys:?}");
        assert_eq!(world.ask("DELETE", &path, &keeper).await.status, status, "{keys:?}");
        let works = world.ask("GET", "/api/v1/tokens/self", &sibling).await.status;
        assert_eq!(works, if seen { 401 } else { 200 }, "{keys:?}");
    }
}

#[tokio::test]
async fn children_that_stay_valid_are_named_and_revoked_if_asked() {
    let world = World::new().await;
    let admin = world.admin().await;
    let issue = async |token: &str, name: &str, scopes: &str| {
        let body = format!(r#"{{"name":"{name}","scopes":[{scopes}],"environments":["dev"]}}"#);
        let issued = world.tell("POST", "/api/v1/tokens", token, &body).await;
        assert_eq!(issued.status, 201, "{}", issued.text());
        issued.json()["token"].as_str().unwrap().to_owned()
    };
    let parent = issue(&admin, "parent", r#""keys:read","tokens:issue""#).await;
    let child = issue(&parent, "child", r#""keys:read""#).await;
    let rotate = async |body: &str| {
        let rotated = world.tell("POST", "/api/v1/tokens/parent/rotate", &admin, body).await;
        assert_eq!(rotated.status, 200, "{}", rotated.text());
        rotated.json()
    };
    assert!(rotate("").await.get("children").is_none());
    assert_eq!(rotate(r#"{"grace_seconds":0}"#).await["children"][0]["name"], "child");
    let value = "/api/v1/keys/dev/openai/value";
    assert_eq!(world.ask("GET", value, &child).await.status, 200);
    let kept = world
        .ask("DELETE", "/api/v1/tokens/parent?keep_children=true", &admin)
        .await
        .json();
    assert_eq!(kept["children"][0]["name"], "child");
    let both = "/api/v1/tokens/parent?keep_children=true&revoke_children=true";
    assert_eq!(world.ask("DELETE", both, &admin).await.status, 400);
    let all = world
        .ask("DELETE", "/api/v1/tokens/parent?revoke_children=true", &admin)
        .await
        .json();
    assert_eq!(all["children"], serde_json::json!([]));
    assert_eq!(world.ask("GET", value, &child).await.status, 401);

    let parent = issue(&admin, "second", r#""keys:read","tokens:issue""#).await;
    let child = issue(&parent, "child", r#""keys:read""#).await;
    let body = r#"{"grace_seconds":0,"revoke_children":true}"#;
    let rotated = world
        .tell("POST", "/api/v1/tokens/second/rotate", &admin, body)
        .await
        .json();
    assert_eq!(
        (
            &rotated["children"],
            rotated["revoked_children"].as_array().unwrap().len()
        ),
        (&serde_json::json!([]), 1)
    );
    assert_eq!(world.ask("GET", value, &child).await.status, 401);
}
