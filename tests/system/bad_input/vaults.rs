//! Vaults that are damaged, elsewhere, or somebody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ibyok_tests::Home;

use super::{all_is_well, get, home_with_a_key};
use crate::{PROGRAMS, home_with_vault};

#[test]
fn init_refuses_what_exists_and_leaves_it_alone() {
    let home = home_with_a_key();
    let before = fs::read(home.kek_file()).unwrap();
    home.ibyok(["--json", "init"]).run().fails(1, "exists");
    home.ibyok(["init", "--if-absent"]).run().done();
    assert_eq!(fs::read(home.kek_file()).unwrap(), before);
    all_is_well(&home);
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let home = Home::empty(PROGRAMS);
    let right = home.input("right", "correct horse\n");
    let wrong = home.input("wrong", "battery staple\n");
    let with = |file, args: &[&str]| {
        home.ibyok(["--json"].iter().chain(args))
            .arg("--passphrase-file")
            .arg(file)
    };
    with(&right, &["init", "--kek", "passphrase"]).run().done();
    with(&right, &["keys", "set", "prod/key"]).input("value").run().done();
    with(&wrong, &["get", "prod/key"]).run().fails(5, "unavailable");
    fs::set_permissions(&right, fs::Permissions::from_mode(0o644)).unwrap();
    with(&right, &["get", "prod/key"]).run().exits(2);
    fs::set_permissions(&right, fs::Permissions::from_mode(0o600)).unwrap();
    with(&right, &["get", "prod/key"]).run().done();
}

#[test]
fn a_kek_file_that_is_missing_readable_by_others_or_anothers_opens_nothing() {
    let (home, other) = (home_with_a_key(), home_with_vault());
    let file = home.kek_file();
    let kept = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    get(&home).run().fails(5, "unavailable");
    home.ibyok(["--json", "init"]).run().fails(1, "exists");
    assert!(!file.exists(), "no new KEK is made silently");

    fs::write(&file, &kept).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let refused = get(&home).run();
        assert!(
            matches!(refused.code(), 2 | 5) && refused.json()["error"]["code"].is_string(),
            "{mode:o}: {}",
            refused.text()
        );
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();

    get(&home)
        .arg("--kek-file")
        .arg(other.kek_file())
        .run()
        .fails(5, "unavailable");
    for damaged in [&b""[..], b"short", &kept[..kept.len() / 2], &[0; 4096]] {
        fs::write(&file, damaged).unwrap();
        let refused = get(&home).run();
        assert!(
            matches!(refused.code(), 2 | 5) && refused.json()["error"]["code"].is_string(),
            "{}",
            refused.text()
        );
    }
    fs::write(&file, &kept).unwrap();
    all_is_well(&home);
}

#[test]
fn a_store_file_that_is_gone_is_said_to_be_gone() {
    let home = home_with_vault();
    // A server that is killed leaves the last writes in the file beside it, which must wait there for its return.
    let server = home.serve();
    home.set("prod/key", "value");
    server.kill();
    let (file, beside, away) = (
        home.vault().join("vault.db"),
        home.vault().join("vault.db-wal"),
        home.path("home/away"),
    );
    assert!(fs::metadata(&beside).unwrap().len() > 0);
    fs::rename(&file, &away).unwrap();
    for args in [
        &["get", "prod/key"][..],
        &["status"],
        &["keys", "list"],
        &["audit", "verify"],
    ] {
        let said = home.ibyok(["--json"].iter().chain(args)).run().fails(4, "not_found");
        assert!(said.text().contains("init"), "{}", said.text());
    }
    fs::rename(&away, &file).unwrap();
    all_is_well(&home);
}

#[test]
fn a_store_that_is_no_store_or_cut_is_refused() {
    let home = home_with_a_key();
    let file = home.vault().join("vault.db");
    home.behind().settle();
    let kept = fs::read(&file).unwrap();
    for damaged in [
        &b"this is not a database, and long enough to be looked at closely by whoever opens it."[..],
        &kept[..100],
        &kept[..kept.len() / 2],
    ] {
        fs::write(&file, damaged).unwrap();
        let refused = get(&home).run();
        assert!(
            matches!(refused.code(), 4 | 5),
            "{}: {}",
            refused.code(),
            refused.text()
        );
        assert!(refused.json()["error"]["hint"].is_string(), "{}", refused.text());
    }
    fs::write(&file, &kept).unwrap();
    all_is_well(&home);
}

#[test]
fn a_newer_format_is_refused_and_said_to_be_newer() {
    let home = home_with_a_key();
    let file = home.vault().join("vault.db");
    home.behind().settle();
    let kept = fs::read(&file).unwrap();
    let mut newer = kept.clone();
    // The file's `user_version`, <https://www.sqlite.org/fileformat2.html#user_version_number>.
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, newer).unwrap();
    let refused = get(&home).run();
    assert!(
        matches!(refused.code(), 2 | 5),
        "{}: {}",
        refused.code(),
        refused.text()
    );
    assert!(refused.text().contains("99"), "{}", refused.text());
    fs::write(&file, kept).unwrap();
    all_is_well(&home);
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let home = home_with_a_key();
    fs::set_permissions(home.vault(), fs::Permissions::from_mode(0o777)).unwrap();
    get(&home).run().fails(2, "invalid");
    fs::set_permissions(home.vault(), fs::Permissions::from_mode(0o700)).unwrap();
    all_is_well(&home);
}

#[test]
fn an_audit_log_that_is_no_directory_releases_nothing() {
    let home = home_with_a_key();
    for place in ["/dev/full", "/dev/null", "/proc/nowhere"] {
        let refused = get(&home).args(["--audit", place]).run();
        assert!(
            matches!(refused.code(), 2 | 5),
            "{}: {}",
            refused.code(),
            refused.text()
        );
        assert_eq!(refused.json().get("value"), None);
    }
    all_is_well(&home);
}

#[test]
fn a_setting_that_nobody_knows_is_named() {
    let home = home_with_a_key();
    let file = home.vault().join("vault.toml");
    let kept = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{kept}\nkek_fiel = \"x\"\n")).unwrap();
    let refused = get(&home).run().fails(2, "invalid");
    assert!(refused.text().contains("kek_fiel"), "{}", refused.text());
    fs::write(&file, kept).unwrap();
    get(&home)
        .env("IBYOK_DURABILITY", "hopefully")
        .run()
        .fails(2, "invalid");
    get(&home).env("PROD_MODE_FORCED", "mocked").run().fails(2, "invalid");
    all_is_well(&home);
}
