//! The description of the interface is right about limits, names and nulls.

use ibyok_core::{
    EnvironmentName, KeyName, Secret,
    keys::{FieldName, KeyId},
    policy::Pattern,
};
use regex::Regex;
use serde_json::Value;

use crate::world::World;

async fn document(world: &World, token: &str) -> Value {
    world.ask("GET", "/openapi.json", token).await.json()
}

/// The schema that a reference leads to.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|word| schema[word].as_array())
        .flatten()
}

fn admits_null(document: &Value, schema: &Value) -> bool {
    let schema = resolved(document, schema);
    let is = |kind: &Value| kind == "null" || kind.as_array().is_some_and(|kinds| kinds.contains(&"null".into()));
    let listed = schema["enum"]
        .as_array()
        .is_some_and(|words| words.contains(&Value::Null));
    is(&schema["type"]) || listed || alternatives(schema).any(|one| admits_null(document, one))
}

/// Returns the schema of a property, in any part of a schema.
fn property<'d>(document: &'d Value, schema: &'d Value, name: &str) -> Option<&'d Value> {
    let schema = resolved(document, schema);
    let parts = schema["allOf"].as_array().into_iter().flatten();
    schema["properties"].get(name).or_else(|| {
        parts
            .chain(alternatives(schema))
            .find_map(|part| property(document, part, name))
    })
}

/// Every null of an answer is one that its description admits.
fn check(document: &Value, schema: &Value, answer: &Value, at: &str) {
    match answer {
        Value::Null => assert!(admits_null(document, schema), "{at} is null, and not described so"),
        Value::Array(items) => {
            let schema = &resolved(document, schema)["items"];
            items.iter().for_each(|item| check(document, schema, item, at));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = property(document, schema, name) {
                    check(document, schema, value, &format!("{at}.{name}"));
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_committed_description_is_the_generated_one() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    if std::env::var_os("IBYOK_WRITE_OPENAPI").is_some() {
        std::fs::write(committed, ibyok_server::openapi()).unwrap();
    }
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (committed, generated) = (std::fs::read_to_string(committed).unwrap(), ibyok_server::openapi());
    assert_eq!(
        read(&committed),
        read(generated),
        "see CONTRIBUTING.md for the command that writes docs/openapi.json"
    );
    let world = World::new().await;
    assert_eq!(world.send("GET", "/openapi.json", &[], b"").await.text(), generated);
}

#[tokio::test]
async fn every_null_of_an_answer_is_described() {
    let world = World::new().await;
    let admin = world.admin().await;
    let operator = world.vault.operator("test");
    let staged = "prod/stripe".parse().unwrap();
    operator
        .rotation()
        .stage(&staged, Secret::copy_of(b"next"))
        .await
        .unwrap();
    let document = document(&world, &admin).await;
    let mut seen = 0;
    for (described, path) in [
        ("/api/v1/keys", "/api/v1/keys?limit=1"),
        ("/api/v1/keys", "/api/v1/keys"),
        ("/api/v1/keys/{env}/{name}", "/api/v1/keys/prod/openai"),
        ("/api/v1/keys/{env}/{name}/value", "/api/v1/keys/prod/openai/value"),
        (
            "/api/v1/keys/{env}/{name}/rotation",
            "/api/v1/keys/prod/stripe/rotation",
        ),
        ("/api/v1/rotations/due", "/api/v1/rotations/due"),
        ("/api/v1/tokens", "/api/v1/tokens"),
        ("/api/v1/tokens/self", "/api/v1/tokens/self"),
        ("/api/v1/tokens/review", "/api/v1/tokens/review"),
        ("/api/v1/modes", "/api/v1/modes"),
        ("/api/v1/limits", "/api/v1/limits"),
        ("/api/v1/incidents", "/api/v1/incidents"),
        ("/api/v1/audit/review", "/api/v1/audit/review"),
        ("/external/keys", "/external/keys"),
        ("/readyz", "/readyz"),
    ] {
        let answer = world.ask("GET", path, &admin).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let schema = &document["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{described} is not described");
        check(&document, schema, &answer.json(), path);
        seen += answer.text().matches(":null").count();
    }
    assert!(seen > 10, "only {seen} nulls were looked at");
}

#[tokio::test]
async fn the_patterns_of_names_admit_what_the_vault_takes() {
    let world = World::new().await;
    let admin = world.admin().await;
    let document = document(&world, &admin).await;
    let pattern = |name: &str| {
        let pattern = document["components"]["schemas"][name]["pattern"].as_str().expect(name);
        Regex::new(pattern).expect(name)
    };
    let long = |count| "a".repeat(count);
    let samples = [
        "a",
        "A",
        "0",
        "-",
        ".",
        "_",
        "a-b",
        "a.b",
        "a_b",
        "A1",
        "-a",
        "a*",
        "?",
        "a b",
        "a/b",
        "é",
        "",
        "a\n",
        "dev",
        "prod-eu",
        "key_1",
        "key_1kFTFq0JqRJhiRzbs3t1eT",
        "key_1kFTFq0JqRJhiRzbs3t1e!",
    ];
    let lengths = [62, 63, 64, 65, 127, 128, 129].map(long);
    for text in samples.iter().copied().chain(lengths.iter().map(String::as_str)) {
        assert_eq!(
            pattern("EnvironmentName").is_match(text),
            text.parse::<EnvironmentName>().is_ok(),
            "{text:?}"
        );
        assert_eq!(
            pattern("FieldName").is_match(text),
            text.parse::<FieldName>().is_ok(),
            "{text:?}"
        );
        assert_eq!(
            pattern("KeyPattern").is_match(text),
            text.parse::<Pattern>().is_ok(),
            "{text:?}"
        );
        assert_eq!(
            pattern("KeyId").is_match(text),
            text.parse::<KeyId>().is_ok(),
            "{text:?}"
        );
        // A name that is an id is refused as a name, and described as one.
        if text.parse::<KeyId>().is_err() {
            assert_eq!(
                pattern("KeyName").is_match(text),
                text.parse::<KeyName>().is_ok(),
                "{text:?}"
            );
        }
    }
    let tokens = world.ask("GET", "/api/v1/tokens", &admin).await.json();
    assert!(pattern("TokenId").is_match(tokens["items"][0]["id"].as_str().unwrap()));
}

#[tokio::test]
async fn every_page_has_a_described_maximum() {
    let world = World::new().await;
    let admin = world.admin().await;
    let document = document(&world, &admin).await;
    let mut pages = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        for limit in parameters.filter(|parameter| parameter["name"] == "limit") {
            assert_eq!(
                (&limit["schema"]["minimum"], &limit["schema"]["maximum"]),
                (&1.into(), &1000.into()),
                "{path}"
            );
            pages += 1;
        }
    }
    assert_eq!(pages, 3);
}
