use ibyok_core::Scope;

use crate::world::World;

const KEY: &str = "/api/v1/keys/prod/openai";

#[tokio::test]
async fn a_version_is_staged_tried_promoted_and_rolled_back() {
    let world = World::new().await;
    let admin = world.admin().await;
    let step = async |step: &str, body: &str| world.tell("POST", &format!("{KEY}/{step}"), &admin, body).await;
    let staged = step("stage", r#"{"value":"sk-2"}"#).await;
    assert_eq!(staged.status, 200, "{}", staged.text());
    assert_eq!(
        (&staged.json()["version"], &staged.json()["state"]),
        (&2.into(), &"pending".into())
    );
    let value = async |query: &str| world.ask("GET", &format!("{KEY}/value{query}"), &admin).await;
    assert_eq!(value("").await.json()["version"], 1);
    let pending = value("?version=pending").await;
    assert_eq!(
        (&pending.json()["version"], &pending.json()["value"]),
        (&2.into(), &"sk-2".into())
    );
    let promoted = step("promote", "{}").await.json();
    assert_eq!(
        (&promoted["version"], &promoted["versions"][0]["state"]),
        (&2.into(), &"retiring".into())
    );
    assert_eq!(value("?version=pending").await.status, 404);
    assert_eq!(value("?version=1").await.status, 200);
    assert_eq!(step("promote", "{}").await.status, 404);
    assert_eq!(step("rollback", "").await.json()["version"], 1);
    for (name, body) in [
        ("stage", "{}"),
        ("stage", r#"{"value":""}"#),
        ("stage", r#"{"value":"v","provider":"another"}"#),
        ("promote", r#"{"version":2}"#),
        ("rollback", "[]"),
    ] {
        assert_eq!(step(name, body).await.status, 400, "{name} {body}");
    }
    for version in ["current", "Pending", "0", "latest", ""] {
        assert_eq!(value(&format!("?version={version}")).await.status, 400, "{version}");
    }
}

#[tokio::test]
async fn each_step_needs_its_scope_whether_or_not_the_key_exists() {
    let world = World::new().await;
    let scopes = [Scope::KeysWrite, Scope::KeysRead, Scope::KeysList];
    let writer = world.token(&scopes, &["prod"], &["*"]).await;
    for key in [KEY, "/api/v1/keys/prod/absent"] {
        for (step, body) in [
            ("stage", r#"{"value":"v"}"#),
            ("promote", ""),
            ("rollback", ""),
            ("retire", ""),
            ("destroy", r#"{"version":1}"#),
        ] {
            let answer = world.tell("POST", &format!("{key}/{step}"), &writer, body).await;
            assert_eq!((answer.status, answer.code()), (403, "denied".to_owned()), "{step}");
        }
    }
}

#[tokio::test]
async fn a_version_goes_once_nobody_needs_it() {
    let world = World::new().await;
    let admin = world.admin().await;
    let scopes = [Scope::KeysRead, Scope::KeysList];
    let worker = world.token(&scopes, &["prod"], &["*"]).await;
    let step = async |step: &str, body: &str| world.tell("POST", &format!("{KEY}/{step}"), &admin, body).await;
    let read = async || world.ask("GET", &format!("{KEY}/value"), &worker).await.status;
    assert_eq!(read().await, 200);
    world.tell("PUT", KEY, &admin, r#"{"value":"sk-2"}"#).await;
    for (name, body) in [
        ("retire", ""),
        ("retire", r#"{"version":1}"#),
        ("destroy", r#"{"version":1}"#),
    ] {
        let refused = step(name, body).await;
        assert_eq!((refused.status, refused.code()), (409, "in_use".to_owned()), "{name}");
    }
    let hidden = world.ask("GET", &format!("{KEY}/rotation"), &worker).await.json();
    assert_eq!(hidden["consumers_shown"], false, "{hidden}");
    assert_eq!(hidden["versions"][0]["state"], "retiring");
    let rotator = world
        .token(&[Scope::KeysRotate, Scope::KeysList], &["prod"], &["*"])
        .await;
    let status = world.ask("GET", &format!("{KEY}/rotation"), &rotator).await.json();
    assert_eq!(
        (
            &status["waiting_for"][0]["why"],
            &status["versions"][0]["consumers"][0]["count"]
        ),
        (&"not_yet".into(), &1.into())
    );
    assert_eq!(
        step("destroy", r#"{"version":2,"force":true,"reason":"x"}"#)
            .await
            .status,
        409,
        "the current one"
    );
    assert_eq!(read().await, 200);
    assert_eq!(step("retire", r#"{"quiet":"1h"}"#).await.status, 409);
    let retired = step("retire", "").await.json();
    assert_eq!(retired["versions"][0]["state"], "retired");
    let destroyed = step("destroy", r#"{"version":1}"#).await.json();
    assert_eq!(destroyed["versions"][0]["state"], "destroyed");
    assert!(destroyed["remains"].is_string(), "{destroyed}");
    for body in [
        "",
        "{}",
        r#"{"version":0}"#,
        r#"{"version":"current"}"#,
        r#"{"version":1,"force":true}"#,
        r#"{"version":1,"quiet":"-1d"}"#,
        r#"{"version":1,"quiet":"365d"}"#,
        r#"{"version":1,"quiet":7}"#,
        r#"{"version":1,"extra":1}"#,
        r#"{"version":1,"force":true,"reason":"\u0007"}"#,
    ] {
        assert_eq!(step("destroy", body).await.status, 400, "{body}");
    }
    assert_eq!(step("destroy", r#"{"version":9}"#).await.status, 404);
}

#[tokio::test]
async fn consumers_are_shown_to_who_may_read_usage_or_rotate_and_to_nobody_else() {
    let world = World::new().await;
    let reader = world.token(&[Scope::KeysRead], &["prod"], &["*"]).await;
    world.ask("GET", &format!("{KEY}/value"), &reader).await;
    let id = world.ask("GET", "/api/v1/tokens/self", &reader).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let admin = world.admin().await;
    world.tell("PUT", KEY, &admin, r#"{"value":"sk-2"}"#).await;
    for scope in Scope::ALL {
        let token = world.token(&[Scope::KeysList, scope], &["prod"], &["open*"]).await;
        let status = world.ask("GET", &format!("{KEY}/rotation"), &token).await;
        assert_eq!(status.status, 200, "{scope}");
        let shown = matches!(scope, Scope::UsageRead | Scope::KeysRotate | Scope::Admin);
        assert_eq!(status.text().contains(&id), shown, "{scope}: {}", status.text());
        assert_eq!(status.json()["consumers_shown"], shown);
        for list in ["waiting_for", "unseen"] {
            assert!(shown || status.json()[list] == serde_json::json!([]), "{scope} {list}");
        }
        // A right on another key shows nothing of this one.
        let other = world
            .token(&[Scope::UsageRead, Scope::KeysRotate], &["prod"], &["stripe"])
            .await;
        assert_eq!(world.ask("GET", &format!("{KEY}/rotation"), &other).await.status, 403);
    }
    // Nor does the refusal to destroy what somebody needs.
    let destroyer = world.token(&[Scope::KeysDestroy], &["prod"], &["open*"]).await;
    let refused = world
        .tell("POST", &format!("{KEY}/destroy"), &destroyer, r#"{"version":1}"#)
        .await;
    assert_eq!((refused.status, refused.code()), (409, "in_use".to_owned()));
    assert!(!refused.text().contains(&id), "{}", refused.text());
}
