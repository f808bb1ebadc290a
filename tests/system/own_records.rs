//! A node's own records are damaged or gone, or its store file is replaced: retrievals go on where they can, and the fault is named.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ibyok_tests::{Home, Request, audit_lines, copy_tree, wait_until};

use crate::cut_logs::of_kind;
use crate::home_with_vault;

const VAULT: u8 = 0;
const REALM: u8 = 1;
const LOG_KEY: u8 = 6;
const CHECKPOINT: u8 = 129;

fn flip(home: &Home, kind: u8, at: usize) {
    for id in of_kind(home, kind) {
        let mut bytes = home.behind().bytes(id);
        let end = bytes.len() - 1;
        bytes[end - at] ^= 4;
        home.behind().put(id, &bytes);
    }
}

#[track_caller]
fn is_found_and_mended(home: &Home, named: &str) {
    assert_eq!(home.get("dev/a"), b"the value of a", "{named}");
    let verified = home.ibyok(["audit", "verify"]).run().exits(10);
    assert!(verified.said().contains(named), "{named}: {}", verified.said());
    let status = home.ibyok(["status"]).run().done();
    assert!(status.said().contains(named), "{named}: {}", status.said());
    home.set("dev/b", "written meanwhile");
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    home.ibyok(["audit", "verify"]).run().done();
    let status = home.ibyok(["status"]).run().done();
    assert!(!status.said().contains(named), "{named}: {}", status.said());
    assert_eq!(home.get("dev/b"), b"written meanwhile", "{named}");
}

#[test]
fn a_damaged_record_of_a_log_is_a_finding_and_stops_no_retrieval() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    for (kind, named) in [
        (CHECKPOINT, "the checkpoint of the audit log"),
        (LOG_KEY, "the key of the"),
    ] {
        for at in [0, 5, 40] {
            let copy = home.copy();
            flip(&copy, kind, at);
            is_found_and_mended(&copy, named);
        }
        let copy = home.copy();
        for id in of_kind(&copy, kind) {
            let mut bytes = copy.behind().bytes(id);
            bytes[0] ^= 0xff;
            copy.behind().put(id, &bytes);
        }
        is_found_and_mended(&copy, named);
    }
}

#[test]
fn a_deleted_record_of_a_log_is_a_finding_and_stops_no_retrieval() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    for (kind, named) in [
        (CHECKPOINT, "the store holds no checkpoint of the audit log"),
        (LOG_KEY, "the store holds no key of the audit log"),
    ] {
        let copy = home.copy();
        of_kind(&copy, kind).into_iter().for_each(|id| copy.behind().delete(id));
        is_found_and_mended(&copy, named);
    }
}

#[test]
fn a_running_server_says_that_its_own_records_are_damaged() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    let reader = home.token(&["reader", "--env", "dev"]);
    for kind in [CHECKPOINT, LOG_KEY] {
        let copy = home.copy();
        let server = copy.serve();
        flip(&copy, kind, 5);
        wait_until("the damage is counted", Duration::from_secs(10), || {
            let ready = server.send(&Request::get("/readyz")).is(200).json();
            ready["damaged_records"] != 0 || ready["floors_findings"] != 0
        });
        server.retrieve(&reader, "dev/a").is(200);
        server.stop();
    }
}

#[test]
fn a_damaged_record_of_the_home_is_named_with_the_way_out_and_a_server_is_not_ready() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    let reader = home.token(&["reader", "--env", "dev"]);
    let server = home.serve();
    let whole = of_kind(&home, REALM);
    let whole = whole
        .into_iter()
        .find(|id| String::from_utf8_lossy(&home.behind().bytes(*id)).contains("whole"));
    let whole = whole.unwrap();
    let good = home.behind().bytes(whole);
    let mut bytes = good.clone();
    let end = bytes.len() - 5;
    bytes[end] ^= 4;
    home.behind().put(whole, &bytes);
    wait_until("the server is not ready", Duration::from_secs(10), || {
        server.send(&Request::get("/readyz")).status == 503
    });
    assert!(server.printed().contains(&whole.to_string()), "{}", server.printed());
    server.retrieve(&reader, "dev/a").is(200);
    for args in [vec!["get", "dev/a"], vec!["status"], vec!["audit", "verify"]] {
        let refused = home.ibyok(&args).run().exits(5);
        for named in [whole.to_string().as_str(), "One record from a backup"] {
            assert!(refused.said().contains(named), "{named}: {}", refused.said());
        }
    }
    home.behind().put(whole, &good);
    wait_until("the server is ready", Duration::from_secs(10), || {
        server.send(&Request::get("/readyz")).status == 200
    });
    assert_eq!(home.get("dev/a"), b"the value of a");
    server.stop();
}

#[test]
fn a_changed_record_of_the_vault_is_named() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    let id = of_kind(&home, VAULT).remove(0);
    let text = String::from_utf8(home.behind().bytes(id)).unwrap();
    let vault = text.split("\"vault\":\"").nth(1).unwrap()[..22].to_owned();
    let other = format!("{}{}", if vault.starts_with('1') { "2" } else { "1" }, &vault[1..]);
    for changed in [
        text.replace(&vault, &other),
        text.replace(&vault, "x"),
        text.replace('{', "["),
    ] {
        let copy = home.copy();
        copy.behind().put(id, changed.as_bytes());
        let refused = copy.ibyok(["get", "dev/a"]).run().exits(5);
        let named = format!("the vault's own record ({id})");
        assert!(refused.said().contains(&named), "{changed}: {}", refused.said());
    }
}

#[test]
fn a_slot_that_was_replaced_by_another_vaults_log_is_a_plain_finding() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    let other = home_with_vault();
    fs::remove_dir_all(home.slot(0)).unwrap();
    copy_tree(&other.slot(0), &home.slot(0));
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    let whats: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["what"].as_str().unwrap())
        .collect();
    assert!(whats.contains(&"foreign") && whats.contains(&"missing"), "{report}");
    assert_eq!(home.get("dev/a"), b"the value of a");
}

/// Puts a file in the place of the store, as `mv` does.
fn rename_over(home: &Home, from: &Path) {
    let (store, new) = (home.vault().join("vault.db"), home.vault().join("vault.db.new"));
    fs::copy(from, &new).unwrap();
    for end in ["-wal", "-shm"] {
        fs::remove_file(home.vault().join(format!("vault.db{end}"))).unwrap_or_default();
    }
    fs::rename(new, store).unwrap();
}

#[test]
fn a_store_file_that_is_replaced_under_a_server_is_noticed_and_a_good_one_is_served() {
    let home = home_with_vault();
    home.set("dev/a", "the value of a");
    let reader = home.token(&["reader", "--env", "dev"]);
    home.behind().settle();
    let older = home.path("older.db");
    fs::copy(home.vault().join("vault.db"), &older).unwrap();
    let server = home.serve();
    server.retrieve(&reader, "dev/a").is(200);
    home.set("dev/b", "a newer key");
    let newer = home.path("newer");
    copy_tree(&home.vault(), &newer);
    let behind = || {
        let lines = audit_lines(&home.vault().join("audit"));
        lines
            .iter()
            .filter(|line| line.text("action") == "vault.store_behind")
            .count()
    };
    let ready = || server.send(&Request::get("/readyz"));

    rename_over(&home, &older);
    wait_until("the older store is noticed", Duration::from_secs(15), || {
        let ready = ready();
        ready.status == 503 && ready.json()["log_and_store"] == "store_behind"
    });
    wait_until("the log has it", Duration::from_secs(10), || behind() > 0);
    for _ in 0..3 {
        home.ibyok(["get", "dev/a"]).run().done();
    }
    assert_eq!(behind(), 1, "once for a state, whatever the number of processes");

    // Another vault's store is not served, and the server says why.
    let other = home_with_vault();
    other.behind().settle();
    rename_over(&home, &other.vault().join("vault.db"));
    wait_until("the other vault's store is refused", Duration::from_secs(15), || {
        ready().status == 503 && server.printed().contains("not a store of this vault")
    });
    server.retrieve(&reader, "dev/a").is(503);

    // No file at all is not an empty store.
    fs::remove_file(home.vault().join("vault.db")).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    server.retrieve(&reader, "dev/a").is(503);
    assert!(!home.vault().join("vault.db").exists(), "nothing was made in its place");

    for end in ["-wal", "-shm"] {
        fs::remove_file(home.vault().join(format!("vault.db{end}"))).unwrap_or_default();
    }
    // The newest state, with what was still in the log of the database.
    let wal = newer.join("vault.db-wal");
    fs::copy(&wal, home.vault().join("vault.db-wal")).unwrap_or_default();
    fs::copy(newer.join("vault.db"), home.vault().join("vault.db")).unwrap();
    wait_until("the good file is served", Duration::from_secs(15), || {
        ready().status == 200
    });
    server.retrieve(&reader, "dev/b").is(200);
    server.retrieve(&reader, "dev/a").is(200);
    server.stop();
}
