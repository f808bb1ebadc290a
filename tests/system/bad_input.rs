//! Bad input, with its documented answer: nothing lost, nothing released, and a hint of what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ibyok_tests::{Home, Oracle, Request, Run};

use crate::{PROGRAMS, home_with_vault};

fn get(home: &Home) -> Run {
    home.ibyok(["--json", "get", "prod/key"])
}

fn home_with_a_key() -> Home {
    let home = home_with_vault();
    home.set("prod/key", "value");
    home
}

/// Puts an end to a fault, and finds everything as it was.
#[track_caller]
fn all_is_well(home: &Home) {
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.check(home);
}

mod vault {
    use super::*;

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
        get(&home).env("PROD_MODE_FORCED", "mock").run().fails(2, "invalid");
        all_is_well(&home);
    }
}

mod token {
    use super::*;

    #[test]
    fn whatever_is_no_valid_token_gets_one_and_the_same_answer() {
        let (home, other) = (home_with_a_key(), home_with_vault());
        let token = home.token(&["app", "--env", "prod"]);
        let foreign = other.token(&["app", "--env", "prod"]);
        let revoked = home.token(&["revoked", "--env", "prod"]);
        home.ibyok(["--yes", "tokens", "revoke", "revoked"]).run().done();
        let expired = home.token(&["brief", "--env", "prod", "--expires", "1s"]);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let middle = token.len() / 2;
        let other_character = if token.as_bytes()[middle] == b'a' { "b" } else { "a" };
        let changed = format!("{}{other_character}{}", &token[..middle], &token[middle + 1..]);
        let cases = [
            ("cut", token[..token.len() - 1].to_owned()),
            ("cut in two", token[..middle].to_owned()),
            ("one character changed", changed),
            ("one character more", format!("{token}a")),
            ("small letters", token.to_lowercase()),
            ("another vault's", foreign),
            ("revoked", revoked),
            ("expired", expired),
            ("no token at all", "sk-proj-something".to_owned()),
        ];
        let server = home.serve();
        let mut bodies = std::collections::BTreeSet::new();
        for (what, bad) in &cases {
            let said = get(&home).env("IBYOK_TOKEN", bad).run().fails(3, "unauthenticated");
            assert!(!said.text().contains(bad.as_str()), "{what} is echoed");
            let answer = server.retrieve(bad, "prod/key").is_problem(401, "unauthenticated");
            assert_eq!(
                answer.headers["www-authenticate"], r#"Bearer realm="ibyok", error="invalid_token""#,
                "{what}"
            );
            let mut body = answer.json();
            body["request_id"] = "".into();
            bodies.insert(body.to_string());
        }
        assert_eq!(bodies.len(), 1, "{bodies:#?}");
        let bare = server
            .send(&Request::get("/api/v1/keys/prod/key/value"))
            .is_problem(401, "unauthenticated");
        assert_eq!(bare.headers["www-authenticate"], r#"Bearer realm="ibyok""#);
        server.retrieve(&token, "prod/key").is(200);
    }

    #[test]
    fn a_token_of_a_megabyte_is_refused_without_ado() {
        let home = home_with_a_key();
        let long = format!("ibyok_{}", "a".repeat(1 << 20));
        let file = home.input("long", &long);
        get(&home)
            .env("IBYOK_TOKEN_FILE", &file)
            .run()
            .fails(3, "unauthenticated");
        home.ibyok(["--json", "tokens", "attenuate", "--env", "dev"])
            .input(long.as_bytes())
            .run()
            .exits(2);
        let server = home.serve();
        let answer = server.try_send(&Request::get("/api/v1/keys/prod/key/value").bearer(&long));
        assert!(answer.is_err() || answer.is_ok_and(|answer| matches!(answer.status, 400 | 401 | 431)));
        assert!(server.is_ready());
    }

    #[test]
    fn an_empty_or_failed_token_is_never_the_operator() {
        let home = home_with_a_key();
        for (name, value) in [
            ("IBYOK_TOKEN", ""),
            ("IBYOK_TOKEN", " \n"),
            ("IBYOK_TOKEN_FILE", ""),
            ("IBYOK_TOKEN_FILE", "/dev/null"),
            ("IBYOK_TOKEN_FILE", "/nowhere"),
            ("IBYOK_TOKEN_COMMAND", ""),
            ("IBYOK_TOKEN_COMMAND", "false"),
            ("IBYOK_TOKEN_COMMAND", "true"),
        ] {
            let refused = get(&home).env(name, value).run().fails(3, "unauthenticated");
            assert!(refused.json().get("value").is_none());
            home.ibyok(["--json", "keys", "set", "prod/key"])
                .env(name, value)
                .input("other")
                .run()
                .fails(3, "unauthenticated");
            home.ibyok(["run", "--env", "prod", "--", "true"])
                .env(name, value)
                .run()
                .exits(125);
        }
        all_is_well(&home);
    }

    #[test]
    fn two_different_tokens_in_one_request_are_refused() {
        let home = home_with_a_key();
        let (one, two) = (
            home.token(&["one", "--env", "prod"]),
            home.token(&["two", "--env", "prod"]),
        );
        let server = home.serve();
        let request = || Request::get("/api/v1/keys/prod/key/value").bearer(&one);
        server
            .send(&request().header("X-Vault-Token", &two))
            .is_problem(400, "invalid");
        server.send(&request().bearer(&two)).is_problem(400, "invalid");
        server.send(&request().header("X-Vault-Token", &one)).is(200);
        server
            .send(&Request::get("/api/v1/keys/prod/key/value").header("X-Vault-Token", &one))
            .is(200);
    }

    #[test]
    fn restrictions_end_at_eight_and_only_take_away() {
        let home = home_with_a_key();
        let mut token = home.token(&["app", "--env", "prod"]);
        let narrower = |token: &str| {
            home.ibyok(["--json", "tokens", "attenuate", "--key", "k*", "--expires", "1h"])
                .input(token)
                .run()
        };
        for _ in 0..8 {
            token = narrower(&token).done().json()["token"].as_str().unwrap().to_owned();
        }
        get(&home).env("IBYOK_TOKEN", &token).run().done();
        let refused = narrower(&token);
        assert_eq!(refused.json()["error"]["code"], "invalid", "{}", refused.text());
        assert_eq!(refused.code(), 2);
        let other = home
            .ibyok(["tokens", "attenuate", "--key", "other"])
            .input(home.token(&["wide", "--env", "prod"]))
            .run()
            .done()
            .text();
        get(&home).env("IBYOK_TOKEN", other).run().fails(3, "denied");
    }
}
