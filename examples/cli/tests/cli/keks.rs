//! KEKs: one for each environment, and the change from one to another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::harness::Place;

/// A vault in which dev and prod have KEKs of their own, with a key in each environment.
fn separate() -> Place {
    let place = Place::empty();
    place.ibyok(&["init", "--kek", "dev=local", "--kek", "prod=local"]).ok();
    for environment in ["dev", "staging", "prod"] {
        place.set(&format!("{environment}/key"), environment);
    }
    place
}

/// The file of a KEK, by the end of its name.
fn kek(place: &Place, end: &str) -> PathBuf {
    let files = fs::read_dir(place.path("config/ibyok")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let of = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.split_once('.').unwrap().1 == end
    };
    files.find(of).unwrap_or_else(|| panic!("no KEK ends in {end}"))
}

fn value(place: &Place, reference: &str) -> String {
    place.ibyok(&["get", "-n", reference]).ok().out
}

/// The number of lines of an action.
fn recorded(place: &Place, action: &str) -> usize {
    let lines = place.ibyok(&["audit", "tail", "--json", "--action", action]).ok();
    lines.out.lines().filter(|line| !line.is_empty()).count()
}

#[test]
fn a_copy_of_a_kek_needs_its_line_on_the_log() {
    let place = Place::with_key("prod/key", "value");
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let logs = place.vault().join("audit");
    let kept = place.path("audit-kept");
    fs::rename(&logs, &kept).unwrap();
    fs::write(&logs, "no directory").unwrap();
    place
        .ibyok(&["kek", "export", "copy", "--recipient", recipient])
        .fails(5);
    assert!(!place.path("copy").exists());
    fs::remove_file(&logs).unwrap();
    fs::rename(&kept, &logs).unwrap();
    place.ibyok(&["kek", "export", "copy", "--recipient", recipient]).ok();
    assert_eq!(recorded(&place, "kek.export"), 1);
}

#[test]
fn passphrases_do_not_count_as_separate_because_they_may_be_the_same() {
    let place = Place::empty();
    let passphrase = place.write("passphrase", "correct horse battery staple");
    let other = place.write("other", "staple battery horse correct");
    for file in [&passphrase, &other] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let keks = [
        format!("dev=passphrase:{passphrase}"),
        format!("prod=passphrase:{other}"),
    ];
    place.ibyok(&["init", "--kek", &keks[0], "--kek", &keks[1]]).ok();
    let status = place
        .ibyok(&[
            "status", "--json", "--kek", &keks[0], "--kek", &keks[1], "--kek", "local",
        ])
        .ok()
        .json();
    for environment in ["dev", "staging", "prod"] {
        assert_eq!(status["separations"][environment], "policy only", "{status}");
    }
}

#[test]
fn environments_with_their_own_keks_are_separate() {
    let place = separate();
    let status = place.ibyok(&["status", "--json"]).ok().json();
    assert_eq!(status["separations"]["dev"], "cryptographic", "{status}");
    assert_eq!(status["separations"]["prod"], "cryptographic");
    // It shares the KEK of the realm that spans environments.
    assert_eq!(status["separations"]["staging"], "policy only");
    assert_eq!(status["separation"], "policy only");
    let text = fs::read_to_string(place.vault().join("vault.toml")).unwrap();
    assert!(
        text.contains("[kek_for]") && text.contains("prod = \"local\""),
        "{text}"
    );
}

#[test]
fn a_machine_that_lacks_a_kek_serves_the_other_environments_and_names_the_missing_one() {
    let place = separate();
    let status = place.ibyok(&["status", "--json"]).ok().json();
    let id = status["environments"]["prod"].as_str().unwrap().to_owned();
    fs::remove_file(kek(&place, "prod.kek")).unwrap();
    assert_eq!(value(&place, "dev/key"), "dev");
    assert_eq!(value(&place, "staging/key"), "staging");
    let refused = place.ibyok(&["--json", "get", "prod/key"]).fails(5);
    let error = format!("{}{}", refused.out, refused.err);
    assert!(error.contains("no KEK for environment `prod`"), "{error}");
    assert!(error.contains(&id) && error.contains("\"unavailable\""), "{error}");
    place.ibyok(&["status"]).ok();
}

#[test]
fn a_node_with_the_kek_of_one_environment_serves_that_environment_alone() {
    let place = separate();
    let only_dev = |arguments: &[&str]| {
        let call = place.ibyok(arguments).env("IBYOK_KEK", "dev=local");
        call.env("IBYOK_AUDIT", place.path("logs-of-dev"))
    };
    assert_eq!(only_dev(&["get", "-n", "dev/key"]).ok().out, "dev");
    only_dev(&["keys", "set", "dev/other"]).stdin("other").ok();
    for reference in ["prod/key", "staging/key"] {
        let refused = only_dev(&["get", reference]).fails(5);
        let name = reference.split_once('/').unwrap().0;
        let expected = format!("no KEK for environment `{name}`");
        assert!(refused.err.contains(&expected), "{}", refused.err);
    }
    // The vault's own directory of logs belongs to the realm that spans environments.
    let refused = place.ibyok(&["get", "dev/key"]).env("IBYOK_KEK", "dev=local").fails(5);
    assert!(refused.err.contains("--audit"), "{}", refused.err);
    assert_eq!(value(&place, "dev/other"), "other");
}

#[test]
fn a_new_environment_can_have_its_own_kek() {
    let place = separate();
    place.ibyok(&["envs", "add", "qa", "--kek", "local"]).ok();
    place.set("qa/key", "qa");
    let status = place.ibyok(&["status", "--json"]).ok().json();
    assert_eq!(status["separations"]["qa"], "cryptographic", "{status}");
    let before = fs::read_to_string(place.vault().join("vault.toml")).unwrap();
    place.ibyok(&["envs", "add", "qa", "--kek", "local"]).fails(1);
    assert_eq!(fs::read_to_string(place.vault().join("vault.toml")).unwrap(), before);
    fs::remove_file(kek(&place, "qa.kek")).unwrap();
    place.ibyok(&["get", "qa/key"]).fails(5);
    assert_eq!(value(&place, "dev/key"), "dev");
}

#[test]
fn wrong_choices_of_keks_are_named_and_make_nothing() {
    for keks in [
        &["dev=local", "dev=passphrase"][..],
        &["local", "passphrase"],
        &["dev=", "local"],
        &["=local"],
        &["Dev Env=local"],
        &["whole=local"],
        &["dev=vault"],
        &["dev=aws-kms:"],
    ] {
        let place = Place::empty();
        let flags = keks.iter().flat_map(|kek| ["--kek", kek]);
        let arguments: Vec<&str> = ["init"].into_iter().chain(flags).collect();
        place.ibyok(&arguments).fails(2);
        assert!(!place.vault().exists() && !place.path("config").exists(), "{keks:?}");
    }
}

#[test]
fn after_a_change_of_the_kek_the_old_one_is_not_needed() {
    let place = Place::with_key("prod/key", "value");
    place.ibyok(&["namespaces", "add", "acme"]).ok();
    let acme = |arguments: &[&str]| place.ibyok(&[&["--namespace", "acme"], arguments].concat());
    acme(&["keys", "set", "dev/key"]).stdin("of acme").ok();
    let toml = place.vault().join("vault.toml");
    fs::write(&toml, format!("# ours\n{}", fs::read_to_string(&toml).unwrap())).unwrap();
    let old = place.kek();
    let new = place.path("new.kek").display().to_string();

    let to = ["kek", "rotate", "--to", "local", "--kek-file", &new];
    let check = place.ibyok(&[&to[..], &["--check", "--json"]].concat()).call();
    assert_eq!(check.code, 10, "{check:?}");
    assert_eq!(check.json()["items"].as_array().unwrap().len(), 8, "{check:?}");
    assert!(!place.path("new.kek").exists());

    let changed = place.ibyok(&[&to[..], &["--json"]].concat()).ok().json();
    assert_eq!(changed["rewrapped"], 8, "{changed}");
    fs::remove_file(old).unwrap();
    assert_eq!(value(&place, "prod/key"), "value");
    assert_eq!(acme(&["get", "-n", "dev/key"]).ok().out, "of acme");
    place.ibyok(&["kek", "rotate", "--check"]).ok();
    let text = fs::read_to_string(&toml).unwrap();
    assert!(
        text.starts_with("# ours\n") && text.contains(&new) && !text.contains("also_kek"),
        "{text}"
    );

    let lines = place.ibyok(&["audit", "tail", "--json", "-n", "200"]).ok().out;
    let of_rotation: Vec<&str> = lines.lines().filter(|line| line.contains("\"kek.rotate\"")).collect();
    assert_eq!(of_rotation.len(), 16, "{lines}");
    for environment in ["dev", "staging", "prod", "whole"] {
        let target = format!("{{\"kind\":\"environment\",\"id\":\"{environment}\"}}");
        assert_eq!(
            of_rotation.iter().filter(|line| line.contains(&target)).count(),
            4,
            "{environment}"
        );
    }
    place.ibyok(&["audit", "verify"]).ok();
    // To itself: nothing to do is said, and nothing changes.
    let again = place.ibyok(&to).fails(2);
    assert!(again.err.contains("already"), "{}", again.err);
    assert_eq!(fs::read_to_string(&toml).unwrap(), text);
}

#[test]
fn the_kek_changes_between_files_and_passphrases() {
    let place = Place::with_key("prod/key", "value");
    let first = place.write("first", "correct horse battery staple");
    let second = place.write("second", "staple battery horse correct");
    for file in [&first, &second] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    place
        .ibyok(&["kek", "rotate", "--to", "passphrase", "--passphrase-file", &first])
        .ok();
    let with = |file: &str, arguments: &[&str]| place.ibyok(arguments).env("IBYOK_PASSPHRASE_FILE", file);
    assert_eq!(with(&first, &["get", "-n", "prod/key"]).ok().out, "value");

    let to_second = ["kek", "rotate", "--to", "passphrase", "--passphrase-file", &second];
    // A wrong old passphrase changes nothing.
    let text = fs::read_to_string(place.vault().join("vault.toml")).unwrap();
    with(&second, &to_second).fails(5);
    assert_eq!(fs::read_to_string(place.vault().join("vault.toml")).unwrap(), text);
    // The same passphrase again is no change.
    with(
        &first,
        &["kek", "rotate", "--to", "passphrase", "--passphrase-file", &first],
    )
    .fails(2);
    with(&first, &to_second).ok();
    assert_eq!(with(&second, &["get", "-n", "prod/key"]).ok().out, "value");
    with(&first, &["get", "prod/key"]).fails(5);

    with(&second, &["kek", "rotate", "--to", "local"]).ok();
    assert_eq!(value(&place, "prod/key"), "value");
    // A second local KEK lies beside the first one.
    place.ibyok(&["kek", "rotate", "--to", "local"]).ok();
    assert_eq!(value(&place, "prod/key"), "value");
}

#[test]
fn one_environment_gets_a_kek_of_its_own_later() {
    let place = Place::with_key("prod/key", "value");
    place.set("dev/key", "of dev");
    place.ibyok(&["kek", "rotate", "--to", "local", "--env", "prod"]).ok();
    let status = place.ibyok(&["status", "--json"]).ok().json();
    assert_eq!(status["separations"]["prod"], "cryptographic", "{status}");
    assert_eq!(status["separations"]["dev"], "policy only");
    assert_eq!(value(&place, "prod/key"), "value");
    let own = kek(&place, "prod.kek");
    let aside = place.path("aside");
    fs::rename(&own, &aside).unwrap();
    place.ibyok(&["get", "prod/key"]).fails(5);
    assert_eq!(value(&place, "dev/key"), "of dev");
    fs::rename(&aside, &own).unwrap();
    // The KEK of the rest changes, and prod keeps its own.
    place.ibyok(&["kek", "rotate", "--to", "local"]).ok();
    assert_eq!(value(&place, "prod/key"), "value");
    assert_eq!(value(&place, "dev/key"), "of dev");
    place
        .ibyok(&["kek", "rotate", "--to", "local", "--env", "nowhere"])
        .fails(4);
}

#[test]
fn a_kek_that_cannot_be_used_changes_nothing() {
    let place = Place::with_key("prod/key", "value");
    let toml = place.vault().join("vault.toml");
    let before = fs::read_to_string(&toml).unwrap();
    let short = place.write("short.kek", "short");
    let weak = place.write("weak", "weak");
    for (arguments, code) in [
        (&["--to", "local", "--kek-file", &short][..], 5),
        (&["--to", "passphrase", "--passphrase-file", &weak], 2),
        (&["--to", "passphrase", "--passphrase-file", "/nonexistent"], 2),
        (&["--to", "vault"], 2),
        (&["--to", "local", "--kek-file", "/proc/new.kek"], 2),
    ] {
        let arguments: Vec<&str> = ["kek", "rotate"].iter().chain(arguments).copied().collect();
        place.ibyok(&arguments).fails(code);
        assert_eq!(fs::read_to_string(&toml).unwrap(), before, "{arguments:?}");
    }
    assert_eq!(value(&place, "prod/key"), "value");
    let local = place
        .ibyok(&["kek", "rotate", "--to", "local"])
        .env("IBYOK_URL", "http://127.0.0.1:1");
    local.fails(2);
}

#[test]
fn a_copy_of_the_kek_brings_a_lost_one_back() {
    let place = Place::with_key("prod/key", "value");
    let passphrase = place.write("passphrase", "correct horse battery staple");
    let wrong = place.write("wrong", "staple battery horse correct");
    for file in [&passphrase, &wrong] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    place
        .ibyok(&["kek", "export", "copy", "--passphrase-file", &passphrase])
        .ok();
    let copy = place.read("copy");
    assert!(
        copy.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && copy.is_ascii(),
        "{copy}"
    );
    assert_eq!(
        fs::metadata(place.path("copy")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    place
        .ibyok(&["kek", "export", "copy", "--passphrase-file", &passphrase])
        .fails(1);

    let file = place.kek();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(recorded(&place, "kek.export"), 1, "only the copy that was made");
    fs::remove_file(&file).unwrap();
    place.ibyok(&["get", "prod/key"]).fails(5);
    place
        .ibyok(&["kek", "import", "copy", "--passphrase-file", &wrong])
        .fails(2);
    place.write("cut", copy.get(..copy.len() / 2).unwrap());
    place
        .ibyok(&["kek", "import", "cut", "--passphrase-file", &passphrase])
        .fails(2);
    assert!(!file.exists());
    place
        .ibyok(&["kek", "import", "copy", "--passphrase-file", &passphrase])
        .ok();
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(recorded(&place, "kek.import"), 1);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(value(&place, "prod/key"), "value");
    // Again is no harm, and another vault's copy replaces nothing.
    place
        .ibyok(&["kek", "import", "copy", "--passphrase-file", &passphrase])
        .ok();
    let other = Place::new();
    let copy = place.path("copy").display().to_string();
    let before = fs::read(other.kek()).unwrap();
    other
        .ibyok(&["kek", "import", &copy, "--passphrase-file", &passphrase])
        .fails(5);
    assert_eq!(fs::read(other.kek()).unwrap(), before);
    for recipient in ["age1", "AGE-SECRET-KEY-1QQQ"] {
        place.ibyok(&["kek", "export", "x", "--recipient", recipient]).fails(2);
        assert!(!place.path("x").exists());
    }
}

#[test]
fn a_copy_of_a_kek_and_a_backup_restore_a_vault_on_a_new_machine() {
    let place = Place::with_key("prod/key", "value");
    let passphrase = place.write("passphrase", "correct horse battery staple");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let [copy, backup] = ["copy", "all.backup"].map(|name| place.path(name).display().to_string());
    place
        .ibyok(&["kek", "export", &copy, "--passphrase-file", &passphrase])
        .ok();
    place.ibyok(&["backup", &backup]).ok();
    let new = Place::empty();
    let import = ["kek", "import", &copy, "--passphrase-file", &passphrase];
    let refused = new.ibyok(&import).fails(4);
    assert!(refused.err.contains("--kek-file"), "{}", refused.err);
    let file = new.path("keks/the.kek").display().to_string();
    let import = [&import[..], &["--kek-file", &file, "--json"]].concat();
    let imported = new.ibyok(&import).ok().json();
    assert_eq!(
        (&imported["opened"], &imported["was_there"]),
        (&false.into(), &false.into())
    );
    assert!(!new.vault().exists(), "an import makes no vault");
    new.ibyok(&["--kek-file", &file, "restore", &backup, "--yes"]).ok();
    assert_eq!(
        new.ibyok(&["--kek-file", &file, "get", "-n", "prod/key"]).ok().out,
        "value"
    );
    // A file with another KEK stays as it is.
    let other = Place::new();
    let taken = other.kek().display().to_string();
    let before = fs::read(&taken).unwrap();
    let empty = Place::empty();
    let import = [
        "kek",
        "import",
        &copy,
        "--passphrase-file",
        &passphrase,
        "--kek-file",
        &taken,
    ];
    empty.ibyok(&import).fails(1);
    assert_eq!(fs::read(&taken).unwrap(), before);
}

#[test]
fn attach_needs_a_store_elsewhere_and_replaces_nothing() {
    let place = Place::empty();
    place.ibyok(&["attach"]).fails(2);
    assert!(!place.vault().exists());
    let made = Place::new();
    let before = fs::read_to_string(made.vault().join("vault.toml")).unwrap();
    made.ibyok(&["attach", "--store", "redis://127.0.0.1:1"]).fails(1);
    assert_eq!(fs::read_to_string(made.vault().join("vault.toml")).unwrap(), before);
    place.ibyok(&["attach", "--store", "redis://127.0.0.1:1"]).fails(5);
    assert!(!place.vault().exists());
}

#[test]
fn a_token_neither_exports_a_kek_nor_changes_one_nor_moves_the_vault() {
    let place = Place::with_key("prod/key", "value");
    let token = place.token(&["ci", "--env", "dev"]);
    let (copy, other) = (place.path("kek.age"), place.path("other.db"));
    let (copy, other) = (copy.display().to_string(), format!("file:{}", other.display()));
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    for verb in [
        &["kek", "export", &copy, "--recipient", recipient][..],
        &["kek", "import", &copy],
        &["kek", "rotate", "--to", "local"],
        &["copy", "--to", &other, "--yes"],
        &["attach"],
    ] {
        // An empty token is one as well: a variable that was not filled in makes nobody the operator.
        for token in [token.as_str(), ""] {
            place.ibyok(verb).env("IBYOK_TOKEN", token).fails(3);
        }
    }
    assert!(!PathBuf::from(&copy).exists() && !place.path("other.db").exists());
    place
        .ibyok(&["--operator", "kek", "export", &copy, "--recipient", recipient])
        .env("IBYOK_TOKEN", &token)
        .ok();
}

#[test]
fn an_environment_without_a_kek_of_its_own_is_named() {
    let place = separate();
    let copy = place.path("kek.age").display().to_string();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    for name in ["staging", "nosuch"] {
        let refused = place
            .ibyok(&["kek", "export", &copy, "--env", name, "--recipient", recipient])
            .fails(2);
        assert!(refused.err.contains(name), "{}", refused.err);
    }
    assert!(!PathBuf::from(&copy).exists());
    let new = Place::empty();
    let refused = new.ibyok(&["init", "--kek", "prd=local"]).fails(2);
    assert!(
        refused.err.contains("prd") && !new.vault().join("vault.toml").exists(),
        "{}",
        refused.err
    );
}
