//! kill -9 in the middle of an import: each key is stored whole or not at all, none without its lines, and the import can be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Child;

use ibyok_tests::{Dice, Home, Oracle, audit_lines, segments};

use crate::home_with_vault;

/// The number of kills.
const ROUNDS: u64 = 5;

/// The number of keys of a file: more than are written at once.
const KEYS: u64 = 1200;

#[test]
fn an_import_that_is_killed_leaves_whole_keys_and_no_key_without_its_line() {
    let mut dice = Dice::of_this_run("import killed");
    let home = home_with_vault();
    let mut expected = BTreeMap::new();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let mut text = String::new();
        for number in 0..KEYS {
            let (variable, value) = (format!("K{round}_{number}_API_KEY"), format!("value-{round}-{number}"));
            writeln!(text, "{variable}={value}").unwrap();
            expected.insert(variable, value);
        }
        let file = home.input(&format!("round-{round}.env"), &text);
        let file = file.to_str().unwrap();
        let lines = lines_written(&home) + dice.below(2 * KEYS);
        let ended = home
            .ibyok(["import", file, "--env", "dev"])
            .run_and(|child| kill_at(child, &home, lines));
        killed += u64::from(ended.code() == 137);
        is_whole(&home, &expected);
        home.ibyok(["import", file, "--env", "dev"]).run().done();
    }
    assert_eq!(stored(&home), expected, "a repeated import stores what is missing");
    Oracle::new().check(&home);
    println!("import: {killed} of {ROUNDS} killed before their end; half a key 0, without a line 0");
}

/// Kills an import once the log has so many lines, or lets it end.
fn kill_at(child: &mut Child, home: &Home, lines: u64) {
    while lines_written(home) < lines {
        if child.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
}

/// The number of lines in the files of the log.
fn lines_written(home: &Home) -> u64 {
    let files = segments(&home.slot(0));
    let lines = files
        .iter()
        .map(|file| fs::read(file).unwrap().iter().filter(|byte| **byte == b'\n').count());
    lines.sum::<usize>() as u64
}

/// What `export` prints: each variable of `dev` with its value.
fn stored(home: &Home) -> BTreeMap<String, String> {
    let export = home
        .ibyok(["export", "--env", "dev", "--format", "json"])
        .run()
        .done()
        .json();
    let export = export.as_object().expect("an object").clone();
    let values = export
        .into_iter()
        .map(|(variable, value)| (variable, value.as_str().unwrap().to_owned()));
    values.collect()
}

/// Each key that is there has its value and its line, and each key whose end is on the log is there.
fn is_whole(home: &Home, expected: &BTreeMap<String, String>) {
    let stored = stored(home);
    for (variable, value) in &stored {
        assert_eq!(expected.get(variable), Some(value), "{variable}");
    }
    let lines = audit_lines(&home.vault().join("audit"));
    let of = |phase: &str| -> BTreeSet<String> {
        let lines = lines
            .iter()
            .filter(|line| line.text("action") == "key.set" && line.text("phase") == phase);
        lines.map(|line| line.text("key").to_owned()).collect()
    };
    let (intended, done) = (of("intended"), of("done"));
    let without_a_line: Vec<&String> = stored.keys().filter(|key| !intended.contains(*key)).collect();
    assert!(without_a_line.is_empty(), "stored without a line: {without_a_line:?}");
    let lost: Vec<&String> = done.iter().filter(|key| !stored.contains_key(*key)).collect();
    assert!(lost.is_empty(), "done on the log, and not stored: {lost:?}");
}
