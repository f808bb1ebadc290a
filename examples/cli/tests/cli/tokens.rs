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
