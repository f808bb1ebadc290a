//! A rotation as it is typed: here and through a server.

use crate::harness::{Call, Place};
use crate::remote::Server;

/// Each verb once, in the order of a rotation, by whatever way in `ibyok` is.
fn a_rotation(ibyok: impl Fn(&[&str]) -> Call) {
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
    ibyok(&["rotate", "stage", "dev/absent"]).stdin("v").fails(4);
    ibyok(&["rotate", "stage", "dev/k?version=2"]).stdin("v").fails(2);
    ibyok(&["rotate", "promote", "dev/k#value"]).fails(2);
}

#[test]
fn a_rotation_here() {
    let place = Place::with_key("dev/k", "one");
    a_rotation(|arguments| place.ibyok(arguments));
}

#[test]
fn a_rotation_through_a_server() {
    let place = Place::with_key("dev/k", "one");
    let token = place.token(&["admin", "--env", "dev", "--scope", "admin"]);
    let server = Server::start(&place);
    let client = Place::empty();
    a_rotation(|arguments| {
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
