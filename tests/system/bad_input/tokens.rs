//! Tokens that are none, or no longer.

use ibyok_tests::Request;

use super::{all_is_well, get, home_with_a_key};
use crate::home_with_vault;

#[test]
fn whatever_is_no_valid_token_gets_one_and_the_same_answer() {
    let (home, other) = (home_with_a_key(), home_with_vault());
    let token = home.token(&["app", "--env", "prod"]);
    let foreign = other.token(&["app", "--env", "prod"]);
    let revoked = home.token(&["revoked", "--env", "prod"]);
    home.ibyok(["--yes", "tokens", "revoke", "revoked"]).run().done();
    let expired = home.token(&["brief", "--env", "prod", "--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let middle = token.len() / 2;
    let other_character = if token.as_bytes()[middle] == b'a' { "b" } else { "a" };
    let changed = format!("{}{other_character}{}", &token[..middle], &token[middle + 1..]);
    let cases = [
        ("cut", token[..token.len() - 1].to_owned()),
        ("cut in two", token[..middle].to_owned()),
        ("one character changed", changed),
        ("one character more", format!("{token}a")),
        ("small letters", token.to_lowercase()),
        ("another vault's", foreign),
        ("revoked", revoked),
        ("expired", expired),
        ("no token at all", "sk-proj-something".to_owned()),
    ];
    let server = home.serve();
    let mut bodies = std::collections::BTreeSet::new();
    for (what, bad) in &cases {
        let said = get(&home).env("IBYOK_TOKEN", bad).run().fails(3, "unauthenticated");
        assert!(!said.text().contains(bad.as_str()), "{what} is echoed");
        let answer = server.retrieve(bad, "prod/key").is_problem(401, "unauthenticated");
        assert_eq!(
            answer.headers["www-authenticate"], r#"Bearer realm="ibyok", error="invalid_token""#,
            "{what}"
        );
        let mut body = answer.json();
        body["request_id"] = "".into();
        bodies.insert(body.to_string());
    }
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    let bare = server
        .send(&Request::get("/api/v1/keys/prod/key/value"))
        .is_problem(401, "unauthenticated");
    assert_eq!(bare.headers["www-authenticate"], r#"Bearer realm="ibyok""#);
    server.retrieve(&token, "prod/key").is(200);
}

#[test]
fn a_token_of_a_megabyte_is_refused_without_ado() {
    let home = home_with_a_key();
    let long = format!("ibyok_{}", "a".repeat(1 << 20));
    let file = home.input("long", &long);
    get(&home)
        .env("IBYOK_TOKEN_FILE", &file)
        .run()
        .fails(3, "unauthenticated");
    home.ibyok(["--json", "tokens", "attenuate", "--env", "dev"])
        .input(long.as_bytes())
        .run()
        .exits(2);
    let server = home.serve();
    let answer = server.try_send(&Request::get("/api/v1/keys/prod/key/value").bearer(&long));
    assert!(answer.is_err() || answer.is_ok_and(|answer| matches!(answer.status, 400 | 401 | 431)));
    assert!(server.is_ready());
}

#[test]
fn an_empty_or_failed_token_is_never_the_operator() {
    let home = home_with_a_key();
    for (name, value) in [
        ("IBYOK_TOKEN", ""),
        ("IBYOK_TOKEN", " \n"),
        ("IBYOK_TOKEN_FILE", ""),
        ("IBYOK_TOKEN_FILE", "/dev/null"),
        ("IBYOK_TOKEN_FILE", "/nowhere"),
        ("IBYOK_TOKEN_COMMAND", ""),
        ("IBYOK_TOKEN_COMMAND", "false"),
        ("IBYOK_TOKEN_COMMAND", "true"),
    ] {
        let refused = get(&home).env(name, value).run().fails(3, "unauthenticated");
        assert!(refused.json().get("value").is_none());
        home.ibyok(["--json", "keys", "set", "prod/key"])
            .env(name, value)
            .input("other")
            .run()
            .fails(3, "unauthenticated");
        home.ibyok(["run", "--env", "prod", "--", "true"])
            .env(name, value)
            .run()
            .exits(125);
    }
    all_is_well(&home);
}

#[test]
fn two_different_tokens_in_one_request_are_refused() {
    let home = home_with_a_key();
    let (one, two) = (
        home.token(&["one", "--env", "prod"]),
        home.token(&["two", "--env", "prod"]),
    );
    let server = home.serve();
    let request = || Request::get("/api/v1/keys/prod/key/value").bearer(&one);
    server
        .send(&request().header("X-Vault-Token", &two))
        .is_problem(400, "invalid");
    server.send(&request().bearer(&two)).is_problem(400, "invalid");
    server.send(&request().header("X-Vault-Token", &one)).is(200);
    server
        .send(&Request::get("/api/v1/keys/prod/key/value").header("X-Vault-Token", &one))
        .is(200);
}

#[test]
fn restrictions_end_at_eight_and_only_take_away() {
    let home = home_with_a_key();
    let mut token = home.token(&["app", "--env", "prod"]);
    let narrower = |token: &str| {
        home.ibyok(["--json", "tokens", "attenuate", "--key", "k*", "--expires", "1h"])
            .input(token)
            .run()
    };
    for _ in 0..8 {
        token = narrower(&token).done().json()["token"].as_str().unwrap().to_owned();
    }
    get(&home).env("IBYOK_TOKEN", &token).run().done();
    let refused = narrower(&token);
    assert_eq!(refused.json()["error"]["code"], "invalid", "{}", refused.text());
    assert_eq!(refused.code(), 2);
    let other = home
        .ibyok(["tokens", "attenuate", "--key", "other"])
        .input(home.token(&["wide", "--env", "prod"]))
        .run()
        .done()
        .text();
    get(&home).env("IBYOK_TOKEN", other).run().fails(3, "denied");
}

#[test]
fn nobody_fills_the_log_with_tokens_that_are_none() {
    let home = home_with_a_key();
    let token = home.token(&["app", "--env", "prod"]);
    let server = home.serve();
    for number in 0..300 {
        let guess = format!("ibyok_{number:030}_{number:055}000000");
        server.retrieve(&guess, "prod/key").is_problem(401, "unauthenticated");
        if number % 100 == 50 {
            server.retrieve(&token, "prod/key").is(200);
        }
    }
    assert!(server.stop().success());
    let lines = ibyok_tests::audit_lines(&home.vault().join("audit"));
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line.text("action") == "token.use_failed")
        .collect();
    let counted: u64 = failed.iter().filter_map(|line| line.event["count"].as_u64()).sum();
    assert!(failed.len() <= 20, "{} lines", failed.len());
    assert_eq!(counted, 300, "none is left out of the count");
    all_is_well(&home);
}
