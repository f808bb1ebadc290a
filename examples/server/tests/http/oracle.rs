//! A token finds out by guessing no value that it may not read: look-ups are counted, whether or not a guess is right.

use ibyok_core::{Environments, Grant, Scope, Scopes, Secret, incidents::IncidentRequest};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// Returns a value that is long and random, so that nobody finds it by trying.
fn random(seed: usize) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let of = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_usize(seed);
        hasher.finish()
    };
    format!("{:016x}{:016x}{:016x}", of(), of(), of())
}

/// A world whose `prod/openai` holds a value that a person chose.
async fn chosen(value: &str) -> World {
    let world = World::new().await;
    let operator = world.vault.operator("test");
    let value = Secret::copy_of(value.as_bytes());
    operator
        .keys()
        .set(&"prod/openai".parse().unwrap(), value)
        .await
        .unwrap();
    world
}

async fn put(world: &World, token: &str, path: &str, body: &Value) -> Answer {
    world.tell("PUT", path, token, &body.to_string()).await
}

async fn open(world: &World, token: &str, key: &str) -> Answer {
    let body = json!({"ref": key, "reason": "rumours"}).to_string();
    world.tell("POST", "/api/v1/incidents", token, &body).await
}

/// Tries guesses one after the other; the statuses of all of them.
async fn tried(world: &World, token: &str, guesses: impl Iterator<Item = String>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(
            put(world, token, "/api/v1/keys/prod/own", &json!({"value": guess}))
                .await
                .status,
        );
    }
    statuses
}

#[tokio::test]
async fn guesses_of_who_may_not_read_are_counted_whether_or_not_they_are_right() {
    let world = chosen("Winter2026").await;
    let scopes = [
        Scope::IncidentsWrite,
        Scope::KeysWrite,
        Scope::KeysList,
        Scope::TokensIssue,
    ];
    let token = world.token(&scopes, &["prod"], &[]).await;
    // As long as nothing leaked there is nothing to be guessed, and nothing is counted.
    let before = tried(&world, &token, (0..40).map(|number| format!("setting-{number}"))).await;
    assert!(before.iter().all(|status| *status < 300), "{before:?}");
    assert_eq!(open(&world, &token, "prod/openai").await.status, 201);
    let seasons = (0..60).map(|number| format!("Autumn{}", 1960 + number));
    let statuses = tried(&world, &token, seasons).await;
    assert!(statuses[..30].iter().all(|status| *status < 300), "{statuses:?}");
    assert!(statuses[30..].iter().all(|status| *status == 429), "{statuses:?}");
    // The right one is answered as every other, also to a token that this one issued.
    let issued = r#"{"name":"child","scopes":["keys:write"],"environments":["prod"]}"#;
    let child = world.tell("POST", "/api/v1/tokens", &token, issued).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for token in [&token, &child] {
        let right = put(&world, token, "/api/v1/keys/prod/own", &json!({"value": "Winter2026"})).await;
        assert_eq!(
            (right.status, right.code()),
            (429, "limited".to_owned()),
            "{}",
            right.text()
        );
        assert!(right.header("retry-after").is_some());
        let staged = world
            .tell(
                "POST",
                "/api/v1/keys/prod/openai/stage",
                token,
                r#"{"value":"Winter2026"}"#,
            )
            .await;
        assert!(matches!(staged.status, 403 | 429), "{}", staged.text());
    }
    // What nobody guesses is stored as ever, and so is a value that was tried before.
    let random = (0..40).map(random);
    assert!(tried(&world, &token, random).await.iter().all(|status| *status < 300));
    let again = put(&world, &token, "/api/v1/keys/prod/own", &json!({"value": "Autumn1960"})).await;
    assert_eq!(again.status, 200, "{}", again.text());
}

#[tokio::test]
async fn one_request_is_one_guess_however_many_fields_it_has() {
    let world = chosen("Winter2026").await;
    let token = world.token(&[Scope::KeysWrite], &["prod"], &[]).await;
    let operator = world.vault.operator("test");
    operator
        .incidents()
        .open(&"prod/openai".parse().unwrap(), IncidentRequest::new("rumours"))
        .await
        .unwrap();
    let mut answers = Vec::new();
    for guess in ["Winter2026", "Autumn2023"] {
        let mut fields = serde_json::Map::from_iter([("value".to_owned(), json!(random(1)))]);
        for number in 0..30 {
            fields.insert(format!("field_{number}"), json!(format!("Spring{}", 2000 + number)));
        }
        fields.insert("field_30".to_owned(), json!(guess));
        let answer = put(&world, &token, "/api/v1/keys/prod/own", &json!({ "fields": fields })).await;
        answers.push(answer.status < 300);
    }
    assert_eq!(answers, [true, true]);
    // Whoever may read every value is answered about every field, and each counts.
    let admin = world.admin().await;
    let hidden = json!({"fields": {"value": random(2), "backup": "Winter2026"}});
    assert_eq!(put(&world, &admin, "/api/v1/keys/prod/own", &hidden).await.status, 409);
}

#[tokio::test]
async fn a_reader_of_mocks_and_of_what_is_no_longer_served_is_counted_as_well() {
    for case in ["mock", "rotated", "destroyed", "disabled", "removed"] {
        let world = World::new().await;
        let operator = world.vault.operator("test");
        let key: ibyok_core::KeyRef = "dev/openai".parse().unwrap();
        let set = async |value: &str| {
            let value = Secret::copy_of(value.as_bytes());
            operator.keys().set(&key, value).await.unwrap();
        };
        set("Winter2026").await;
        let scopes = [Scope::KeysRead, Scope::KeysWrite, Scope::KeysList];
        let token = world.token(&scopes, &["dev"], &[]).await;
        operator
            .incidents()
            .open(&key, IncidentRequest::new("rumours"))
            .await
            .unwrap();
        let leaked = key.clone().at_version(2);
        match case {
            "mock" => drop(
                operator
                    .modes()
                    .set(&"dev".parse().unwrap(), ibyok_core::modes::Mode::Mock)
                    .await
                    .unwrap(),
            ),
            "disabled" => drop(operator.keys().disable(&key).await.unwrap()),
            "removed" => drop(operator.keys().remove(&key).await.unwrap()),
            _ => set("something-else").await,
        }
        if case == "destroyed" {
            let force = ibyok_core::rotation::DrainRequest::default().force("old");
            operator.rotation().destroy(&leaked, &force).await.unwrap();
        }
        let mut statuses = Vec::new();
        for guess in (0..40)
            .map(|number| format!("Autumn{}", 1960 + number))
            .chain(["Winter2026".to_owned()])
        {
            let body = json!({ "value": guess });
            statuses.push(put(&world, &token, "/api/v1/keys/dev/own", &body).await.status);
        }
        assert!(
            statuses[..30].iter().all(|status| *status < 300),
            "{case}: {statuses:?}"
        );
        assert!(
            statuses[30..].iter().all(|status| *status == 429),
            "{case}: {statuses:?}"
        );
    }
}

#[tokio::test]
async fn who_may_read_every_value_that_leaked_is_not_counted() {
    let world = chosen("Winter2026").await;
    let operator = world.vault.operator("test");
    let admin = world.admin().await;
    operator
        .incidents()
        .open(&"prod/openai".parse().unwrap(), IncidentRequest::new("rumours"))
        .await
        .unwrap();
    let statuses = tried(&world, &admin, (0..60).map(|number| format!("setting-{number}"))).await;
    assert!(statuses.iter().all(|status| *status < 300), "{statuses:?}");
    let leaked = json!({"value": "Winter2026"});
    for _ in 0..10 {
        assert_eq!(put(&world, &admin, "/api/v1/keys/prod/own", &leaked).await.status, 409);
    }
}

/// Everything that a token sees of its own keys that hold guesses: lists, facts, reports and steps.
async fn seen_of(world: &World, token: &str, name: &str, guess: &str) -> String {
    let path = format!("/api/v1/keys/prod/{name}");
    let mut seen = String::new();
    for (method, path) in [("GET", path.clone()), ("GET", format!("{path}/rotation"))] {
        let answer = world.ask(method, &path, token).await;
        seen += &format!("{} {}\n", answer.status, answer.text());
    }
    let incidents = world.ask("GET", "/api/v1/incidents?all=true", token).await.json();
    for incident in incidents["items"].as_array().unwrap() {
        seen += &format!("{} {}\n", incident["ref"], incident["versions"]);
        let id = incident["id"].as_str().unwrap();
        let report = world.ask("GET", &format!("/api/v1/incidents/{id}"), token).await.json();
        seen += &format!("{} {}\n", report["copies"], report["remaining"]);
        seen += &format!("{}\n", report["timeline"].as_array().unwrap().len());
    }
    seen.replace(guess, "GUESS").replace(name, "NAME")
}

#[tokio::test]
async fn a_guess_that_was_stored_before_the_leak_is_not_told_from_another_one() {
    let mut all = Vec::new();
    for guess in ["Winter2026", "Autumn2023"] {
        let world = chosen("Winter2026").await;
        let scopes: Vec<Scope> = Scope::ALL
            .into_iter()
            .filter(|scope| !matches!(scope, Scope::KeysRead | Scope::Admin))
            .collect();
        let token = world.token(&scopes, &["prod"], &[]).await;
        put(&world, &token, "/api/v1/keys/prod/own", &json!({"value": guess})).await;
        let opened = open(&world, &token, "prod/openai").await.json();
        // On the guess as well: whether its fingerprint is new must not show.
        let second = open(&world, &token, "prod/own").await.json();
        let mut seen = format!("{} {} {}\n", opened["copies"], opened["remaining"], second["copies"]);
        seen += &seen_of(&world, &token, "own", guess).await;
        let mut plain = seen;
        for field in ["id", "created", "created_by", "at", "by", "how"] {
            plain = without(&plain, field);
        }
        all.push(plain);
    }
    assert_eq!(all[0], all[1]);
}

/// A text without the values of a JSON field that differ by themselves.
fn without(text: &str, field: &str) -> String {
    let mark = format!("\"{field}\":");
    let mut parts = text.split(mark.as_str());
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([',', '}', '\n']).unwrap_or(part.len());
        plain += &part[end..];
    }
    plain
}

#[tokio::test]
async fn steps_with_stored_guesses_are_counted_like_new_ones() {
    let world = chosen("Winter2026").await;
    let scopes = [
        Scope::KeysWrite,
        Scope::KeysRotate,
        Scope::KeysList,
        Scope::IncidentsWrite,
    ];
    let token = world.token(&scopes, &["prod"], &[]).await;
    for number in 0..40 {
        let path = format!("/api/v1/keys/prod/own-{number}");
        put(&world, &token, &path, &json!({"value": random(number)})).await;
        let guess = if number == 35 {
            "Winter2026".to_owned()
        } else {
            format!("Autumn{}", 1960 + number)
        };
        let body = json!({ "value": guess }).to_string();
        assert_eq!(
            world.tell("POST", &format!("{path}/stage"), &token, &body).await.status,
            200
        );
        world.ask("POST", &format!("{path}/disable?version=2"), &token).await;
    }
    // Opened by the token itself, which marks no copy.
    assert_eq!(open(&world, &token, "prod/openai").await.status, 201);
    let mut statuses = Vec::new();
    for number in 0..40 {
        let path = format!("/api/v1/keys/prod/own-{number}/enable?version=2");
        statuses.push(world.ask("POST", &path, &token).await.status);
    }
    assert!(statuses[..30].iter().all(|status| *status == 200), "{statuses:?}");
    assert!(statuses[30..].iter().all(|status| *status == 429), "{statuses:?}");
    let promote = world.ask("POST", "/api/v1/keys/prod/own-35/promote", &token).await;
    assert_eq!(promote.status, 429, "{}", promote.text());
}

#[tokio::test]
async fn a_token_whose_keys_are_all_readable_but_the_leaked_one_is_counted() {
    let world = chosen("Winter2026").await;
    let mut grant = Grant::new(
        Scopes::from([Scope::KeysRead, Scope::KeysWrite]),
        Environments::named(["prod"]),
    );
    grant.keys = Some(vec!["own*".parse().unwrap()]);
    let token = world.issue(grant).await;
    world
        .vault
        .operator("test")
        .incidents()
        .open(&"prod/openai".parse().unwrap(), IncidentRequest::new("rumours"))
        .await
        .unwrap();
    let statuses = tried(&world, &token, (0..40).map(|number| format!("Autumn{}", 1960 + number))).await;
    assert!(statuses[30..].iter().all(|status| *status == 429), "{statuses:?}");
    // Forcing is an answer as well.
    let forced = json!({"value": "Winter2026", "force": true, "reason": "why not"});
    assert_eq!(put(&world, &token, "/api/v1/keys/prod/own", &forced).await.status, 429);
}

#[tokio::test]
async fn a_new_value_for_a_leaked_one_is_counted_as_a_guess_of_it() {
    let world = chosen("Winter2026").await;
    let token = world
        .token(&[Scope::IncidentsWrite, Scope::KeysWrite], &["prod"], &[])
        .await;
    let body = json!({"ref": "prod/openai", "reason": "rumours", "replace": {"value": "Winter2026"}}).to_string();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(world.tell("POST", "/api/v1/incidents", &token, &body).await.status);
    }
    assert_eq!(statuses, [409, 409, 409, 409, 409, 429, 429]);
}
