//! A leaked value is replaced in the step that opens its incident.

use ibyok_core::Scope;
use serde_json::{Value, json};

use crate::world::{OPENAI, World};

const NEW: &str = "sk-new-openai-SENTINEL-7";

fn body(replace: &Value) -> String {
    json!({ "ref": "prod/openai", "reason": "seen in a gist", "replace": replace }).to_string()
}

async fn versions(world: &World, admin: &str) -> Value {
    world.ask("GET", "/api/v1/keys/prod/openai", admin).await.json()["versions"].clone()
}

#[tokio::test]
async fn the_old_version_is_marked_and_the_new_value_is_current_at_once() {
    for replace in [
        json!({ "value": NEW }),
        json!({ "fields": { "value": NEW, "org_id": "org" } }),
    ] {
        let world = World::new().await;
        let admin = world.admin().await;
        let opened = world.tell("POST", "/api/v1/incidents", &admin, &body(&replace)).await;
        assert_eq!(opened.status, 201, "{}", opened.text());
        assert!(!opened.text().contains(NEW));
        let opened = opened.json();
        assert_eq!(
            (&opened["versions"], &opened["replaced"]["version"]),
            (&json!([1]), &json!(2))
        );
        assert_eq!(opened["not_replaced"], Value::Null);
        let provider = opened["remaining"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["id"] == "provider");
        assert!(provider.unwrap()["how"].as_str().unwrap().starts_with("https://"));
        let value = world.ask("GET", "/api/v1/keys/prod/openai/value", &admin).await.json();
        assert_eq!((&value["value"], &value["version"]), (&json!(NEW), &json!(2)));
        let old = world
            .ask("GET", "/api/v1/keys/prod/openai/value?version=1", &admin)
            .await;
        assert_eq!((old.status, old.code()), (404, "version_disabled".to_owned()));
        let id = opened["id"].as_str().unwrap();
        let report = world
            .ask("GET", &format!("/api/v1/incidents/{id}"), &admin)
            .await
            .json();
        assert_eq!(report["incident"]["replaced"]["version"], 2);
        // The log names both steps, in their order, and neither value.
        let log = world.log().await;
        let done = |action: &str| {
            log.iter().position(|line| {
                line["action"] == action
                    && line["phase"] == "done"
                    && line["key"] == "openai"
                    && line["target"]["id"] == id
            })
        };
        assert!(done("incident.open").unwrap() < done("key.set").unwrap());
        assert!(log.iter().all(|line| !line.to_string().contains(NEW)));
    }
}

#[tokio::test]
async fn what_is_refused_about_the_new_value_leaves_the_old_one_unmarked() {
    let world = World::new().await;
    let admin = world.admin().await;
    let before = versions(&world, &admin).await;
    let with_freeze = json!({ "ref": "prod/openai", "reason": "x", "freeze": true, "replace": { "value": NEW } });
    for (status, body) in [
        (409, body(&json!({ "value": OPENAI }))),
        (409, body(&json!({ "value": format!("{OPENAI}\n") }))),
        (409, body(&json!({ "fields": { "value": NEW, "backup": OPENAI } }))),
        (400, body(&json!({ "value": "" }))),
        (400, body(&json!({ "value": NEW, "provider": "stripe" }))),
        (400, body(&json!({ "value": NEW, "expires_at": null }))),
        (400, body(&json!({ "value": NEW, "value_base64": "AA==" }))),
        (400, body(&json!({ "secret": NEW }))),
        (400, body(&json!({}))),
        (400, body(&json!(NEW))),
        (400, with_freeze.to_string()),
    ] {
        let answer = world.tell("POST", "/api/v1/incidents", &admin, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(!answer.text().contains("SENTINEL"), "{body}");
        assert_eq!(versions(&world, &admin).await, before, "{body}");
    }
    let none = world.ask("GET", "/api/v1/incidents?all=true", &admin).await.json();
    assert_eq!(none["items"], json!([]));
    let alone = world.token(&[Scope::IncidentsWrite], &["prod"], &[]).await;
    let answer = world
        .tell("POST", "/api/v1/incidents", &alone, &body(&json!({ "value": NEW })))
        .await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(versions(&world, &admin).await, before);
}

#[tokio::test]
async fn a_second_replacement_that_names_no_version_is_a_conflict() {
    let world = World::new().await;
    let admin = world.admin().await;
    let open = async |body: String| world.tell("POST", "/api/v1/incidents", &admin, &body).await;
    assert_eq!(open(body(&json!({ "value": NEW }))).await.status, 201);
    let before = versions(&world, &admin).await;
    let third = "sk-proj-third-value-0007-SENTINEL";
    let named = json!({ "ref": "prod/openai", "reason": "x", "freeze": true });
    for body in [
        body(&json!({ "value": NEW })),
        body(&json!({ "value": third })),
        named.to_string(),
    ] {
        let answer = open(body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (409, "conflict".to_owned()),
            "{}",
            answer.text()
        );
        assert!(answer.text().contains("prod/openai?version=2"), "{}", answer.text());
        assert_eq!(versions(&world, &admin).await, before);
    }
    let named = json!({ "ref": "ibyok://prod/openai?version=2", "reason": "x", "replace": { "value": third } });
    assert_eq!(open(named.to_string()).await.status, 200);
}
