//! `backup`, `restore` and `copy` killed on entering the n-th system call by which they reach the disk, for n = 1, 2, 3, … until nothing
//! is hit any more. Needs strace.

use ibyok_tests::{Home, Oracle};

use crate::home_with_vault;

/// A system call, and the files below a home on which it is counted apart as well. strace counts for each thread by itself, so a thread
/// that comes to its n-th call later is met only by a file of its own.
type Call = (&'static str, &'static [&'static str]);

/// The calls that sync, rename, link, remove and cut.
const CALLS: [Call; 7] = [
    ("fsync", &[]),
    ("fdatasync", &[]),
    ("rename", &[]),
    ("renameat", &[]),
    ("renameat2", &[]),
    ("linkat", &[]),
    ("unlink", &[]),
];

const END: u32 = 60;

fn at_each_call(home: &Home, args: &[&str], calls: &[Call], mut then: impl FnMut(&Home, bool)) -> u32 {
    let mut points = 0;
    let mut each: Vec<(&str, Option<&str>)> = Vec::new();
    for (call, files) in calls {
        each.extend(files.iter().map(|file| (*call, Some(*file))));
        each.extend(files.is_empty().then_some((*call, None)));
    }
    for (call, file) in each {
        for number in 1..END {
            let copy = home.copy();
            // A copy of a home has no inputs.
            let from = home.path("inputs").join("one.backup");
            if from.exists() {
                std::fs::copy(from, copy.path("inputs").join("one.backup")).expect("a copy");
            }
            let traced = [
                "-f".to_owned(),
                "-qq".to_owned(),
                "--output=/dev/null".to_owned(),
                format!("--trace={call}"),
                format!("--inject={call}:signal=KILL:when={number}"),
            ];
            let path = file.map(|file| copy.path(file).display().to_string());
            let only = path.iter().flat_map(|path| ["-P", path]).map(str::to_owned);
            let ended = copy.ibyok_under("strace", traced.into_iter().chain(only), args).run();
            let finished = match ended.code() {
                137 => {
                    points += 1;
                    false
                }
                0 => true,
                other => panic!("{call} {number} {file:?}: {other}: {}", ended.said()),
            };
            then(&copy, finished);
            if finished {
                break;
            }
        }
    }
    points
}

#[test]
fn a_backup_is_whole_or_not_there_wherever_it_is_killed() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let (mut whole, mut none) = (0, 0);
    let points = at_each_call(&home, &["backup", "one.backup"], &CALLS, |copy, finished| {
        if copy.path("inputs").join("one.backup").exists() {
            copy.ibyok(["backup", "--verify", "one.backup"]).run().done();
            whole += 1;
        } else {
            assert!(!finished, "acknowledged and lost");
            copy.ibyok(["backup", "one.backup"]).run().done();
            none += 1;
        }
        assert_eq!(copy.get("prod/key"), b"value");
        Oracle::new().the_log_verifies(copy);
    });
    println!("backup: {points} points; whole {whole} times, none {none} times, half never");
    assert!(points > 5 && whole > 0 && none > 0, "{points} {whole} {none}");
}

#[test]
fn a_restore_that_is_killed_revives_nothing_and_is_finished_by_the_same_command() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    home.set("prod/other", "other");
    let token = home.token(&["leaked", "--env", "prod"]);
    let valid = home.token(&["valid", "--env", "prod"]);
    home.ibyok(["backup", "one.backup"]).run().done();
    home.ibyok(["--yes", "tokens", "revoke", "leaked"]).run().done();
    home.ibyok(["--yes", "keys", "disable", "prod/other"]).run().done();
    let restore = ["--yes", "restore", "one.backup"];
    let files: [Call; 1] = [("fsync", &["home/vault/audit/floors-wal"])];
    let points = at_each_call(&home, &restore, &[&CALLS[..], &files].concat(), |copy, finished| {
        let refused = |copy: &Home| {
            let got = copy.ibyok(["get", "prod/key"]).env("IBYOK_TOKEN", &token).run();
            assert_ne!(got.code(), 0, "a revoked token works");
            let got = copy.ibyok(["get", "prod/other"]).run();
            assert_ne!(got.code(), 0, "a disabled key is served");
        };
        refused(copy);
        if !finished {
            copy.ibyok(restore).run().done();
            refused(copy);
        }
        let got = copy
            .ibyok(["get", "-n", "prod/key"])
            .env("IBYOK_TOKEN", &valid)
            .run()
            .done();
        assert_eq!(got.stdout, b"value");
        copy.set("prod/key", "newer");
        Oracle::new().the_log_verifies(copy);
    });
    println!("restore: {points} points; revived 0, lost 0");
    assert!(points > 10, "{points}");
}

#[test]
fn a_move_that_is_killed_is_finished_by_the_same_command() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let (mut served, mut sealed) = (0, 0);
    let move_it = ["--yes", "copy", "--to", "file:new.db"];
    let files: [Call; 2] = [
        ("fsync", &["inputs/new.db-wal", "home/vault/vault.db-wal", "home/vault"]),
        ("pwrite64", &["home/vault/vault.db-wal"]),
    ];
    let points = at_each_call(&home, &move_it, &[&CALLS[1..], &files].concat(), |copy, finished| {
        let got = copy.ibyok(["get", "-n", "prod/key"]).run();
        match got.code() {
            0 => {
                assert_eq!(got.stdout, b"value");
                served += 1;
            }
            _ => {
                let got = got.exits(5);
                assert!(got.said().contains("moved to"), "{}", got.said());
                assert!(!finished, "the vault moved, and serves nowhere");
                sealed += 1;
            }
        }
        copy.ibyok(move_it).run();
        let settings = std::fs::read_to_string(copy.vault().join("vault.toml")).expect("settings");
        assert!(settings.contains("new.db"), "{settings}");
        assert_eq!(copy.get("prod/key"), b"value");
        copy.set("prod/key", "newer");
        Oracle::new().the_log_verifies(copy);
    });
    println!("copy: {points} points; served {served} times, sealed {sealed} times, lost 0");
    assert!(points > 5 && served > 0 && sealed > 0, "{points} {served} {sealed}");
}
