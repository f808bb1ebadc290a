//! The life of a token through the real programs: by a preset, rotated, reviewed, and revoked with all tokens of one
//! person.

use ibyok_tests::{Home, Oracle};
use serde_json::Value;

use crate::home_with_vault;

fn get(home: &Home, token: &str) -> i32 {
    home.ibyok(["--json", "get", "prod/key"])
        .env("IBYOK_TOKEN", token)
        .run()
        .code()
}

#[test]
fn a_rotated_token_goes_on_here_and_on_a_server_and_its_old_secret_ends() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let first = home.token(&["app", "--env", "prod", "--self-rotate"]);
    let server = home.serve();
    let url = format!("http://{}", server.address);
    let there = |token: &str, args: &[&str]| {
        let run = home.ibyok(["--json"].iter().chain(args)).without("IBYOK_VAULT");
        run.env("IBYOK_URL", &url).env("IBYOK_TOKEN", token).run()
    };
    let rotated = there(&first, &["tokens", "rotate", "self", "--grace", "1h"])
        .done()
        .json();
    let second = rotated["token"].as_str().unwrap().to_owned();
    assert_eq!(rotated["epoch"], 1);
    for token in [&first, &second] {
        assert_eq!(there(token, &["get", "prod/key"]).code(), 0);
        assert_eq!(get(&home, token), 0);
    }
    // The secret in its grace gets no further one.
    there(&first, &["tokens", "rotate", "self"]).fails(3, "denied");
    let third = home
        .ibyok(["--yes", "tokens", "rotate", "app", "--grace", "0"])
        .run()
        .done()
        .text();
    for token in [&first, &second] {
        assert_eq!(get(&home, token), 3);
    }
    assert_eq!(get(&home, &third), 0);
    assert!(server.stop().success());
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.check(&home);
}

#[test]
fn an_emergency_is_not_begun_by_mistake_and_bad_input_changes_nothing() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let refused: [(&[&str], i32); 12] = [
        (&["tokens", "rotate", "app", "--grace", "0"], 2),
        (&["tokens", "rotate", "app", "--grace", "-1h"], 2),
        (&["tokens", "rotate", "app", "--grace", "2026-12-31"], 2),
        (&["tokens", "rotate", "app", "--grace", "91d"], 2),
        (&["tokens", "rotate", "app", "--grace", "99999999999y"], 2),
        (&["tokens", "rotate", "nobody"], 4),
        (&["tokens", "rotate", ""], 4),
        (&["tokens", "revoke"], 2),
        (&["tokens", "revoke", "app", "--name", "app"], 2),
        (&["tokens", "revoke", "--name", "app"], 2),
        (&["--yes", "tokens", "revoke", "--created-by", "nobody"], 4),
        (&["tokens", "issue", "x", "--all-envs", "--preset", "production"], 2),
    ];
    for (args, code) in refused {
        let run = home.ibyok(["--json"].iter().chain(args)).run();
        assert_eq!(run.code(), code, "{}: {}", args.join(" "), run.text());
    }
    assert_eq!(get(&home, &token), 0);
}

#[test]
fn offboarding_is_one_command_that_names_what_was_seen() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let alice = home.token(&["alice-laptop", "--env", "prod", "--preset", "local"]);
    let ci = home.token(&["alice-ci", "--env", "prod", "--preset", "ci"]);
    let bob = home.token(&["bob", "--env", "prod"]);
    assert_eq!(get(&home, &alice), 0);
    let revoked = home
        .ibyok(["--json", "--yes", "tokens", "revoke", "--name", "alice-*"])
        .run()
        .done();
    assert!(
        revoked.said().contains("ibyok rotate stage prod/key"),
        "{}",
        revoked.said()
    );
    let items = revoked.json()["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2);
    let read: Vec<&Value> = items
        .iter()
        .flat_map(|item| item["read_keys"].as_array().unwrap())
        .collect();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["ref"], "prod/key");
    for (token, code) in [(&alice, 3), (&ci, 3), (&bob, 0)] {
        assert_eq!(get(&home, token), code);
    }
}

#[test]
fn a_review_has_an_exit_code_of_its_own() {
    let home = home_with_vault();
    home.ibyok(["tokens", "review"]).run().done();
    home.token(&["endless", "--env", "prod", "--no-expiry"]);
    let found = home.ibyok(["--json", "tokens", "review"]).run().exits(10).json();
    assert_eq!(found["items"][0]["finding"], "never_expires");
}
