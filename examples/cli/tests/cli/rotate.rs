//! A rotation as it is typed: here and through a server.

use crate::harness::{Call, Place};
use crate::remote::Server;

/// Runs each verb once, in the order of a rotation, by `ibyok` here or on a server.
fn a_rotation(worker: &str, ibyok: impl Fn(&[&str]) -> Call) {
    let read = |version: &str| {
        let call = ibyok(&["get", "dev/k", "--version", version]);
        call.env("IBYOK_TOKEN", worker).ok();
    };
    let staged = ibyok(&["rotate", "stage", "dev/k", "--json"]).stdin("two").ok().json();
    assert_eq!(
        (&staged["ref"], &staged["version"], &staged["state"]),
        (&"dev/k".into(), &2.into(), &"pending".into())
    );
    assert_eq!(ibyok(&["get", "dev/k"]).ok().out, "one\n");
    assert_eq!(ibyok(&["get", "dev/k", "--version", "pending"]).ok().out, "two\n");
    assert_eq!(ibyok(&["get", "dev/k?version=pending"]).ok().out, "two\n");
    let run = [
        "run",
        "--key",
        "X=dev/k",
        "--version",
        "pending",
        "--",
        "sh",
        "-c",
        "echo $X",
    ];
    let ran = ibyok(&run).ok();
    assert_eq!(ran.out, "two\n");
    assert!(ran.err.contains("dev/k (version 2)"), "{ran:?}");
    let promoted = ibyok(&["rotate", "promote", "dev/k", "--json"]).ok().json();
    assert_eq!(promoted["version"], 2);
    assert_eq!(promoted["versions"][0]["state"], "retiring");
    let ran = ibyok(&run).ok();
    assert_eq!(ran.out, "two\n", "the current one, where nothing is pending");
    assert!(ran.err.contains("no key has a pending version"), "{ran:?}");
    ibyok(&["rotate", "promote", "dev/k"]).fails(4);
    ibyok(&["get", "dev/k", "--version", "pending"]).fails(4);
    ibyok(&["rotate", "rollback", "dev/k"]).ok();
    assert_eq!(ibyok(&["get", "dev/k"]).ok().out, "one\n");
    read("1");
    ibyok(&["rotate", "rollback", "dev/k"]).ok();
    let refused = ibyok(&["rotate", "retire", "dev/k", "--json"]).fails(1).json();
    assert_eq!(refused["error"]["code"], "in_use");
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("worker ("),
        "{refused}"
    );
    let status = ibyok(&["rotate", "status", "dev/k", "--json"]).ok().json();
    assert_eq!(
        (&status["ref"], &status["waiting_for"][0]["name"]),
        (&"dev/k".into(), &"worker".into())
    );
    let consumer = &status["versions"][0]["consumers"][0];
    let names: Vec<&str> = status["versions"][0]["consumers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert!(names.contains(&"worker"), "{status}");
    for field in ["token", "name", "last", "count", "network"] {
        assert!(consumer.get(field).is_some(), "{field}: {status}");
    }
    assert!(
        ibyok(&["rotate", "status", "dev/k"])
            .ok()
            .err
            .contains("waiting for worker (")
    );
    assert_eq!(
        ibyok(&["rotate", "status", "--json"]).ok().json()["items"][0]["ref"],
        "dev/k"
    );
    ibyok(&["rotate", "destroy", "dev/k", "--version", "1"]).fails(2);
    ibyok(&["rotate", "destroy", "dev/k", "--version", "1", "--yes"]).fails(1);
    ibyok(&["rotate", "destroy", "dev/k", "--version", "2", "--yes"]).fails(1);
    read("2");
    ibyok(&["get", "dev/k"]).ok();
    ibyok(&["rotate", "retire", "dev/k", "--quiet", "1h"]).fails(1);
    let retired = ibyok(&["rotate", "retire", "dev/k", "--json"]).ok().json();
    assert_eq!(retired["versions"][0]["state"], "retired");
    ibyok(&["get", "dev/k", "--version", "1"]).fails(4);
    read("2");
    let destroyed = ibyok(&["rotate", "destroy", "dev/k", "--version", "1", "--yes", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&destroyed["versions"][0]["state"], &destroyed["remains"]),
        (&"destroyed".into(), &serde_json::Value::Null)
    );
    let pending = ibyok(&["rotate", "stage", "dev/k", "--json"])
        .stdin("three")
        .ok()
        .json();
    assert_eq!(pending["version"], 3);
    ibyok(&["rotate", "retire", "dev/k", "--version", "3"]).fails(1);
    ibyok(&["rotate", "destroy", "dev/k", "--version", "pending", "--yes"]).ok();
    ibyok(&["rotate", "promote", "dev/k"]).fails(4);
    assert_eq!(
        ibyok(&["rotate", "due", "--json"]).ok().json()["items"],
        serde_json::json!([])
    );
    ibyok(&["keys", "edit", "dev/k", "--rotate-every", "1s", "--expires", "5d"]).ok();
    // The current version is older than that by then.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let shown = ibyok(&["keys", "show", "dev/k", "--json"]).ok().json();
    assert_eq!(shown["rotate_every"], "1s");
    assert!(
        shown["rotation_due"].is_string() && shown["expires_at"].is_string(),
        "{shown}"
    );
    let due = ibyok(&["rotate", "due", "--env", "dev", "--json"]).call();
    assert_eq!(due.code, 10, "{due:?}");
    let due = due.json();
    let kinds: Vec<&str> = due["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|due| due["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["rotation", "key_expiry"], "{due}");
    let due = ibyok(&["rotate", "due"]).call();
    assert!(due.code == 10 && due.out.contains("ends within 7 days"), "{due:?}");
    ibyok(&["keys", "edit", "dev/k", "--rotate-every", "none", "--expires", "none"]).ok();
    ibyok(&["rotate", "due"]).ok();
    ibyok(&["rotate", "stage", "dev/absent"]).stdin("v").fails(4);
    ibyok(&["rotate", "stage", "dev/k?version=2"]).stdin("v").fails(2);
    ibyok(&["rotate", "promote", "dev/k#value"]).fails(2);
}

#[test]
fn a_rotation_here() {
    let place = Place::with_key("dev/k", "one");
    let worker = place.token(&["worker", "--env", "dev"]);
    a_rotation(&worker, |arguments| place.ibyok(arguments));
}

#[test]
fn a_rotation_through_a_server() {
    let place = Place::with_key("dev/k", "one");
    let token = place.token(&["admin", "--env", "dev", "--scope", "admin"]);
    let worker = place.token(&["worker", "--env", "dev"]);
    let server = Server::start(&place);
    let client = Place::empty();
    a_rotation(&worker, |arguments| {
        client
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &token)
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::with_key("dev/k", "one");
    for arguments in [
        &["rotate", "stage"][..],
        &["rotate", "stage", "k"],
        &["rotate", "stage", "dev/k", "value"],
        &["rotate", "promote", "dev/k", "--version", "2"],
        &["rotate", "destroy", "dev/k", "--yes"],
        &["rotate", "destroy", "dev/k", "--yes", "--version", "0"],
        &["rotate", "destroy", "dev/k", "--yes", "--version", "1", "--force"],
        &["rotate", "destroy", "dev/k", "--yes", "--version", "1", "--quiet", "0d"],
        &["rotate", "retire", "dev/k", "--quiet=200y"],
        &["rotate", "retire", "dev/k", "--quiet-for", "100d"],
        &["rotate", "retire", "dev/k", "--force", "--reason", ""],
        &["rotate", "retire", "dev/k#value"],
        &["rotate", "status", "dev/k", "--env", "dev"],
        &["keys", "edit", "dev/k", "--rotate-every", "0d"],
        &["keys", "edit", "dev/k", "--rotate-every", "-5d"],
        &["keys", "edit", "dev/k", "--rotate-every", "99999999999d"],
        &["keys", "edit", "dev/k", "--expires", "2020-01-01"],
        &["keys", "edit", "dev/k", "--expires", "5000000000y"],
        &["keys", "set", "dev/k", "--rotate-every", "soon"],
        &["rotate", "due", "--env", "DEV"],
        &["get", "dev/k", "--version", "current"],
        &["get", "dev/k", "--version", "0"],
        &["get", "dev/k", "--version", "99999999999"],
        &["run", "--env", "dev", "--version", "1", "--", "true"],
    ] {
        place.ibyok(arguments).stdin("x").fails(2);
    }
    place.ibyok(&["rotate", "stage", "dev/k"]).stdin("").fails(2);
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "one\n");
}
