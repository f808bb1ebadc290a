//! Flags, variables and the vault's file, and the vault that a program opens by them.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ibyok_core::{
    Code, Error,
    environments::Class,
    modes::{Guardrails, Mode},
};
use ibyok_settings::{Given, Locations, Settings};

fn locations(home: &Path) -> Locations {
    Locations::new(home.join("data"), home.join("config"))
}

fn resolve(home: &Path, flags: &Given, variables: &[(&str, &str)]) -> Result<Settings, Error> {
    let variables: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Settings::resolve(flags, &variables, &locations(home))
}

fn given(set: impl FnOnce(&mut Given)) -> Given {
    let mut given = Given::default();
    set(&mut given);
    given
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data/ibyok");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(
        directory.join("vault.toml"),
        "namespace = \"of-file\"\nlisten = \"127.0.0.1:1\"\nkey_cache_ttl = \"1m\"\n",
    )
    .unwrap();
    let flags = given(|given| given.namespace = Some("of-flag".to_owned()));
    let variables = [("IBYOK_NAMESPACE", "of-variable"), ("IBYOK_LISTEN", "127.0.0.1:2")];
    let settings = resolve(home.path(), &flags, &variables).unwrap();
    assert_eq!(settings.namespace.as_str(), "of-flag");
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.key_cache_ttl.as_secs(), 60);
}

#[test]
fn what_is_wrong_is_named() {
    let home = tempfile::tempdir().unwrap();
    for (name, value, word) in [
        ("IBYOK_KEK", "vault", "vault"),
        ("IBYOK_KEK", "aws-kms:", "aws-kms"),
        ("IBYOK_DURABILITY", "maybe", "maybe"),
        ("IBYOK_LISTEN", "nowhere", "nowhere"),
        ("IBYOK_KEY_CACHE_TTL", "-5m", "-5m"),
        ("IBYOK_NAMESPACE", "Prod", "Prod"),
        ("IBYOK_ENV", "whole", "whole"),
        ("IBYOK_TRUSTED_PROXIES", "10.0.0.0/40", "10.0.0.0/40"),
        ("IBYOK_AUDIT", "/a,/b", "two directories"),
        ("IBYOK_GEOIP", "/nonexistent.mmdb", "/nonexistent.mmdb"),
        ("IBYOK_GEOIP", "/dev/zero", "/dev/zero"),
        ("PROD_MODE_FORCED", "mocked", "PROD_MODE_FORCED"),
        ("STAGING_MODE_FORCED", "Live", "STAGING_MODE_FORCED"),
        ("DEV_MODE_FORCED", "", "DEV_MODE_FORCED"),
        ("PROD_MOCK_ALLOWED", "yes", "PROD_MOCK_ALLOWED"),
        ("PROD_MOCK_ALLOWED", "", "PROD_MOCK_ALLOWED"),
    ] {
        let error = resolve(home.path(), &Given::default(), &[(name, value)]).unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{name}={value}");
        assert!(error.to_string().contains(word), "{name}={value}: {error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn guardrails_come_by_flag_variable_and_file() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data/ibyok");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(
        directory.join("vault.toml"),
        "dev_mode_forced = \"mock\"\nstaging_mode_forced = \"mock\"\nprod_mode_forced = \"mock\"\nprod_mock_allowed = true\n",
    )
    .unwrap();
    let flags = given(|given| given.prod_mode_forced = Some("live".to_owned()));
    let variables = [("PROD_MODE_FORCED", "mock"), ("STAGING_MODE_FORCED", "live")];
    let guardrails = resolve(home.path(), &flags, &variables).unwrap().guardrails;
    let expected = Guardrails::default()
        .force(Class::Dev, Mode::Mock)
        .force(Class::Staging, Mode::Live)
        .force(Class::Prod, Mode::Live)
        .allow_prod_mock(true);
    assert_eq!(guardrails, expected);
    let none = tempfile::tempdir().unwrap();
    let guardrails = resolve(none.path(), &Given::default(), &[]).unwrap().guardrails;
    assert_eq!(guardrails, Guardrails::default());
}

#[test]
fn production_is_not_forced_to_what_it_is_forbidden() {
    let home = tempfile::tempdir().unwrap();
    let both = |allowed| [("PROD_MODE_FORCED", "mock"), ("PROD_MOCK_ALLOWED", allowed)];
    let error = resolve(home.path(), &Given::default(), &both("false")).unwrap_err();
    assert_eq!(error.code(), Code::Invalid, "{error}");
    assert!(resolve(home.path(), &Given::default(), &both("true")).is_ok());
    assert!(resolve(home.path(), &Given::default(), &[("PROD_MODE_FORCED", "mock")]).is_ok());
}

#[test]
fn an_unknown_key_in_the_file_is_named_and_its_value_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data/ibyok");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(
        directory.join("vault.toml"),
        "kek = \"local\"\nstroe = \"postgres://u:SENTINEL@h/d\"\n",
    )
    .unwrap();
    let error = resolve(home.path(), &Given::default(), &[]).unwrap_err();
    assert!(
        error.to_string().contains("stroe") && error.to_string().contains("line 2"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("SENTINEL"));
}

#[test]
fn thresholds_of_the_review_are_in_the_file_and_what_makes_no_sense_is_named() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data/ibyok");
    std::fs::create_dir_all(&directory).unwrap();
    let with = |review: &str| {
        std::fs::write(
            directory.join("vault.toml"),
            format!("namespace = \"n\"\n[review]\n{review}\n"),
        )
        .unwrap();
        resolve(home.path(), &Given::default(), &[])
    };
    let review = with("burst_lines = 500\ntime_zone = \"Europe/Berlin\"").unwrap().review;
    assert_eq!(
        (review.thresholds.burst_lines, review.thresholds.dormant_days),
        (500, 21)
    );
    for (bad, named) in [
        ("brust_lines = 1", "brust_lines"),
        ("burst_factor = 0", "burst_factor"),
        ("burst_lines = -1", "line 3"),
        ("operator_hours = \"25-3\"", "operator_hours"),
        ("time_zone = \"Nowhere\"", "time_zone"),
        ("history_days = 100000", "history_days"),
    ] {
        let error = with(bad).unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{bad}");
        assert!(error.to_string().contains(named), "{bad}: {error}");
    }
}

#[test]
fn a_strangers_settings_are_not_read() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data/ibyok");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("vault.toml");
    std::fs::write(&file, "kek = \"local\"\n").unwrap();
    for (path, mode) in [(&file, 0o666), (&directory, 0o777)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = resolve(home.path(), &Given::default(), &[]).unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{}", path.display());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o755)).unwrap();
    }
    assert!(resolve(home.path(), &Given::default(), &[]).is_ok());
}

#[test]
fn a_stores_password_is_refused_as_a_flag_and_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let flags = given(|given| given.store = Some("postgres://user:SENTINEL@host/db".to_owned()));
    let error = resolve(home.path(), &flags, &[]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("SENTINEL"));
    assert!(
        resolve(
            home.path(),
            &Given::default(),
            &[("IBYOK_STORE", "postgres://user:SENTINEL@host/db")]
        )
        .is_ok()
    );
    let without = given(|given| given.store = Some("postgres://user@host/db".to_owned()));
    assert!(resolve(home.path(), &without, &[]).is_ok());
}

#[tokio::test]
async fn a_vault_that_cannot_be_made_leaves_no_kek_and_one_that_exists_keeps_its_own() {
    let home = tempfile::tempdir().unwrap();
    let keks = || std::fs::read_dir(home.path().join("config/ibyok")).map_or(0, Iterator::count);
    let bad = resolve(home.path(), &Given::default(), &[("IBYOK_AUDIT", "/dev/full")]).unwrap();
    assert!(bad.create("test", None).await.is_err());
    assert_eq!(keks(), 0);

    let good = resolve(home.path(), &Given::default(), &[]).unwrap();
    let (vault, created) = good.create("test", None).await.unwrap();
    vault.close().await.unwrap();
    drop(vault);
    assert_eq!(keks(), 1);
    assert_eq!(good.create("test", None).await.unwrap_err().code(), Code::Exists);
    assert!(created.kek_file.unwrap().exists());

    // A second vault that is pointed at the first one's log.
    let other = home.path().join("other").display().to_string();
    let audit = home.path().join("data/ibyok/audit").display().to_string();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let shared = resolve(
        home.path(),
        &Given::default(),
        &[("IBYOK_VAULT", &other), ("IBYOK_AUDIT", &audit)],
    )
    .unwrap();
    assert_eq!(shared.create("test", None).await.unwrap_err().code(), Code::Invalid);
    assert_eq!(keks(), 1);
    good.open("test", None).await.unwrap().close().await.unwrap();
}

#[test]
fn without_a_home_every_place_that_is_needed_must_be_given() {
    let root = tempfile::tempdir().unwrap();
    let vault = root.path().to_str().unwrap();
    let resolve = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Settings::resolve(&Given::default(), &variables.collect(), &Locations::unknown())
    };
    for given in [
        &[("IBYOK_VAULT", vault), ("IBYOK_KEK_FILE", "/kek")][..],
        &[("IBYOK_VAULT", vault), ("IBYOK_KEK", "passphrase")],
        &[
            ("IBYOK_STORE", "redis://x"),
            ("IBYOK_KEK", "aws-kms:k"),
            ("IBYOK_AUDIT", "/log"),
        ],
    ] {
        resolve(given).unwrap_or_else(|error| panic!("{given:?}: {error}"));
    }
    for missing in [
        &[][..],
        &[("IBYOK_VAULT", vault)],
        &[("IBYOK_KEK_FILE", "/kek")],
        &[("IBYOK_STORE", "redis://x"), ("IBYOK_KEK", "aws-kms:k")],
    ] {
        let error = resolve(missing).unwrap_err();
        assert!(error.to_string().contains("no home directory"), "{missing:?}: {error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("--kek-file"), "{missing:?}: {hint}");
    }
}

#[test]
fn the_stores_url_may_stand_in_a_file_of_ones_own() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("url");
    let path = file.to_str().unwrap();
    let locations = Locations::new(root.path().join("data"), root.path().join("config"));
    let resolve = |variables: &[(&str, &str)], flags: &Given| {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Settings::resolve(flags, &variables.collect(), &locations)
    };
    let named = [("IBYOK_STORE_FILE", path)];
    let flags = Given::default();
    let write = |text: &str, mode| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("postgres://me:SENT@db.internal/vault\n", 0o600);
    assert_eq!(resolve(&named, &flags).unwrap().store_name(), "postgres");
    let mut other = Given::default();
    other.store = Some("redis://other".to_owned());
    assert_eq!(
        resolve(&named, &other).unwrap().store_name(),
        "redis",
        "a flag beats a variable"
    );

    let refused = |variables: &[(&str, &str)]| {
        let error = resolve(variables, &flags).unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.hint());
        assert_eq!(error.code(), ibyok_core::Code::Invalid, "{said}");
        assert!(!said.contains("SENT"), "{said}");
        said
    };
    assert!(refused(&[named[0], ("IBYOK_STORE", "file")]).contains("both"));
    write("postgres://me:SENT@db.internal/vault\n", 0o644);
    assert!(refused(&named).contains("chmod 600"));
    for nothing in ["", " \n", "postgres://me:SENT@h/d\nand more"] {
        write(nothing, 0o600);
        assert!(refused(&named).contains("holds no URL"), "{nothing:?}");
    }
    refused(&[("IBYOK_STORE_FILE", "/nowhere/at/all")]);
}

#[tokio::test]
async fn a_log_that_others_can_read_is_refused_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let settings = resolve(home.path(), &Given::default(), &[]).unwrap();
    let (vault, _) = settings.create("os:me@here", None).await.unwrap();
    vault.close().await.unwrap();
    for (mode, refused) in [
        (0o755, true),
        (0o750, true),
        (0o770, true),
        (0o701, true),
        (0o700, false),
    ] {
        std::fs::set_permissions(&settings.audit, std::fs::Permissions::from_mode(mode)).unwrap();
        match settings.open("os:me@here", None).await {
            Ok(vault) => {
                vault.close().await.unwrap();
                assert!(!refused, "{mode:o}");
            }
            Err(error) => {
                assert!(refused && error.code() == Code::Invalid, "{mode:o}: {error}");
                assert!(error.hint().unwrap().starts_with("chmod 700 "), "{error}");
            }
        }
    }
}

/// Writes `vault.toml` in the vault's directory of this home.
fn vault_toml(home: &Path, text: &str) {
    let directory = home.join("data/ibyok");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("vault.toml"), text).unwrap();
}

/// A file that its owner alone may read.
fn private(path: &Path, text: &str) -> String {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn further_sinks_come_from_the_file_and_from_variables() {
    let secret = ("IBYOK_WEBHOOK_SECRET", "0123456789abcdef");
    for text in [
        "audit = \"/var/log/ibyok,syslog:udp://10.0.0.7\"",
        "audit = [\"file\", \"webhook:https://collector.example.com/\"]",
        "[[audit_sink]]\nkind = \"webhook\"\nurl = \"https://c.example.com/\"\nmode = \"required\"\nallow_private = true\n\
         [[audit_sink]]\nkind = \"syslog\"\nurl = \"unix:///dev/log\"\nmode = \"best_effort\"",
        "[[audit_sink]]\nkind = \"postgres\"\nurl_file = \"url\"\nmode = \"required\"",
    ] {
        let home = tempfile::tempdir().unwrap();
        vault_toml(home.path(), text);
        resolve(home.path(), &Given::default(), &[secret]).unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    for sinks in [
        "webhook:https://c.example.com/,required:postgres://u:pw@h/d redis://:pw@h/0\nsyslog:tcp://h",
        "required:webhook:https://c.example.com/",
        "required:https://c.example.com/ best_effort:rediss://h/0",
        "required:postgres:postgres://u@h/d",
    ] {
        resolve(home.path(), &Given::default(), &[("IBYOK_AUDIT_SINKS", sinks), secret]).unwrap();
        let file = private(&home.path().join("sinks"), sinks);
        resolve(
            home.path(),
            &Given::default(),
            &[("IBYOK_AUDIT_SINKS_FILE", &file), secret],
        )
        .unwrap();
    }
    let settings = resolve(
        home.path(),
        &given(|given| given.audit = Some("file,syslog:udp://h".to_owned())),
        &[],
    );
    assert!(settings.unwrap().audit.ends_with("ibyok/audit"));
}

#[test]
fn a_wrong_sink_is_refused_and_no_password_is_repeated() {
    let home = tempfile::tempdir().unwrap();
    for (name, value, word) in [
        ("IBYOK_AUDIT_SINKS", "required:syslog:udp://h", "acknowledges nothing"),
        ("IBYOK_AUDIT_SINKS", "webhook:https://c.example.com/", "secret"),
        ("IBYOK_AUDIT_SINKS", "kafka://me:hunter2@h", "not valid"),
        ("IBYOK_AUDIT_SINKS", "required:", "not valid"),
        ("IBYOK_AUDIT_SINKS_FILE", "/nonexistent", "/nonexistent"),
        ("IBYOK_AUDIT", "/a,postgres://me:hunter2@h/d", "password"),
    ] {
        let error = resolve(home.path(), &Given::default(), &[(name, value)]).unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{name}={value}");
        let told = format!("{error} {error:?} {:?}", error.hint());
        assert!(
            told.contains(word) && !told.contains("hunter2"),
            "{name}={value}: {told}"
        );
    }
    let both = [
        ("IBYOK_AUDIT_SINKS", "syslog:udp://h"),
        ("IBYOK_AUDIT_SINKS_FILE", "/x"),
    ];
    assert!(resolve(home.path(), &Given::default(), &both).is_err());
    let flags = given(|given| given.audit = Some("file,redis://:hunter2@h/0".to_owned()));
    assert!(resolve(home.path(), &flags, &[]).is_err(), "a password in a flag");
    for (text, word) in [
        (
            "kind = \"syslog\"\nurl = \"udp://h\"\nmode = \"required\"",
            "acknowledges nothing",
        ),
        ("kind = \"redis\"\nurl = \"redis://:hunter2@h/0\"", "url_file"),
        ("kind = \"redis\"", "url"),
        (
            "kind = \"redis\"\nurl = \"redis://h\"\nallow_private = true",
            "allow_private",
        ),
        ("kind = \"kafka\"\nurl = \"kafka://h\"", "kafka"),
        ("kind = \"redis\"\nurl = \"redis://h\"\nretries = 3", "retries"),
        ("kind = \"webhook\"\nurl = \"https://c.example.com\"", "secret_file"),
    ] {
        let home = tempfile::tempdir().unwrap();
        vault_toml(home.path(), &format!("[[audit_sink]]\n{text}\n"));
        let error = resolve(home.path(), &Given::default(), &[]).unwrap_err();
        let told = format!("{error} {error:?} {:?}", error.hint());
        assert!(told.contains(word) && !told.contains("hunter2"), "{text}: {told}");
    }
}

#[tokio::test]
async fn a_sink_that_cannot_be_made_leaves_no_half_made_vault() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let variables = [
        ("IBYOK_AUDIT_SINKS", "webhook:https://c.example.com/"),
        ("IBYOK_WEBHOOK_SECRET_FILE", secret.to_str().unwrap()),
    ];
    let settings = resolve(home.path(), &Given::default(), &variables).unwrap();
    let error = settings.create("os:me@here", None).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("other users can read"), "{error}");
    assert!(!home.path().join("data/ibyok/vault.db").exists());
    private(&secret, "0123456789abcdef");
    let settings = resolve(home.path(), &Given::default(), &variables).unwrap();
    let (vault, created) = settings.create("os:me@here", None).await.unwrap();
    vault.close().await.unwrap();
    let named: Vec<&str> = created.variables.iter().map(|variable| variable.name).collect();
    assert!(
        named.contains(&"IBYOK_AUDIT_SINKS"),
        "later commands need it: {named:?}"
    );
}

#[test]
fn a_database_as_the_first_part_of_audit_is_the_logs_home_and_needs_no_directory() {
    let home = tempfile::tempdir().unwrap();
    let (url, usual) = (
        "postgres://me:SENT@db.internal/audit",
        home.path().join("data/ibyok/audit"),
    );
    let at = |variables: &[(&str, &str)]| resolve(home.path(), &Given::default(), variables);
    let settings = at(&[("IBYOK_AUDIT", url)]).unwrap();
    assert!(settings.audit.starts_with(std::env::temp_dir()), "{:?}", settings.audit);
    assert!(!settings.audit.exists(), "nothing is made before the log is opened");
    let named = at(&[("IBYOK_AUDIT", &format!("{url},/var/cache/ibyok,stdout"))]).unwrap();
    assert_eq!(named.audit, Path::new("/var/cache/ibyok"));
    assert_eq!(at(&[("IBYOK_AUDIT", &format!("{url},file"))]).unwrap().audit, usual);
    // Behind a directory it is a further sink, and the directory stays the home.
    let sink = "file,postgres://me@db.internal/audit";
    assert_eq!(at(&[("IBYOK_AUDIT", sink)]).unwrap().audit, usual);
    let flags = given(|given| given.audit = Some("/var/log/ibyok".to_owned()));
    let flagged = resolve(home.path(), &flags, &[("IBYOK_AUDIT", url)]).unwrap();
    assert_eq!(flagged.audit, Path::new("/var/log/ibyok"), "a flag beats a variable");
}

#[test]
fn the_password_of_the_logs_home_stands_in_a_variable_or_a_file_and_in_no_flag() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("url");
    let path = file.to_str().unwrap().to_owned();
    let url = "postgres://me:SENT@db.internal/audit";
    let refused = |flags: &Given, variables: &[(&str, &str)]| {
        let error = resolve(home.path(), flags, variables).unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.hint());
        assert!(error.code() == Code::Invalid && !said.contains("SENT"), "{said}");
        said
    };
    let flag = given(|given| given.audit = Some(url.to_owned()));
    assert!(refused(&flag, &[]).contains("IBYOK_AUDIT"));
    let named = [("IBYOK_AUDIT_FILE", path.as_str())];
    assert!(refused(&Given::default(), &named).contains("cannot read"));
    std::fs::write(&file, format!("{url}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&Given::default(), &named).contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = resolve(home.path(), &Given::default(), &named).unwrap();
    assert!(settings.audit.starts_with(std::env::temp_dir()));
    let both = [named[0], ("IBYOK_AUDIT", "file")];
    assert!(refused(&Given::default(), &both).contains("both"));
}

#[tokio::test]
async fn a_home_that_is_not_built_or_not_there_is_an_error_that_says_so() {
    let home = tempfile::tempdir().unwrap();
    let url = "postgres://me:SENT@127.0.0.1:1/audit";
    let settings = resolve(home.path(), &Given::default(), &[("IBYOK_AUDIT", url)]).unwrap();
    let error = settings.create("os:me@here", None).await.unwrap_err();
    let said = format!("{error} {error:?} {:?}", error.hint());
    assert!(!said.contains("SENT"), "{said}");
    match cfg!(feature = "postgres") {
        true => assert_eq!(error.code(), Code::Unavailable, "{said}"),
        false => assert!(said.contains("was built without"), "{said}"),
    }
    assert!(
        !home.path().join("data/ibyok/vault.db").exists(),
        "nothing is half made"
    );
}
