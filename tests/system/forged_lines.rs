//! An attacker who can write to the directory of the logs and has no key chains lines to a log that no process
//! writes: no program believes one of them, and no writer signs one.

use std::fs;
use std::path::Path;

use ibyok_tests::{Home, wait_until};
use sha2::Digest as _;

use crate::foreign_logs::{copy_of_store, lines_of, put_store_back};
use crate::home_with_vault;

/// Chains lines to a log: each is the log's own last line with that action that `like` finds, changed.
fn chain(slot: &Path, like: &str, change: impl Fn(String) -> String) {
    let (file, mut lines) = lines_of(slot);
    let last = lines.last().unwrap().clone();
    let model = lines.iter().rev().find(|line| line.contains(like)).unwrap().clone();
    let mut forged = change(model);
    let at = forged.find("\"prev\":\"").unwrap() + 8;
    let prev = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(last.as_bytes()));
    forged.replace_range(at..at + 64, &prev);
    let (_, rest) = forged.split_once("\"time\"").unwrap();
    lines.push(format!("{{\"v\":1,\"seq\":{},\"time\"{rest}", lines.len() + 1));
    fs::write(file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// A line that states this of the store.
fn states(line: &str, epoch: u64, change: u64) -> String {
    let (head, rest) = line.split_once("\"store_change\":").unwrap();
    let (_, tail) = rest.split_once('}').unwrap();
    format!("{head}\"store_change\":{change},\"store_epoch\":{epoch}}}{tail}")
}

/// A vault whose second log, that of a command beside a server, is idle.
fn home_with_an_idle_log() -> Home {
    let home = home_with_vault();
    let server = home.serve();
    home.set("prod/openai", "one");
    assert!(server.stop().success());
    home
}

fn is_behind(home: &Home) -> bool {
    let status = home.ibyok(["--json", "status"]).run();
    status.text().contains("the store is at change")
}

#[test]
fn a_line_that_is_chained_to_an_idle_log_makes_no_store_look_older() {
    let home = home_with_an_idle_log();
    chain(&home.slot(1), "log.open", |line| states(&line, 0, 1_000_000));
    assert!(!is_behind(&home));
    home.ibyok(["keys", "list"]).run().done();
    let verified = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert!(!verified.to_string().contains("store_behind"), "{verified}");
    assert_eq!(verified["first_bad"]["what"], "inserted", "{verified}");
}

#[test]
fn a_line_that_is_chained_to_an_idle_log_accepts_no_older_store() {
    let home = home_with_an_idle_log();
    let older = copy_of_store(&home);
    home.set("prod/openai", "two");
    put_store_back(&home, &older);
    for action in ["log.open", "vault.rollback_accepted"] {
        chain(&home.slot(1), "log.open", |line| {
            states(&line.replace("log.open", action), 9, 0)
        });
    }
    assert!(is_behind(&home));
    let verified = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert!(verified.to_string().contains("store_behind"), "{verified}");
    let get = home.ibyok(["get", "-n", "prod/openai"]).run().exits(5);
    assert!(get.stdout.is_empty());
}

/// The state beside a log says where the log goes on. An older one hides no line: not with its own place, nor with another.
#[test]
fn an_older_state_beside_an_idle_log_hides_no_change_of_the_store() {
    for forged in [false, true] {
        let home = home_with_vault();
        let server = home.serve();
        home.set("prod/openai", "one");
        let state = fs::read_to_string(home.slot(1).join("state")).unwrap();
        let older = copy_of_store(&home);
        home.set("prod/openai", "two");
        home.ibyok(["keys", "list"]).run().done();
        // Killed, the server leaves no line that says how far the store had come.
        server.kill();
        let (_, lines) = lines_of(&home.slot(1));
        let end: usize = lines.iter().map(|line| line.len() + 1).sum();
        let (head, rest) = state.split_once("\"offset\":").unwrap();
        let (_, tail) = rest.split_once(',').unwrap();
        let moved = format!("{head}\"offset\":{end},{tail}");
        fs::write(home.slot(1).join("state"), if forged { moved } else { state }).unwrap();
        put_store_back(&home, &older);
        assert!(is_behind(&home), "forged: {forged}");
    }
}

/// The acceptance of each record that the older store holds, as the next line of a log.
fn accept_everything(slot: &Path) {
    let (_, lines) = lines_of(slot);
    let records = lines.iter().filter_map(|line| {
        let (_, rest) = line.split_once("\"record\":\"")?;
        rest.split_once('"').map(|(record, _)| record.to_owned())
    });
    let records: std::collections::BTreeSet<String> = records.collect();
    for record in records {
        chain(slot, &record, |line| {
            let (head, rest) = line.split_once("\"rev\":").unwrap();
            let (_, tail) = rest.split_once(',').unwrap();
            let line = format!("{head}\"rev\":1,{tail}").replace("\"phase\":\"done\"", "\"phase\":null");
            let (head, rest) = line.split_once("\"action\":\"").unwrap();
            let (_, tail) = rest.split_once('"').unwrap();
            let line = format!("{head}\"action\":\"vault.rollback_accepted\"{tail}");
            let (head, _) = line.split_once("\"states\":").unwrap_or((&line, ""));
            format!(
                "{head}\"states\":{{\"floors\":null,\"store_change\":null,\"store_epoch\":null,\"accepted\":2}},\"mac\":\"{}\"}}",
                "0".repeat(32)
            )
        });
    }
}

#[test]
fn an_acceptance_that_is_chained_to_the_log_of_a_killed_writer_is_signed_by_nobody() {
    let home = home_with_vault();
    home.set("prod/openai", "leaked");
    let older = copy_of_store(&home);
    let server = home.serve();
    let writer = home.token(&["writer", "--env", "prod", "--scope", "keys:write"]);
    let put = ibyok_tests::Request::new("PUT", "/api/v1/keys/prod/openai").bearer(&writer);
    server.send(&put.json(r#"{"value":"replaced"}"#)).is(200);
    wait_until(
        "the end of the change is on the log",
        std::time::Duration::from_secs(5),
        || {
            let (_, lines) = lines_of(&home.slot(0));
            lines.iter().filter(|line| line.contains("\"done\"")).count() >= 2
        },
    );
    server.kill();
    accept_everything(&home.slot(0));
    put_store_back(&home, &older);
    for lose_floors in [false, true, true] {
        if lose_floors {
            for name in ["floors", "floors-wal", "floors-shm"] {
                fs::remove_file(home.vault().join("audit").join(name)).ok();
            }
        }
        let get = || home.ibyok(["get", "-n", "prod/openai"]).run().exits(5);
        assert!(get().stdout.is_empty(), "floors lost: {lose_floors}");
        if lose_floors {
            // From a log with lines that are not its own, only an operator rebuilds.
            home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
            assert!(get().stdout.is_empty(), "rebuilt");
        }
        // A writer that goes on with the log.
        home.set("dev/other", "value");
    }
    let told = home.ibyok(["audit", "export"]).run();
    assert!(!told.text().contains("vault.rollback_accepted"), "{}", told.said());
    home.ibyok(["audit", "verify"]).run().exits(10);
}

#[test]
fn after_an_honest_restore_a_log_that_began_later_is_the_vaults_own() {
    let home = home_with_vault();
    home.set("prod/openai", "one");
    let older = copy_of_store(&home);
    let server = home.serve();
    home.set("prod/openai", "two");
    assert!(server.stop().success());
    put_store_back(&home, &older);
    let accept = ["--yes", "audit", "floors", "rebuild", "--accept-rollback"];
    home.ibyok(accept).run().done();
    assert_eq!(home.get("prod/openai"), b"one");
    let verified = home.ibyok(["--json", "audit", "verify"]).run().done().json();
    assert_eq!(verified["ok"], true, "{verified}");
    // The log's key is in no store any more, so a second process begins a log of its own.
    let server = home.serve();
    home.set("prod/openai", "three");
    assert!(server.stop().success());
    assert_eq!(home.get("prod/openai"), b"three");
    let verified = home.ibyok(["--json", "audit", "verify"]).run().done().json();
    assert_eq!(verified["ok"], true, "{verified}");
    let told = home.ibyok(["audit", "export"]).run().text();
    assert!(told.contains("vault.rollback_accepted"));
}
