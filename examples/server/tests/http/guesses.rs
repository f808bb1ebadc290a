//! A caller that may not read a value learns nothing by guessing it: every answer to a right guess is the answer to a
//! wrong one.

use ibyok_core::{Scope, incidents::IncidentRequest};
use serde_json::{Value, json};

use crate::world::World;

/// The current value, a retired one and a destroyed one, of a form that no catalogue knows, and as long as the guesses that are wrong.
const RIGHT: [&str; 3] = ["Winter2026", "Summer2025", "Spring2024"];
const WRONG: &str = "Autumn2023";

/// A key with these values, and an incident that is open on an older one.
async fn guessed() -> World {
    let world = World::new().await;
    let operator = world.vault.operator("test");
    let key: ibyok_core::KeyRef = "prod/openai".parse().unwrap();
    for value in RIGHT.iter().rev() {
        let value = ibyok_core::Secret::copy_of(value.as_bytes());
        operator.keys().set(&key, value).await.unwrap();
    }
    let force = ibyok_core::rotation::DrainRequest::default().force("old");
    let version = |number: u32| key.clone().at_version(number);
    operator.rotation().retire(&version(3), &force).await.unwrap();
    operator.rotation().destroy(&version(2), &force).await.unwrap();
    operator
        .incidents()
        .open(&version(1), IncidentRequest::new("rumours"))
        .await
        .unwrap();
    world
}

/// Requests with a guess in them, on each route on which a text or a value is taken.
fn requests(guess: &str) -> Vec<(&'static str, &'static str, Value)> {
    let sentence = format!("somebody says it is {guess}, or so");
    let key = "/api/v1/keys/prod/openai";
    let mut all = vec![
        ("PUT", key, json!({"value": guess})),
        ("PUT", key, json!({"fields": {"value": "x-1", "note": guess}})),
        ("PUT", key, json!({"value": guess, "force": true, "reason": "why not"})),
        ("PUT", "/api/v1/keys/prod/other", json!({"value": guess})),
        ("PUT", key, json!({"value": "x-2", "labels": {"note": guess}})),
        ("PATCH", key, json!({"labels": {"note": guess}})),
        ("POST", "/api/v1/keys/prod/openai/stage", json!({"value": guess})),
        (
            "POST",
            "/api/v1/keys/prod/openai/destroy",
            json!({"version": 2, "force": true, "reason": sentence}),
        ),
        (
            "POST",
            "/api/v1/keys/prod/openai/retire",
            json!({"version": 3, "force": true, "reason": sentence}),
        ),
        ("POST", "/api/v1/audit/review/done", json!({"reason": sentence})),
    ];
    for text in [
        guess,
        sentence.as_str(),
        &format!("\"{guess}\""),
        &format!("KEY={guess}"),
    ] {
        all.push((
            "POST",
            "/api/v1/incidents",
            json!({"ref": "prod/openai", "reason": text}),
        ));
        all.push((
            "POST",
            "/api/v1/incidents",
            json!({"ref": "prod/openai?version=2", "reason": text}),
        ));
        all.push(("NOTE", "", json!({"text": text})));
        all.push(("CLOSE", "", json!({"cause": text, "prevention": "none"})));
        all.push(("CLOSE", "", json!({"cause": "none", "prevention": text})));
    }
    all
}

/// An answer without what differs by itself: times, ids, and the guess that was given.
fn plain(status: u16, text: &str, guess: &str) -> String {
    let mut value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    strip(&mut value);
    format!("{status} {value}").replace(guess, "GUESS")
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for name in [
                "request_id",
                "at",
                "created",
                "by",
                "id",
                "key_id",
                "opened",
                "how",
                "created_by",
            ] {
                map.remove(name);
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(strip);
            // Keys are listed in an order that means nothing.
            items.sort_by_key(|item| item["ref"].as_str().map(str::to_owned));
        }
        _ => {}
    }
}

/// Everything that a token without `keys:read` is answered when it tries a guess on every route, and what it sees afterwards.
async fn answers(guess: &str) -> Vec<String> {
    let world = guessed().await;
    let all: Vec<Scope> = Scope::ALL
        .into_iter()
        .filter(|scope| !matches!(scope, Scope::KeysRead | Scope::Admin))
        .collect();
    let token = world.token(&all, &["prod"], &[]).await;
    let open = world.ask("GET", "/api/v1/incidents", &token).await.json();
    let incident = format!("/api/v1/incidents/{}", open["items"][0]["id"].as_str().unwrap());
    let mut answers = Vec::new();
    for (method, path, body) in requests(guess) {
        let (method, path) = match method {
            "NOTE" => ("POST", format!("{incident}/notes")),
            "CLOSE" => ("POST", format!("{incident}/close")),
            other => (other, path.to_owned()),
        };
        let answer = world.tell(method, &path, &token, &body.to_string()).await;
        answers.push(
            format!("{method} {path} {}", plain(answer.status, &answer.text(), guess)).replace(&incident, "INCIDENT"),
        );
    }
    for path in ["/api/v1/keys/prod/openai", "/api/v1/keys", "/api/v1/incidents?all=true"] {
        let answer = world.ask("GET", path, &token).await;
        answers.push(plain(answer.status, &answer.text(), guess));
    }
    answers
}

#[tokio::test]
async fn no_answer_to_who_may_not_read_depends_on_a_value() {
    let wrong = answers(WRONG).await;
    assert!(wrong.iter().any(|answer| answer.contains(" 200 ")) && wrong.len() > 25);
    for guess in RIGHT {
        let right = answers(guess).await;
        for (right, wrong) in right.iter().zip(&wrong) {
            assert_eq!(right, wrong, "{guess}");
        }
    }
}

#[tokio::test]
async fn the_text_of_who_may_not_read_stays_off_the_log_and_that_of_others_holds_no_value() {
    let world = guessed().await;
    let blind = world.token(&[Scope::IncidentsWrite], &["prod"], &[]).await;
    let seeing = world
        .token(&[Scope::IncidentsWrite, Scope::KeysRead], &["prod"], &[])
        .await;
    let open = |reason: &str| json!({"ref": "prod/openai", "reason": reason}).to_string();
    let told = world
        .tell("POST", "/api/v1/incidents", &blind, &open("it is Winter2026"))
        .await;
    assert_eq!(told.status, 200, "{}", told.text());
    let refused = world
        .tell("POST", "/api/v1/incidents", &seeing, &open("it is Winter2026"))
        .await;
    assert_eq!(refused.status, 400);
    // It may read the current value only: what it may not read is not compared.
    let told = world
        .tell("POST", "/api/v1/incidents", &seeing, &open("it was Spring2024"))
        .await;
    assert_eq!(told.status, 200);
    let operator = world.vault.operator("test");
    assert!(
        operator
            .incidents()
            .note("prod/openai", "it was Spring2024")
            .await
            .is_err()
    );
    let log: String = world.log().await.iter().map(Value::to_string).collect();
    for value in RIGHT {
        assert!(!log.contains(value), "{value}");
    }
    // What looks like a secret is refused from everybody, whatever the vault holds.
    let shape = "sk-proj-VpNwLSYa3GwyJMTB8W81yBtey0T2I9GplA4HLE5s";
    assert_eq!(
        world
            .tell("POST", "/api/v1/incidents", &blind, &open(shape))
            .await
            .status,
        400
    );
}
