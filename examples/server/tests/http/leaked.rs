//! A value that leaked does not come back, by whichever route.

use ibyok_core::{Scope, incidents::IncidentRequest, keys::WhichVersion};
use serde_json::{Value, json};

use crate::world::{Answer, OPENAI, World};

const KEY: &str = "/api/v1/keys/prod/openai";

/// A world in which `prod/openai` leaked, and has another value since.
async fn leaked() -> (World, String) {
    let world = World::new().await;
    let admin = world.admin().await;
    let operator = world.vault.operator("test");
    let key = "prod/openai".parse().unwrap();
    operator
        .incidents()
        .open(&key, IncidentRequest::new("seen in a gist"))
        .await
        .unwrap();
    assert_eq!(
        world.tell("PUT", KEY, &admin, r#"{"value":"sk-clean"}"#).await.status,
        200
    );
    (world, admin)
}

/// Opens an incident as a token that marks no copies of the value, since it may not read them.
async fn opened_by_one_who_may_not_read(world: &World, key: &str) {
    let blind = world.token(&[Scope::IncidentsWrite], &["prod"], &[]).await;
    let body = json!({"ref": key, "reason": "a log"}).to_string();
    let opened = world.tell("POST", "/api/v1/incidents", &blind, &body).await;
    assert_eq!(opened.status, 201, "{}", opened.text());
}

fn refused(answer: &Answer, what: &str) {
    assert_eq!(
        (answer.status, answer.code()),
        (409, "conflict".to_owned()),
        "{what}: {}",
        answer.text()
    );
    for told in ["openai", "version", OPENAI] {
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains(told), "{what}: {detail}");
    }
}

/// The bodies that write the key, in every way to write it down.
fn bodies() -> Vec<(&'static str, Value)> {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(OPENAI);
    let with = |text: String| json!({ "value": text });
    vec![
        ("as it is", with(OPENAI.to_owned())),
        ("with a line end", with(format!("{OPENAI}\n"))),
        ("with a line end of DOS", with(format!("{OPENAI}\r\n"))),
        ("with spaces", with(format!("  {OPENAI}\t"))),
        ("with a mark of byte order", with(format!("\u{feff}{OPENAI}"))),
        ("in Base64", json!({ "value_base64": encoded })),
        ("as a field", json!({ "fields": { "value": OPENAI } })),
        (
            "as another field",
            json!({ "fields": { "value": "sk-other", "backup": OPENAI } }),
        ),
        (
            "as bytes of another field",
            json!({ "fields": { "value": "sk-other", "backup": { "base64": encoded } } }),
        ),
    ]
}

#[tokio::test]
async fn a_value_that_leaked_is_refused_by_every_door_of_its_environment() {
    let (world, admin) = leaked().await;
    for (what, body) in bodies() {
        let body = body.to_string();
        for path in [KEY, "/api/v1/keys/prod/stripe", "/api/v1/keys/prod/new"] {
            refused(&world.tell("PUT", path, &admin, &body).await, what);
        }
        for path in [KEY, "/api/v1/keys/prod/stripe"] {
            refused(&world.tell("POST", &format!("{path}/stage"), &admin, &body).await, what);
        }
        let bearer = format!("Bearer {admin}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("if-none-match", "*"),
        ];
        refused(
            &world
                .send("PUT", "/api/v1/keys/prod/new", &headers, body.as_bytes())
                .await,
            what,
        );
    }
    let versions = world.ask("GET", KEY, &admin).await.json()["versions_count"].clone();
    assert_eq!(versions, 2, "nothing was stored");
    // Another environment has other fingerprints, and another value is another value.
    for (path, value) in [("/api/v1/keys/dev/openai", OPENAI), (KEY, "sk-prod-openai-SENTINEL-2")] {
        let body = json!({ "value": value }).to_string();
        assert_eq!(world.tell("PUT", path, &admin, &body).await.status, 200, "{path}");
    }
    // Refusals that follow at once are folded with their count.
    let log = world.log().await;
    assert!(
        log.iter().any(|line| line["reason"] == "leaked_value"),
        "it is on the log"
    );
}

#[tokio::test]
async fn it_stays_refused_when_the_version_is_destroyed_and_the_key_removed_and_the_incident_closed() {
    let (world, admin) = leaked().await;
    let body = json!({ "value": OPENAI }).to_string();
    let destroy = world
        .tell("POST", &format!("{KEY}/destroy"), &admin, r#"{"version":1}"#)
        .await;
    assert_eq!(destroy.status, 200, "{}", destroy.text());
    refused(&world.tell("PUT", KEY, &admin, &body).await, "destroyed");
    let operator = world.vault.operator("test");
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
    refused(&world.tell("PUT", KEY, &admin, &body).await, "closed");
    assert_eq!(world.ask("DELETE", KEY, &admin).await.status, 200);
    refused(&world.tell("PUT", KEY, &admin, &body).await, "removed");
    refused(
        &world.tell("PUT", "/api/v1/keys/prod/stripe", &admin, &body).await,
        "removed, for another key",
    );
}

#[tokio::test]
async fn what_is_forced_is_born_compromised_and_keeps_an_incident_open() {
    let (world, admin) = leaked().await;
    let operator = world.vault.operator("test");
    for body in [
        json!({"value": OPENAI, "force": true}),
        json!({"value": OPENAI, "reason": "r"}),
    ] {
        assert_eq!(
            world.tell("PUT", KEY, &admin, &body.to_string()).await.status,
            400,
            "{body}"
        );
    }
    let telling = json!({"value": OPENAI, "force": true, "reason": format!("it is {OPENAI}")});
    assert_eq!(world.tell("PUT", KEY, &admin, &telling.to_string()).await.status, 400);
    let forced = json!({"value": OPENAI, "force": true, "reason": "the provider is down"}).to_string();
    let written = world.tell("PUT", KEY, &admin, &forced).await;
    assert_eq!(written.status, 200, "{}", written.text());
    let written = written.json();
    let mut warnings = written["warnings"].as_array().unwrap().iter();
    assert!(warnings.any(|warning| warning.as_str().unwrap().contains("leaked")));
    let shown = world.ask("GET", KEY, &admin).await.json();
    let newest = shown["versions"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&newest["version"], &newest["marks"]),
        (&3.into(), &json!(["compromised"]))
    );
    let close = async || {
        operator
            .incidents()
            .close(
                "prod/openai",
                "a gist",
                "training",
                ibyok_core::incidents::IfStillServed::Refuse,
            )
            .await
            .map(|_| ())
    };
    assert!(close().await.is_err(), "what leaked is served");
    let open = operator
        .incidents()
        .list(ibyok_core::incidents::IncidentsShown::Open)
        .await
        .unwrap();
    assert_eq!(open.first().unwrap().versions, [1, 3]);
    assert!(
        world
            .log()
            .await
            .iter()
            .any(|line| line["action"] == "key.set" && line["reason"] == "the provider is down")
    );
    world.tell("PUT", KEY, &admin, r#"{"value":"sk-clean-2"}"#).await;
    close().await.unwrap();
    // Once more, after the incident is closed, and for another key: a new incident each.
    for (number, path) in [KEY, "/api/v1/keys/prod/stripe"].into_iter().enumerate() {
        assert_eq!(world.tell("PUT", path, &admin, &forced).await.status, 200);
        assert_eq!(
            operator
                .incidents()
                .list(ibyok_core::incidents::IncidentsShown::Open)
                .await
                .unwrap()
                .len(),
            number + 1,
            "{path}"
        );
    }
    // What has not leaked is stored as ever.
    let clean = json!({"value": "sk-never-seen", "force": true, "reason": "to be sure"}).to_string();
    world.tell("PUT", "/api/v1/keys/prod/clean", &admin, &clean).await;
    let shown = world.ask("GET", "/api/v1/keys/prod/clean", &admin).await.json();
    assert_eq!(shown["versions"][0]["marks"], json!([]));
}

#[tokio::test]
async fn a_staged_value_that_leaks_is_promoted_only_by_force() {
    let world = World::new().await;
    let (admin, operator) = (world.admin().await, world.vault.operator("test"));
    for path in ["/api/v1/keys/prod/stripe", KEY] {
        let staged = world
            .tell("POST", &format!("{path}/stage"), &admin, r#"{"value":"sk-next"}"#)
            .await;
        assert_eq!(staged.status, 200, "{}", staged.text());
    }
    assert_eq!(
        world
            .tell("POST", "/api/v1/keys/prod/stripe/promote", &admin, "")
            .await
            .status,
        200
    );
    opened_by_one_who_may_not_read(&world, "prod/stripe").await;
    // The same value, of another key, staged before it leaked.
    let promote = format!("{KEY}/promote");
    refused(&world.tell("POST", &promote, &admin, "").await, "promote");
    assert_eq!(
        world.ask("GET", &format!("{KEY}/value"), &admin).await.json()["version"],
        1
    );
    let forced = world
        .tell("POST", &promote, &admin, r#"{"force":true,"reason":"an outage"}"#)
        .await;
    assert_eq!(forced.status, 200, "{}", forced.text());
    assert_eq!(forced.json()["versions"][1]["marks"], json!(["compromised"]));
    let open = operator
        .incidents()
        .list(ibyok_core::incidents::IncidentsShown::Open)
        .await
        .unwrap();
    assert!(
        open.iter()
            .any(|incident| incident.reference == "prod/openai" && incident.versions == [2])
    );
}

#[tokio::test]
async fn a_rollback_to_a_value_that_leaked_elsewhere_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    // The two keys share a value; one of them has gone on.
    world
        .tell(
            "PUT",
            "/api/v1/keys/prod/twin",
            &admin,
            &json!({"value": OPENAI}).to_string(),
        )
        .await;
    world
        .tell("PUT", "/api/v1/keys/prod/twin", &admin, r#"{"value":"sk-twin-2"}"#)
        .await;
    opened_by_one_who_may_not_read(&world, "prod/openai").await;
    let rollback = "/api/v1/keys/prod/twin/rollback";
    refused(&world.tell("POST", rollback, &admin, "{}").await, "rollback");
    let forced = world
        .tell("POST", rollback, &admin, r#"{"force":true,"reason":"an outage"}"#)
        .await;
    assert_eq!(
        (forced.status, &forced.json()["version"]),
        (200, &1.into()),
        "{}",
        forced.text()
    );
}

#[tokio::test]
async fn every_version_of_the_key_with_the_value_is_marked() {
    let world = World::new().await;
    let (admin, operator) = (world.admin().await, world.vault.operator("test"));
    let body = json!({"value": format!("{OPENAI}\n")}).to_string();
    world.tell("PUT", KEY, &admin, &body).await;
    world.tell("PUT", KEY, &admin, r#"{"value":"sk-clean"}"#).await;
    let first = "prod/openai"
        .parse::<ibyok_core::KeyRef>()
        .unwrap()
        .at_version(WhichVersion::Number(1));
    let opened = operator
        .incidents()
        .open(&first, IncidentRequest::new("a log"))
        .await
        .unwrap();
    assert_eq!(opened.incident.versions, [1, 2]);
    for version in [1, 2] {
        let value = world
            .ask("GET", &format!("{KEY}/value?version={version}"), &admin)
            .await;
        assert_eq!(value.status, 404, "it stops being served beside the current one");
    }
    assert_eq!(
        world.tell("POST", &format!("{KEY}/rollback"), &admin, "").await.status,
        404
    );
}

#[tokio::test]
async fn the_current_value_is_not_staged() {
    let world = World::new().await;
    let admin = world.admin().await;
    let stage = async |key: &str, body: Value| {
        world
            .tell(
                "POST",
                &format!("/api/v1/keys/prod/{key}/stage"),
                &admin,
                &body.to_string(),
            )
            .await
    };
    let same = stage("openai", json!({"value": OPENAI})).await;
    assert_eq!((same.status, same.code()), (409, "conflict".to_owned()));
    assert!(same.text().contains("there is nothing to rotate"));
    assert_eq!(
        stage("openai", json!({"value": format!("{OPENAI}\n")})).await.status,
        200,
        "other bytes are another value"
    );
    // Of several fields one that differs is a rotation.
    let fields = |secret: &str| json!({"fields": {"value": "AKIA-1", "secret": secret}});
    world
        .tell("PUT", "/api/v1/keys/prod/aws", &admin, &fields("s-1").to_string())
        .await;
    assert_eq!(stage("aws", fields("s-1")).await.status, 409);
    assert_eq!(stage("aws", fields("s-2")).await.status, 200);
    assert_eq!(stage("aws", json!({"value": "AKIA-1"})).await.status, 200);
}

#[tokio::test]
async fn who_may_not_read_the_environment_tries_five_values_that_leaked_an_hour() {
    let (world, admin) = leaked().await;
    let leaked = json!({"value": OPENAI}).to_string();
    let scopes = [Scope::KeysWrite, Scope::KeysRotate, Scope::TokensIssue];
    let parent = world.token(&scopes, &["prod"], &[]).await;
    let issued = r#"{"name":"child","scopes":["keys:write","keys:rotate"],"environments":["prod"]}"#;
    let child = world.tell("POST", "/api/v1/tokens", &parent, issued).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for number in 0..5 {
        let (path, method) = [(KEY, "PUT"), ("/api/v1/keys/prod/stripe/stage", "POST")][number % 2];
        refused(
            &world.tell(method, path, [&parent, &child][number % 2], &leaked).await,
            "counted",
        );
    }
    // From now on every value is refused alike, also to what descends from the same token and beside each other.
    for token in [&parent, &child] {
        for body in [leaked.clone(), json!({"value": "sk-any-other"}).to_string()] {
            let limited = world.tell("PUT", KEY, token, &body).await;
            assert_eq!(
                (limited.status, limited.code()),
                (429, "limited".to_owned()),
                "{}",
                limited.text()
            );
            assert!(limited.header("retry-after").is_some());
        }
    }
    // Forcing is for who may read the key, whatever the value.
    let other = world.token(&[Scope::KeysWrite], &["prod"], &[]).await;
    for value in [OPENAI, "sk-any-other"] {
        let body = json!({"value": value, "force": true, "reason": "why not"}).to_string();
        assert_eq!(world.tell("PUT", KEY, &other, &body).await.status, 403);
    }
    // Who may read all of them is not counted.
    for _ in 0..8 {
        refused(&world.tell("PUT", KEY, &admin, &leaked).await, "admin");
    }
}

#[tokio::test]
async fn tries_at_once_are_counted_one_by_one() {
    let (world, _) = leaked().await;
    let writer = world.token(&[Scope::KeysWrite], &["prod"], &[]).await;
    let leaked = json!({"value": OPENAI}).to_string();
    let attempt = || world.tell("PUT", KEY, &writer, &leaked);
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt(),
        attempt()
    );
    let mut statuses = [a, b, c, d, e, f, g, h].map(|answer| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [409, 409, 409, 409, 409, 429, 429, 429]);
}
