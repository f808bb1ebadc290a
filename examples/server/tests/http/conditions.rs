//! `If-Match` holds for every route that changes a key, and the ETag of a key is what it is compared with.

use ibyok_core::Scope;

use crate::world::{Answer, World};

const KEY: &str = "/api/v1/keys/prod/openai";

/// Every route that changes a key, with a body that it takes. Each finds what it needs on a key of three versions, one staged.
const CHANGES: [(&str, &str, &str); 11] = [
    ("PUT", "", r#"{"value":"next"}"#),
    ("PATCH", "", r#"{"labels":{"owner":"acme"}}"#),
    ("POST", "/disable", ""),
    ("POST", "/enable", ""),
    ("POST", "/stage", r#"{"value":"next"}"#),
    ("POST", "/promote", ""),
    ("POST", "/rollback", ""),
    ("POST", "/mode", r#"{"mode":"live"}"#),
    ("POST", "/retire", r#"{"force":true,"reason":"a test"}"#),
    ("POST", "/destroy", r#"{"version":1,"force":true,"reason":"a test"}"#),
    ("DELETE", "", ""),
];

async fn rotated() -> (World, String) {
    let world = World::new().await;
    let admin = world.admin().await;
    for value in ["two", "three"] {
        let body = format!(r#"{{"value":"{value}"}}"#);
        assert_eq!(world.tell("PUT", KEY, &admin, &body).await.status, 200);
    }
    let staged = world
        .tell("POST", &format!("{KEY}/stage"), &admin, r#"{"value":"four"}"#)
        .await;
    assert_eq!(staged.status, 200);
    (world, admin)
}

async fn change(world: &World, token: &str, what: (&str, &str, &str), conditions: &[&str]) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    if !what.2.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    headers.extend(conditions.iter().map(|condition| ("if-match", *condition)));
    let path = format!("{KEY}{}", what.1);
    world.send(what.0, &path, &headers, what.2.as_bytes()).await
}

async fn etag(world: &World, token: &str) -> String {
    let shown = world.ask("GET", KEY, token).await;
    let tag = shown.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", shown.json()["revision"]), "it is the revision");
    tag
}

#[tokio::test]
async fn a_change_whose_tag_is_not_the_keys_is_412_and_changes_nothing() {
    let (world, admin) = rotated().await;
    let before = etag(&world, &admin).await;
    for what in CHANGES {
        for stale in [
            "\"1\"",
            "\"99\"",
            "W/\"4\"",
            "\"version-2\"",
            "\"version-4\"",
            "\"xyzzy\"",
            "\"\"",
            "\"1\", \"2\"",
        ] {
            let answer = change(&world, &admin, what, &[stale]).await;
            assert_eq!(
                (answer.status, answer.code()),
                (412, "precondition".to_owned()),
                "{what:?} {stale}"
            );
            assert!(answer.json()["hint"].is_string());
        }
        assert_eq!(etag(&world, &admin).await, before, "{what:?}");
    }
}

#[tokio::test]
async fn a_change_whose_tag_is_the_keys_is_made() {
    for what in CHANGES {
        for (how, tags) in [
            ("the revision", vec![None]),
            ("a list", vec![Some("\"1\", \"version-3\" ,")]),
            ("two headers", vec![Some("\"1\""), None]),
            ("any", vec![Some("*")]),
        ] {
            let (world, admin) = rotated().await;
            let own = etag(&world, &admin).await;
            let tags: Vec<&str> = tags.iter().map(|tag| tag.unwrap_or(&own)).collect();
            let answer = change(&world, &admin, what, &tags).await;
            assert_eq!(answer.status, 200, "{what:?} {how}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_condition_that_cannot_be_read_is_400() {
    let (world, admin) = rotated().await;
    let before = etag(&world, &admin).await;
    for what in CHANGES {
        for bad in ["4", "\"4", "'4'", "", "*, \"4\"", "version-3", "\"3\" \"4\""] {
            let answer = change(&world, &admin, what, &[bad]).await;
            assert_eq!(
                (answer.status, answer.code()),
                (400, "invalid".to_owned()),
                "{what:?} {bad}"
            );
        }
    }
    assert_eq!(etag(&world, &admin).await, before);
}

#[tokio::test]
async fn a_condition_comes_after_whether_somebody_may_and_whether_there_is_a_key() {
    let (world, admin) = rotated().await;
    let own = etag(&world, &admin).await;
    for what in CHANGES {
        let answer = change(&world, "ibyok_nobody", what, &["\"1\""]).await;
        assert_eq!(answer.status, 401, "{what:?}");
        let reader = world.token(&[Scope::KeysRead, Scope::KeysList], &["prod"], &[]).await;
        let answer = change(&world, &reader, what, &[&own]).await;
        assert_eq!(answer.status, 403, "{what:?}");
    }
    let bearer = format!("Bearer {admin}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("if-match", "*"),
    ];
    let nothing = "/api/v1/keys/prod/nothing";
    let set = world.send("PUT", nothing, &headers, br#"{"value":"v"}"#).await;
    assert_eq!(set.status, 412, "{}", set.text());
    let edit = world.send("PATCH", nothing, &headers, br#"{"labels":{}}"#).await;
    assert_eq!(edit.status, 404, "{}", edit.text());
    let both = [headers[0], headers[1], headers[2], ("if-none-match", "*")];
    for path in [nothing, KEY] {
        assert_eq!(
            world.send("PUT", path, &both, br#"{"value":"v"}"#).await.status,
            412,
            "{path}"
        );
    }
}

#[tokio::test]
async fn of_two_writers_with_the_same_tag_one_is_done_and_the_other_is_412() {
    let (world, admin) = rotated().await;
    for _ in 0..5 {
        let own = etag(&world, &admin).await;
        let tags = [own.as_str()];
        let (one, two, three) = tokio::join!(
            change(&world, &admin, ("PUT", "", r#"{"value":"a"}"#), &tags),
            change(&world, &admin, ("PUT", "", r#"{"value":"b"}"#), &tags),
            change(&world, &admin, ("PATCH", "", r#"{"labels":{"owner":"c"}}"#), &tags),
        );
        let mut statuses = [one.status, two.status, three.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412]);
    }
}

#[tokio::test]
async fn values_and_lists_have_no_tag() {
    let (world, admin) = rotated().await;
    for path in [
        "/api/v1/keys",
        "/api/v1/keys/prod/openai/value",
        "/api/v1/keys/prod/openai/rotation",
    ] {
        assert_eq!(world.ask("GET", path, &admin).await.header("etag"), None, "{path}");
    }
    let listed = world.ask("GET", "/api/v1/keys", &admin).await.json();
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["revision"].is_u64())
    );
}

#[tokio::test]
async fn the_description_names_the_condition_wherever_it_holds() {
    let world = World::new().await;
    let document = world.ask("GET", "/openapi.json", "").await.json();
    for (method, tail, _) in CHANGES {
        let path = format!("/api/v1/keys/{{env}}/{{name}}{tail}");
        let operation = &document["paths"][path.as_str()][method.to_lowercase()];
        let parameters = operation["parameters"].as_array().unwrap();
        let named = parameters
            .iter()
            .any(|one| one["$ref"] == "#/components/parameters/IfMatch");
        assert!(named && operation["responses"]["412"].is_object(), "{method} {path}");
    }
}
