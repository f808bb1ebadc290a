//! The two ways of a retrieval: past the router, and through it.

use ibyok_core::{Environments, Grant, RequestContext, Scope, Scopes, TokenRequest};
use serde_json::Value;

use crate::world::{Answer, OPENAI, World};

/// A request without a body: its method, its path, and its headers beside the host.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

async fn world(past_the_router: bool) -> World {
    World::with(|options, _| options.past_the_router = past_the_router).await
}

/// The answer without what differs from request to request: its status, its headers, and its document.
fn shown(answer: &Answer, token: &str) -> (u16, Vec<String>, String) {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "x-request-id");
    let headers = headers.map(|(name, value)| format!("{name}: {value}"));
    let mut text = answer.text();
    if let Some(id) = answer.header("x-request-id") {
        text = text.replace(id, "ID");
    }
    assert!(!text.contains(token));
    (answer.status, headers.collect(), text)
}

/// The members of a line that say what was asked and how it ended.
fn said(line: &Value) -> Vec<Value> {
    let members = [
        "action",
        "outcome",
        "reason",
        "environment",
        "key",
        "version",
        "mode",
        "client",
        "trace_id",
    ];
    members.iter().map(|member| line[*member].clone()).collect()
}

async fn answers(past_the_router: bool, asked: &[Asked<'_>]) -> (Vec<(u16, Vec<String>, String)>, Vec<Vec<Value>>) {
    let world = world(past_the_router).await;
    let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    let issued = world
        .vault
        .operator("test")
        .tokens()
        .issue(TokenRequest::new("test", grant))
        .await
        .unwrap();
    let token = issued.token.expose().to_owned();
    let key: ibyok_core::KeyRef = "prod/openai".parse().unwrap();
    let before = world.log().await.len();
    let mut all = Vec::new();
    for (method, path, headers) in asked {
        let headers: Vec<(&str, String)> = headers
            .iter()
            .map(|(name, value)| (*name, value.replace("TOKEN", &token)))
            .collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = world.send(method, path, &headers, b"").await;
        let mut shown = shown(&answer, &token);
        // Ids of keys come from the keys of each vault.
        let released = world
            .vault
            .retrieve(&issued.token, &key, &RequestContext::default())
            .await
            .unwrap();
        shown.2 = shown.2.replace(&released.info().id.to_string(), "KEY");
        all.push(shown);
    }
    let log = world.log().await;
    (all, log[before..].iter().map(said).collect())
}

#[tokio::test]
async fn both_ways_of_a_retrieval_give_the_same_answers_and_lines() {
    let bearer: &[(&str, &str)] = &[("authorization", "Bearer TOKEN")];
    let traced: &[(&str, &str)] = &[
        ("x-vault-token", "TOKEN"),
        ("user-agent", "a-tool/1.0 (x)"),
        ("x-request-id", "my-own-id"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let value = "/api/v1/keys/prod/openai/value";
    let asked: &[Asked<'_>] = &[
        ("GET", value, bearer),
        ("GET", value, traced),
        ("GET", "/external/keys/openai/value", bearer),
        ("GET", "/external/keys/openai/value?env=prod", bearer),
        ("GET", "/external/keys/openai/value?env=dev", bearer),
        ("GET", "/api/v1/keys/prod/openai/value?version=1&field=value", bearer),
        ("GET", "/api/v1/keys/prod/openai/value?version=2", bearer),
        ("GET", "/api/v1/keys/prod/openai/value?field=none", bearer),
        ("GET", "/api/v1/keys/prod/openai/value?version=1&version=1", bearer),
        ("GET", "/api/v1/keys/prod/openai/value?token=TOKEN", bearer),
        ("GET", "/api/v1/keys/prod/nothing/value", bearer),
        ("GET", "/api/v1/keys/dev/openai/value", bearer),
        ("GET", "/api/v1/keys/_/key_0000000000000000000000/value", bearer),
        ("GET", "/api/v1/keys/PROD/openai/value", bearer),
        ("GET", "/api/v1/keys/prod/../value", bearer),
        ("GET", "/api/v1/keys/prod/op%65nai/value", bearer),
        ("GET", "/api/v1/keys/prod/openai/value/", bearer),
        ("GET", "/api/v1/keys//openai/value", bearer),
        ("GET", value, &[]),
        ("GET", value, &[("authorization", "Bearer ibyok_nothing")]),
        (
            "GET",
            value,
            &[("authorization", "Bearer TOKEN"), ("x-vault-token", "other")],
        ),
        (
            "GET",
            value,
            &[("authorization", "Bearer TOKEN"), ("authorization", "Bearer TOKEN")],
        ),
        (
            "GET",
            value,
            &[("authorization", "Bearer TOKEN"), ("x-forwarded-for", "192.0.2.1")],
        ),
        (
            "GET",
            value,
            &[("authorization", "Bearer TOKEN"), ("content-length", "0")],
        ),
        ("HEAD", value, bearer),
        ("POST", value, bearer),
        ("DELETE", value, bearer),
        ("OPTIONS", value, bearer),
    ];
    let (past, lines_past) = answers(true, asked).await;
    let (through, lines_through) = answers(false, asked).await;
    assert!(past[0].2.contains(OPENAI) && past[2].2.contains(OPENAI));
    assert_eq!(past[0].0, 200);
    for ((asked, past), through) in asked.iter().zip(&past).zip(&through) {
        assert_eq!(past, through, "{asked:?}");
    }
    assert!(lines_past.len() >= 20);
    assert_eq!(lines_past, lines_through);
}

#[tokio::test]
async fn a_retrieval_with_a_body_takes_the_router() {
    for past_the_router in [true, false] {
        let world = world(past_the_router).await;
        let token = world.admin().await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let answer = world
            .send("GET", "/api/v1/keys/prod/openai/value", &headers, b"{}")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
