//! Changes that are made only while a version is the current one.

use crate::harness::{Call, Place};
use crate::remote::Server;

/// Every command that changes a key, with what it reads. Each works on `dev/k` with versions 1 to 3, and 4 staged.
fn changes() -> Vec<(&'static [&'static str], &'static str)> {
    vec![
        (&["keys", "set", "dev/k"], "next"),
        (&["keys", "edit", "dev/k", "--label", "owner=acme"], ""),
        (&["keys", "mode", "dev/k", "mock"], ""),
        (&["rotate", "stage", "dev/k"], "next"),
        (&["rotate", "promote", "dev/k"], ""),
        (&["rotate", "rollback", "dev/k"], ""),
        (&["rotate", "retire", "dev/k", "--force", "--reason", "a test"], ""),
        (
            &[
                "rotate",
                "destroy",
                "dev/k",
                "--version",
                "1",
                "--force",
                "--reason",
                "x",
                "--yes",
            ],
            "",
        ),
        (&["keys", "disable", "dev/k"], ""),
        (&["keys", "enable", "dev/k"], ""),
        (&["keys", "remove", "dev/k", "--yes"], ""),
    ]
}

fn place() -> Place {
    let place = Place::with_key("dev/k", "one");
    place.set("dev/k", "two");
    place.set("dev/k", "three");
    place.ibyok(&["rotate", "stage", "dev/k"]).stdin("four").ok();
    place
}

fn stale_is_refused(ibyok: impl Fn(&[&str]) -> Call) {
    let before = ibyok(&["keys", "show", "dev/k", "--json"]).ok().out;
    for (command, input) in changes() {
        for stale in ["1", "2", "4", "99"] {
            let arguments: Vec<&str> = command.iter().copied().chain(["--if-version", stale]).collect();
            let refused = ibyok(&arguments).stdin(input).fails(1);
            assert!(refused.err.contains("has changed"), "{arguments:?}: {refused:?}");
            let json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
            let refused = ibyok(&json).stdin(input).fails(1).json();
            assert_eq!(refused["error"]["code"], "precondition", "{arguments:?}");
        }
        let after = ibyok(&["keys", "show", "dev/k", "--json"]).ok().out;
        assert_eq!(after, before, "{command:?}");
    }
}

#[test]
fn a_change_for_another_version_than_the_current_one_is_refused() {
    let place = place();
    stale_is_refused(|arguments| place.ibyok(arguments));
}

#[test]
fn the_same_through_a_server() {
    let place = place();
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    let ibyok = |arguments: &[&str]| {
        place
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &admin)
    };
    stale_is_refused(ibyok);
    ibyok(&["keys", "set", "dev/k", "--if-version", "3"]).stdin("five").ok();
    ibyok(&["keys", "set", "dev/k", "--if-version", "3"])
        .stdin("six")
        .fails(1);
    assert_eq!(ibyok(&["get", "dev/k"]).ok().out, "five\n");
}

#[test]
fn a_change_for_the_current_version_is_made() {
    for (command, input) in changes() {
        let place = place();
        let arguments: Vec<&str> = command.iter().copied().chain(["--if-version", "3"]).collect();
        place.ibyok(&arguments).stdin(input).ok();
    }
}

#[test]
fn a_condition_is_a_number_from_one_and_goes_with_changes_alone() {
    let place = place();
    for bad in ["0", "-1", "x", "", "1.0", "4294967296"] {
        place
            .ibyok(&["keys", "set", "dev/k", "--if-version", bad])
            .stdin("v")
            .fails(2);
    }
    for other in [
        &["keys", "add", "dev/new", "--if-version", "1"][..],
        &["keys", "show", "dev/k", "--if-version", "3"],
        &["keys", "list", "--if-version", "3"],
    ] {
        place.ibyok(other).stdin("v").fails(2);
    }
    // What is not there is told as such.
    place
        .ibyok(&["keys", "disable", "dev/none", "--if-version", "1"])
        .fails(4);
    place
        .ibyok(&["keys", "set", "dev/none", "--if-version", "1"])
        .stdin("v")
        .fails(1);
}

#[test]
fn of_two_commands_at_once_one_changes_the_key() {
    let place = place();
    let start = |value: &str| {
        let file = place.write(value, value);
        place
            .ibyok(&["keys", "set", "dev/k", "--if-version", "3", "--from-file", &file])
            .spawn()
    };
    let mut both = [start("a"), start("b")];
    let mut codes = both.each_mut().map(|child| child.wait().unwrap().code().unwrap());
    codes.sort_unstable();
    assert_eq!(codes, [0, 1]);
    let shown = place.ibyok(&["keys", "show", "dev/k", "--json"]).ok().json();
    assert_eq!((&shown["version"], &shown["revision"]), (&5.into(), &5.into()));
}
