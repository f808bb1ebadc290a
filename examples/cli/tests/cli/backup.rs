//! Backups and restores from outside: checked before anything is replaced, and nothing that was taken away comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::Place;
use crate::remote::Server;

fn backup(place: &Place, name: &str) -> String {
    let file = place.path(name).display().to_string();
    place.ibyok(&["backup", &file, "--json"]).ok();
    file
}

fn actions(place: &Place, action: &str) -> Vec<Value> {
    let lines = place.ibyok(&["audit", "export"]).ok().out;
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["action"] == action).collect()
}

#[test]
fn a_backup_is_a_private_file_that_verifies_and_is_on_the_log_and_the_checklist() {
    let place = Place::with_key("prod/openai", "sk-SENTINEL-1");
    let file = backup(&place, "one.backup");
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"sk-SENTINEL"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let verified = place.ibyok(&["backup", "--verify", &file, "--json"]).ok().json();
    assert_eq!(
        (&verified["ok"], &verified["authentic"], &verified["is_exact"]),
        (&true.into(), &true.into(), &true.into()),
        "{verified}"
    );
    assert!(verified["records"].as_u64().unwrap() > 8, "{verified}");
    assert_eq!(verified["with_kek"], false);
    let phases: Vec<Value> = actions(&place, "vault.backup")
        .iter()
        .map(|line| line["phase"].clone())
        .collect();
    assert_eq!(phases, ["intended", "done"]);
    let checklist = place.ibyok(&["checklist", "--json"]).call();
    let checklist: Value = serde_json::from_str(&checklist.out).unwrap();
    let items = checklist["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == "backup").unwrap();
    assert_eq!(item["ok"], true, "{item}");
    assert!(
        item["detail"]
            .as_str()
            .unwrap()
            .contains(verified["sha256"].as_str().unwrap()),
        "{item}"
    );
    // A file that is there is never replaced.
    place.ibyok(&["backup", &file]).fails(1);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    place.ibyok(&["audit", "verify"]).ok();
}

#[test]
fn each_way_in_which_a_backup_is_wrong_has_its_own_words_and_restores_nothing() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "one.backup");
    let whole = fs::read(&file).unwrap();
    let store = fs::read(place.vault().join("vault.db")).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let newer = [b"ibyok-backup v9\n", &whole[16..]].concat();
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("flipped in a record", flipped(whole.len() / 2), "damaged"),
        ("flipped in the manifest", flipped(whole.len() - 60), ""),
        (
            "flipped in the MAC",
            flipped(whole.len() - 1),
            "changed after it was written",
        ),
        ("cut", whole[..whole.len() - 100].to_vec(), "truncated"),
        ("empty", Vec::new(), "not a backup"),
        ("newer", newer, "format 9"),
        ("longer", [whole.as_slice(), b"x"].concat(), "damaged"),
    ];
    for (case, bytes, words) in cases {
        let bad = place.write("bad.backup", bytes);
        for command in [&["backup", "--verify", &bad][..], &["restore", &bad, "--yes"]] {
            let done = place.ibyok(command).fails(2);
            assert!(done.err.contains(words), "{case}: {}", done.err);
        }
        assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
    }
    assert!(!store.is_empty());
    let stranger = Place::with_key("prod/openai", "sk-2");
    for command in [&["backup", "--verify", &file][..], &["restore", &file, "--yes"]] {
        let done = stranger.ibyok(command).fails(2);
        assert!(done.err.contains("another vault"), "{}", done.err);
    }
    place.ibyok(&["restore", "/no/such/file", "--yes"]).fails(4);
    place.ibyok(&["restore", &file]).fails(2);
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
    place.ibyok(&["audit", "verify"]).ok();
}

#[test]
fn a_restore_takes_away_again_what_was_taken_away_since() {
    let place = Place::with_key("prod/openai", "sk-1");
    place.set("prod/stripe", "sk-2");
    place.set("prod/gone", "sk-3");
    let revoked = place.token(&["ci", "--env", "prod"]);
    let valid = place.token(&["web", "--env", "prod"]);
    let file = backup(&place, "one.backup");
    place.ibyok(&["tokens", "revoke", "ci", "--yes"]).ok();
    place.ibyok(&["keys", "disable", "prod/stripe", "--yes"]).ok();
    place.ibyok(&["keys", "remove", "prod/gone", "--yes"]).ok();
    let restored = place.ibyok(&["restore", &file, "--yes", "--json"]).ok().json();
    assert_eq!(restored["again"].as_array().unwrap().len(), 3, "{restored}");
    assert_eq!(restored["lost"].as_array().unwrap().len(), 0, "{restored}");
    assert!(Path::new(restored["kept"].as_str().unwrap()).exists(), "{restored}");
    place
        .ibyok(&["get", "prod/openai"])
        .env("IBYOK_TOKEN", &revoked)
        .fails(3);
    assert_eq!(
        place
            .ibyok(&["get", "prod/openai"])
            .env("IBYOK_TOKEN", &valid)
            .ok()
            .out
            .trim(),
        "sk-1"
    );
    place.ibyok(&["get", "prod/stripe"]).fails(4);
    place.ibyok(&["get", "prod/gone"]).fails(4);
    assert!(
        actions(&place, "vault.restore")
            .iter()
            .any(|line| line["phase"] == "done" && line["record"].is_null())
    );
    let verified = place.ibyok(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(verified["ok"], true, "{verified}");
    place.set("prod/openai", "sk-4");
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-4");
}

#[test]
fn a_restore_that_would_lose_changes_lists_them_and_needs_leave() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "one.backup");
    place.set("prod/openai", "sk-2");
    place.set("prod/new", "sk-3");
    let refused = place.ibyok(&["restore", &file, "--yes"]).fails(1);
    assert!(
        refused.err.contains("openai") && refused.err.contains("new"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("--accept-rollback"), "{}", refused.err);
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-2");
    let left = fs::read_dir(place.vault())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<String> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(!left.iter().any(|name| name.contains("restor")), "{left:?}");
    place.ibyok(&["restore", &file, "--yes", "--accept-rollback"]).ok();
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
    place.ibyok(&["get", "prod/new"]).fails(4);
    place.ibyok(&["audit", "verify"]).ok();
}

#[test]
fn a_backup_with_the_kek_restores_a_lost_machine() {
    let place = Place::with_key("prod/openai", "sk-1");
    let token = place.token(&["ci", "--env", "prod"]);
    let file = place.path("all.backup").display().to_string();
    let done = place.ibyok(&["backup", &file, "--with-kek"]).ok();
    assert!(done.err.contains("contains the KEK"), "{}", done.err);
    let elsewhere = Place::empty();
    elsewhere.ibyok(&["restore", &file, "--yes"]).ok();
    assert_eq!(
        elsewhere
            .ibyok(&["get", "prod/openai"])
            .env("IBYOK_TOKEN", &token)
            .ok()
            .out
            .trim(),
        "sk-1"
    );
    // Without the KEK nothing is restored, and nothing is left.
    let without = backup(&place, "without.backup");
    let third = Place::empty();
    let refused = third.ibyok(&["restore", &without, "--yes"]).fails(5);
    assert!(refused.err.contains("KEK"), "{}", refused.err);
    assert!(!third.vault().join("vault.db").exists());
    let checked = third.ibyok(&["backup", "--verify", &without, "--json"]).ok();
    assert_eq!(checked.json()["authentic"], false);
    assert!(checked.err.contains("Without the vault's KEK"), "{}", checked.err);
}

#[test]
fn a_leftover_write_ahead_log_is_not_replayed_over_the_restored_store() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "one.backup");
    place.set("prod/new", "sk-2");
    let wal = place.vault().join("vault.db-wal");
    fs::copy(place.vault().join("vault.db"), &wal).unwrap();
    fs::remove_file(place.vault().join("vault.db")).unwrap();
    place.ibyok(&["restore", &file, "--yes", "--accept-rollback"]).ok();
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
    place.ibyok(&["get", "prod/new"]).fails(4);
    let names = fs::read_dir(place.vault()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.any(|name| name.contains("before-restore") && name.ends_with("-wal")));
}

#[test]
fn each_restore_keeps_the_store_that_it_replaces() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "one.backup");
    let mut kept = Vec::new();
    for _ in 0..3 {
        let done = place
            .ibyok(&["--json", "restore", &file, "--yes", "--accept-rollback"])
            .ok();
        kept.push(done.json()["kept"].as_str().unwrap().to_owned());
    }
    kept.dedup();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(kept.iter().all(|file| Path::new(file).exists()), "{kept:?}");
}

#[test]
fn a_store_whose_vault_moved_away_takes_no_restore() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "one.backup");
    let url = format!("file:{}", place.path("other.db").display());
    place.ibyok(&["copy", "--to", &url, "--yes"]).ok();
    let refused = place
        .ibyok(&["--store", "file", "restore", &file, "--yes", "--accept-rollback"])
        .fails(1);
    assert!(refused.err.contains("other.db"), "{}", refused.err);
    place.ibyok(&["--store", "file", "get", "prod/openai"]).fails(5);
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
}

#[test]
fn a_restore_refuses_a_store_that_a_process_with_another_log_has_open() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "one.backup");
    let logs = place.path("elsewhere").display().to_string();
    let server = Server::start_with(&place, &[("IBYOK_AUDIT", &logs)]);
    let refused = place.ibyok(&["restore", &file, "--yes", "--accept-rollback"]).fails(1);
    assert!(
        refused.err.contains("vault.db") && refused.err.contains("stop every server"),
        "{}",
        refused.err
    );
    drop(server);
    place.ibyok(&["restore", &file, "--yes", "--accept-rollback"]).ok();
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
}

#[test]
fn a_backup_never_says_that_it_contains_the_kek_of_a_single_environment() {
    let place = Place::empty();
    place.ibyok(&["init", "--kek", "prod=local"]).ok();
    place.set("prod/openai", "sk-1");
    let file = place.path("all.backup").display().to_string();
    let refused = place.ibyok(&["backup", &file, "--with-kek"]).fails(2);
    assert!(
        refused.err.contains("prod") && refused.err.contains("kek export"),
        "{}",
        refused.err
    );
    assert!(!Path::new(&file).exists());
}

#[test]
fn a_backup_is_written_into_no_file_that_somebody_prepared() {
    let place = Place::with_key("prod/openai", "sk-1");
    let partial = place.path(".one.backup.partial");
    let file = place.path("one.backup").display().to_string();
    fs::write(&partial, "").unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = place.ibyok(&["backup", &file]).fails(1);
    assert!(refused.err.contains("not a private file"), "{}", refused.err);
    fs::remove_file(&partial).unwrap();
    let second = place.path("second");
    fs::write(&second, "").unwrap();
    fs::set_permissions(&second, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&second, &partial).unwrap();
    place.ibyok(&["backup", &file]).fails(1);
    fs::remove_file(&partial).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&partial).status().unwrap();
    assert!(made.success());
    // A pipe without a reader cannot be opened for writing.
    assert_ne!(place.ibyok(&["backup", &file]).call().code, 0);
    assert!(!Path::new(&file).exists());
    fs::remove_file(&partial).unwrap();
    // What a killed command left behind is ours, and is written anew.
    fs::write(&partial, "half").unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o600)).unwrap();
    place.ibyok(&["backup", &file]).ok();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The SQL of the page that repairs one record.
fn sql_of_the_page() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md")).unwrap();
    let section = page.split("## One record from a backup").nth(1).unwrap();
    section.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn the_page_repairs_one_record_from_a_backup_and_touches_no_other() {
    let place = Place::with_key("prod/openai", "sk-1");
    let file = backup(&place, "newest.backup");
    place.set("prod/later", "sk-2");
    let store = place.vault().join("vault.db").display().to_string();
    let python = |script: &str, arguments: &[&str]| {
        let run = std::process::Command::new("python3")
            .args(["-c", script])
            .args(arguments)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap().trim().to_owned()
    };
    let count =
        "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM records').fetchone()[0])";
    let before = python(count, &[&store]);
    let damage = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); \
                  print(c.execute('SELECT hex(id) FROM records WHERE kind=0').fetchone()[0]); \
                  c.execute('UPDATE records SET bytes=? WHERE kind=0', (b'damaged',)); c.commit()";
    let id = python(damage, &[&store]);
    place.ibyok(&["get", "prod/openai"]).fails(5);
    let scratch = place.path("scratch").display().to_string();
    let kek = place.kek().display().to_string();
    place
        .ibyok(&["--vault", &scratch, "--kek-file", &kek, "restore", &file, "--yes"])
        .ok();
    let sql = sql_of_the_page()
        .replace("/tmp/scratch/vault.db", &format!("{scratch}/vault.db"))
        .replace("kind = KIND", "kind = 0")
        .replace("'ID'", &format!("'{id}'"));
    let run = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
    python(run, &[&store, &sql]);
    assert_eq!(python(count, &[&store]), before);
    assert_eq!(place.ibyok(&["get", "-n", "prod/openai"]).ok().out, "sk-1");
    assert_eq!(place.ibyok(&["get", "-n", "prod/later"]).ok().out, "sk-2");
    place.ibyok(&["audit", "verify"]).ok();
}
