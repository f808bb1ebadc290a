//! A leak ends with one command.

use crate::harness::{Call, Place};
use crate::remote::Server;

const OLD: &str = "sk-proj-old-value-0815-SENTINEL";
const NEW: &str = "sk-proj-new-value-4711-SENTINEL";

fn leak_ends(place: &Place, ibyok: impl Fn(&[&str]) -> Call) {
    let open = [
        "incident",
        "open",
        "dev/openai",
        "--reason",
        "seen in a gist",
        "--replace",
    ];
    // The same value, with whatever stands around it, and no value at all.
    for (value, exit) in [(OLD, 1), (&format!("{OLD}\n\n"), 1), (&format!(" {OLD}"), 1), ("", 2)] {
        ibyok(&open).stdin(value).fails(exit);
    }
    let shown = ibyok(&["keys", "show", "dev/openai", "--json"]).ok().json();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1);
    assert_eq!(shown["versions"][0]["marks"], serde_json::json!([]));
    assert_eq!(
        ibyok(&["incident", "list", "--json"]).ok().json()["items"],
        serde_json::json!([])
    );
    let opened = ibyok(&open).stdin(format!("{NEW}\n")).ok();
    assert!(opened.out.starts_with("inc_"), "{opened:?}");
    for said in [
        "version 1 is marked compromised",
        "version 2 is current",
        "https://platform.openai.com/",
    ] {
        assert!(opened.err.contains(said), "{said}: {opened:?}");
    }
    assert!(
        !opened.err.contains("SENTINEL") && !opened.err.contains("put a new value"),
        "{opened:?}"
    );
    assert_eq!(ibyok(&["get", "dev/openai"]).ok().out, format!("{NEW}\n"));
    ibyok(&["get", "dev/openai", "--version", "1"]).fails(4);
    let report = ibyok(&["incident", "report", "dev/openai"]).ok().out;
    for said in [
        "marked: version 1 is marked compromised",
        "replaced: version 2 is current",
        "key.set",
        "incident.open",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
    let page = place.path("report.html");
    let page = page.to_str().unwrap();
    ibyok(&["incident", "report", "dev/openai", "--html", page]).ok();
    assert!(place.read("report.html").contains("replaced: version 2 is current"));
    ibyok(&[
        "incident",
        "close",
        "dev/openai",
        "--cause",
        "a gist",
        "--prevention",
        "training",
    ])
    .ok();
}

#[test]
fn the_old_version_is_marked_and_the_new_value_is_current_in_one_step() {
    let place = Place::with_key("dev/openai", OLD);
    leak_ends(&place, |arguments| place.ibyok(arguments));
}

#[test]
fn the_same_through_a_server() {
    let place = Place::with_key("dev/openai", OLD);
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    leak_ends(&place, |arguments| {
        place
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &admin)
    });
}

#[test]
fn readers_are_revoked_in_the_same_step_where_asked() {
    let place = Place::with_key("dev/openai", OLD);
    let read = place.token(&["read", "--env", "dev"]);
    let idle = place.token(&["idle", "--env", "dev"]);
    place.ibyok(&["get", "dev/openai"]).env("IBYOK_TOKEN", &read).ok();
    place.write("new", NEW);
    let open = [
        "incident",
        "open",
        "dev/openai",
        "--reason",
        "a gist",
        "--replace",
        "--from-file",
        "new",
    ];
    let revoking: Vec<&str> = open.iter().copied().chain(["--revoke-readers", "1d"]).collect();
    place.ibyok(&revoking).fails(2);
    let sure: Vec<&str> = revoking.iter().copied().chain(["--yes", "--json"]).collect();
    let opened = place.ibyok(&sure).ok().json();
    assert_eq!(opened["revoked"].as_array().unwrap().len(), 1);
    assert_eq!(opened["replaced"]["version"], 2);
    place.ibyok(&["get", "dev/openai"]).env("IBYOK_TOKEN", &read).fails(3);
    let still = place.ibyok(&["get", "dev/openai"]).env("IBYOK_TOKEN", &idle).ok();
    assert_eq!(still.out, format!("{NEW}\n"));
}

#[test]
fn a_key_is_frozen_or_gets_a_new_value_and_a_value_goes_with_replace() {
    let place = Place::with_key("dev/openai", OLD);
    place.write("new", NEW);
    for wrong in [
        &["--replace", "--freeze", "--yes"][..],
        &["--from-file", "new"],
        &["--field", "value"],
    ] {
        let arguments: Vec<&str> = ["incident", "open", "dev/openai", "--reason", "a gist"]
            .iter()
            .chain(wrong)
            .copied()
            .collect();
        place.ibyok(&arguments).stdin(NEW).fails(2);
    }
    assert_eq!(place.ibyok(&["get", "dev/openai"]).ok().out, format!("{OLD}\n"));
    let frozen = [
        "incident",
        "open",
        "dev/openai",
        "--reason",
        "a gist",
        "--freeze",
        "--yes",
    ];
    let frozen = place.ibyok(&frozen).ok();
    assert!(frozen.err.contains("frozen: the key is disabled"), "{frozen:?}");
    place.ibyok(&["get", "dev/openai"]).fails(4);
    // The new value comes later: the rest is done by the same command.
    let replace = ["incident", "open", "dev/openai", "--reason", "a gist", "--replace"];
    let replaced = place.ibyok(&replace).stdin(NEW).ok();
    assert!(replaced.err.contains("ibyok keys enable dev/openai"), "{replaced:?}");
    place.ibyok(&["keys", "enable", "dev/openai"]).ok();
    assert_eq!(place.ibyok(&["get", "dev/openai"]).ok().out, format!("{NEW}\n"));
}
