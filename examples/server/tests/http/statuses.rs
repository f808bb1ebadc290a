use ibyok_core::{Scope, secrecy::SecretString};

use crate::world::World;

#[tokio::test]
async fn each_request_gets_its_status_and_code() {
    let world = World::new().await;
    let admin = world.admin().await;
    let reader = world
        .token(&[Scope::KeysRead, Scope::KeysList], &["prod"], &["openai"])
        .await;
    let value = "/api/v1/keys/prod/openai/value";
    for (method, path, token, status, code) in [
        ("GET", value, &admin, 200, "none"),
        ("GET", value, &reader, 200, "none"),
        ("GET", "/api/v1/keys/prod/stripe/value", &reader, 403, "denied"),
        ("GET", "/api/v1/keys/prod/nothing/value", &reader, 403, "denied"),
        ("GET", "/api/v1/keys/dev/openai/value", &reader, 403, "denied"),
        ("DELETE", "/api/v1/keys/prod/openai", &reader, 403, "denied"),
        ("GET", "/api/v1/tokens", &reader, 403, "denied"),
        ("GET", "/api/v1/keys/prod/nothing/value", &admin, 404, "not_found"),
        (
            "GET",
            "/api/v1/keys/prod/openai/value?version=9",
            &admin,
            404,
            "not_found",
        ),
        (
            "GET",
            "/api/v1/keys/prod/openai/value?field=org_id",
            &admin,
            404,
            "not_found",
        ),
        ("GET", "/api/v1/keys/nowhere/openai/value", &admin, 404, "not_found"),
        ("GET", "/api/v1/keys/Prod/openai/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/self/openai/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/_/openai/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/prod/*/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/prod/../value", &admin, 400, "invalid"),
        (
            "GET",
            "/api/v1/keys/prod/openai/value?version=0",
            &admin,
            400,
            "invalid",
        ),
        ("GET", "/api/v1/keys/prod/openai/value?token=x", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys?limit=0", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys?after=x", &admin, 400, "invalid"),
        ("HEAD", value, &admin, 405, "none"),
        ("POST", value, &admin, 405, "method"),
        ("FOO", value, &admin, 405, "method"),
        ("OPTIONS", value, &admin, 405, "method"),
        ("HEAD", "/external/keys/openai/value", &admin, 405, "none"),
        ("DELETE", "/external/keys", &admin, 405, "method"),
        ("POST", "/healthz", &admin, 405, "method"),
        ("GET", "/", &admin, 404, "not_found"),
        ("GET", "/api/v1/keys/", &admin, 404, "not_found"),
        ("GET", "/api/v1/usages", &admin, 404, "not_found"),
        ("GET", "//api/v1/keys", &admin, 404, "not_found"),
        ("GET", "/api//v1/keys", &admin, 404, "not_found"),
        ("GET", "/api/v1/./keys", &admin, 404, "not_found"),
        ("GET", "/api/v1/keys/prod/..%2fopenai/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/prod/op%65nai/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/prod/openai%00/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/keys/prod/openai%0d%0a/value", &admin, 400, "invalid"),
        ("GET", "/api/v1/tokens/a%2fb", &admin, 400, "invalid"),
        ("GET", "/api/v1/tokens/nobody", &admin, 403, "denied"),
        ("GET", "/healthz", &admin, 200, "none"),
        ("GET", "/readyz", &admin, 200, "none"),
        ("GET", "/openapi.json", &admin, 200, "none"),
    ] {
        let answer = world.ask(method, path, token).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let found = if answer.body.is_empty() {
            "none".to_owned()
        } else {
            answer.code()
        };
        assert_eq!(found, code, "{method} {path}");
    }
}

#[tokio::test]
async fn an_unknown_path_needs_no_token_and_a_wrong_method_names_the_right_ones() {
    let world = World::new().await;
    assert_eq!(world.send("GET", "/nothing", &[], b"").await.status, 404);
    for (path, allow) in [
        ("/api/v1/keys/prod/openai/value", "GET"),
        ("/api/v1/keys/prod/openai", "GET, PUT, PATCH, DELETE"),
        ("/api/v1/tokens", "GET, POST"),
        ("/healthz", "GET, HEAD"),
    ] {
        let answer = world.send("TRACE", path, &[], b"").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{path}");
    }
    let head = world.send("HEAD", "/api/v1/keys/prod/openai/value", &[], b"").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET")));
}

#[tokio::test]
async fn every_token_that_is_none_gets_one_and_the_same_answer() {
    let world = World::new().await;
    let (good, other) = (world.admin().await, World::new().await.admin().await);
    let revoked = world.admin().await;
    assert_eq!(world.ask("DELETE", "/api/v1/tokens/self", &revoked).await.status, 200);
    let mut cut = good.clone();
    cut.pop();
    let mut changed = good.clone().into_bytes();
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'a' { b'b' } else { b'a' };
    let changed = String::from_utf8(changed).unwrap();
    let lower = good.to_lowercase();
    let mut bodies = Vec::new();
    for bad in [&cut, &changed, &other, &revoked, &lower, "", "x", &"x".repeat(20_000)] {
        let answer = world.ask("GET", "/api/v1/keys/prod/openai/value", bad).await;
        assert_eq!(answer.status, 401, "{bad:.20}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"ibyok\", error=\"invalid_token\"")
        );
        let mut body = answer.json();
        body["request_id"] = "".into();
        bodies.push(body);
    }
    let none = world.send("GET", "/api/v1/keys/prod/openai/value", &[], b"").await;
    assert_eq!(
        (none.status, none.header("www-authenticate")),
        (401, Some("Bearer realm=\"ibyok\""))
    );
    let mut body = none.json();
    body["request_id"] = "".into();
    bodies.push(body);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0]["code"], "unauthenticated");
}

#[tokio::test]
async fn a_token_of_a_megabyte_is_too_much_of_a_head() {
    let world = World::new().await;
    let request = format!(
        "GET /api/v1/keys HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = world.raw(request.as_bytes()).await;
    assert!(answer.is_none_or(|answer| answer.status == 431));
}

#[tokio::test]
async fn two_tokens_in_one_request_are_refused() {
    let world = World::new().await;
    let (one, two) = (world.admin().await, world.admin().await);
    let bearer = |token: &str| format!("Bearer {token}");
    let (first, second) = (bearer(&one), bearer(&two));
    for (headers, status) in [
        (
            vec![("authorization", first.as_str()), ("x-vault-token", one.as_str())],
            200,
        ),
        (vec![("x-vault-token", one.as_str())], 200),
        (
            vec![("authorization", first.as_str()), ("x-vault-token", two.as_str())],
            400,
        ),
        (
            vec![("authorization", first.as_str()), ("authorization", second.as_str())],
            400,
        ),
        (
            vec![("authorization", first.as_str()), ("authorization", first.as_str())],
            400,
        ),
    ] {
        let answer = world.send("GET", "/api/v1/tokens/self", &headers, b"").await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let in_query = world
        .send("GET", &format!("/api/v1/tokens/self?token={one}"), &[], b"")
        .await;
    assert_eq!(in_query.status, 401);
    assert!(!in_query.text().contains(&one));
}

#[tokio::test]
async fn a_problem_is_a_document_with_the_id_of_its_request() {
    let world = World::new().await;
    let admin = format!("Bearer {}", world.admin().await);
    let headers = [("authorization", admin.as_str()), ("x-request-id", "build-17")];
    let answer = world.send("GET", "/api/v1/keys/prod/nothing", &headers, b"").await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("x-request-id"), Some("build-17"));
    let body = answer.json();
    assert_eq!(body["type"], "urn:ibyok:problem:not_found");
    assert_eq!(
        (&body["status"], &body["request_id"]),
        (&404.into(), &"build-17".into())
    );
    assert_eq!(body["detail"], "there is no key `prod/nothing`");
    let replaced = world
        .send("GET", "/api/v1/keys", &[("x-request-id", "a b\"")], b"")
        .await;
    assert_eq!(replaced.header("x-request-id").unwrap().len(), 36);
    assert_eq!(replaced.json()["request_id"], replaced.header("x-request-id").unwrap());
}

#[tokio::test]
async fn the_log_joins_request_and_answer() {
    let world = World::new().await;
    let token = world.token(&[Scope::KeysRead], &["prod"], &[]).await;
    let bearer = format!("Bearer {token}");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-request-id", "r-1"),
        ("traceparent", parent.as_str()),
        ("user-agent", "probe/1"),
    ];
    assert_eq!(
        world
            .send("GET", "/api/v1/keys/prod/openai/value", &headers, b"")
            .await
            .status,
        200
    );
    let log = world.log().await;
    let line = log.iter().find(|line| line["action"] == "key.retrieve").unwrap();
    assert_eq!(
        (&line["outcome"], &line["request_id"], &line["trace_id"]),
        (&"allowed".into(), &"r-1".into(), &trace.into())
    );
    assert_eq!(
        (&line["client"]["ip"], &line["client"]["user_agent"]),
        (&"127.0.0.1".into(), &"probe/1".into())
    );
    let id = ibyok_core::tokens::token_id(&ibyok_core::AccessToken::new(SecretString::from(token.as_str()))).unwrap();
    assert_eq!(line["principal"]["id"], id.to_string());
}

#[tokio::test]
async fn the_description_names_what_there_is() {
    let world = World::new().await;
    let admin = world.admin().await;
    let document = world.ask("GET", "/openapi.json", &admin).await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let url = path
            .replace("{env}", "prod")
            .replace("{name}", "openai")
            .replace("{id}", "nobody");
        let allow = world
            .ask("TRACE", &url, &admin)
            .await
            .header("allow")
            .unwrap()
            .to_lowercase();
        let mut allowed: Vec<&str> = allow.split(", ").filter(|method| *method != "head").collect();
        allowed.sort_unstable();
        let mut described: Vec<&String> = methods.as_object().unwrap().keys().collect();
        described.sort_unstable();
        assert_eq!(described, allowed, "{path}");
    }
}
