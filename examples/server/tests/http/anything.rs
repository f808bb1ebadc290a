use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use ibyok_core::Scope;
use ibyok_server::{Options, router};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tower::ServiceExt;

use crate::world::World;

/// Paths that begin as real ones do, and then go on as they like.
fn path() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec![
        "/api/v1/keys",
        "/api/v1/keys/prod/openai/value",
        "/api/v1/keys/dev/openai",
        "/api/v1/tokens",
        "/api/v1/tokens/self",
        "/external/keys",
        "/",
    ]);
    let rest = prop::sample::select(vec![
        "",
        "/value",
        "/disable",
        "/..",
        "/%00",
        "//",
        "/_",
        "?env=prod",
        "?version=1",
        "?limit=1&after=x",
        "?field=value",
    ]);
    (start, rest, "[!-~]{0,12}").prop_map(|(start, rest, more)| format!("{start}{rest}{more}"))
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let shaped = prop::sample::select(vec![
        r#"{"value":"x"}"#,
        r#"{"fields":{"a":"b"}}"#,
        r#"{"name":"n","environments":["dev"]}"#,
        r#"{"version":1}"#,
        "{}",
        "[]",
    ]);
    prop_oneof![
        shaped.prop_map(|text| text.as_bytes().to_vec()),
        (shaped_with_noise()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn shaped_with_noise() -> impl Strategy<Value = Vec<u8>> {
    ("[{}\\[\\]\",:a-z0-9\\\\ ]{0,60}", 0usize..12).prop_map(|(noise, at)| {
        let mut text = br#"{"value":"x","labels":{}}"#.to_vec();
        text.splice(at..at, noise.into_bytes());
        text
    })
}

/// Sends any request, by a token that may do nothing but list. The server never fails, shows no secret, and answers
/// each with a document.
#[test]
fn nothing_that_can_be_asked_breaks_the_server() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (world, token) = runtime.block_on(async {
        let world = World::new().await;
        let token = world.token(&[Scope::KeysList], &["dev"], &[]).await;
        (world, token)
    });
    let router = router(world.vault.clone(), Options::default());
    let methods = prop::sample::select(vec!["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "FOO"]);
    let asked = (methods, path(), body(), any::<bool>(), "[ -~]{0,20}");
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(400)
    });
    let run = runner.run(&asked, |(method, path, body, says_json, header)| {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        request = request
            .header("authorization", format!("Bearer {token}"))
            .header("x-request-id", header.as_str());
        if says_json {
            request = request.header("content-type", "application/json");
        }
        let Ok(request) = request.body(Body::from(body)) else {
            return Ok(());
        };
        let answer = runtime.block_on(router.clone().oneshot(request)).unwrap();
        let status = answer.status();
        let bytes = runtime.block_on(answer.into_body().collect()).unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(status.as_u16() < 500, "{status}: {text}");
        prop_assert!(!text.contains("SENTINEL"), "{text}");
        prop_assert!(
            method == "HEAD" || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(),
            "{status}: {text}"
        );
        Ok(())
    });
    run.unwrap();
}
