//! Somebody who can write to the directory of the logs and has no key: not one line of theirs is believed, and what they take away is
//! missed. And a store that is older than the log says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ibyok_tests::{Home, Request, copy_tree, segments, wait_until};
use serde_json::Value;
use sha2::Digest as _;

use crate::home_with_vault;

/// A vault with a key, an innocent token, a reader, and what the reader did.
struct Victim {
    home: Home,
    key_id: String,
    innocent: Value,
}

fn victim() -> Victim {
    let home = home_with_vault();
    home.set("prod/openai", "the-value");
    let reader = home.token(&["reader", "--env", "prod"]);
    home.token(&["innocent", "--env", "prod"]);
    home.ibyok(["get", "-n", "prod/openai"])
        .env("IBYOK_TOKEN", &reader)
        .run()
        .done();
    let key_id = home
        .ibyok(["--json", "keys", "show", "prod/openai"])
        .run()
        .done()
        .json()["id"]
        .clone();
    let innocent = home.ibyok(["--json", "tokens", "show", "innocent"]).run().done().json();
    Victim {
        home,
        key_id: key_id.as_str().unwrap().to_owned(),
        innocent,
    }
}

pub(crate) fn lines_of(slot: &Path) -> (PathBuf, Vec<String>) {
    let file = segments(slot).remove(0);
    let bytes = fs::read(&file).unwrap();
    let text = String::from_utf8(bytes.split(|&b| b == 0).next().unwrap().to_vec()).unwrap();
    (file, text.lines().map(str::to_owned).collect())
}

/// Writes lines that are chained again, and takes away every signature.
fn forge(slot: &Path, change: impl Fn(&str) -> String) {
    let (file, lines) = lines_of(slot);
    let (mut prev, mut text) = ("0".repeat(64), String::new());
    for line in lines {
        let mut line = change(&line);
        let at = line.find("\"prev\":\"").unwrap() + 8;
        line.replace_range(at..at + 64, &prev);
        prev = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(line.as_bytes()));
        text.push_str(&line);
        text.push('\n');
    }
    fs::write(file, text).unwrap();
    fs::write(slot.join("checkpoints"), "").unwrap();
}

/// The log of a throw-away vault in which a token reads a key, as if it were the victim's key and the innocent token.
fn forged_slot(victim: &Victim) -> PathBuf {
    let other = home_with_vault();
    other.set("prod/openai", "x");
    let token = other.token(&["innocent", "--env", "prod"]);
    for _ in 0..3 {
        other
            .ibyok(["get", "-n", "prod/openai"])
            .env("IBYOK_TOKEN", &token)
            .run()
            .done();
    }
    let text = |value: &Value, field: &str| value[field].as_str().unwrap().to_owned();
    let theirs = other
        .ibyok(["--json", "tokens", "show", "innocent"])
        .run()
        .done()
        .json();
    let key = other
        .ibyok(["--json", "keys", "show", "prod/openai"])
        .run()
        .done()
        .json();
    let (from, to) = (text(&theirs, "id"), text(&victim.innocent, "id"));
    let key = text(&key, "id");
    let slot = victim.home.path("forged");
    copy_tree(&other.slot(0), &slot);
    forge(&slot, |line| line.replace(&from, &to).replace(&key, &victim.key_id));
    slot
}

/// Every answer of the vault that could name a reader.
fn says_who_read(home: &Home) -> String {
    let mut said = String::new();
    for args in [
        vec!["audit", "tail", "--json"],
        vec!["audit", "tail", "--key", "prod/openai"],
        vec!["audit", "export"],
        vec!["--json", "audit", "review", "--since", "30d"],
        vec!["--json", "usage", "--by", "token"],
        vec!["--json", "rotate", "status", "prod/openai"],
    ] {
        let finished = home.ibyok(&args).run();
        assert!([0, 10].contains(&finished.code()), "{args:?}: {}", finished.said());
        let lines = finished.text();
        // That it was issued and shown is true.
        let lines = lines
            .lines()
            .filter(|line| !line.contains("token.issue") && !line.contains("token.list"));
        said.extend(lines.map(|line| format!("{line}\n")));
    }
    said
}

#[test]
fn a_forged_log_is_foreign_and_nobody_is_accused_by_it() {
    let victim = victim();
    let home = &victim.home;
    let forged = forged_slot(&victim);
    let before = says_who_read(home);
    copy_tree(&forged, &home.slot(1));
    let log = fs::read_to_string(forged.join("id")).unwrap();
    let key = home.ibyok(["audit", "keys"]).run().done().text();
    for more in [vec![], vec!["--key", key.trim()]] {
        let args = ["--json", "audit", "verify"].into_iter().chain(more.iter().copied());
        let report = home.ibyok(args).run().exits(10).json();
        assert_eq!(report["ok"], false, "{report}");
        assert_eq!(report["findings"][0]["what"], "foreign", "{report}");
        assert_eq!(report["findings"][0]["log"], log.trim(), "{report}");
        let said = home
            .ibyok(["audit", "verify"].into_iter().chain(more))
            .run()
            .exits(10)
            .said();
        assert!(said.contains("foreign") && !said.contains("no line was"), "{said}");
    }
    let innocent = victim.innocent["id"].as_str().unwrap();
    let released = |said: &str| {
        let lines = said.lines().filter(|line| line.contains("key.retrieve"));
        lines.filter(|line| line.contains(innocent)).count()
    };
    let after = says_who_read(home);
    assert_eq!((released(&before), released(&after)), (0, 0), "{after}");
    assert!(!after.contains(log.trim()), "{after}");
    let opened = home
        .ibyok([
            "--json",
            "incident",
            "open",
            "prod/openai",
            "--reason",
            "it was in a paste",
        ])
        .run()
        .done()
        .json();
    let id = opened["id"]
        .as_str()
        .or(opened["incident"]["id"].as_str())
        .unwrap()
        .to_owned();
    let report = home.ibyok(["--json", "incident", "report", &id]).run().done().text();
    assert!(!report.contains(innocent), "{report}");
    // By its name it is shown, with a warning.
    let named = home
        .ibyok(["audit", "tail", "--json", "--log", log.trim()])
        .run()
        .done();
    assert!(named.said().contains("foreign"), "{}", named.said());
    assert!(released(&named.text()) > 0);
    // A number that only the forged log has cannot be proved.
    home.ibyok(["audit", "prove", "999"]).run().exits(4);
}

#[test]
fn a_log_whose_signatures_were_taken_away_is_not_believed() {
    let victim = victim();
    let home = &victim.home;
    // A second log, of a process beside a server.
    let server = home.serve();
    home.set("prod/second", "x");
    let reader = home.token(&["second-reader", "--env", "prod"]);
    home.ibyok(["get", "-n", "prod/openai"])
        .env("IBYOK_TOKEN", &reader)
        .run()
        .done();
    assert!(server.stop().success());
    home.ibyok(["audit", "verify"]).run().done();
    let reader = home
        .ibyok(["--json", "tokens", "show", "second-reader"])
        .run()
        .done()
        .json()["id"]
        .clone();
    let innocent = victim.innocent["id"].as_str().unwrap();
    forge(&home.slot(1), |line| {
        if line.contains("key.retrieve") {
            line.replace(reader.as_str().unwrap(), innocent)
        } else {
            line.to_owned()
        }
    });
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert_eq!(report["findings"][0]["slot"], 1, "{report}");
    let after = says_who_read(home);
    assert!(
        !after
            .lines()
            .any(|line| line.contains("key.retrieve") && line.contains(innocent)),
        "{after}"
    );
}

#[test]
fn a_log_that_was_removed_is_missing_however_often_it_is_asked() {
    let victim = victim();
    let server = victim.home.serve();
    victim.home.set("prod/second", "x");
    assert!(server.stop().success());
    victim.home.ibyok(["audit", "verify"]).run().done();
    for gone in ["audit/slot-0", "audit/slot-1", "audit"] {
        let copy = victim.home.copy();
        fs::remove_dir_all(copy.vault().join(gone)).unwrap();
        for _ in 0..3 {
            let verify = copy.ibyok(["--json", "audit", "verify"]).run().exits(10);
            let report = verify.json();
            let missing = report["findings"].as_array().unwrap().iter();
            assert!(
                missing.filter(|finding| finding["what"] == "missing").count() > 0,
                "{gone}: {report}"
            );
            let said = copy.ibyok(["audit", "verify"]).run().exits(10).said();
            assert!(
                said.contains("missing") && !said.contains("no line was"),
                "{gone}: {said}"
            );
        }
    }
}

/// Only the floors and a log know a revocation that went through this log, if the log began after the copy of the store. The MACs of its
/// lines say that it is the vault's.
#[test]
fn an_older_store_without_floors_serves_nothing_beside_a_log_that_it_does_not_know() {
    let victim = victim();
    let home = &victim.home;
    let token = home.token(&["app", "--env", "prod"]);
    let get = |home: &Home| {
        home.ibyok(["get", "-n", "prod/openai"])
            .env("IBYOK_TOKEN", &token)
            .run()
    };
    assert_eq!(get(home).done().stdout, b"the-value");
    let older = copy_of_store(home);
    let server = home.serve();
    home.ibyok(["--yes", "tokens", "revoke", "app"]).run().done();
    assert!(server.stop().success());
    get(home).exits(3);
    put_store_back(home, &older);
    // The floors are right: they refuse the token by themselves.
    assert!(get(&home.copy()).stdout.is_empty());

    for name in ["floors", "floors-wal", "floors-shm"] {
        fs::remove_file(home.vault().join("audit").join(name)).ok();
    }
    let unreadable = home.copy();
    let refused = get(home).exits(5);
    assert!(refused.stdout.is_empty(), "{}", refused.said());
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert_eq!(
        (&report["ok"], &report["floors"]["ok"]),
        (&false.into(), &false.into()),
        "{report}"
    );
    // The floors hold the revocation, which an operator may accept by name alone.
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    get(home).exits(5);
    let accept = ["--yes", "audit", "floors", "rebuild", "--accept-rollback"];
    home.ibyok(accept).run().done();
    assert_eq!(get(home).done().stdout, b"the-value");

    // With the log made unreadable, nothing is left that tells of the revocation.
    serves_nothing_beside_an_unreadable_log(&unreadable, get);
}

fn serves_nothing_beside_an_unreadable_log(home: &Home, get: impl Fn(&Home) -> ibyok_tests::Finished) {
    let (file, lines) = lines_of(&home.slot(1));
    let text: String = lines
        .iter()
        .map(|line| format!("{}\n", line.replace("mac", "cam")))
        .collect();
    fs::write(file, text).unwrap();
    let refused = get(home).exits(5);
    assert!(refused.stdout.is_empty(), "{}", refused.said());
    let log = fs::read_to_string(home.slot(1).join("id")).unwrap();
    for named in [log.trim(), "`ibyok audit floors rebuild`"] {
        assert!(refused.said().contains(named), "{}", refused.said());
    }
    home.ibyok(["--json", "audit", "verify"]).run().exits(10);
    // Only an operator who says yes goes on without that log.
    home.ibyok(["audit", "floors", "rebuild"]).run().exits(2);
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    assert_eq!(home.get("prod/openai"), b"the-value");
    home.ibyok(["audit", "verify"]).run().exits(10);
}

#[test]
fn a_foreign_log_stops_nobody_while_the_floors_are_right() {
    let victim = victim();
    copy_tree(&forged_slot(&victim), &victim.home.slot(1));
    assert_eq!(victim.home.get("prod/openai"), b"the-value");
}

pub(crate) fn copy_of_store(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let files = ["vault.db", "vault.db-wal", "vault.db-shm"].map(|name| home.vault().join(name));
    let there = files.into_iter().filter(|file| file.exists());
    there.map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}

pub(crate) fn put_store_back(home: &Home, older: &[(PathBuf, Vec<u8>)]) {
    for name in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        fs::remove_file(home.vault().join(name)).ok();
    }
    for (file, bytes) in older {
        fs::write(file, bytes).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_directory_that_was_moved_is_whole_and_one_of_its_logs_is_still_missed() {
    let victim = victim();
    let server = victim.home.serve();
    victim.home.set("prod/second", "x");
    assert!(server.stop().success());
    let moved = victim.home.path("home/moved");
    fs::rename(victim.home.vault(), &moved).unwrap();
    let verify = || {
        victim
            .home
            .ibyok(["--json", "audit", "verify"])
            .env("IBYOK_VAULT", &moved)
            .run()
    };
    assert_eq!(verify().done().json()["ok"], true);
    fs::remove_dir_all(moved.join("audit/slot-1")).unwrap();
    assert_eq!(verify().exits(10).json()["findings"][0]["what"], "missing");
}

#[test]
fn a_directory_of_logs_is_verified_by_a_key_with_no_vault_at_all() {
    let victim = victim();
    let keys = victim.home.ibyok(["audit", "keys"]).run().done().text();
    let (key, file) = (keys.trim().to_owned(), victim.home.input("keys", &keys));
    let elsewhere = victim.home.path("elsewhere");
    copy_tree(&victim.home.vault().join("audit"), &elsewhere);
    let home = Home::empty(crate::PROGRAMS);
    let verify = |place: &Path, key: &str| {
        let place = place.to_str().unwrap();
        let run = home.ibyok(["--json", "audit", "verify", "--audit", place, "--key", key]);
        run.without("IBYOK_VAULT")
            .env("HOME", "/nonexistent")
            .env("XDG_CONFIG_HOME", "")
            .env("XDG_DATA_HOME", "")
            .run()
    };
    let before = fs::read_dir(&elsewhere).unwrap().count();
    for key in [key.as_str(), file.to_str().unwrap()] {
        assert_eq!(verify(&elsewhere, key).done().json()["ok"], true);
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), before, "nothing is made");
    copy_tree(&forged_slot(&victim), &elsewhere.join("slot-1"));
    assert_eq!(
        verify(&elsewhere, &key).exits(10).json()["findings"][0]["what"],
        "foreign"
    );
    fs::remove_dir_all(elsewhere.join("slot-1")).unwrap();
    let stranger = home_with_vault().ibyok(["audit", "keys"]).run().done().text();
    let report = verify(&elsewhere, stranger.trim()).exits(10).json();
    assert_eq!(report["findings"][0]["what"], "foreign", "{report}");
    fs::remove_dir_all(elsewhere.join("slot-0")).unwrap();
    assert_eq!(
        verify(&elsewhere, &key).exits(10).json()["findings"][0]["what"],
        "missing"
    );
}

#[test]
fn a_store_that_lost_its_last_writes_is_behind_the_log_and_everything_says_so() {
    let home = home_with_vault();
    home.set("prod/first", "x");
    home.set("prod/first", "y");
    // What is destroyed is scrubbed: everything so far is in the main file then.
    let destroy = [
        "rotate",
        "destroy",
        "prod/first",
        "--version",
        "1",
        "--force",
        "--reason",
        "a test",
        "--yes",
    ];
    home.ibyok(destroy).run().done();
    let server = home.serve();
    let writer = home.token(&[
        "writer",
        "--env",
        "prod",
        "--scope",
        "keys:write",
        "--scope",
        "keys:read",
    ]);
    for number in 0..12 {
        let put = Request::new("PUT", &format!("/api/v1/keys/prod/key-{number}"));
        server.send(&put.bearer(&writer).json(r#"{"value":"v"}"#)).is(201);
    }
    wait_until("the last line is signed", Duration::from_secs(5), || {
        let notes = fs::read_to_string(home.slot(0).join("checkpoints")).unwrap_or_default();
        notes.lines().count() > 10
    });
    server.kill();
    let wal = home.vault().join("vault.db-wal");
    assert!(fs::metadata(&wal).unwrap().len() > 0);
    fs::remove_file(&wal).unwrap();
    let status = home.ibyok(["--json", "status"]).run().exits(5);
    let text = status.text();
    let ready = serde_json::from_str::<Value>(&text).unwrap()["ready"].clone();
    assert_eq!(ready, false, "{text}");
    assert!(text.contains("the store is at change"), "{text}");
    let listed = home.ibyok(["keys", "list"]).run().said();
    assert!(listed.contains("the store is at change"), "{listed}");
    for _ in 0..2 {
        let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
        let found = report["findings"].as_array().unwrap();
        assert!(
            found.iter().any(|finding| finding["what"] == "store_behind"),
            "{report}"
        );
    }
    // New writes do not hide it.
    for number in 0..20 {
        home.set(&format!("prod/new-{number}"), "x");
    }
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert!(report["findings"].to_string().contains("store_behind"), "{report}");
}

#[test]
fn an_older_store_that_is_put_back_is_behind_the_log() {
    let home = home_with_vault();
    home.set("prod/first", "x");
    let old = home.copy();
    home.set("prod/first", "y");
    home.set("prod/first", "z");
    for file in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        let there = home.vault().join(file);
        if there.exists() {
            fs::remove_file(&there).unwrap();
        }
        if old.vault().join(file).exists() {
            fs::copy(old.vault().join(file), there).unwrap();
        }
    }
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert!(report["findings"].to_string().contains("store_behind"), "{report}");
    let said = home.ibyok(["status"]).run().exits(5).said();
    assert!(said.contains("the store is at change"), "{said}");
}

#[test]
fn a_forged_log_keeps_nobody_from_working_beside_a_server() {
    let victim = victim();
    let server = victim.home.serve();
    copy_tree(&forged_slot(&victim), &victim.home.slot(1));
    victim.home.set("prod/second", "x");
    let report = victim.home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    let found = report["findings"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!((&found[0]["what"], &found[0]["slot"]), (&"foreign".into(), &1.into()));
    assert!(server.stop().success());
}
