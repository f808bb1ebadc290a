//! The output for a person: facts, last uses, words for nothing, numbers with their nouns, colour.

use serde_json::Value;

use crate::harness::{Call, Place};
use crate::remote::Server;

/// The value of a fact that `keys show` prints.
fn fact(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.trim_start().strip_prefix(name).unwrap().trim().to_owned()
}

#[test]
fn a_key_is_shown_with_its_rotation_its_end_and_what_is_compromised() {
    let place = Place::new();
    let set = [
        "keys",
        "set",
        "dev/k",
        "--rotate-every",
        "90d",
        "--expires",
        "2031-05-06",
    ];
    place.ibyok(&set).stdin("one").ok();
    let text = place.ibyok(&["keys", "show", "dev/k"]).ok().out;
    assert_eq!(fact(&text, "rotate every"), "90d");
    assert!(fact(&text, "rotation due").starts_with("20"), "{text}");
    assert!(fact(&text, "expires").starts_with("2031-05-06"), "{text}");
    assert!(!text.contains("compromised"), "{text}");
    place.ibyok(&["incident", "open", "dev/k", "--reason", "a gist"]).ok();
    let text = place.ibyok(&["keys", "show", "dev/k"]).ok().out;
    assert_eq!(fact(&text, "compromised"), "version 1");
    assert!(
        text.lines()
            .any(|line| line.starts_with('1') && line.contains("compromised")),
        "{text}"
    );
    place.set("dev/k", "two");
    place.ibyok(&["incident", "open", "dev/k", "--reason", "another"]).ok();
    let text = place.ibyok(&["keys", "show", "dev/k"]).ok().out;
    assert_eq!(fact(&text, "compromised"), "versions 1 and 2");
    place.ibyok(&["keys", "set", "dev/plain"]).stdin("v").ok();
    let text = place.ibyok(&["keys", "show", "dev/plain"]).ok().out;
    for name in ["rotate every", "rotation due", "expires"] {
        assert_eq!(fact(&text, name), "-", "{text}");
    }
}

fn items(done: &Value) -> &[Value] {
    done["items"].as_array().unwrap()
}

/// Lists of a place where `dev/used` was read by the token `reader`, and nothing else by anybody.
fn last_uses(ibyok: impl Fn(&[&str]) -> Call) {
    let keys = ibyok(&["keys", "list", "--json"]).ok().json();
    let of = |name: &str| items(&keys).iter().find(|key| key["name"] == name).unwrap().clone();
    assert!(of("used")["last_used"].as_str().unwrap().starts_with("20"), "{keys}");
    assert_eq!(of("idle").get("last_used"), Some(&Value::Null), "{keys}");
    let tokens = ibyok(&["tokens", "list", "--json"]).ok().json();
    let of = |name: &str| {
        items(&tokens)
            .iter()
            .find(|token| token["name"] == name)
            .unwrap()
            .clone()
    };
    assert!(
        of("reader")["last_used"].as_str().unwrap().starts_with("20"),
        "{tokens}"
    );
    assert_eq!(of("unused").get("last_used"), Some(&Value::Null), "{tokens}");
    for (list, used) in [(["keys", "list"], "dev/used"), (["tokens", "list"], "reader")] {
        let text = ibyok(&list).ok().out;
        assert!(text.lines().next().unwrap().ends_with("LAST USED"), "{text}");
        let last = text
            .lines()
            .find(|line| line.contains(used))
            .unwrap()
            .rsplit("  ")
            .next()
            .unwrap();
        assert!(last.starts_with("20") && last.ends_with('Z'), "{text}");
        assert!(text.lines().any(|line| line.ends_with("  -")), "{text}");
    }
    // Of one key, and to the other lists, nothing is added.
    assert_eq!(
        ibyok(&["keys", "show", "dev/used", "--json"])
            .ok()
            .json()
            .get("last_used"),
        None
    );
}

#[test]
fn lists_show_the_last_use_here_and_through_a_server() {
    let place = Place::with_key("dev/used", "v");
    place.set("dev/idle", "v");
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let reader = place.token(&["reader", "--env", "dev"]);
    place.token(&["unused", "--env", "dev"]);
    place.ibyok(&["get", "dev/used"]).env("IBYOK_TOKEN", &reader).ok();
    last_uses(|arguments| place.ibyok(arguments));
    let server = Server::start(&place);
    let remote = |arguments: &[&str], token: &str| {
        let call = place.ibyok(arguments).env("IBYOK_URL", &server.url);
        call.env("IBYOK_TOKEN", token)
    };
    last_uses(|arguments| remote(arguments, &admin));
    // Whoever may not see who uses a key does not see when it was used either.
    let keys = remote(&["keys", "list", "--json"], &reader).ok().json();
    assert!(
        items(&keys).len() == 2 && items(&keys).iter().all(|key| key.get("last_used").is_none()),
        "{keys}"
    );
}

#[test]
fn nothing_is_said_in_words_and_never_in_json() {
    let place = Place::new();
    for (arguments, words) in [
        (&["keys", "list"][..], "no keys"),
        (&["keys", "list", "--env", "prod"], "no keys"),
        (&["tokens", "list"], "no access tokens"),
        (&["tokens", "review"], "no findings"),
        (&["incident", "list"], "no incident is open"),
        (&["incident", "list", "--all"], "no incidents"),
        (&["rotate", "due"], "nothing is due"),
        (&["rotate", "status"], "no key has more than one version"),
        (&["usage"], "no key was used"),
        (&["export", "--env", "dev"], "no keys"),
        (&["audit", "tail", "--action", "key.set"], "no lines"),
        (&["audit", "tail", "--key", "dev/none"], "no lines"),
    ] {
        let said = place.ibyok(arguments).ok();
        assert!(said.err.contains(words), "{arguments:?}: {said:?}");
        assert!(said.out.lines().count() <= 1, "{arguments:?}: {said:?}");
        let quiet: Vec<&str> = arguments.iter().copied().chain(["--quiet"]).collect();
        let said = place.ibyok(&quiet).ok();
        assert_eq!(said.err, "", "{arguments:?}");
        if !["export", "audit"].contains(&arguments[0]) {
            let json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
            let said = place.ibyok(&json).ok();
            assert_eq!(said.json()["items"], serde_json::json!([]), "{arguments:?}");
            assert!(!said.err.contains(words), "{arguments:?}: {said:?}");
        }
    }
}

#[test]
fn one_thing_is_not_said_in_the_plural() {
    let place = Place::with_key("dev/k", "v");
    place.write("clean/a.txt", "nothing here");
    place.write("clean/b.txt", "nor here");
    let scan = |path: &str| place.ibyok(&["scan", path]).call().err;
    assert!(scan("clean").contains("0 findings in 2 texts"), "{}", scan("clean"));
    assert!(
        scan("clean/a.txt").contains("0 findings in 1 text\n"),
        "{}",
        scan("clean/a.txt")
    );
    let export = |count: &str| {
        let done = place.ibyok(&["export", "--env", "dev", "-o", "out.env"]).ok();
        std::fs::remove_file(place.path("out.env")).unwrap();
        assert!(done.err.contains(&format!("wrote {count} to")), "{done:?}");
    };
    export("1 key");
    place.set("dev/l", "v");
    export("2 keys");
    let opened = place.ibyok(&["incident", "open", "dev/k", "--reason", "a gist"]).ok();
    assert!(opened.err.contains("version 1 is marked"), "{opened:?}");
    let token = place.token(&["ci", "--env", "dev"]);
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).ok();
    let report = place.ibyok(&["incident", "report", "dev/k"]).ok().out;
    assert!(report.contains(": 1 time, "), "{report}");
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).ok();
    let report = place.ibyok(&["incident", "report", "dev/k"]).ok().out;
    assert!(report.contains(": 2 times, "), "{report}");
    let reason = place.ibyok(&["tokens", "revoke", "--name", "ci*", "--yes"]).call();
    assert!(!reason.err.contains("1 tokens"), "{reason:?}");
}

#[test]
fn colour_is_there_where_it_is_wanted_and_never_in_json() {
    let place = Place::with_key("dev/k", "v");
    std::fs::create_dir(place.path("code")).unwrap();
    let escapes = |arguments: &[&str], variables: &[(&str, &str)]| {
        let call = variables
            .iter()
            .fold(place.ibyok(arguments), |call, (name, value)| call.env(name, value));
        let done = call.call();
        (done.out.matches("\u{1b}[").count(), done.err.matches("\u{1b}[").count())
    };
    let (force, checklist, wrong) = (("CLICOLOR_FORCE", "1"), ["checklist", "code"], ["get", "dev/none"]);
    assert_eq!(escapes(&checklist, &[]), (0, 0), "no terminal, no colour");
    assert_eq!(escapes(&wrong, &[]), (0, 0));
    assert!(escapes(&checklist, &[force]).0 > 4);
    assert!(escapes(&wrong, &[force]).1 >= 4, "error and hint");
    for no in [
        [force, ("NO_COLOR", "1")],
        [("CLICOLOR_FORCE", "0"), ("TERM", "xterm")],
        [("TERM", "dumb"), ("CLICOLOR", "0")],
    ] {
        assert_eq!(escapes(&checklist, &no), (0, 0), "{no:?}");
        assert_eq!(escapes(&wrong, &no), (0, 0), "{no:?}");
    }
    let json: Vec<&str> = checklist.iter().copied().chain(["--json"]).collect();
    assert_eq!(escapes(&json, &[force]).0, 0);
    assert_eq!(escapes(&["get", "dev/none", "--json"], &[force]).0, 0);
    let colours = place.ibyok(&checklist).env("CLICOLOR_FORCE", "1").call().out;
    let of = |word: &str| {
        let line = colours.lines().find(|line| line.contains(word)).unwrap();
        line.split(word).next().unwrap().to_owned()
    };
    assert_ne!(of("OPEN"), of("ok"), "OPEN and ok differ: {colours}");
    // Text from outside brings no escapes of its own.
    place.write("code/a", "x");
    let tail = place
        .ibyok(&["audit", "tail", "--include-own"])
        .env("CLICOLOR_FORCE", "1")
        .ok()
        .out;
    assert!(tail.contains("key.set"), "{tail}");
}
