//! A value that leaked has leaked under every name that it has.

use ibyok_core::Scope;
use serde_json::{Value, json};

use crate::world::{OPENAI, World};

async fn put(world: &World, token: &str, key: &str, value: &str) {
    let body = json!({ "value": value }).to_string();
    let done = world.tell("PUT", &format!("/api/v1/keys/{key}"), token, &body).await;
    assert!(done.status < 300, "{}", done.text());
}

async fn open(world: &World, token: &str, body: Value) -> Value {
    let opened = world.tell("POST", "/api/v1/incidents", token, &body.to_string()).await;
    assert!(opened.status < 300, "{}", opened.text());
    opened.json()
}

async fn marks(world: &World, token: &str, key: &str) -> Value {
    world.ask("GET", &format!("/api/v1/keys/{key}"), token).await.json()["versions"][0]["marks"].clone()
}

#[tokio::test]
async fn other_keys_with_the_value_are_marked_named_frozen_and_get_an_incident_of_their_own() {
    let world = World::new().await;
    let admin = world.admin().await;
    put(&world, &admin, "prod/twin", OPENAI).await;
    put(&world, &admin, "prod/ended", &format!("{OPENAI}\n")).await;
    put(&world, &admin, "prod/apart", "sk-another").await;
    put(&world, &admin, "dev/twin", OPENAI).await;
    let reader = world.token(&[Scope::KeysRead], &["prod"], &["twin"]).await;
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/twin/value", &reader).await.status,
        200
    );
    let asked = json!({
        "ref": "prod/openai", "reason": "a gist", "freeze": true, "revoke_readers": "2026-01-01T00:00:00Z"
    });
    let opened = open(&world, &admin, asked).await;
    let mut copies: Vec<&str> = opened["copies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|copy| copy["ref"].as_str().unwrap())
        .collect();
    copies.sort_unstable();
    assert_eq!(copies, ["prod/ended", "prod/twin"], "{opened}");
    for copy in ["prod/twin", "prod/ended"] {
        assert_eq!(marks(&world, &admin, copy).await, json!(["compromised"]), "{copy}");
        let value = world.ask("GET", &format!("/api/v1/keys/{copy}/value"), &admin).await;
        assert_eq!(value.code(), "key_disabled", "{copy}");
    }
    for other in ["prod/apart", "dev/twin"] {
        assert_eq!(marks(&world, &admin, other).await, json!([]), "{other}");
    }
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/twin/value", &reader).await.status,
        401,
        "who read it under another name is revoked"
    );
    let incidents = world.ask("GET", "/api/v1/incidents", &admin).await.json();
    assert_eq!(incidents["items"].as_array().unwrap().len(), 3);
    let named = |list: &Value| list.to_string().contains("prod/twin");
    assert!(named(&opened["remaining"]), "{opened}");
    let id = opened["id"].as_str().unwrap();
    let report = world
        .ask("GET", &format!("/api/v1/incidents/{id}"), &admin)
        .await
        .json();
    assert!(named(&report["copies"]) && named(&report["remaining"]), "{report}");
    let log = world.log().await;
    assert!(
        log.iter()
            .any(|line| line["action"] == "incident.open" && line["key"] == "twin"),
        "the log names the copy"
    );
}

#[tokio::test]
async fn who_may_not_read_hears_of_no_copies_and_an_operator_closes_nothing_over_them() {
    let world = World::new().await;
    let (admin, operator) = (world.admin().await, world.vault.operator("test"));
    put(&world, &admin, "prod/twin", OPENAI).await;
    let blind = world
        .token(
            &[Scope::IncidentsWrite, Scope::KeysList, Scope::AuditRead],
            &["prod"],
            &[],
        )
        .await;
    let opened = open(&world, &blind, json!({"ref": "prod/openai", "reason": "rumours"})).await;
    assert_eq!(
        (&opened["copies"], opened.to_string().contains("twin")),
        (&json!([]), false)
    );
    assert_eq!(marks(&world, &admin, "prod/twin").await, json!([]));
    // Those who may read are told, whoever opened it.
    put(&world, &admin, "prod/openai", "sk-clean").await;
    let refused = operator
        .incidents()
        .close(
            "prod/openai",
            "a gist",
            "training",
            ibyok_core::incidents::IfStillServed::Refuse,
        )
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("prod/twin"), "{refused}");
    let served = operator.incidents().served_leaked().await.unwrap();
    assert!(served.iter().any(|key| key.reference == "prod/twin" && !key.marked));
    put(&world, &admin, "prod/twin", "sk-clean-too").await;
    operator
        .rotation()
        .retire(
            &"prod/twin".parse().unwrap(),
            &ibyok_core::rotation::DrainRequest::default().force("leaked"),
        )
        .await
        .unwrap();
    operator
        .incidents()
        .close(
            "prod/openai",
            "a gist",
            "training",
            ibyok_core::incidents::IfStillServed::Refuse,
        )
        .await
        .unwrap();
    assert!(operator.incidents().served_leaked().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_without_incidents_on_a_copy_is_told_that_it_is_not_marked() {
    let world = World::new().await;
    let admin = world.admin().await;
    put(&world, &admin, "prod/twin", OPENAI).await;
    let reads = world
        .token(&[Scope::KeysRead, Scope::IncidentsWrite], &["prod"], &["openai"])
        .await;
    let opened = open(&world, &reads, json!({"ref": "prod/openai", "reason": "rumours"})).await;
    assert_eq!(opened["copies"], json!([]), "a copy that it may not read");
    assert_eq!(marks(&world, &admin, "prod/twin").await, json!([]));
}

#[tokio::test]
async fn what_leaked_is_enabled_only_by_force() {
    let world = World::new().await;
    let admin = world.admin().await;
    // Stored before the leak, disabled, and of another name than the one that leaked.
    put(&world, &admin, "prod/twin", OPENAI).await;
    let post = async |path: &str, body: &str| {
        world
            .tell("POST", &format!("/api/v1/keys/prod/{path}"), &admin, body)
            .await
    };
    assert_eq!(post("twin/disable", "").await.status, 200);
    let blind = world.token(&[Scope::IncidentsWrite], &["prod"], &[]).await;
    open(
        &world,
        &blind,
        json!({"ref": "prod/openai", "reason": "rumours", "freeze": true}),
    )
    .await;
    assert_eq!(marks(&world, &admin, "prod/twin").await, json!([]), "an unmarked copy");
    for key in ["openai", "twin"] {
        for body in ["", "{}", r#"{"version":null}"#] {
            let refused = post(&format!("{key}/enable"), body).await;
            assert_eq!(
                (refused.status, refused.code()),
                (409, "conflict".to_owned()),
                "{key}: {}",
                refused.text()
            );
        }
        assert_eq!(post(&format!("{key}/enable"), r#"{"force":true}"#).await.status, 400);
        assert_eq!(post(&format!("{key}/enable"), r#"{"reason":"x"}"#).await.status, 400);
        let forced = post(&format!("{key}/enable"), r#"{"force":true,"reason":"an outage"}"#).await;
        assert_eq!(forced.status, 200, "{}", forced.text());
        assert_eq!(
            marks(&world, &admin, &format!("prod/{key}")).await,
            json!(["compromised"])
        );
    }
    let incidents = world.ask("GET", "/api/v1/incidents", &admin).await.json();
    assert_eq!(incidents["items"].as_array().unwrap().len(), 2);
    // One version likewise, and not without `keys:read`.
    assert_eq!(post("twin/disable?version=1", "").await.status, 200);
    assert_eq!(post("twin/enable?version=1", "").await.status, 409);
    let writer = world
        .token(&[Scope::KeysWrite, Scope::IncidentsWrite], &["prod"], &[])
        .await;
    let forced = r#"{"version":1,"force":true,"reason":"an outage"}"#;
    assert_eq!(
        world
            .tell("POST", "/api/v1/keys/prod/twin/enable", &writer, forced)
            .await
            .status,
        403
    );
    assert_eq!(post("twin/enable", forced).await.status, 200);
    // Once it is replaced, the key is served again without force.
    assert_eq!(post("openai/disable", "").await.status, 200);
    put(&world, &admin, "prod/openai", "sk-clean").await;
    assert_eq!(post("openai/enable", "").await.status, 200);
}
