//! The log as people read it: without the reader's own lines, and by action.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::harness::Place;
use crate::remote::Server;

/// A place whose log has seen commands, a server, and its readers.
fn place() -> Place {
    let place = Place::with_key("dev/k", "v");
    place.ibyok(&["get", "dev/k"]).ok();
    place.ibyok(&["audit", "tail"]).ok();
    place.ibyok(&["audit", "verify"]).ok();
    let token = place.token(&["ci", "--env", "dev"]);
    let server = Server::start(&place);
    let get = place.ibyok(&["get", "dev/k"]).env("IBYOK_URL", &server.url);
    get.env("IBYOK_TOKEN", &token).ok();
    drop(server);
    place
}

fn actions(place: &Place, flags: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = ["audit", "tail", "--json"].iter().chain(flags).copied().collect();
    let out = place.ibyok(&arguments).ok().out;
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["action"].as_str().unwrap().to_owned()).collect()
}

fn count(actions: &[String], wanted: &str) -> usize {
    actions.iter().filter(|action| *action == wanted).count()
}

#[test]
fn single_commands_leave_no_openings_and_readings_in_the_tail_and_servers_do() {
    let place = place();
    let shown = actions(&place, &[]);
    assert_eq!(count(&shown, "audit.read"), 0, "{shown:?}");
    // The making of the vault, and the server.
    assert_eq!(count(&shown, "vault.init"), 1, "{shown:?}");
    assert_eq!(count(&shown, "vault.open"), 1, "{shown:?}");
    assert_eq!(count(&shown, "log.open"), 2, "{shown:?}");
    for kept in ["key.set", "key.retrieve", "token.issue"] {
        assert!(count(&shown, kept) >= 1, "{kept}: {shown:?}");
    }
    let all = actions(&place, &["--include-own"]);
    assert!(count(&all, "audit.read") >= 4, "{all:?}");
    assert!(
        count(&all, "vault.open") >= 6 && count(&all, "log.close") >= 6,
        "{all:?}"
    );
    let own = ["audit.read", "vault.open", "log.open", "log.close"];
    let others = |actions: &[String]| -> Vec<String> {
        let kept = actions.iter().filter(|action| !own.contains(&action.as_str()));
        kept.cloned().collect()
    };
    assert_eq!(others(&all), others(&shown), "nothing else is left out");
    let text = place.ibyok(&["audit", "tail"]).ok().out;
    assert_eq!(text.lines().count(), shown.len());
    assert!(!text.contains("audit.read"), "{text}");
}

#[test]
fn actions_are_named_or_given_by_pattern_and_then_nothing_is_left_out_of_them() {
    let place = place();
    let keys = actions(&place, &["--action", "key.*"]);
    assert!(
        keys.iter().all(|action| action.starts_with("key.")) && keys.len() >= 4,
        "{keys:?}"
    );
    let two = actions(&place, &["--action", "token.issue", "--action", "key.set"]);
    assert!(
        count(&two, "token.issue") == 2 && count(&two, "key.set") == 2 && two.len() == 4,
        "{two:?}"
    );
    assert!(actions(&place, &["--action", "audit.read"]).len() >= 3);
    assert!(actions(&place, &["--action", "log.o???"]).len() >= 5);
    assert_eq!(actions(&place, &["--action", "token.revoke"]), Vec::<String>::new());
    let both = actions(&place, &["--action", "key.*", "--outcome", "denied"]);
    assert_eq!(both, Vec::<String>::new());
    for bad in ["key", "nothing.*", "", "key.sett", "KEY.SET", "key set"] {
        place.ibyok(&["audit", "tail", "--action", bad]).fails(2);
    }
}

#[test]
fn the_last_lines_are_the_last_of_those_that_are_shown() {
    let place = place();
    let shown = actions(&place, &[]);
    for n in [1, 3] {
        let last = actions(&place, &["-n", &n.to_string()]);
        assert_eq!(last, shown[shown.len() - n..]);
    }
    assert_eq!(
        actions(&place, &["-n", "2", "--action", "key.set"]),
        ["key.set", "key.set"]
    );
    assert_eq!(actions(&place, &["-n", "0"]), Vec::<String>::new());
    assert_eq!(actions(&place, &["-n", "10000"]), shown);
}

#[test]
fn what_another_reads_is_shown_and_so_is_what_is_refused() {
    let place = Place::with_key("dev/k", "v");
    let token = place.token(&["ci", "--env", "dev"]);
    place.ibyok(&["audit", "tail"]).env("IBYOK_TOKEN", &token).fails(3);
    let shown = actions(&place, &[]);
    assert_eq!(count(&shown, "audit.read"), 1, "{shown:?}");
}

#[test]
fn a_log_that_is_followed_shows_no_own_lines_either() {
    let place = Place::with_key("dev/k", "v");
    let mut child = place.ibyok(&["audit", "tail", "-f", "--json", "-n", "1"]).spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("key.set"));
    place.ibyok(&["audit", "tail"]).ok();
    place.ibyok(&["get", "dev/k"]).ok();
    let next = lines.next().unwrap().unwrap();
    assert!(next.contains("key.retrieve"), "{next}");
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    assert!(child.wait().unwrap().success());
}
