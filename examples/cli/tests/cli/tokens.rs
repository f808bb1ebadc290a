//! Tokens: issued, narrowed, shown, revoked.

use crate::harness::Place;

#[test]
fn issue_prints_the_token_alone_and_never_again() {
    let place = Place::new();
    let done = place.ibyok(&["tokens", "issue", "ci", "--env", "dev"]).ok();
    assert!(
        done.out.starts_with("ibyok_") && done.out.lines().count() == 1,
        "{done:?}"
    );
    let token = done.out.trim_end();
    for verb in [
        vec!["tokens", "list", "--json"],
        vec!["tokens", "show", "ci", "--json"],
        vec!["audit", "export"],
    ] {
        let shown = place.ibyok(&verb).ok();
        assert!(!shown.out.contains(token.rsplit('_').next().unwrap()), "{verb:?}");
    }
    let shown = place.ibyok(&["tokens", "show", "ci", "--json"]).ok().json();
    assert_eq!(shown["grant"]["scopes"], serde_json::json!(["keys:read", "keys:list"]));
    assert_eq!(shown["grant"]["environments"], serde_json::json!(["dev"]));
    let issued = place
        .ibyok(&["tokens", "issue", "x", "--all-envs", "--no-expiry", "--json"])
        .ok()
        .json();
    for field in ["id", "token", "name", "grant"] {
        assert!(!issued[field].is_null(), "{field}");
    }
    assert!(issued["expires_at"].is_null());
}

#[test]
fn a_grant_that_makes_no_sense_is_wrong_input() {
    let place = Place::new();
    for arguments in [
        vec!["ci"],
        vec!["ci", "--env", "dev", "--all-envs"],
        vec!["ci", "--env", "Dev"],
        vec!["ci", "--env", "dev", "--scope", "keys:all"],
        vec!["ci", "--env", "dev", "--key", "a/b"],
        vec!["ci", "--env", "dev", "--cidr", "10.0.0.0/99"],
        vec!["ci", "--env", "dev", "--expires", "yesterday"],
        vec!["ci", "--env", "dev", "--expires", "2020-01-01"],
        vec!["ci", "--env", "dev", "--expires", "30d", "--no-expiry"],
        vec!["", "--env", "dev"],
        vec!["self", "--env", "dev"],
        vec!["ci", "--env", "dev", "--rate", "1/s"],
        vec!["ci", "--env", "dev", "--preset", "everything"],
    ] {
        let arguments: Vec<&str> = ["tokens", "issue"].into_iter().chain(arguments).collect();
        place.ibyok(&arguments).fails(2);
    }
    place.ibyok(&["tokens", "issue", "ci", "--env", "nope"]).fails(4);
    assert_eq!(
        place.ibyok(&["tokens", "list", "--json"]).ok().json()["items"],
        serde_json::json!([])
    );
}

#[test]
fn a_tokens_name_is_a_label_and_no_path() {
    let place = Place::new();
    for name in ["\t", "a\nb", "\u{7f}", "self", ""] {
        let refused = place.ibyok(&["tokens", "issue", name, "--env", "dev"]).fails(2);
        assert!(refused.err.contains("token name"), "{name:?} {refused:?}");
    }
    for name in ["ci/deploy", "/ci", "../..", "..", "/", ".env", "alice@laptop", "東京 1"] {
        place.token(&[name, "--env", "dev"]);
        place.ibyok(&["tokens", "show", name]).ok();
    }
}

#[test]
fn a_time_that_is_too_late_is_refused_with_the_latest_time() {
    let place = Place::new();
    for (expires, said) in [
        ("9999-12-31", "too late: the latest time is 9999-12-30T22:00:00Z"),
        ("9999-12-31T00:00:00Z", "too late"),
        ("20000-01-01", "too late"),
        ("99999y", "too late"),
        ("soon", "is not a time"),
    ] {
        let refused = place
            .ibyok(&["tokens", "issue", "ci", "--env", "dev", "--expires", expires])
            .fails(2);
        assert!(refused.err.contains(said), "{refused:?}");
    }
    place.token(&["ci", "--env", "dev", "--expires", "9999-12-30"]);
}

#[test]
fn a_token_is_narrowed_offline_and_never_widened() {
    let place = Place::with_key("dev/a", "1");
    place.set("dev/b", "2");
    let token = place.token(&["ci", "--env", "dev"]);
    // Without a home and a vault: nothing is asked.
    let nowhere = Place::empty();
    let narrow = |token: &str, flags: &[&str]| {
        let arguments: Vec<&str> = ["tokens", "attenuate"].iter().chain(flags).copied().collect();
        let mut call = nowhere.ibyok(&arguments).stdin(format!("{token}\n"));
        call.command.env_remove("HOME");
        call
    };
    let narrower = narrow(&token, &["--key", "a", "--expires", "15m"])
        .ok()
        .out
        .trim()
        .to_owned();
    place.ibyok(&["get", "dev/a"]).env("IBYOK_TOKEN", &narrower).ok();
    for past in ["2020-01-01", "2020-01-01T00:00:00Z"] {
        assert!(narrow(&token, &["--expires", past]).fails(2).out.is_empty(), "{past}");
    }
    place.ibyok(&["get", "dev/b"]).env("IBYOK_TOKEN", &narrower).fails(3);
    let wide = narrow(&narrower, &["--key", "*", "--env", "prod", "--scope", "admin"])
        .ok()
        .out
        .trim()
        .to_owned();
    place.ibyok(&["get", "dev/b"]).env("IBYOK_TOKEN", &wide).fails(3);
    narrow(&token, &[]).fails(2);
    narrow("not a token", &["--key", "a"]).fails(2);
    let mut often = token;
    for _ in 0..8 {
        often = narrow(&often, &["--key", "a"]).ok().out.trim().to_owned();
    }
    narrow(&often, &["--key", "a"]).fails(2);
}

#[test]
fn a_token_is_revoked_only_with_a_yes_and_at_once() {
    let place = Place::with_key("dev/k", "v");
    let token = place.token(&["ci", "--env", "dev"]);
    place.ibyok(&["tokens", "revoke", "ci"]).fails(2);
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).ok();
    place.ibyok(&["tokens", "revoke", "ci", "--yes"]).ok();
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).fails(3);
    place.ibyok(&["tokens", "revoke", "nobody", "--yes"]).fails(4);
    assert_eq!(
        place.ibyok(&["tokens", "show", "ci", "--json"]).ok().json()["state"],
        "revoked"
    );
}

#[test]
fn a_token_may_do_what_its_scopes_say_and_nothing_else() {
    let place = Place::with_key("dev/k", "v");
    let reader = place.token(&["reader", "--env", "dev", "--scope", "keys:read"]);
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &reader).ok();
    for verb in [
        vec!["keys", "list"],
        vec!["keys", "show", "dev/k"],
        vec!["keys", "set", "dev/k"],
        vec!["keys", "remove", "dev/k", "--yes"],
        vec!["tokens", "list"],
        vec!["tokens", "issue", "x", "--env", "dev"],
        vec!["audit", "tail"],
        vec!["envs", "list"],
        vec!["get", "prod/k"],
        vec!["get", "dev/none", "--version", "1"],
    ] {
        let expected = if verb.contains(&"dev/none") { 4 } else { 3 };
        let done = place
            .ibyok(&verb)
            .stdin("w")
            .env("IBYOK_TOKEN", &reader)
            .fails(expected);
        assert_eq!(done.out, "", "{verb:?}");
    }
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "v\n");
}

#[test]
fn a_token_rotates_itself_only_if_it_was_issued_so() {
    let place = Place::with_key("dev/k", "v");
    let plain = place.token(&["plain", "--env", "dev"]);
    place
        .ibyok(&["tokens", "rotate", "self"])
        .env("IBYOK_TOKEN", &plain)
        .fails(3);
    let own = place.token(&["own", "--env", "dev", "--self-rotate"]);
    let shown = place.ibyok(&["tokens", "show", "own", "--json"]).ok().json();
    assert_eq!(shown["grant"]["self_rotate"], true);
    let shown = place.ibyok(&["tokens", "show", "plain", "--json"]).ok().json();
    assert_eq!(shown["grant"].get("self_rotate"), None);
    let whoami = place.ibyok(&["whoami"]).env("IBYOK_TOKEN", &own).ok();
    assert!(whoami.out.contains("self-rotate"), "{whoami:?}");
    let new = place
        .ibyok(&["tokens", "rotate", "self"])
        .env("IBYOK_TOKEN", &own)
        .ok()
        .out;
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", new.trim()).ok();
    // No preset asks for it.
    place.token(&["service", "--env", "dev", "--preset", "production"]);
    let shown = place.ibyok(&["tokens", "show", "service", "--json"]).ok().json();
    assert_eq!(shown["grant"].get("self_rotate"), None);
}

#[test]
fn children_that_stay_valid_are_named_and_revoked_if_asked() {
    let place = Place::with_key("dev/k", "v");
    let family = |name: &str| {
        let parent = place.token(&[name, "--env", "dev", "--scope", "keys:read", "--scope", "tokens:issue"]);
        let issue = [
            "tokens",
            "issue",
            &format!("child-of-{name}"),
            "--env",
            "dev",
            "--scope",
            "keys:read",
        ];
        let child = place.ibyok(&issue).env("IBYOK_TOKEN", &parent).ok().out;
        (parent, child.trim().to_owned())
    };
    let works = |token: &str, exit: i32| {
        let call = place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", token);
        if exit == 0 {
            call.ok()
        } else {
            call.fails(exit)
        };
    };
    let (_, child) = family("one");
    let rotated = place.ibyok(&["tokens", "rotate", "one", "--grace", "0", "--yes"]).ok();
    assert!(
        rotated.err.contains("stay valid") && rotated.err.contains("child-of-one"),
        "{rotated:?}"
    );
    works(&child, 0);
    let rotate = [
        "tokens",
        "rotate",
        "one",
        "--grace",
        "0",
        "--revoke-children",
        "--yes",
        "--json",
    ];
    let rotated = place.ibyok(&rotate).ok().json();
    assert_eq!(
        (
            &rotated["children"],
            rotated["revoked_children"].as_array().unwrap().len()
        ),
        (&serde_json::json!([]), 1)
    );
    works(&child, 3);

    let (_, child) = family("two");
    let kept = place
        .ibyok(&["tokens", "revoke", "two", "--keep-children", "--yes"])
        .ok();
    assert!(
        kept.err.contains("stay valid") && kept.err.contains("child-of-two"),
        "{kept:?}"
    );
    works(&child, 0);
    place
        .ibyok(&[
            "tokens",
            "revoke",
            "two",
            "--keep-children",
            "--revoke-children",
            "--yes",
        ])
        .fails(2);
    place
        .ibyok(&["tokens", "revoke", "two", "--revoke-children", "--yes"])
        .ok();
    works(&child, 3);
    // Without an answer on a terminal, what ends others needs a yes.
    place.ibyok(&["tokens", "rotate", "one", "--revoke-children"]).fails(2);
}

#[test]
fn several_tokens_are_revoked_only_as_far_as_the_caller_sees_them() {
    let place = Place::with_key("dev/k", "v");
    let keeper = place.token(&[
        "keeper",
        "--env",
        "dev",
        "--key",
        "k*",
        "--scope",
        "keys:read",
        "--scope",
        "tokens:issue",
        "--scope",
        "tokens:revoke",
    ]);
    let inside = place.token(&["alice-1", "--env", "dev", "--key", "k", "--scope", "keys:read"]);
    let outside = place.token(&["alice-2", "--env", "dev", "--scope", "keys:read"]);
    place
        .ibyok(&["tokens", "revoke", "--name", "alice-*", "--yes"])
        .env("IBYOK_TOKEN", &keeper)
        .ok();
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &inside).fails(3);
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &outside).ok();
    for which in ["alice-2", "nobody"] {
        let refused = place
            .ibyok(&["tokens", "revoke", which, "--yes"])
            .env("IBYOK_TOKEN", &keeper)
            .fails(3);
        assert!(!refused.err.contains("alice"), "{refused:?}");
    }
}
