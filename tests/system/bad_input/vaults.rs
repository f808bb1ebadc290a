//! Vaults that are damaged, elsewhere, or another user's.

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

/// Everything below a directory.
fn tree(path: &std::path::Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        all.push(path.display().to_string());
        if path.is_dir() {
            all.extend(tree(&path));
        }
    }
    all
}

#[test]
fn an_init_that_is_refused_leaves_nothing() {
    let other = home_with_vault();
    let audit = other.vault().join("audit").display().to_string();
    let home = Home::empty(PROGRAMS);
    let readable = home.input("readable", "32");
    fs::set_permissions(&readable, fs::Permissions::from_mode(0o644)).unwrap();
    let readable = readable.display().to_string();
    let before = tree(&home.path(""));
    for args in [
        &["--audit", &audit][..],
        &["--kek", "passphrase"],
        &["--kek", "passphrase", "--passphrase-file", &readable],
        &["--kek-file", &readable],
        &["--audit", "/proc/nowhere"],
        &["--store", "redis://127.0.0.1:1"],
        &["--store", "postgres://127.0.0.1:1/none"],
    ] {
        let ended = home.ibyok(["init"].iter().chain(args)).run();
        assert!(matches!(ended.code(), 1 | 2 | 5), "{args:?}: {}", ended.said());
        assert_eq!(tree(&home.path("")), before, "{args:?}");
    }
    home.ibyok(["init"]).run().done();
}

#[test]
fn init_refuses_a_directory_in_which_any_slot_belongs_to_another_vault() {
    let home = home_with_a_key();
    // A server holds the first slot, so that another process gets a new one.
    let server = home.serve();
    let kept = tree(&home.vault());
    for store in ["redis://127.0.0.1:1", "file"] {
        let ended = home.ibyok(["init", "--store", store]).run();
        assert!(matches!(ended.code(), 1 | 5), "{}", ended.said());
    }
    let aside = home.path("home/aside").display().to_string();
    let audit = home.vault().join("audit").display().to_string();
    let ended = home
        .ibyok(["--json", "--vault", &aside, "--audit", &audit, "init"])
        .run();
    ended.fails(2, "invalid");
    assert!(!home.path("home/aside").exists());
    let mut now = tree(&home.vault());
    now.retain(|path| kept.contains(path));
    assert_eq!(now.len(), kept.len());
    assert!(server.stop().success());
    all_is_well(&home);
}

#[test]
fn init_remembers_what_differs_from_the_default() {
    let home = Home::empty(PROGRAMS);
    let passphrase = home.input("passphrase", "correct horse battery staple\n");
    let passphrase = passphrase.display().to_string();
    let logs = home.path("home/logs").display().to_string();
    let made = home.ibyok(["init", "--kek", "passphrase", "--audit", &logs]);
    let made = made
        .args(["--passphrase-file", "passphrase"])
        .args(["--durability", "written", "--key-cache-ttl", "1m"])
        .env("IBYOK_LISTEN", "127.0.0.1:9000")
        .env("IBYOK_ENV", "prod")
        .env("DEV_MODE_FORCED", "mock")
        .run()
        .done();
    let file = fs::read_to_string(home.vault().join("vault.toml")).unwrap();
    for line in [
        "kek = \"passphrase\"",
        &format!("audit = \"{logs}\""),
        "durability = \"written\"",
        "key_cache_ttl = \"1m\"",
        "listen = \"127.0.0.1:9000\"",
        "environment = \"prod\"",
        "dev_mode_forced = \"mock\"",
    ] {
        assert!(file.contains(line), "{line}: {file}");
    }
    // The place of a passphrase is not written beside what it opens: the next commands have it.
    assert!(!file.contains("passphrase_file"), "{file}");
    assert!(
        made.said()
            .contains(&format!("IBYOK_PASSPHRASE_FILE='{passphrase}' ibyok")),
        "{}",
        made.said()
    );
    let status = home
        .ibyok(["--json", "status"])
        .env("IBYOK_PASSPHRASE_FILE", &passphrase)
        .run();
    let status = status.done().json();
    assert_eq!(status["audit"]["place"], logs, "{status}");
    assert_eq!(status["audit"]["durability"], "written", "{status}");
    assert_eq!(status["guardrails"]["dev"], "mock", "{status}");
    // Defaults need no line.
    let plain = home_with_vault();
    assert_eq!(
        fs::read_to_string(plain.vault().join("vault.toml")).unwrap(),
        "kek = \"local\"\n"
    );
}

#[test]
fn a_vault_whose_store_is_elsewhere_asks_about_it() {
    let home = home_with_vault();
    fs::remove_file(home.vault().join("vault.db")).unwrap();
    let error = home
        .ibyok(["--json", "get", "prod/key"])
        .run()
        .fails(4, "not_found")
        .json();
    assert!(
        error["error"]["hint"].as_str().unwrap().contains("IBYOK_STORE"),
        "{error}"
    );
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
