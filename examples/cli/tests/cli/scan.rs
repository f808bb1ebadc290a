//! `ibyok scan` reports leaks, and shows nothing of a secret.

use std::fs;
use std::process::Command;

use crate::harness::Place;

/// A value that no shape gives away.
const VALUE: &str = "plain-words-of-a-value";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_vaults_own_keys_are_found_and_excuses_do_not_hide_them() {
    let place = Place::with_key("prod/openai", VALUE);
    place.write("tree/a.py", format!("x = '{VALUE}'  # ibyok:allow only a test\n"));
    let done = place.ibyok(&["scan", "tree", "--json"]).call();
    assert_eq!(done.code, 10, "{}", done.err);
    let found = &json(&done.out)["findings"][0];
    assert_eq!(found["rule"], "known-key");
    assert_eq!(found["known_key"], "prod/openai");
    assert_eq!(
        (&found["path"], &found["line"], &found["column"]),
        (&"tree/a.py".into(), &1.into(), &6.into())
    );
    assert!(!done.out.contains(VALUE));
    let log = place.ibyok(&["audit", "export"]).ok().out;
    let scans = log.lines().filter(|line| json(line)["reason"] == "scan").count();
    assert_eq!(scans, 1, "one scan is one line of the log");
}

#[test]
fn without_a_vault_shapes_alone_are_looked_for_and_that_is_said() {
    let place = Place::empty();
    place.write("tree/a.py", "API_KEY = 'q9Zb3kLm2Qx7TzVb4Wd8R'\n");
    let done = place.ibyok(&["scan", "tree"]).call();
    assert_eq!(done.code, 10);
    assert_eq!(done.out, "tree/a.py:1:12: generic-secret: API_KEY = …\n");
    assert!(done.err.contains("shapes only"), "{}", done.err);
    place.write("tree/a.py", "nothing");
    let done = place.ibyok(&["scan", "tree", "--no-vault"]).call();
    assert_eq!((done.code, done.out.as_str()), (0, ""));
    assert!(!done.err.contains("shapes only"));
}

#[test]
fn a_bundle_knows_keys_where_there_is_no_vault() {
    let place = Place::with_key("prod/openai", VALUE);
    place.ibyok(&["scan", "--export-bundle", "bundle.json"]).ok();
    let bundle = place.read("bundle.json");
    assert!(!bundle.contains(VALUE));
    let elsewhere = Place::empty();
    elsewhere.write("bundle.json", bundle);
    elsewhere.write("tree/a.txt", VALUE);
    let done = elsewhere
        .ibyok(&["scan", "tree", "--bundle", "bundle.json", "--json"])
        .call();
    assert_eq!(
        (done.code, &json(&done.out)["findings"][0]["known_key"]),
        (10, &"prod/openai".into())
    );
    elsewhere.write("bundle.json", "{}");
    assert_eq!(
        elsewhere
            .ibyok(&["scan", "tree", "--bundle", "bundle.json"])
            .call()
            .code,
        2
    );
}

#[test]
fn sarif_is_written_beside_the_answer() {
    let place = Place::empty();
    place.write("tree/a b\u{1b}.py", "API_KEY = 'q9Zb3kLm2Qx7TzVb4Wd8R'\n");
    place
        .ibyok(&["scan", "tree", "--no-vault", "--sarif", "out.sarif"])
        .call();
    let log = json(&place.read("out.sarif"));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], run["tool"]["driver"]["rules"][0]["id"]);
    assert_eq!(result["level"], "warning");
    let place_of = &result["locations"][0]["physicalLocation"];
    assert_eq!(place_of["artifactLocation"]["uri"], "tree/a%20b%5Cu%7B1b%7D.py");
    assert_eq!(
        (&place_of["region"]["startLine"], &place_of["region"]["startColumn"]),
        (&1.into(), &12.into())
    );
    assert_eq!(
        result["partialFingerprints"]["ibyokPlace/v1"].as_str().unwrap().len(),
        32
    );
    assert!(!log.to_string().contains("q9Zb3"));
}

#[test]
fn a_commit_with_a_key_in_it_is_refused_by_the_hook() {
    let place = Place::empty();
    let git = |arguments: &[&str]| {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_ibyok"))
            .parent()
            .unwrap()
            .display()
            .to_string();
        let path = format!("{program}:{}", std::env::var("PATH").unwrap());
        fs::create_dir_all(place.path("r")).unwrap();
        let mut command = Command::new("git");
        command
            .current_dir(place.path("r"))
            .env_clear()
            .env("PATH", path)
            .env("HOME", place.path(""));
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments);
        command.output().unwrap()
    };
    git(&["init", "-q"]);
    fs::remove_file(place.path("r/.git/hooks/pre-commit")).unwrap_or_default();
    place.ibyok(&["scan", "r", "--install-hook"]).ok();
    place.ibyok(&["scan", "r", "--install-hook"]).ok();
    place.write("r/a.py", "API_KEY = 'q9Zb3kLm2Qx7TzVb4Wd8R'\n");
    git(&["add", "-A"]);
    let refused = git(&["commit", "-q", "-m", "x"]);
    assert!(!refused.status.success());
    place.write("r/a.py", "API_KEY = load()\n");
    let still = git(&["commit", "-q", "-m", "x"]);
    assert!(!still.status.success(), "the index still has it");
    let partial = git(&["commit", "-q", "-m", "x", "a.py"]);
    assert!(partial.status.success(), "{}", String::from_utf8_lossy(&partial.stderr));
    let done = place.ibyok(&["scan", "r", "--history", "--no-vault"]).call();
    assert_eq!(done.code, 0, "{}", done.out);
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let place = Place::empty();
    for arguments in [
        ["scan", "nowhere"].as_slice(),
        &["scan", "--staged", "--history"],
        &["scan", ".", "--staged"],
        &["scan", ".", "--history"],
        &["scan", "--bundle", "nowhere"],
        &["scan", "--bundle", "b", "--no-vault"],
        &["scan", "--install-hook", "--staged"],
        &["scan", "a", "b"],
        &["scan", "--staged", "--no-ignore"],
    ] {
        assert_eq!(place.ibyok(arguments).call().code, 2, "{arguments:?}");
    }
}

#[test]
fn the_checklist_finds_the_vaults_own_keys_also_in_files_that_are_excused_or_ignored_too_late() {
    let place = Place::with_key("prod/openai", VALUE);
    place.write("code/.ibyokignore", "# examples of the docs\n*.md\n");
    place.write("code/README.md", "API_KEY = 'q9Zb3kLm2Qx7TzVb4Wd8R'\n");
    let item = |place: &Place| {
        let done = place.ibyok(&["checklist", "code", "--json"]).call();
        let items = json(&done.out)["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["id"] == "no-keys-in-code").unwrap()
    };
    let excused = item(&place);
    assert_eq!(excused["ok"], true, "{excused}");
    assert!(
        excused["detail"].as_str().unwrap().contains("1 is excused"),
        "{excused}"
    );
    place.write("code/b.md", format!("x = '{VALUE}'\n"));
    assert_eq!(item(&place)["ok"], false);
    place.write("code/.ibyokignore", "*.md\n");
    place.ibyok(&["scan", "code"]).fails(2);
}

/// Makes a key of OpenRouter's shape that belongs to no account. It is made here so that no file holds one.
fn leak() -> String {
    format!(
        "sk-or-v1-{}",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )
}

#[test]
fn standard_input_is_scanned_by_each_of_its_names() {
    let place = Place::empty();
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let done = place
            .ibyok(&["scan", name, "--no-vault"])
            .stdin(format!("a\nkey {}\n", leak()))
            .call();
        assert_eq!(
            (done.code, done.out.as_str()),
            (10, format!("{name}:2:5: openrouter-key: sk-o…\n").as_str())
        );
        let done = place.ibyok(&["scan", name, "--no-vault"]).stdin("nothing").call();
        assert_eq!(done.code, 0, "{}", done.err);
    }
    for flag in ["--staged", "--history", "--no-ignore"] {
        place.ibyok(&["scan", "-", flag]).fails(2);
    }
}

#[test]
fn a_shell_pipes_into_the_scan() {
    let place = Place::empty();
    let ibyok = env!("CARGO_BIN_EXE_ibyok");
    for line in [
        format!("printf '%s' {} | '{ibyok}' scan --no-vault /dev/stdin", leak()),
        format!("'{ibyok}' scan --no-vault <(printf '%s' {})", leak()),
        format!("printf '%s' {} | '{ibyok}' scan --no-vault -", leak()),
    ] {
        let done = Command::new("bash")
            .args(["-c", &line])
            .env("HOME", place.path(""))
            .output()
            .unwrap();
        assert_eq!(
            done.status.code(),
            Some(10),
            "{line}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[test]
fn a_pipe_on_the_disk_is_refused_and_one_in_a_tree_is_named() {
    let place = Place::empty();
    place.write("tree/a.txt", "nothing");
    let made = Command::new("mkfifo").arg(place.path("tree/pipe")).status().unwrap();
    assert!(made.success());
    let done = place.ibyok(&["scan", "tree/pipe", "--no-vault"]).call();
    assert_eq!(done.code, 2);
    assert!(done.err.contains("it is a pipe"), "{}", done.err);
    let done = place.ibyok(&["scan", "tree", "--no-vault"]).call();
    assert_eq!(done.code, 0);
    assert!(done.err.contains("skipped: tree/pipe (a pipe)"), "{}", done.err);
}

#[test]
fn a_scan_that_could_not_read_a_part_fails_unless_it_found_something() {
    let place = Place::empty();
    // A file that nobody can read from its start, not even root.
    let done = place.ibyok(&["scan", "/proc/self/mem", "--no-vault", "--json"]).call();
    assert_eq!(
        (done.code, &json(&done.out)["scanned"]["unreadable"]),
        (1, &1.into()),
        "{}",
        done.err
    );
    // A history of which a text is gone.
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .current_dir(place.path("r"))
            .env_clear()
            .env("HOME", place.path(""));
        command.env("PATH", std::env::var("PATH").unwrap());
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        let output = command.args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    fs::create_dir_all(place.path("r")).unwrap();
    git(&["init", "-q"]);
    place.write("r/gone.txt", "gone");
    git(&["add", "-A"]);
    git(&["commit", "-q", "--no-verify", "-m", "x"]);
    let id = git(&["rev-parse", "HEAD:gone.txt"]);
    let (directory, file) = id.split_at(2);
    fs::remove_file(place.path(&format!("r/.git/objects/{directory}/{file}"))).unwrap();
    let history = || place.ibyok(&["scan", "r", "--history", "--no-vault"]).call();
    let done = history();
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("not in this clone"), "{}", done.err);
    git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", &leak()]);
    assert_eq!(history().code, 10, "findings outweigh what could not be read");
}

#[test]
fn a_checklist_of_no_file_is_not_ok() {
    let place = Place::with_key("prod/openai", VALUE);
    fs::create_dir_all(place.path("empty")).unwrap();
    let done = place.ibyok(&["checklist", "empty", "--json"]).call();
    let items = json(&done.out)["items"].as_array().unwrap().clone();
    let item = items.into_iter().find(|item| item["id"] == "no-keys-in-code").unwrap();
    assert_eq!(
        (&item["ok"], &item["detail"]),
        (&false.into(), &"the scan found no file".into())
    );
}
