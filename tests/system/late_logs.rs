//! Logs that began after the copy of the store that was put back: they stay the vault's, and the node goes on in another.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use ibyok_tests::{Finished, Home, Request, Server, ServerOptions, copy_tree, wait_until};
use serde_json::Value;
use sha2::Digest as _;

use crate::foreign_logs::{copy_of_store, lines_of, put_store_back};
use crate::home_with_vault;

const ACCEPT: [&str; 5] = ["--yes", "audit", "floors", "rebuild", "--accept-rollback"];

/// A vault, with a second node whose log began after the copy of the store that was put back.
struct Restored {
    home: Home,
    node: PathBuf,
}

impl Restored {
    fn new() -> Self {
        let home = home_with_vault();
        home.set("dev/foo", "the first value");
        let older = copy_of_store(&home);
        let node = home.path("node");
        fs::DirBuilder::new().mode(0o700).create(&node).unwrap();
        let restored = Restored { home, node };
        restored.on_node(&["keys", "set", "dev/foo"], "the second value").done();
        put_store_back(&restored.home, &older);
        restored
    }

    fn on_node(&self, args: &[&str], input: &str) -> Finished {
        let run = self.home.ibyok(args).env("IBYOK_AUDIT", &self.node);
        run.input(input).run()
    }

    /// Checks that nothing is wrong with the logs of the node; the first node's are in another directory.
    fn verifies(&self) {
        let report = self.on_node(&["--json", "audit", "verify"], "").exits(10).json();
        let first = fs::read_to_string(self.home.slot(0).join("id")).unwrap();
        let found = report["findings"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{report}");
        let (what, log) = (&found[0]["what"], &found[0]["log"]);
        assert_eq!((what, log), (&"missing".into(), &first.trim().into()), "{report}");
    }

    fn ids(&self) -> Vec<String> {
        let slots = (0..3).map(|slot| self.node.join(format!("slot-{slot}/id")));
        slots.filter_map(|id| fs::read_to_string(id).ok()).collect()
    }
}

#[test]
fn a_node_whose_only_log_began_after_the_backup_begins_another() {
    let restored = Restored::new();
    let late = restored.ids();
    // Its floors know of the newer record, which the copy of the store lacks.
    restored
        .on_node(&["--json", "get", "dev/foo"], "")
        .fails(5, "integrity");
    restored.on_node(&ACCEPT, "").done();
    let value = restored.on_node(&["get", "-n", "dev/foo"], "").done();
    assert_eq!(value.stdout, b"the first value");
    restored.verifies();
    // The late log is read on, and not written.
    let tail = restored.on_node(&["--json", "audit", "tail", "--action", "key.set"], "");
    assert!(tail.done().text().contains(late[0].trim()));
    let ids = restored.ids();
    assert_eq!(
        (ids.len(), &ids[0]),
        (2, &late[0]),
        "one further log, however many commands"
    );
}

#[test]
fn a_server_of_such_a_node_starts_and_serves() {
    let restored = Restored::new();
    restored.on_node(&ACCEPT, "").done();
    let token = restored.home.token(&["app", "--env", "dev"]);
    let options = ServerOptions::default().env("IBYOK_AUDIT", restored.node.to_str().unwrap());
    let server = restored.home.serve_with(options);
    let answer = server.retrieve(&token, "dev/foo").is(200);
    assert!(String::from_utf8_lossy(&answer.body).contains("the first value"));
    assert!(server.stop().success());
    restored.verifies();
}

#[test]
fn a_late_log_without_floors_still_says_what_is_newer() {
    let restored = Restored::new();
    for name in ["floors", "floors-wal", "floors-shm"] {
        fs::remove_file(restored.node.join(name)).ok();
    }
    restored
        .on_node(&["--json", "get", "dev/foo"], "")
        .fails(5, "integrity");
    restored.on_node(&ACCEPT, "").done();
    restored.on_node(&["get", "dev/foo"], "").done();
}

#[test]
fn the_directory_of_another_vault_stays_refused() {
    let restored = Restored::new();
    let other = home_with_vault();
    other.set("dev/foo", "of another vault");
    let theirs = other.vault().join("audit");
    let refused = |place: &Path| {
        let get = restored
            .home
            .ibyok(["--json", "get", "dev/foo"])
            .env("IBYOK_AUDIT", place);
        let error = get.run().fails(2, "invalid").json()["error"].clone();
        let said = error["message"].as_str().unwrap();
        assert!(said.contains("holds no key for the audit log"), "{error}");
        assert!(!place.join("slot-1/log.pub").exists());
    };
    refused(&theirs);
    // A log proves nothing with lines whose MACs were changed, or that are another log's.
    let changed = restored.home.path("changed");
    copy_tree(&restored.node, &changed);
    let (file, lines) = lines_of(&changed.join("slot-0"));
    let text: String = lines.iter().map(|line| swap_mac(line) + "\n").collect();
    fs::write(file, text).unwrap();
    let with_floors = restored.home.path("with-floors");
    copy_tree(&changed, &with_floors);
    for file in ["floors", "floors-wal", "floors-shm"] {
        fs::remove_file(changed.join(file)).unwrap_or_default();
    }
    refused(&changed);
    // Floors beside it prove whose directory it is, and still refuse what is older.
    let get = restored
        .home
        .ibyok(["--json", "get", "dev/foo"])
        .env("IBYOK_AUDIT", &with_floors);
    get.run().fails(5, "integrity");
    let moved = restored.home.path("moved");
    copy_tree(&theirs, &moved);
    let (file, _) = lines_of(&restored.node.join("slot-0"));
    fs::copy(file, lines_of(&moved.join("slot-0")).0).unwrap();
    let get = restored.home.ibyok(["get", "dev/foo"]).env("IBYOK_AUDIT", &moved).run();
    assert!(get.stdout.is_empty() && get.code() != 0, "{}", get.said());
}

fn swap_mac(line: &str) -> String {
    let at = line.find("\"mac\":\"").unwrap() + 7;
    let swapped = if line.as_bytes()[at] == b'0' { "1" } else { "0" };
    let mut line = line.to_owned();
    line.replace_range(at..=at, swapped);
    line
}

/// A log's public key with another key's bytes, and the hash that belongs to them.
fn another_key(text: &str) -> String {
    let mut parts = text.trim_end().splitn(3, '+');
    let (name, _, key) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
    let mut bytes = BASE64.decode(key.as_bytes()).unwrap();
    bytes[5] ^= 1;
    let hash = sha2::Sha256::digest([name.as_bytes(), b"\n", &bytes].concat());
    format!("{name}+{}+{}\n", HEXLOWER.encode(&hash[..4]), BASE64.encode(&bytes))
}

/// The numbers of slots that say before and after a genuine one that they are the same log.
#[test]
fn a_planted_slot_of_the_same_log_makes_a_late_log_no_stranger() {
    let home = home_with_vault();
    home.set("dev/foo", "the first value");
    let older = copy_of_store(&home);
    let server = home.serve();
    home.set("dev/late", "x");
    assert!(server.stop().success());
    put_store_back(&home, &older);
    let log = fs::read_to_string(home.slot(1).join("id")).unwrap();
    let honest = home.ibyok(["--json", "audit", "verify"]).run();
    let (code, findings) = (honest.code(), kinds(&honest.json()));
    for planted in [1, 2] {
        let copy = home.copy();
        if planted == 1 {
            fs::rename(copy.slot(1), copy.slot(2)).unwrap();
        }
        let genuine = copy.slot(3 - planted);
        let slot = copy.slot(planted);
        fs::DirBuilder::new().mode(0o700).create(&slot).unwrap();
        fs::copy(genuine.join("id"), slot.join("id")).unwrap();
        let key = fs::read_to_string(genuine.join("log.pub")).unwrap();
        fs::write(slot.join("log.pub"), another_key(&key)).unwrap();
        fs::set_permissions(slot.join("log.pub"), fs::Permissions::from_mode(0o600)).unwrap();
        let report = copy.ibyok(["--json", "audit", "verify"]).run().exits(code).json();
        // The planted slot is a stranger, and it alone.
        let found = report["findings"].as_array().unwrap().iter();
        let foreign: Vec<&Value> = found.filter(|finding| finding["what"] == "foreign").collect();
        assert_eq!(foreign.len(), 1, "planted as {planted}: {report}");
        assert_eq!(foreign[0]["slot"], planted, "{report}");
        let mut others = kinds(&report);
        others.retain(|what| what != "foreign");
        assert_eq!(others, findings, "planted as {planted}: {report}");
        let tail = copy
            .ibyok(["--json", "audit", "tail", "--action", "key.set"])
            .run()
            .done();
        assert!(
            tail.text().contains(log.trim()),
            "planted as {planted}: {}",
            tail.text()
        );
        copy.ibyok(ACCEPT).run().done();
        assert_eq!(copy.get("dev/foo"), b"the first value");
    }
}

fn kinds(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["what"].as_str().unwrap().to_owned())
        .collect()
}

/// A store that goes back under a server: what was remembered as damaged is forgotten when an operator accepts it elsewhere.
#[test]
fn a_server_stops_to_count_what_an_operator_accepted_beside_it() {
    let home = home_with_vault();
    home.set("dev/foo", "the first value");
    let token = home.token(&["app", "--env", "dev"]);
    let older = copy_of_store(&home);
    home.set("dev/foo", "the second value");
    home.set("dev/late", "x");
    put_store_back(&home, &older);
    // It serves, and is not ready as long as its store is behind.
    let options = ServerOptions::default();
    let (command, log) = (home.serve_command(&options), home.path("logs/behind"));
    let server = Server::launch(command, options.port, &log);
    wait_until("it listens", Duration::from_secs(10), || {
        server.try_send(&Request::get("/healthz")).is_ok()
    });
    let damaged = || server.send(&Request::get("/readyz")).json()["damaged_records"].clone();
    server.retrieve(&token, "dev/foo").is(500);
    server.send(&Request::get("/api/v1/keys").bearer(&token));
    assert_eq!(damaged(), 2);
    // They stay as long as nobody accepts them.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(damaged(), 2);
    home.ibyok(ACCEPT).run().done();
    wait_until("nothing is damaged", Duration::from_secs(5), || damaged() == 0);
    server.retrieve(&token, "dev/foo").is(200);
}
