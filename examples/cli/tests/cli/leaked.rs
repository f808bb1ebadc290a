//! A value that leaked does not come back by any command.

use crate::harness::{Call, Place};
use crate::remote::Server;

const VALUE: &str = "a-value-that-leaked-0815";

/// Runs each command that takes a value, by `ibyok` here or on a server; `dev/k` leaked and has another value.
fn every_command(ibyok: impl Fn(&[&str]) -> Call) {
    let set = |arguments: &[&str]| ibyok(arguments).stdin(format!("{VALUE}\n"));
    for arguments in [
        &["keys", "set", "dev/k"][..],
        &["keys", "set", "dev/other"],
        &["keys", "add", "dev/new"],
        &["rotate", "stage", "dev/k"],
        &["rotate", "stage", "dev/other"],
        &["keys", "set", "dev/k", "--provider", "openai"],
    ] {
        let refused = set(arguments).fails(1);
        assert!(refused.err.contains("leaked"), "{arguments:?}: {refused:?}");
        for told in [VALUE, "version", "prod/"] {
            assert!(!refused.err.contains(told), "{arguments:?}: {refused:?}");
        }
    }
    // A reason and force go together.
    set(&["keys", "set", "dev/k", "--force"]).fails(2);
    set(&["keys", "set", "dev/k", "--reason", "x"]).fails(2);
    ibyok(&["rotate", "promote", "dev/k", "--force"]).fails(2);
    let forced = set(&["rotate", "stage", "dev/k", "--force", "--reason", "an outage"]).ok();
    assert!(forced.err.contains("leaked"), "{forced:?}");
    let promoted = ibyok(&["rotate", "promote", "dev/k"]).fails(1);
    assert!(promoted.err.contains("compromised"), "{promoted:?}");
    ibyok(&["rotate", "promote", "dev/k", "--force", "--reason", "an outage"]).ok();
    assert_eq!(ibyok(&["get", "dev/k"]).ok().out, format!("{VALUE}\n"));
    let shown = ibyok(&["keys", "show", "dev/k", "--json"]).ok().json();
    let newest = shown["versions"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&newest["state"], &newest["marks"]),
        (&"current".into(), &serde_json::json!(["compromised"]))
    );
    let close = [
        "incident",
        "close",
        "dev/k",
        "--cause",
        "a gist",
        "--prevention",
        "training",
    ];
    ibyok(&close).fails(1);
    ibyok(&["keys", "set", "dev/k"]).stdin("sk-clean-again").ok();
    ibyok(&close).ok();
    set(&["keys", "set", "dev/k"]).fails(1);
}

fn leaked() -> Place {
    let place = Place::with_key("dev/k", VALUE);
    place.set("dev/other", "sk-other");
    place
        .ibyok(&["incident", "open", "dev/k", "--reason", "seen in a gist"])
        .ok();
    place.set("dev/k", "sk-clean");
    place
}

#[test]
fn a_value_that_leaked_is_refused_by_every_command_and_taken_by_force() {
    let place = leaked();
    every_command(|arguments| place.ibyok(arguments));
}

#[test]
fn the_same_through_a_server() {
    let place = leaked();
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    every_command(|arguments| {
        place
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &admin)
    });
}

#[test]
fn a_file_that_holds_a_value_that_leaked_is_not_imported() {
    let place = leaked();
    place.write(".env", format!("OK=fine-value\nLEAKED={VALUE}\n"));
    for extra in [&[][..], &["--update"]] {
        let arguments: Vec<&str> = ["import", ".env", "--env", "dev"]
            .iter()
            .chain(extra)
            .copied()
            .collect();
        let refused = place.ibyok(&arguments).fails(1);
        assert!(
            refused.err.contains("leaked") && !refused.err.contains(VALUE),
            "{refused:?}"
        );
    }
    place.ibyok(&["get", "dev/LEAKED"]).fails(4);
    assert_eq!(
        place.ibyok(&["get", "dev/OK"]).ok().out,
        "fine-value\n",
        "the others are stored"
    );
    // From a file as it is: the line end at its end makes it no other value.
    place.write("value", format!("{VALUE}\n"));
    place.ibyok(&["keys", "set", "dev/k", "--from-file", "value"]).fails(1);
}

#[test]
fn an_import_reports_each_value_that_is_not_stored_and_leaves_the_file() {
    let place = Place::with_key("dev/k", VALUE);
    place.ibyok(&["incident", "open", "dev/k", "--reason", "a paste"]).ok();
    let text = format!("GOOD_KEY=sk-good\nBAD_KEY={VALUE}\nWORSE_KEY={VALUE}\n");
    place.write(".env", text.clone());
    let done = place
        .ibyok(&["import", ".env", "--env", "dev", "--rewrite", "--json"])
        .fails(1);
    // The list of outcomes comes first, then the error.
    let mut documents = serde_json::Deserializer::from_str(&done.out).into_iter::<serde_json::Value>();
    let answer = documents.next().unwrap().unwrap();
    let outcomes: Vec<_> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["outcome"])
        .collect();
    assert_eq!(outcomes, ["created", "failed", "failed"], "{answer}");
    assert!(
        answer["items"][2]["why"].as_str().unwrap().contains("leaked"),
        "{answer}"
    );
    for named in ["BAD_KEY", "WORSE_KEY"] {
        assert!(done.err.contains(named), "{done:?}");
    }
    assert!(!done.err.contains(VALUE) && answer["rewritten"] == false, "{done:?}");
    assert_eq!(std::fs::read_to_string(place.path(".env")).unwrap(), text);
    let stored = answer["items"][0]["ref"].as_str().unwrap();
    assert_eq!(place.ibyok(&["get", stored]).ok().out, "sk-good\n");
}

#[test]
fn an_import_tells_a_token_that_may_not_read_nothing_about_values() {
    let place = Place::with_key("dev/A_KEY", "Winter2026");
    let blind = place.token(&["blind", "--env", "dev", "--scope", "keys:write"]);
    let seeing = place.token(&[
        "seeing",
        "--env",
        "dev",
        "--scope",
        "keys:write",
        "--scope",
        "keys:read",
    ]);
    let import = |token: &str, value: &str, extra: &[&str], exit: i32| {
        place.write(".env", format!("A_KEY={value}\n"));
        let arguments: Vec<&str> = ["import", ".env", "--env", "dev", "--json"]
            .iter()
            .chain(extra)
            .copied()
            .collect();
        let call = place.ibyok(&arguments).env("IBYOK_TOKEN", token);
        let done = if exit == 0 { call.ok() } else { call.fails(exit) };
        done.out
    };
    let right = import(&blind, "Winter2026", &[], 1);
    assert_eq!(right, import(&blind, "Autumn2023", &[], 1));
    assert!(right.contains("refused"), "{right}");
    assert!(import(&seeing, "Winter2026", &[], 0).contains("unchanged"));
    let right = import(&blind, "Winter2026", &["--update"], 0);
    assert_eq!(right, import(&blind, "Autumn2023", &["--update"], 0));
    assert!(right.contains("updated"), "{right}");
}

#[test]
fn other_keys_with_the_value_are_named_marked_and_on_the_checklist() {
    let place = Place::with_key("dev/k", VALUE);
    place.set("dev/twin", VALUE);
    place.set("dev/apart", "sk-other");
    let blind = place.token(&[
        "blind",
        "--env",
        "dev",
        "--scope",
        "incidents:write",
        "--scope",
        "keys:list",
    ]);
    let open = ["incident", "open", "dev/k", "--reason", "seen in a gist"];
    let unaware = place.ibyok(&open).env("IBYOK_TOKEN", &blind).ok();
    assert!(!unaware.err.contains("twin"), "{unaware:?}");
    let item = || {
        let list = place.ibyok(&["checklist", "--json"]).call().json();
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["id"] == "leaked-values").unwrap()
    };
    let before = item();
    assert!(
        before["detail"].as_str().unwrap().contains("dev/twin (not marked)"),
        "{before}"
    );
    let opened = place.ibyok(&open).ok();
    for told in ["dev/twin", "same value", "remaining steps"] {
        assert!(opened.err.contains(told), "{opened:?}");
    }
    assert!(!opened.err.contains("apart"), "{opened:?}");
    assert!(!item()["detail"].as_str().unwrap().contains("not marked"));
    let report = place.ibyok(&["incident", "report", "dev/k"]).ok();
    assert!(report.out.contains("dev/twin"), "{report:?}");
    let listed = place.ibyok(&["incident", "list", "--json"]).ok().json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    place.set("dev/twin", "sk-clean");
    place.set("dev/k", "sk-clean-2");
    assert_eq!(item()["ok"], true);
}

#[test]
fn what_leaked_is_enabled_only_with_force_and_a_reason() {
    let place = Place::with_key("dev/k", VALUE);
    place
        .ibyok(&["incident", "open", "dev/k", "--reason", "a gist", "--freeze", "--yes"])
        .ok();
    let refused = place.ibyok(&["keys", "enable", "dev/k"]).fails(1);
    assert!(
        refused.err.contains("leaked") && !refused.err.contains(VALUE),
        "{refused:?}"
    );
    place.ibyok(&["keys", "enable", "dev/k", "--force"]).fails(2);
    place.ibyok(&["keys", "enable", "dev/k", "--reason", "x"]).fails(2);
    place
        .ibyok(&["keys", "enable", "dev/k", "--force", "--reason", "an outage"])
        .ok();
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, format!("{VALUE}\n"));
    // Through a server as well, for one version.
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    let remote = |arguments: &[&str]| {
        place
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &admin)
    };
    remote(&["keys", "disable", "dev/k", "--version", "1"]).ok();
    remote(&["keys", "enable", "dev/k", "--version", "1"]).fails(1);
    remote(&[
        "keys",
        "enable",
        "dev/k",
        "--version",
        "1",
        "--force",
        "--reason",
        "an outage",
    ])
    .ok();
}
