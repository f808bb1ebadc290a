//! The log: shown, verified and exported; and what was done to it is found.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use crate::harness::Place;

fn place() -> Place {
    let place = Place::with_key("dev/a", "1");
    place.set("dev/b", "2");
    place.ibyok(&["get", "dev/a"]).ok();
    place.ibyok(&["get", "dev/none"]).fails(4);
    let token = place.token(&["ci", "--env", "dev", "--key", "a"]);
    place.ibyok(&["get", "dev/a"]).env("IBYOK_TOKEN", &token).ok();
    place.ibyok(&["get", "dev/b"]).env("IBYOK_TOKEN", &token).fails(3);
    place
}

fn segment(place: &Place) -> PathBuf {
    fn walk(directory: PathBuf, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                walk(entry, found);
            } else if entry
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("audit-0"))
            {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(place.vault().join("audit"), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn tail_shows_what_was_asked_for_oldest_first() {
    let place = place();
    let lines = |flags: &[&str]| {
        let arguments: Vec<&str> = ["audit", "tail", "--json"].iter().chain(flags).copied().collect();
        let out = place.ibyok(&arguments).ok().out;
        out.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    let all = lines(&[]);
    assert_eq!(all[0]["action"], "log.open");
    assert!(all.is_sorted_by_key(|line| line["time"].as_str().unwrap().to_owned()));
    let of_a = lines(&["--key", "dev/a"]);
    assert!(of_a.iter().all(|line| line["key"] == "a") && of_a.len() >= 3);
    assert_eq!(lines(&["--key", "a"]).len(), of_a.len());
    let denied = lines(&["--outcome", "denied", "--token", "ci"]);
    assert_eq!((denied.len(), &denied[0]["key"]), (1, &"b".into()));
    assert_eq!(lines(&["--env", "prod"]).len(), 0);
    assert_eq!(lines(&["-n", "2"]).len(), 2);
    assert!(!lines(&["--since", "1h"]).is_empty());
    assert_eq!(lines(&["--since", "2099-01-01"]).len(), 0);
    for bad in [
        ["--outcome", "odd"],
        ["--since", "x"],
        ["--key", "../x"],
        ["--env", "Dev"],
    ] {
        place.ibyok(&["audit", "tail", bad[0], bad[1]]).fails(2);
    }
}

#[test]
fn tail_goes_on_with_what_happens() {
    let place = Place::with_key("dev/a", "1");
    let mut child = place
        .ibyok(&["audit", "tail", "-f", "--json", "--key", "dev/a", "-n", "1"])
        .spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("key.set"));
    place.ibyok(&["get", "dev/a"]).ok();
    assert!(lines.next().unwrap().unwrap().contains("key.retrieve"));
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_log_that_nobody_touched_is_verified() {
    let place = place();
    let report = place.ibyok(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(
        (&report["ok"], &report["first_bad"]),
        (&true.into(), &serde_json::Value::Null)
    );
    assert!(report["events"].as_u64().unwrap() > 10);
    let keys = place.ibyok(&["audit", "keys"]).ok().out;
    let file = place.write("keys", &keys);
    place.ibyok(&["audit", "verify", "--key", &file]).ok();
    place.ibyok(&["audit", "verify", "--key", keys.trim()]).ok();
    place.ibyok(&["audit", "verify", "--key", "nonsense"]).fails(2);
}

#[test]
fn a_line_that_was_changed_removed_or_moved_is_a_finding() {
    type Tamper = fn(&mut Vec<String>);
    let tampered: [(&str, Tamper); 4] = [
        ("changed", |lines| lines[3] = lines[3].replace("allowed", "denied ")),
        ("removed", |lines| drop(lines.remove(3))),
        ("moved", |lines| lines.swap(3, 4)),
        ("inserted", |lines| lines.insert(3, lines[2].clone())),
    ];
    for (what, tamper) in tampered {
        let place = place();
        let path = segment(&place);
        let bytes = fs::read(&path).unwrap();
        let length = bytes.len();
        let text = String::from_utf8(bytes).unwrap();
        let mut lines: Vec<String> = text.trim_end_matches('\0').lines().map(str::to_owned).collect();
        tamper(&mut lines);
        let mut text = lines.join("\n") + "\n";
        text.extend(std::iter::repeat_n('\0', length.saturating_sub(text.len())));
        fs::write(&path, text).unwrap();
        let done = place.ibyok(&["audit", "verify", "--json"]).call();
        assert_eq!((done.code, &done.json()["ok"]), (10, &false.into()), "{what}: {done:?}");
        assert!(done.json()["first_bad"].is_object(), "{what}: {done:?}");
        let done = place.ibyok(&["audit", "verify"]).call();
        assert_eq!(done.code, 10, "{what}: {done:?}");
    }
}

#[test]
fn a_log_that_is_gone_is_noticed() {
    let place = place();
    fs::remove_dir_all(place.vault().join("audit")).unwrap();
    let done = place.ibyok(&["audit", "verify", "--json"]).call();
    assert_ne!(done.code, 0, "{done:?}");
}

#[test]
fn export_writes_the_lines_as_they_stand() {
    let place = place();
    let out = place.ibyok(&["audit", "export"]).ok().out;
    let file = fs::read_to_string(segment(&place)).unwrap();
    assert!(out.lines().count() > 10);
    assert!(out.lines().all(|line| file.contains(line)));
}

#[test]
fn nothing_is_released_where_the_log_cannot_be_written() {
    let place = Place::with_key("dev/a", "SENTINEL");
    for log in ["/dev/full", "/dev/null", "/proc/nowhere/log"] {
        let done = place.ibyok(&["--audit", log, "get", "dev/a"]).call();
        assert!(matches!(done.code, 2 | 5), "{log}: {done:?}");
        assert!(!done.out.contains("SENTINEL"), "{log}");
    }
}

#[test]
fn no_secret_is_ever_on_the_log() {
    let place = Place::with_key("dev/a", "sk-SENTINEL");
    place.ibyok(&["get", "dev/a"]).ok();
    let token = place.token(&["ci", "--env", "dev"]);
    place.ibyok(&["get", "dev/a"]).env("IBYOK_TOKEN", &token).ok();
    place
        .ibyok(&["run", "--env", "dev", "--", "true"])
        .env("IBYOK_TOKEN", &token)
        .ok();
    place
        .ibyok(&["get", "dev/a"])
        .env("IBYOK_TOKEN", "ibyok_SENTINELTOKEN")
        .fails(3);
    let body = token.rsplit('_').next().unwrap();
    for entry in walkdir(&place.vault()) {
        let bytes = fs::read(&entry).unwrap();
        for secret in ["SENTINEL", body] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", entry.display());
        }
    }
}

fn walkdir(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path] })
        .collect()
}

#[test]
fn reading_a_directory_of_logs_that_does_not_exist_makes_none() {
    let place = Place::with_key("dev/k", "v");
    let typo = place.path("typo");
    for verb in [
        &["audit", "verify"][..],
        &["audit", "tail"],
        &["audit", "export"],
        &["audit", "keys"],
        &["audit", "review"],
        &["audit", "prove", "1"],
        &["audit", "floors", "export", "floors.out"],
    ] {
        let arguments = [verb, &["--audit", typo.to_str().unwrap()]].concat();
        let refused = place.ibyok(&arguments).fails(4);
        assert!(refused.err.contains("typo"), "{arguments:?}: {refused:?}");
        assert!(!typo.exists(), "{arguments:?}");
    }
}
