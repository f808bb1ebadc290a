//! Modes over HTTP: set by who may, seen in every answer, and never a reason for a live value.

use ibyok_core::{
    Scope,
    environments::Class,
    modes::{Guardrails, Mode},
};
use serde_json::Value;

use crate::world::{DEV, World};

async fn served(world: &World, token: &str, env: &str) -> (String, String, String) {
    let answer = world
        .ask("GET", &format!("/external/keys/openai/value?env={env}"), token)
        .await
        .json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let info = &answer["modeInfo"];
    (
        text(&answer["value"]),
        text(&info["effectiveMode"]),
        text(&info["source"]),
    )
}

#[tokio::test]
async fn each_tier_is_told_as_it_decides() {
    let world = World::new().await;
    let token = world
        .token(&[Scope::SettingsWrite, Scope::KeysRead, Scope::KeysList], &["dev"], &[])
        .await;
    let tell = async |method: &str, path: &str, body: &str| world.tell(method, path, &token, body).await;
    assert_eq!(
        served(&world, &token, "dev").await,
        (DEV.to_owned(), "live".to_owned(), "tenant_setting".to_owned())
    );
    let set = tell("PUT", "/api/v1/modes", r#"{"environment":"dev","mode":"mock"}"#).await;
    assert_eq!((set.status, set.json()["default"].as_str()), (200, Some("mock")));
    let (value, mode, source) = served(&world, &token, "dev").await;
    assert_eq!((mode.as_str(), source.as_str()), ("mock", "tenant_setting"));
    assert!(value.contains("mock"), "{value}");
    let path = "/api/v1/keys/dev/openai/mode";
    let key = tell("POST", path, r#"{"mode":"live"}"#).await.json();
    assert_eq!(
        (&key["mode"], &key["mode_source"]),
        (&"live".into(), &"key_override".into())
    );
    assert_eq!(served(&world, &token, "dev").await.0, DEV);
    let key = tell("POST", path, r#"{"mode":"inherit"}"#).await.json();
    assert_eq!((&key["mode"], &key["mode_override"]), (&"mock".into(), &Value::Null));
    let value = world.ask("GET", "/api/v1/keys/dev/openai/value", &token).await.json();
    assert_eq!(
        (&value["mode"], &value["mode_source"]),
        (&"mock".into(), &"tenant_setting".into())
    );
    let modes = world.ask("GET", "/api/v1/modes", &token).await.json();
    assert_eq!(modes["items"].as_array().unwrap().len(), 1, "{modes}");
    assert_eq!(modes["items"][0]["class"], "dev");
}

#[tokio::test]
async fn a_guardrail_of_the_server_stands_above_what_is_set() {
    let guardrails = Guardrails::default().force(Class::Dev, Mode::Mock);
    let world = World::guarded(guardrails).await;
    let token = world.admin().await;
    let set = world
        .tell("POST", "/api/v1/keys/dev/openai/mode", &token, r#"{"mode":"live"}"#)
        .await;
    assert_eq!((&set.json()["mode"], set.status), (&"mock".into(), 200));
    let (_, mode, source) = served(&world, &token, "dev").await;
    assert_eq!((mode.as_str(), source.as_str()), ("mock", "guardrail"));
    for (method, path, body) in [
        ("PUT", "/api/v1/modes", r#"{"environment":"prod","mode":"mock"}"#),
        ("POST", "/api/v1/keys/prod/openai/mode", r#"{"mode":"mock"}"#),
    ] {
        let refused = world.tell(method, path, &token, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid"),
            "{}",
            refused.text()
        );
        assert!(refused.text().contains("PROD_MOCK_ALLOWED"));
    }
}

#[tokio::test]
async fn modes_are_refused_to_who_may_not_and_where_they_make_no_sense() {
    let world = World::new().await;
    let dev = world.token(&[Scope::SettingsWrite], &["dev"], &[]).await;
    let reader = world.token(&[Scope::KeysRead, Scope::KeysList], &[], &[]).await;
    for (token, method, path, body, status) in [
        (&reader, "GET", "/api/v1/modes", "", 403),
        (
            &reader,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"dev","mode":"live"}"#,
            403,
        ),
        (
            &reader,
            "POST",
            "/api/v1/keys/dev/openai/mode",
            r#"{"mode":"live"}"#,
            403,
        ),
        (
            &dev,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"prod","mode":"live"}"#,
            403,
        ),
        (
            &dev,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"nowhere","mode":"live"}"#,
            403,
        ),
        (&dev, "POST", "/api/v1/keys/prod/openai/mode", r#"{"mode":"live"}"#, 403),
        (&dev, "POST", "/api/v1/keys/dev/nothing/mode", r#"{"mode":"live"}"#, 404),
        (
            &dev,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"dev","mode":"inherit"}"#,
            400,
        ),
        (
            &dev,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"dev","mode":"MOCK"}"#,
            400,
        ),
        (
            &dev,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"DEV","mode":"mock"}"#,
            400,
        ),
        (&dev, "PUT", "/api/v1/modes", r#"{"environment":"dev"}"#, 400),
        (
            &dev,
            "PUT",
            "/api/v1/modes",
            r#"{"environment":"dev","mode":"mock","more":1}"#,
            400,
        ),
        (&dev, "POST", "/api/v1/keys/dev/openai/mode", r#"{"mode":null}"#, 400),
        (&dev, "POST", "/api/v1/keys/dev/openai/mode", r#"{"mode":"off"}"#, 400),
        (&dev, "POST", "/api/v1/modes", "{}", 405),
    ] {
        let answer = world.tell(method, path, token, body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_write_tells_whose_key_it_is_and_whether_it_looks_like_one() {
    let world = World::new().await;
    let admin = world.admin().await;
    let github = format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0);
    let put = async |name: &str, body: String| {
        world
            .tell("PUT", &format!("/api/v1/keys/dev/{name}"), &admin, &body)
            .await
    };
    let recognised = put("one", format!(r#"{{"value":"{github}"}}"#)).await.json();
    assert_eq!(
        (
            &recognised["provider"],
            &recognised["recognised"],
            &recognised["variable"]
        ),
        (&"github".into(), &true.into(), &"GITHUB_TOKEN".into())
    );
    let warned = put("two", format!(r#"{{"value":"{github}","provider":"openai"}}"#)).await;
    assert!(
        warned.json()["warnings"][0].as_str().unwrap().contains("GitHub"),
        "{}",
        warned.text()
    );
    assert!(!warned.text().contains(&github));
    let mock = put(
        "three",
        r#"{"value":"sk-mock-openai-00000000000000000000000000000000"}"#.to_owned(),
    )
    .await;
    assert_eq!((mock.status, mock.code().as_str()), (400, "invalid"), "{}", mock.text());
}
