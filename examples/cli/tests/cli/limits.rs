//! Limits: set, shown, and met.

use crate::harness::{Call, Place};
use crate::remote::Server;

/// The way to run a command: here, or against a server.
type Way<'a> = dyn Fn(&[&str]) -> Call + 'a;

const BAD: [&str; 12] = [
    "0/min",
    "-1/min",
    "-1",
    "1e12/sec",
    "1000000000000/sec",
    "60/fortnight",
    "60",
    "60/Min",
    "",
    " 60/min",
    "60/min/min",
    "sixty/min",
];

#[test]
fn a_rate_that_is_none_is_wrong_input_and_changes_nothing() {
    let place = Place::with_key("dev/k", "1");
    for bad in BAD {
        place.ibyok(&["limits", "set", "dev", bad]).fails(2);
        place.ibyok(&["keys", "edit", "dev/k", "--rate-limit", bad]).fails(2);
        place
            .ibyok(&["tokens", "issue", "ci", "--env", "dev", "--rate", bad])
            .fails(2);
    }
    place
        .ibyok(&["keys", "set", "dev/k", "--rate-limit", "0/min"])
        .stdin("2")
        .fails(2);
    place
        .ibyok(&["tokens", "issue", "ci", "--env", "dev", "--rate", "none"])
        .fails(2);
    for wrong in [vec!["limits", "set", "dev"], vec!["limits", "show", "Dev"]] {
        place.ibyok(&wrong).fails(2);
    }
    place.ibyok(&["limits", "set", "nowhere", "1/min"]).fails(4);
    let shown = place.ibyok(&["--json", "keys", "show", "dev/k"]).ok().json();
    assert_eq!(
        (&shown["version"], &shown["limit"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "1\n");
}

#[test]
fn limits_are_set_and_shown_the_same_here_and_on_a_server() {
    let place = Place::with_key("dev/k", "1");
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    let client = Place::empty();
    let there = |arguments: &[&str]| -> Call {
        client
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &admin)
    };
    let here = |arguments: &[&str]| place.ibyok(arguments);
    let ways: [(&str, &Way<'_>); 2] = [("here", &here), ("there", &there)];
    for (way, ask) in ways {
        let set = ask(&["--json", "limits", "set", "production", "60/min"]).ok().json();
        let expected = serde_json::json!({"environment": "prod", "limit": "60/min", "scope": "node"});
        assert_eq!(set, expected, "{way}");
        let shown = ask(&["--json", "limits", "show", "prod"]).ok().json();
        assert_eq!(shown["items"], serde_json::json!([expected]), "{way}");
        let all = ask(&["limits", "show"]).ok().out;
        assert!(
            all.lines()
                .any(|line| line.split_whitespace().eq(["prod", "60/min", "node"])),
            "{all}"
        );
        ask(&["limits", "set", "prod", "none"]).ok();

        ask(&["keys", "edit", "dev/k", "--rate-limit", "7/day"]).ok();
        let key = ask(&["--json", "keys", "show", "dev/k"]).ok().json();
        let in_force = serde_json::json!({"rate": "7/day", "source": "key", "scope": "node"});
        assert_eq!(
            (&key["limit"], &key["limit_in_force"]),
            (&"7/day".into(), &in_force),
            "{way}"
        );
        let text = ask(&["keys", "show", "dev/k"]).ok().out;
        assert!(
            text.contains("limit     7/day (its own; each server counts separately)\n"),
            "{text}"
        );
        ask(&["keys", "set", "dev/k", "--rate-limit", "none"]).stdin("1").ok();
        let key = ask(&["--json", "keys", "show", "dev/k"]).ok().json();
        assert!(
            key["limit"].is_null() && key.get("limit_in_force").is_none(),
            "{way}: {key}"
        );

        ask(&["tokens", "issue", way, "--env", "dev", "--rate", "5/hour"]).ok();
        let id = place.ibyok(&["--json", "tokens", "show", way]).ok().json()["id"].clone();
        let token = ask(&["--json", "tokens", "show", id.as_str().unwrap()]).ok().json();
        assert_eq!(
            (&token["grant"]["rate"], &token["limit_scope"]),
            (&"5/hour".into(), &"node".into()),
            "{way}"
        );
    }
}

#[test]
fn a_limit_that_is_reached_is_exit_5_and_says_when_to_try_again() {
    let place = Place::with_key("dev/k", "1");
    let token = place.token(&["slow", "--env", "dev", "--rate", "1/day"]);
    let server = Server::start(&place);
    let client = Place::empty();
    let at = |arguments: &[&str]| -> Call {
        client
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &token)
    };
    assert_eq!(at(&["get", "dev/k"]).ok().out, "1\n");
    let refused = at(&["get", "dev/k"]).fails(5);
    assert!(
        refused.err.contains("this token has reached its limit of 1/day"),
        "{refused:?}"
    );
    assert!(refused.err.contains("try again in 24 h"), "{refused:?}");
    let refused = at(&["--json", "get", "dev/k"]).fails(5).json();
    assert_eq!(refused["error"]["code"], "limited");
    at(&["run", "--key", "K=dev/k", "--", "true"]).fails(125);
    at(&["keys", "list"]).ok();

    // Who is the operator is not limited.
    place.ibyok(&["keys", "edit", "dev/k", "--rate-limit", "1/day"]).ok();
    for _ in 0..3 {
        place.ibyok(&["get", "dev/k"]).ok();
    }
}
