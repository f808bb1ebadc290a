//! Vaults: made once, found again, and refused with the reason.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Place;

#[test]
fn init_makes_a_vault_and_names_the_file_to_keep() {
    let place = Place::empty();
    let done = place.ibyok(&["init"]).ok();
    assert_eq!(done.out.trim_end().len(), 22);
    assert!(done.err.contains(&place.kek().display().to_string()), "{done:?}");
    assert!(
        done.err.contains("ibyok import") && done.err.contains("ibyok run"),
        "{done:?}"
    );
    let environments = place.ibyok(&["envs", "list", "--json"]).ok().json();
    let names: Vec<_> = environments["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].clone())
        .collect();
    assert_eq!(names, ["dev", "prod", "staging"]);
    for directory in [place.vault(), place.path("config/ibyok")] {
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(fs::metadata(place.kek()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_vault_that_exists_is_never_made_again() {
    let place = Place::with_key("dev/k", "v");
    place.ibyok(&["init"]).fails(1);
    place.ibyok(&["init", "--if-absent"]).ok();
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "v\n");
    place.kek();
}

#[test]
fn a_vault_that_is_not_there_is_no_such_thing_and_none_is_made() {
    let place = Place::empty();
    for verb in [
        vec!["status"],
        vec!["get", "dev/k"],
        vec!["keys", "list"],
        vec!["audit", "verify"],
    ] {
        place.ibyok(&verb).fails(4);
    }
    assert!(!place.path("config").exists());
    place.ibyok(&["init"]).ok();
    fs::remove_file(place.vault().join("vault.db")).unwrap();
    place.ibyok(&["get", "dev/k"]).fails(4);
}

#[test]
fn a_kek_that_is_missing_too_open_or_anothers_is_refused() {
    let place = Place::with_key("dev/k", "v");
    let other = Place::new();
    let kek = place.kek();
    let saved = fs::read(&kek).unwrap();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o644)).unwrap();
    let done = place.ibyok(&["get", "dev/k"]).fails(5);
    assert!(done.err.contains(&kek.display().to_string()), "{done:?}");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    fs::copy(other.kek(), &kek).unwrap();
    place.ibyok(&["get", "dev/k"]).fails(5);
    fs::remove_file(&kek).unwrap();
    place.ibyok(&["get", "dev/k"]).fails(5);
    assert!(!kek.exists(), "no new KEK is made silently");
    fs::write(&kek, saved).unwrap();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "v\n");
}

#[test]
fn a_passphrase_that_is_easy_to_guess_makes_no_vault_unless_it_is_meant() {
    for weak in [
        "x",
        "x\n",
        "hunter2",
        "eleven char",
        "            x",
        "aaaaaaaaaaaaaaaaaaaa",
        "\u{1f511}\u{1f511}\u{1f511}\u{1f511}",
    ] {
        let place = Place::empty();
        let file = place.write("passphrase", weak);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let by_flag = ["init", "--kek", "passphrase", "--passphrase-file", &file];
        let refused = place.ibyok(&by_flag).fails(2);
        assert!(
            refused.err.contains("--weak") && !refused.err.contains("hunter2"),
            "{refused:?}"
        );
        let by_variable = place.ibyok(&["init", "--json"]).env("IBYOK_PASSPHRASE_FILE", &file);
        assert_eq!(by_variable.fails(2).json()["error"]["code"], "invalid");
        assert!(!place.vault().exists(), "nothing is left behind");
        place.ibyok(&[&by_flag[..], &["--weak"]].concat()).ok();
        // It opens what it made: only a new one is judged.
        place.ibyok(&["status"]).env("IBYOK_PASSPHRASE_FILE", &file).ok();
    }
}

#[test]
fn a_passphrase_opens_its_vault_and_another_does_not() {
    let place = Place::empty();
    let private = |name: &str, text: &str| {
        let path = place.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let (right, wrong) = (
        private("right", "correct horse\n"),
        private("wrong", "battery staple\n"),
    );
    place
        .ibyok(&["init", "--kek", "passphrase", "--passphrase-file", &right])
        .ok();
    place
        .ibyok(&["keys", "set", "dev/k"])
        .env("IBYOK_PASSPHRASE_FILE", &right)
        .stdin("v")
        .ok();
    assert_eq!(
        place
            .ibyok(&["get", "dev/k"])
            .env("IBYOK_PASSPHRASE_FILE", &right)
            .ok()
            .out,
        "v\n"
    );
    place
        .ibyok(&["get", "dev/k"])
        .env("IBYOK_PASSPHRASE_FILE", &wrong)
        .fails(5);
    place.ibyok(&["get", "dev/k"]).fails(2);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let place = Place::new();
    place.ibyok(&["status"]).env("IBYOK_DURABILITY", "never").fails(2);
    place.ibyok(&["--kek", "magic", "status"]).fails(2);
    place
        .ibyok(&["--store", "postgres://u:SENTINEL@h/d", "status"])
        .fails(2);
    place.ibyok(&["status"]).env("PROD_MODE_FORCED", "mocked").fails(2);
    fs::write(place.vault().join("vault.toml"), "kek = \"local\"\ncolour = \"red\"\n").unwrap();
    let done = place.ibyok(&["status"]).fails(2);
    assert!(done.err.contains("colour"), "{done:?}");
}

#[test]
fn a_flag_beats_a_variable() {
    let place = Place::new();
    let other = Place::new();
    let id = |vault: &Place| vault.ibyok(&["status", "--json"]).ok().json()["vault"].clone();
    let directory = other.vault().display().to_string();
    let kek = other.kek().display().to_string();
    let call = place.ibyok(&["--vault", &directory, "--kek-file", &kek, "status", "--json"]);
    assert_eq!(call.env("IBYOK_VAULT", place.vault()).ok().json()["vault"], id(&other));
}

#[test]
fn a_vault_that_others_may_write_to_is_refused() {
    let place = Place::new();
    fs::set_permissions(place.vault(), fs::Permissions::from_mode(0o777)).unwrap();
    place.ibyok(&["status"]).fails(2);
}

#[test]
fn an_environment_is_added_once() {
    let place = Place::new();
    let made = place
        .ibyok(&["envs", "add", "qa", "--class", "staging", "--json"])
        .ok()
        .json();
    assert_eq!((&made["name"], &made["class"]), (&"qa".into(), &"staging".into()));
    place.ibyok(&["envs", "add", "qa"]).fails(1);
    place.ibyok(&["envs", "add", "x", "--class", "odd"]).fails(2);
    assert_eq!(
        place.ibyok(&["envs", "add", "y", "--json"]).ok().json()["class"],
        "prod"
    );
}

#[test]
fn status_says_how_the_vault_does() {
    let place = Place::new();
    let status = place.ibyok(&["status", "--json"]).ok().json();
    assert_eq!(status["ready"], true);
    assert_eq!(status["separation"], "policy only");
    assert!(place.ibyok(&["status"]).ok().out.contains("separation    policy only"));
    assert_eq!(status["due"], serde_json::json!([]));
}

#[test]
fn status_warns_of_what_is_due_or_ends_soon() {
    let place = Place::with_key("dev/k", "one");
    place.ibyok(&["keys", "edit", "dev/k", "--expires", "5d"]).ok();
    let status = place.ibyok(&["status"]).ok();
    assert!(
        status.err.contains("warning: dev/k: ends within 7 days"),
        "{}",
        status.err
    );
    let status = place.ibyok(&["status", "--json"]).ok().json();
    assert_eq!(status["due"][0]["kind"], "key_expiry");
}
