use ibyok_core::{Environments, Grant, Scope, Scopes, modes::Mode};
use serde_json::{Value, json};

use crate::world::{Answer, OPENAI, World};

/// A request with the header of Vault's clients.
async fn vault(world: &World, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let headers = [("x-vault-token", token), ("x-vault-request", "true")];
    world.send(method, path, &headers, body.as_bytes()).await
}

fn errors(answer: &Answer) -> Vec<String> {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{}",
        answer.text()
    );
    let body = answer.json();
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["errors"], "{body}");
    serde_json::from_value(body["errors"].clone()).unwrap()
}

/// Checks the members that every client of Vault wants.
fn data(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["request_id"], answer.header("x-request-id").unwrap(), "{body}");
    assert_eq!(
        (
            &body["lease_id"],
            &body["lease_duration"],
            &body["renewable"],
            &body["wrap_info"]
        ),
        (&json!(""), &json!(0), &json!(false), &Value::Null)
    );
    assert!(body.get("auth").is_some() && body.get("warnings").is_some(), "{body}");
    body["data"].clone()
}

#[tokio::test]
async fn a_key_is_a_secret_with_vaults_envelope() {
    let world = World::new().await;
    let admin = world.admin().await;
    for path in ["/v1/secret/data/prod/openai", "/v1//secret//data/prod/openai?version=0"] {
        let answer = vault(&world, "GET", path, &admin, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let data = data(&answer);
        assert_eq!(data["data"], json!({ "value": OPENAI }));
        let metadata = &data["metadata"];
        assert_eq!(
            (&metadata["version"], &metadata["deletion_time"], &metadata["destroyed"]),
            (&json!(1), &json!(""), &json!(false))
        );
        assert_eq!(metadata["custom_metadata"]["mode"], "live");
        assert!(metadata["created_time"].as_str().unwrap().ends_with('Z'));
        let custom = metadata["custom_metadata"].as_object().unwrap();
        assert!(custom.values().all(Value::is_string));
    }
    let bearer = world.ask("GET", "/v1/secret/data/prod/openai?version=1", &admin).await;
    assert_eq!(data(&bearer)["data"]["value"], OPENAI);
}

#[tokio::test]
async fn a_write_reads_back_under_its_names_and_natively_as_the_value() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = "/v1/secret/data/dev/app";
    for (method, body, main) in [
        ("POST", r#"{"data":{"value":"v1"}}"#, "v1"),
        ("PUT", r#"{"data":{"api_key":"v2","BASE-URL":"u"},"options":{}}"#, "v2"),
        (
            "POST",
            r#"{"data":{"username":"u","password":"v3"},"options":{"cas":2}}"#,
            "v3",
        ),
        ("POST", r#"{"data":{"foo":"v4"},"options":null}"#, "v4"),
    ] {
        let written = vault(&world, method, path, &admin, body).await;
        assert_eq!(written.status, 200, "{body}: {}", written.text());
        assert_eq!(data(&written)["deletion_time"], "");
        let sent: Value = serde_json::from_str(body).unwrap();
        let read = data(&vault(&world, "GET", path, &admin, "").await);
        assert_eq!(read["data"], sent["data"], "{body}");
        let native = world.ask("GET", "/api/v1/keys/dev/app/value", &admin).await.json();
        assert_eq!(native["value"], main, "{body}");
    }
    let subkeys = data(&vault(&world, "GET", "/v1/secret/subkeys/dev/app?version=3", &admin, "").await);
    assert_eq!(subkeys["subkeys"], json!({ "username": null, "password": null }));
    // A copy keeps the name.
    let copied = world
        .tell("POST", "/api/v1/keys/dev/app/copy", &admin, r#"{"to":"dev/copy"}"#)
        .await;
    assert_eq!(copied.status, 201, "{}", copied.text());
    let copy = data(&vault(&world, "GET", "/v1/secret/data/dev/copy", &admin, "").await);
    assert_eq!(copy["data"], json!({ "foo": "v4" }));
}

#[tokio::test]
async fn what_a_key_cannot_hold_is_refused_in_words_and_changes_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    for (path, body, words) in [
        ("data/dev/x", "{}", "no data provided"),
        ("data/dev/x", r#"{"data":null}"#, "no data provided"),
        ("data/dev/x", r#"{"data":{}}"#, "no data provided"),
        ("data/dev/x", r#"{"data":{"a":{"b":"SENT"}}}"#, "not a string"),
        ("data/dev/x", r#"{"data":{"a":1}}"#, "not a string"),
        ("data/dev/x", r#"{"data":{"a b":"SENT"}}"#, "not a name of a field"),
        ("data/dev/x", r#"{"data":{"a":"1","a":"2"}}"#, "JSON document"),
        ("data/dev/x", r#"{"data":{"a":""}}"#, "is empty"),
        (
            "data/dev/x",
            r#"{"data":{"a":"b"},"options":{"cas":"0"}}"#,
            "JSON document",
        ),
        ("data/dev/x", r#"{"data":{"a":"b"},"more":1}"#, "JSON document"),
        (
            "data/dev/x",
            r#"{"data":{"a":"b"},"options":{"cas":1}}"#,
            "check-and-set parameter did not match the current version",
        ),
        (
            "data/prod/openai",
            r#"{"data":{"a":"b"},"options":{"cas":0}}"#,
            "check-and-set parameter did not match the current version",
        ),
        ("data/x", r#"{"data":{"a":"b"}}"#, "an environment and the name"),
        ("data/a/b/c", r#"{"data":{"a":"b"}}"#, "an environment and the name"),
        ("data/dev/x/", r#"{"data":{"a":"b"}}"#, "does not end with"),
        ("metadata/prod/openai", r#"{"max_versions":2}"#, "max_versions"),
        ("metadata/prod/openai", r#"{"cas_required":true}"#, "cas_required"),
        (
            "metadata/prod/openai",
            r#"{"delete_version_after":"1h"}"#,
            "delete_version_after",
        ),
        ("metadata/dev/x", r#"{"custom_metadata":{"a":"b"}}"#, "no such secret"),
        ("config", r#"{"max_versions":2}"#, "max_versions"),
        ("delete/prod/openai", r#"{"versions":[]}"#, "no version number provided"),
        ("destroy/prod/openai", r#"{"versions":["x"]}"#, "not a number"),
        ("destroy/prod/openai", r#"{"versions":[1]}"#, "current version"),
        (
            "metadata/prod/openai",
            r#"{"custom_metadata":{"mode":"mock"}}"#,
            "cannot change",
        ),
        (
            "metadata/prod/openai",
            r#"{"custom_metadata":{"key_id":"x"}}"#,
            "cannot change",
        ),
    ] {
        let answer = vault(&world, "POST", &format!("/v1/secret/{path}"), &admin, body).await;
        let said = errors(&answer).join(" ");
        let status = if path == "metadata/dev/x" && answer.status == 404 {
            404
        } else {
            400
        };
        assert_eq!(answer.status, status, "{path} {body}: {said}");
        assert!(status == 404 || said.contains(words), "{path} {body}: {said}");
        assert!(!said.contains("SENT"), "{said}");
    }
    assert_eq!(
        vault(&world, "GET", "/v1/secret/data/dev/x", &admin, "").await.status,
        404
    );
    let same = data(&vault(&world, "GET", "/v1/secret/data/prod/openai", &admin, "").await);
    assert_eq!(same["data"], json!({ "value": OPENAI }));
}

#[tokio::test]
async fn every_refusal_is_a_list_of_errors() {
    let world = World::new().await;
    let admin = world.admin().await;
    let reader = world.token(&[Scope::KeysRead], &["dev"], &[]).await;
    let denied = ["permission denied"];
    for (method, path, token, body, status, said) in [
        (
            "GET",
            "/v1/secret/data/prod/openai",
            "wrong",
            "",
            403,
            Some(&denied[..]),
        ),
        ("GET", "/v1/secret/data/prod/openai", "", "", 403, Some(&denied)),
        ("GET", "/v1/secret/data/prod/openai", &reader, "", 403, Some(&denied)),
        ("GET", "/v1/secret/data/prod/nothing", &reader, "", 403, Some(&denied)),
        (
            "GET",
            "/v1/sys/internal/ui/mounts/secret/prod/openai",
            "wrong",
            "",
            403,
            Some(&denied),
        ),
        ("GET", "/v1/sys/internal/ui/mounts/kv/x", &admin, "", 403, Some(&denied)),
        ("LIST", "/v1/secret/metadata/", &reader, "", 403, Some(&denied)),
        ("GET", "/v1/secret/data/x", "wrong", "", 403, Some(&denied)),
        ("GET", "/v1/secret/data/dev/nothing", &admin, "", 404, Some(&[])),
        (
            "GET",
            "/v1/secret/data/prod/openai?version=9",
            &admin,
            "",
            404,
            Some(&[]),
        ),
        ("LIST", "/v1/secret/metadata/staging", &admin, "", 404, Some(&[])),
        ("LIST", "/v1/secret/metadata/prod/openai", &admin, "", 404, Some(&[])),
        ("GET", "/v1/secret/metadata/?list=true&x=1", &admin, "", 400, None),
        ("GET", "/v1/kv/data/prod/openai", &admin, "", 404, None),
        ("GET", "/v1/nothing", &admin, "", 404, None),
        ("GET", "/v1/secret/data/prod/op%65nai", &admin, "", 400, None),
        ("GET", "/v1/secret/data/prod/openai?version=x", &admin, "", 400, None),
        ("TRACE", "/v1/secret/data/prod/openai", &admin, "", 405, None),
        ("LIST", "/v1/secret/data/prod", &admin, "", 405, None),
        ("GET", "/v1/secret/delete/prod/openai", &admin, "", 405, None),
        ("DELETE", "/v1/auth/token/lookup-self", &admin, "", 405, None),
        ("POST", "/v1/secret/data/dev/app", &admin, "{", 400, None),
        (
            "POST",
            "/v1/auth/token/create",
            &admin,
            r#"{"policies":["root"]}"#,
            400,
            None,
        ),
        ("POST", "/v1/auth/token/create", &admin, r#"{"num_uses":1}"#, 400, None),
    ] {
        let answer = vault(&world, method, path, token, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let errors = errors(&answer);
        assert!(said.is_none_or(|said| errors == said), "{method} {path}: {errors:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), None, "{method} {path}");
    }
    let value = "/v1/secret/data/dev/app";
    let token = ("x-vault-token", admin.as_str());
    let long = format!(r#"{{"data":{{"value":"{}"}}}}"#, "x".repeat(1 << 20));
    for (headers, body, status) in [
        (
            vec![token, ("content-type", "text/plain")],
            r#"{"data":{"value":"x"}}"#,
            415,
        ),
        (
            vec![token, ("content-encoding", "gzip")],
            r#"{"data":{"value":"x"}}"#,
            415,
        ),
        (
            vec![token, ("x-vault-wrap-ttl", "60")],
            r#"{"data":{"value":"x"}}"#,
            400,
        ),
        (
            vec![token, ("x-vault-namespace", "other")],
            r#"{"data":{"value":"x"}}"#,
            403,
        ),
        (
            vec![token, ("authorization", "Bearer other")],
            r#"{"data":{"value":"x"}}"#,
            400,
        ),
        (vec![token], long.as_str(), 413),
    ] {
        let answer = world.send("POST", value, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        errors(&answer);
    }
    let wrapped = [token, ("x-vault-wrap-ttl", "0")];
    assert_eq!(
        world
            .send("GET", "/v1/secret/data/prod/openai", &wrapped, b"")
            .await
            .status,
        400
    );
    let early = world
        .raw(b"GET /v1/secret/data/prod/openai HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!((early.status, errors(&early).len()), (400, 1));
    let patch = vault(
        &world,
        "PATCH",
        "/v1/secret/data/prod/openai",
        &admin,
        r#"{"data":{"a":"b"}}"#,
    )
    .await;
    assert_eq!(patch.status, 415);
    errors(&patch);
    // The other routes keep their documents.
    let native = world.ask("GET", "/api/v1/keys/prod/openai/value", "wrong").await;
    assert_eq!(
        (native.status, native.header("content-type")),
        (401, Some("application/problem+json"))
    );
}

#[tokio::test]
async fn a_deleted_version_is_404_with_its_metadata_and_returns_when_undeleted() {
    let world = World::new().await;
    let admin = world.admin().await;
    let data_path = "/v1/secret/data/prod/openai";
    // A token that may read and not list gets the same.
    let reader = world.token(&[Scope::KeysRead], &["prod"], &[]).await;
    assert_eq!(vault(&world, "DELETE", data_path, &admin, "").await.status, 204);
    for token in [&admin, &reader] {
        let answer = vault(&world, "GET", data_path, token, "").await;
        assert_eq!(answer.status, 404, "{}", answer.text());
        let deleted = data(&answer);
        assert_eq!(deleted["data"], Value::Null);
        assert_eq!(
            (&deleted["metadata"]["version"], &deleted["metadata"]["destroyed"]),
            (&json!(1), &json!(false))
        );
        assert!(deleted["metadata"]["deletion_time"].as_str().unwrap().ends_with('Z'));
    }
    let undelete = vault(
        &world,
        "PUT",
        "/v1/secret/undelete/prod/openai",
        &admin,
        r#"{"versions":["1"]}"#,
    )
    .await;
    assert_eq!(undelete.status, 204, "{}", undelete.text());
    assert_eq!(vault(&world, "GET", data_path, &admin, "").await.status, 200);
    vault(&world, "POST", data_path, &admin, r#"{"data":{"value":"sk-second"}}"#).await;
    for (route, versions) in [
        ("delete", "[1]"),
        ("destroy", "[1]"),
        ("destroy", "[1,9]"),
        ("delete", "[9]"),
    ] {
        let path = format!("/v1/secret/{route}/prod/openai");
        let answer = vault(&world, "POST", &path, &admin, &format!(r#"{{"versions":{versions}}}"#)).await;
        assert_eq!(answer.status, 204, "{route} {versions}: {}", answer.text());
    }
    let both = vault(
        &world,
        "POST",
        "/v1/secret/destroy/prod/stripe",
        &admin,
        r#"{"versions":[1,2]}"#,
    );
    let stripe = "/v1/secret/data/prod/stripe";
    vault(&world, "POST", stripe, &admin, r#"{"data":{"value":"sk-second"}}"#).await;
    assert_eq!(both.await.status, 400, "the second version is current");
    let first = vault(&world, "GET", &format!("{stripe}?version=1"), &admin, "").await;
    assert_eq!(first.status, 200, "a refused request destroyed a version");
    let destroyed = vault(&world, "GET", &format!("{data_path}?version=1"), &admin, "").await;
    assert_eq!(
        (destroyed.status, &data(&destroyed)["metadata"]["destroyed"]),
        (404, &json!(true))
    );
    let metadata = data(&vault(&world, "GET", "/v1/secret/metadata/prod/openai", &admin, "").await);
    assert_eq!(metadata["current_version"], 2);
    assert_eq!(metadata["versions"]["2"]["deletion_time"], "");
    assert_eq!(metadata["versions"]["1"]["destroyed"], true);
    let refused = vault(
        &world,
        "POST",
        "/v1/secret/undelete/prod/openai",
        &admin,
        r#"{"versions":[1]}"#,
    )
    .await;
    assert_eq!(refused.status, 400);
    for path in [
        "/v1/secret/metadata/prod/openai",
        "/v1/secret/metadata/prod/nothing",
        "/v1/secret/data/prod/nothing",
    ] {
        assert_eq!(vault(&world, "DELETE", path, &admin, "").await.status, 204, "{path}");
    }
    assert_eq!(vault(&world, "GET", data_path, &admin, "").await.status, 404);
}

#[tokio::test]
async fn a_patch_merges_and_needs_the_right_to_read() {
    let world = World::new().await;
    let admin = world.admin().await;
    let path = "/v1/secret/data/dev/app";
    vault(
        &world,
        "POST",
        path,
        &admin,
        r#"{"data":{"token":"t","a":"1","b":"2"}}"#,
    )
    .await;
    let patch = async |token: &str, body: &str| {
        let headers = [
            ("x-vault-token", token),
            ("content-type", "application/merge-patch+json"),
        ];
        world.send("PATCH", path, &headers, body.as_bytes()).await
    };
    let body = r#"{"data":{"a":"3","b":null,"c":"4"},"options":{"cas":1}}"#;
    assert_eq!(data(&patch(&admin, body).await)["version"], 2);
    let read = data(&vault(&world, "GET", path, &admin, "").await);
    assert_eq!(read["data"], json!({ "token": "t", "a": "3", "c": "4" }));
    assert_eq!(patch(&admin, body).await.status, 400);
    let writer = world.token(&[Scope::KeysWrite], &["dev"], &[]).await;
    assert_eq!(patch(&writer, r#"{"data":{"a":"5"}}"#).await.status, 403);
    let operator = world.vault.operator("test");
    operator
        .modes()
        .set_of_key(&"dev/app".parse().unwrap(), Some(Mode::Mock))
        .await
        .unwrap();
    let mocked = patch(&admin, r#"{"data":{"a":"5"}}"#).await;
    assert_eq!((mocked.status, errors(&mocked).len()), (400, 1));
    assert_ne!(
        data(&vault(&world, "GET", path, &admin, "").await)["data"]["token"],
        "t"
    );
}

#[tokio::test]
async fn a_list_shows_what_the_token_may_see_and_no_more() {
    let world = World::new().await;
    let admin = world.admin().await;
    let narrow = world.token(&[Scope::KeysList], &["prod"], &["str*"]).await;
    for (token, path, expected) in [
        (&admin, "", json!(["dev/", "prod/", "staging/"])),
        (&admin, "prod", json!(["openai", "stripe"])),
        (&narrow, "", json!(["prod/"])),
        (&narrow, "prod/", json!(["stripe"])),
    ] {
        let path = format!("/v1/secret/metadata/{path}");
        for (method, path) in [("LIST", path.clone()), ("GET", format!("{path}?list=true"))] {
            let answer = vault(&world, method, &path, token, "").await;
            assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
            assert_eq!(data(&answer)["keys"], expected, "{method} {path}");
        }
    }
    for path in ["dev", "nowhere"] {
        let answer = vault(&world, "LIST", &format!("/v1/secret/metadata/{path}"), &narrow, "").await;
        assert_eq!(
            (answer.status, errors(&answer)),
            (403, vec!["permission denied".to_owned()])
        );
    }
    // Labels are for those who may list the key.
    let labels = r#"{"custom_metadata":{"team":"a","mode":"live"}}"#;
    let told = vault(&world, "POST", "/v1/secret/metadata/prod/stripe", &admin, labels).await;
    assert_eq!(told.status, 204, "{}", told.text());
    let reader = world.token(&[Scope::KeysRead], &["prod"], &[]).await;
    for (token, team) in [(&admin, json!("a")), (&reader, Value::Null)] {
        let read = data(&vault(&world, "GET", "/v1/secret/data/prod/stripe", token, "").await);
        assert_eq!(read["metadata"]["custom_metadata"]["team"], team);
    }
}

#[tokio::test]
async fn tokens_are_described_issued_and_revoked() {
    let world = World::new().await;
    let admin = world.token(&[Scope::Admin], &["dev", "prod"], &[]).await;
    let own = data(&vault(&world, "GET", "/v1/auth/token/lookup-self", &admin, "").await);
    assert!(
        own["ttl"].as_i64().unwrap() > 29 * 86_400 && own["expire_time"].is_string(),
        "{own}"
    );
    assert!(!own.to_string().contains(&admin));
    let body = r#"{"policies":["keys:read","default","env:dev","key:open*"],"ttl":"10m","display_name":"ci"}"#;
    let created = vault(&world, "POST", "/v1/auth/token/create", &admin, body).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let auth = created.json()["auth"].clone();
    for member in [
        "accessor",
        "client_token",
        "policies",
        "token_policies",
        "entity_id",
        "token_type",
        "orphan",
    ] {
        assert!(!auth[member].is_null(), "{member}");
    }
    assert_eq!(auth["lease_duration"], 600);
    let child = auth["client_token"].as_str().unwrap();
    assert_eq!(
        vault(&world, "GET", "/v1/secret/data/dev/openai", child, "")
            .await
            .status,
        200
    );
    for path in ["/v1/secret/data/prod/openai", "/v1/secret/data/dev/stripe"] {
        assert_eq!(vault(&world, "GET", path, child, "").await.status, 403, "{path}");
    }
    // `default` alone is no way to get every scope of the caller, and no child outlives its parent.
    for body in [
        r#"{"policies":["default"]}"#,
        r#"{"policies":["default","default"],"ttl":"1h"}"#,
    ] {
        let refused = vault(&world, "POST", "/v1/auth/token/create", &admin, body).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    let long = vault(
        &world,
        "POST",
        "/v1/auth/token/create",
        &admin,
        r#"{"policies":["keys:read"],"ttl":"9000h"}"#,
    )
    .await;
    let lease = long.json()["auth"]["lease_duration"].as_i64().unwrap();
    assert!(lease > 29 * 86_400 && lease <= 30 * 86_400, "{lease}");
    // A child is never wider.
    let wide = vault(
        &world,
        "POST",
        "/v1/auth/token/create",
        child,
        r#"{"policies":["admin"]}"#,
    )
    .await;
    assert_eq!(wide.status, 403);
    let about = format!(r#"{{"token":"{child}"}}"#);
    let shown = data(&vault(&world, "POST", "/v1/auth/token/lookup", &admin, &about).await);
    assert_eq!(
        (&shown["accessor"], &shown["display_name"]),
        (&auth["accessor"], &json!("ci"))
    );
    let accessor = format!(r#"{{"accessor":{}}}"#, auth["accessor"]);
    let by_accessor = data(&vault(&world, "POST", "/v1/auth/token/lookup-accessor", &admin, &accessor).await);
    assert_eq!(by_accessor["id"], "");
    let renewed = vault(
        &world,
        "PUT",
        "/v1/auth/token/renew-self",
        child,
        r#"{"increment":"24h"}"#,
    )
    .await
    .json();
    assert!(renewed["auth"]["lease_duration"].as_i64().unwrap() <= 600, "{renewed}");
    assert_eq!(renewed["auth"]["client_token"], child);
    let listed = data(&vault(&world, "LIST", "/v1/auth/token/accessors", &admin, "").await);
    assert!(listed["keys"].as_array().unwrap().contains(&auth["accessor"]));
    // What the child may not do to others.
    let of_admin = format!(r#"{{"accessor":{}}}"#, own["accessor"]);
    for route in ["lookup-accessor", "revoke-accessor"] {
        let path = format!("/v1/auth/token/{route}");
        assert_eq!(
            vault(&world, "POST", &path, child, &of_admin).await.status,
            403,
            "{route}"
        );
    }
    assert_eq!(
        vault(&world, "POST", "/v1/auth/token/revoke", &admin, &about)
            .await
            .status,
        204
    );
    assert_eq!(
        vault(&world, "GET", "/v1/auth/token/lookup-self", child, "")
            .await
            .status,
        403
    );
    assert_eq!(
        vault(&world, "POST", "/v1/auth/token/lookup", &admin, &about)
            .await
            .status,
        403
    );
    assert_eq!(
        vault(&world, "POST", "/v1/auth/token/revoke-self", &admin, "")
            .await
            .status,
        204
    );
    assert_eq!(
        vault(&world, "GET", "/v1/auth/token/lookup-self", &admin, "")
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn health_needs_no_token_and_has_no_envelope() {
    let world = World::new().await;
    let health = world.send("GET", "/v1/sys/health?standbyok=true", &[], b"").await;
    assert_eq!(health.status, 200, "{}", health.text());
    let body = health.json();
    for member in [
        "initialized",
        "sealed",
        "standby",
        "performance_standby",
        "server_time_utc",
        "version",
    ] {
        assert!(body.get(member).is_some(), "{member}");
    }
    assert_eq!(world.send("HEAD", "/v1/sys/health", &[], b"").await.status, 200);
    assert_eq!(
        world
            .send("GET", "/v1/sys/health?activecode=299", &[], b"")
            .await
            .status,
        299
    );
    assert_eq!(
        world.send("GET", "/v1/sys/health?activecode=99", &[], b"").await.status,
        400
    );
    assert_eq!(
        world.send("GET", "/v1/sys/seal-status", &[], b"").await.json()["sealed"],
        false
    );
    assert_eq!(
        world.send("GET", "/v1/sys/init", &[], b"").await.json(),
        json!({ "initialized": true })
    );
    let mounts = vault(
        &world,
        "GET",
        "/v1/sys/internal/ui/mounts/secret/prod/x",
        &world.admin().await,
        "",
    )
    .await;
    assert_eq!(
        (&data(&mounts)["path"], &data(&mounts)["options"]["version"]),
        (&json!("secret/"), &json!("2"))
    );
}

#[tokio::test]
async fn the_mount_has_the_name_that_the_operator_gave() {
    let world = World::with(|options, _| options.vault_mount = "kv".to_owned()).await;
    let admin = world.admin().await;
    assert_eq!(
        vault(&world, "GET", "/v1/kv/data/prod/openai", &admin, "").await.status,
        200
    );
    assert_eq!(
        vault(&world, "GET", "/v1/secret/data/prod/openai", &admin, "")
            .await
            .status,
        404
    );
}

/// The same request by both doors.
struct Doors {
    native: (&'static str, &'static str, &'static str),
    vault: (&'static str, &'static str, &'static str),
}

const DOORS: [Doors; 8] = [
    Doors {
        native: ("GET", "/api/v1/keys/prod/openai/value", ""),
        vault: ("GET", "/v1/secret/data/prod/openai", ""),
    },
    Doors {
        native: ("GET", "/api/v1/keys/prod/openai/value?version=1", ""),
        vault: ("GET", "/v1/secret/data/prod/openai?version=1", ""),
    },
    Doors {
        native: ("GET", "/api/v1/keys/dev/nothing/value", ""),
        vault: ("GET", "/v1/secret/data/dev/nothing", ""),
    },
    Doors {
        native: ("GET", "/api/v1/keys/prod/openai", ""),
        vault: ("GET", "/v1/secret/metadata/prod/openai", ""),
    },
    Doors {
        native: ("GET", "/api/v1/keys?env=prod", ""),
        vault: ("LIST", "/v1/secret/metadata/prod", ""),
    },
    Doors {
        native: ("PUT", "/api/v1/keys/dev/new", r#"{"value":"sk-leaked-value-1"}"#),
        vault: (
            "POST",
            "/v1/secret/data/dev/new",
            r#"{"data":{"value":"sk-leaked-value-1"}}"#,
        ),
    },
    Doors {
        native: ("POST", "/api/v1/keys/dev/openai/disable", r#"{"version":1}"#),
        vault: ("POST", "/v1/secret/delete/dev/openai", r#"{"versions":[1]}"#),
    },
    Doors {
        native: ("DELETE", "/api/v1/keys/dev/openai", ""),
        vault: ("DELETE", "/v1/secret/metadata/dev/openai", ""),
    },
];

/// The lines that one request put on the log: what was asked for, by whom, and what came of it.
async fn lines_of(world: &World, id: &str) -> Vec<Value> {
    let members = [
        "action",
        "phase",
        "outcome",
        "reason",
        "environment",
        "key",
        "version",
        "mode",
    ];
    let log = world.log().await;
    let lines = log.iter().filter(|line| line["request_id"] == id);
    let lines = lines.map(|line| members.iter().map(|name| line[*name].clone()).collect());
    lines.collect()
}

/// The status that a Vault client gets where the native client gets this one.
fn in_vaults_words(status: u16) -> u16 {
    match status {
        401 => 403,
        409 | 412 => 400,
        201 => 200,
        other => other,
    }
}

#[tokio::test]
async fn the_rules_hold_by_this_door_as_by_the_other() {
    let all = Scopes::from([Scope::Admin]);
    let mut elsewhere = Grant::new(all, Environments::All);
    elsewhere.networks = Some(vec!["10.0.0.0/8".parse().unwrap()]);
    let mut seldom = Grant::new(all, Environments::All);
    seldom.rate = Some("1/day".parse().unwrap());
    let grants = [
        Grant::new(all, Environments::All),
        Grant::new(all, Environments::named(["dev"])),
        Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"])),
        Grant::new(Scopes::from([Scope::KeysList]), Environments::All),
        Grant::new(Scopes::from([Scope::KeysWrite]), Environments::named(["dev"])),
        elsewhere,
        seldom,
    ];
    let mut compared = 0;
    for grant in grants {
        for door in &DOORS {
            let mut outcomes = Vec::new();
            // Each on a world of its own, in the same state.
            for (method, path, body) in [door.native, door.vault] {
                let world = World::new().await;
                leak(&world).await;
                let token = world.issue(grant.clone()).await;
                let headers = [
                    ("x-vault-token", token.as_str()),
                    ("content-type", "application/json"),
                    ("x-request-id", "compared"),
                ];
                // The second one meets the limit.
                let answers = [
                    world.send(method, path, &headers, body.as_bytes()).await.status,
                    world.send(method, path, &headers, body.as_bytes()).await.status,
                ];
                outcomes.push((answers, lines_of(&world, "compared").await));
            }
            let [(native, native_lines), (vault, vault_lines)] = <[_; 2]>::try_from(outcomes).unwrap();
            let what = format!("{:?} {:?}", door.vault, grant);
            // Vault says of a change without a document, and of one that is made already, only that it is made.
            let expected = native.map(in_vaults_words);
            let is_removal = door.vault.0 == "DELETE" || door.vault.1.contains("/delete/");
            for (expected, found) in expected.iter().zip(vault) {
                let same = *expected == found || is_removal && [200, 404].contains(expected) && found == 204;
                assert!(same, "{what}: {native:?} {vault:?}");
            }
            assert_eq!(native_lines, vault_lines, "{what}");
            compared += 1;
        }
    }
    assert_eq!(compared, 56);
}

/// A value that leaked: nobody stores it again.
async fn leak(world: &World) {
    let operator = world.vault.operator("test");
    let key = "dev/leaked".parse().unwrap();
    let value = ibyok_core::Secret::copy_of(b"sk-leaked-value-1");
    operator.keys().set(&key, value).await.unwrap();
    let request = ibyok_core::incidents::IncidentRequest::new("a test");
    operator.incidents().open(&key, request).await.unwrap();
}

#[tokio::test]
async fn another_tenants_keys_are_out_of_reach() {
    let world = World::new().await;
    world
        .vault
        .namespaces("host")
        .create(&"globex".parse().unwrap())
        .await
        .unwrap();
    let globex = world
        .vault
        .operator("host")
        .in_namespace("globex".parse().unwrap())
        .unwrap();
    let value = ibyok_core::Secret::copy_of(b"sk-of-globex");
    globex.keys().set(&"prod/theirs".parse().unwrap(), value).await.unwrap();
    let id = globex.keys().show(&"prod/theirs".parse().unwrap()).await.unwrap().id;
    let admin = world.admin().await;
    for (method, path) in [
        ("GET", format!("/v1/secret/data/prod/{id}")),
        ("GET", "/v1/secret/data/prod/theirs".to_owned()),
        ("GET", "/v1/secret/data/globex/prod/theirs".to_owned()),
        ("DELETE", format!("/v1/secret/metadata/prod/{id}")),
    ] {
        let answer = vault(&world, method, &path, &admin, "").await;
        assert!(
            [204, 403, 404].contains(&answer.status),
            "{method} {path}: {}",
            answer.status
        );
        assert!(!answer.text().contains("globex"), "{}", answer.text());
    }
    assert!(globex.keys().show(&"prod/theirs".parse().unwrap()).await.is_ok());
    let named = [("x-vault-token", admin.as_str()), ("x-vault-namespace", "globex/")];
    let answer = world.send("GET", "/v1/secret/data/prod/openai", &named, b"").await;
    assert_eq!(answer.status, 403);
    let own = [("x-vault-token", admin.as_str()), ("x-vault-namespace", "default/")];
    assert_eq!(
        world.send("GET", "/v1/secret/data/prod/openai", &own, b"").await.status,
        200
    );
}
