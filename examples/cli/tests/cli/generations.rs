//! New generations of environment keys, and new token keys.

use crate::harness::{Done, Place};

const CHECK: [&str; 4] = ["kek", "rotate", "--reseal", "--check"];

/// A vault with a key in each of two environments.
fn place() -> Place {
    let place = Place::with_key("prod/key", "value");
    place.set("prod/key", "newer");
    place.set("dev/key", "of dev");
    place
}

fn value(place: &Place, reference: &str) -> String {
    place.ibyok(&["get", "-n", reference]).ok().out
}

fn drop_one(place: &Place, rest: &[&str]) -> Done {
    let arguments = [&["--yes", "kek", "rotate", "--drop-generation"], rest].concat();
    place.ibyok(&arguments).call()
}

#[test]
fn every_record_gets_a_new_generation_and_the_old_one_is_deleted() {
    let place = place();
    let resealed = place.ibyok(&["--json", "kek", "rotate", "--reseal"]).ok().json();
    let items = resealed["items"].as_array().unwrap();
    assert_eq!(items.len(), 4, "{resealed}");
    for item in items {
        assert_eq!(
            (item["current"].as_u64(), &item["retiring"][0]),
            (Some(2), &1.into()),
            "{item}"
        );
        assert_eq!(item["older"], 0, "{item}");
    }
    place.ibyok(&CHECK).ok();
    assert_eq!(drop_one(&place, &["1"]).code, 0);
    let listed = place
        .ibyok(&["--json", "kek", "rotate", "--reseal", "--check"])
        .ok()
        .json();
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["retiring"] == serde_json::json!([]))
    );
    assert_eq!(value(&place, "prod/key"), "newer");
    assert_eq!(value(&place, "prod/key?version=1"), "value");
    assert_eq!(value(&place, "dev/key"), "of dev");
    place.ibyok(&["audit", "verify"]).ok();
    place.ibyok(&["status"]).ok();
}

#[test]
fn a_new_kek_and_a_new_generation_come_with_one_command() {
    let place = place();
    let done = place.ibyok(&["kek", "rotate", "--to", "local", "--reseal"]).ok();
    assert!(done.err.contains("under the new KEK `local:"), "{}", done.err);
    place.ibyok(&CHECK).ok();
    place.ibyok(&["kek", "rotate", "--check"]).ok();
    assert_eq!(value(&place, "prod/key"), "newer");
}

#[test]
fn a_new_token_key_says_how_many_tokens_end_and_asks() {
    let place = place();
    let issue = |name: &str, env: &str| place.token(&[name, "--env", env]);
    let (prod, dev) = (issue("one", "prod"), issue("two", "dev"));
    let asked = place
        .ibyok(&["kek", "rotate", "--rekey-tokens", "--env", "prod"])
        .fails(2);
    assert!(
        asked.err.contains("1 valid token") && asked.err.contains("--yes"),
        "{}",
        asked.err
    );
    let get = |token: &str, key: &str| {
        place
            .ibyok(&["get", "-n", key])
            .env("IBYOK_TOKEN", token.trim())
            .call()
            .code
    };
    assert_eq!(get(&prod, "prod/key"), 0);
    let ended = place
        .ibyok(&["--yes", "--json", "kek", "rotate", "--rekey-tokens", "--env", "prod"])
        .ok();
    assert_eq!(ended.json()["items"][0]["valid"], 1);
    assert_ne!(get(&prod, "prod/key"), 0);
    assert_eq!(get(&dev, "dev/key"), 0);
}

#[test]
fn generations_that_cannot_be_made_or_deleted_are_refused() {
    let place = place();
    for (arguments, code, words) in [
        (&["--drop-generation", "1"][..], 2, "generation 1"),
        (&["--drop-generation", "7"], 4, "generation 7"),
        (&["--drop-generation", "0"], 4, "generation 0"),
        (&["--drop-generation", "-1"], 2, ""),
        (&["--drop-generation", "4294967296"], 2, "4294967296"),
        (&["--drop-generation", "one"], 2, "one"),
        (&["--drop-generation", "1", "--reseal"], 2, "cannot be used with"),
        (&["--drop-generation", "1", "--check"], 2, "cannot be used with"),
        (&["--rekey-tokens", "--to", "local"], 2, "cannot be used with"),
        (&["--reseal", "--env", "nowhere"], 4, "nowhere"),
        (&["--reseal", "--env", "PROD!"], 2, "PROD!"),
        (&["--rekey-tokens", "--env", ""], 2, ""),
        (&["--reseal", "--check", "--to", "local"], 2, "--check"),
    ] {
        let arguments = [&["--yes", "kek", "rotate"], arguments].concat();
        let refused = place.ibyok(&arguments).fails(code);
        assert!(refused.err.contains(words), "{arguments:?}: {}", refused.err);
        println!("{arguments:?}: {}", refused.err.lines().next().unwrap_or_default());
    }
    // A generation that nothing asks about is asked about first.
    let asked = place.ibyok(&["kek", "rotate", "--drop-generation", "1"]).fails(2);
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    let token = place.token(&["reader", "--env", "prod"]);
    place
        .ibyok(&["kek", "rotate", "--reseal"])
        .env("IBYOK_TOKEN", token.trim())
        .fails(3);
    assert_eq!(value(&place, "prod/key"), "newer");
}
