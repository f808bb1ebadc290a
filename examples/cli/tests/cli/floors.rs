//! Floors from outside: an older store is refused, what was done to the floors is found, and an honest restore is accepted by name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Place;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A copy of the store, which no command has open.
fn copy_of_store(place: &Place) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let store = place.vault().join("vault.db");
    ["", "-wal", "-shm"]
        .map(|suffix| beside(&store, suffix))
        .map(|path| (path.clone(), fs::read(path).ok()))
        .into()
}

fn put_back(copy: &[(PathBuf, Option<Vec<u8>>)]) {
    for (path, bytes) in copy {
        fs::remove_file(path).ok();
        if let Some(bytes) = bytes {
            fs::write(path, bytes).unwrap();
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn delete_floors(place: &Place) {
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&place.vault().join("audit/floors"), suffix)).ok();
    }
}

/// The report of a verification that finds something.
fn verified(place: &Place) -> serde_json::Value {
    let done = place.ibyok(&["audit", "verify", "--json"]).call();
    assert_eq!(done.code, 10, "{}", done.err);
    serde_json::from_str(&done.out).unwrap()
}

#[test]
fn an_older_store_with_the_floors_deleted_serves_nothing_until_it_is_accepted_by_name() {
    let place = Place::with_key("dev/a", "1");
    let token = place.token(&["ci", "--env", "dev"]);
    let older = copy_of_store(&place);
    place.ibyok(&["tokens", "revoke", "ci", "--yes"]).ok();
    place.set("dev/a", "2");
    place.ibyok(&["keys", "disable", "dev/a", "--yes"]).ok();
    put_back(&older);
    delete_floors(&place);
    for _ in 0..2 {
        place.ibyok(&["get", "dev/a"]).env("IBYOK_TOKEN", &token).fails(5);
        place.ibyok(&["get", "dev/a"]).fails(5);
        let verified = verified(&place);
        let findings = verified["floors"]["findings"].as_array().unwrap().len();
        assert_eq!((findings, &verified["ok"]), (1, &false.into()), "{verified}");
    }
    place.ibyok(&["audit", "floors", "rebuild"]).ok();
    let verified = verified(&place);
    assert_eq!(
        verified["floors"]["ok"], true,
        "acknowledged; the store is behind: {verified}"
    );
    place.ibyok(&["get", "dev/a"]).fails(5);

    let accept = ["audit", "floors", "rebuild", "--accept-rollback"];
    let asked = place.ibyok(&accept).call();
    assert_eq!(asked.code, 2, "{}", asked.err);
    assert!(
        asked.out.contains("openai") || asked.out.contains(" a ") && asked.out.contains("ci"),
        "{}",
        asked.out
    );
    place.ibyok(&["get", "dev/a"]).fails(5);
    place.ibyok(&[&accept[..], &["--yes"]].concat()).ok();
    assert_eq!(
        place
            .ibyok(&["get", "dev/a"])
            .env("IBYOK_TOKEN", &token)
            .ok()
            .out
            .trim(),
        "1"
    );
    place.ibyok(&["audit", "verify"]).ok();
    let lines = place.ibyok(&["audit", "export"]).ok().out;
    assert!(
        lines.contains(r#""action":"vault.rollback_accepted""#) && lines.contains(r#""action":"log.floors_rebuilt""#)
    );
}

#[test]
fn what_an_older_store_lost_is_taken_away_again_and_other_losses_need_leave() {
    let place = Place::with_key("dev/a", "1");
    place.set("dev/b", "1");
    let token = place.token(&["ci", "--env", "dev"]);
    let older = copy_of_store(&place);
    place.ibyok(&["tokens", "revoke", "ci", "--yes"]).ok();
    place.ibyok(&["keys", "disable", "dev/b", "--yes"]).ok();
    put_back(&older);
    let reapply = ["audit", "floors", "reapply"];
    let done = place.ibyok(&[&reapply[..], &["--yes", "--json"]].concat()).ok().json();
    let again = done["again"].as_array().unwrap();
    assert_eq!((again.len(), done["lost"].as_array().unwrap().len()), (2, 0), "{done}");
    place.ibyok(&["get", "dev/a"]).env("IBYOK_TOKEN", &token).fails(3);
    place.ibyok(&["get", "dev/b"]).fails(4);
    assert_eq!(place.ibyok(&["get", "-n", "dev/a"]).ok().out, "1");
    place.ibyok(&["audit", "verify"]).ok();

    let older = copy_of_store(&place);
    place.set("dev/a", "2");
    put_back(&older);
    let refused = place.ibyok(&[&reapply[..], &["--yes"]].concat()).fails(1);
    assert!(
        refused.err.contains("`a`") && refused.err.contains("--accept-rollback"),
        "{}",
        refused.err
    );
    place.ibyok(&["get", "dev/a"]).fails(5);
    // Without a terminal, nobody can answer the question.
    place.ibyok(&[&reapply[..], &["--accept-rollback"]].concat()).fails(2);
    place
        .ibyok(&[&reapply[..], &["--accept-rollback", "--yes"]].concat())
        .ok();
    assert_eq!(place.ibyok(&["get", "-n", "dev/a"]).ok().out, "1");
    place.ibyok(&reapply).env("IBYOK_TOKEN", &token).fails(3);
}

#[test]
fn floors_go_to_a_node_without_a_history_whole_or_not_at_all() {
    let place = Place::with_key("dev/a", "1");
    let token = place.token(&["ci", "--env", "dev"]);
    let older = copy_of_store(&place);
    place.ibyok(&["tokens", "revoke", "ci", "--yes"]).ok();
    let file = place.path("floors.txt");
    let path = file.to_str().unwrap();
    place.ibyok(&["audit", "floors", "export", path]).ok();
    put_back(&older);
    let audit = place.path("audit-of-a-replica");
    let replica = |arguments: &[&str]| place.ibyok(arguments).env("IBYOK_AUDIT", &audit);
    let status = replica(&["status", "--json"]).ok().json();
    assert!(status["floors"]["no_history_before"].is_string(), "{status}");
    let whole = fs::read_to_string(&file).unwrap();
    for bad in [
        whole.chars().take(whole.len() - 9).collect(),
        whole.replacen(" 1\n", " 9\n", 1),
        whole.replacen("v1", "v2", 1),
        whole.replacen("vault ", "vault x", 1),
        String::new(),
        "garbage\n".to_owned(),
    ] {
        let bad = place.write("bad.txt", bad);
        replica(&["audit", "floors", "import", &bad]).fails(2);
    }
    replica(&["audit", "floors", "import", path]).ok();
    replica(&["get", "dev/a"]).env("IBYOK_TOKEN", &token).fails(5);
    let status = replica(&["status", "--json"]).call();
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert!(status["floors"]["no_history_before"].is_null(), "{status}");
}
