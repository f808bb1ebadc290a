//! `kek rotate --reseal`, `--drop-generation` and `--rekey-tokens` killed on entering the n-th system call by which they reach the disk, for
//! n = 1, 2, 3, … until nothing is hit any more. Needs strace.

use ibyok_tests::{Home, Oracle};

use crate::home_with_vault;

/// The system calls, and the file on which one is counted apart: strace counts for each thread by itself.
const CALLS: [(&str, &str); 4] = [
    ("fdatasync", ""),
    ("fsync", "home/vault/vault.db-wal"),
    ("pwrite64", "home/vault/vault.db-wal"),
    ("fsync", "home/vault/audit/floors-wal"),
];

/// The most calls of one sort. A reseal that reaches more is killed at an even share of them.
const END: u32 = 400;

/// Kills a command at its calls, a share of those that it makes often. Calls `then` with whether the command finished.
fn at_each_call(home: &Home, args: &[&str], mut then: impl FnMut(&Home, bool, &str)) -> u32 {
    let mut points = 0;
    for (call, file) in CALLS {
        let (mut number, mut step) = (1, 1);
        while number < END {
            let copy = home.copy();
            let path = copy.path(file).display().to_string();
            let trace = format!("--trace={call}");
            let inject = format!("--inject={call}:signal=KILL:when={number}");
            let mut traced = vec!["-f", "-qq", "--output=/dev/null", &trace, &inject];
            if !file.is_empty() {
                traced.extend(["-P", &path]);
            }
            let ended = copy.ibyok_under("strace", traced, args).run();
            let finished = ended.code() == 0;
            assert!([0, 137].contains(&ended.code()), "{call} {number}: {}", ended.said());
            then(&copy, finished, &format!("{call} {number} {file}"));
            if finished {
                break;
            }
            points += 1;
            number += step;
            // The first dozen one by one.
            step += u32::from(number > 12);
        }
    }
    points
}

fn full() -> (Home, String) {
    let home = home_with_vault();
    for name in ["prod/key", "dev/key"] {
        home.set(name, "first");
        home.set(name, "second");
    }
    let token = home.token(&["reader", "--env", "prod"]);
    (home, token)
}

fn reads_whole(copy: &Home, token: &str, at: &str) {
    assert_eq!(copy.get("prod/key"), b"second", "{at}");
    assert_eq!(copy.get("prod/key?version=1"), b"first", "{at}");
    assert_eq!(copy.get("dev/key"), b"second", "{at}");
    let got = copy
        .ibyok(["get", "-n", "prod/key"])
        .env("IBYOK_TOKEN", token)
        .run()
        .done();
    assert_eq!(got.stdout, b"second", "{at}");
}

#[test]
fn a_reseal_is_completed_by_the_same_command_wherever_it_is_killed() {
    let (home, token) = full();
    let reseal = ["kek", "rotate", "--reseal"];
    let (mut last, mut rerun) = (String::new(), 0);
    let points = at_each_call(&home, &reseal, |copy, finished, at| {
        // The vault opens, every version reads, and what is acknowledged now stays.
        reads_whole(copy, &token, at);
        copy.set("prod/late", "late");
        last = at.to_owned();
        if !finished {
            copy.ibyok(reseal).run().done();
            rerun += 1;
        }
        copy.ibyok(["kek", "rotate", "--reseal", "--check"]).run().done();
        copy.ibyok(["--yes", "kek", "rotate", "--drop-generation", "1"])
            .run()
            .done();
        reads_whole(copy, &token, at);
        assert_eq!(copy.get("prod/late"), b"late", "{at}");
        Oracle::new().the_log_verifies(copy);
    });
    println!("kek rotate --reseal: {points} points; completed {rerun} times, lost 0; the last point was {last}");
    assert!(points > 15 && rerun == points, "{points} {rerun}");
}

#[test]
fn a_generation_is_there_or_gone_wherever_its_deletion_is_killed() {
    let (home, token) = full();
    home.ibyok(["kek", "rotate", "--reseal"]).run().done();
    let drop = ["--yes", "kek", "rotate", "--drop-generation", "1"];
    let (mut there, mut gone) = (0, 0);
    let points = at_each_call(&home, &drop, |copy, finished, at| {
        reads_whole(copy, &token, at);
        match copy.ibyok(drop).run().code() {
            0 if !finished => there += 1,
            4 => gone += 1,
            other => panic!("{at}: {other}"),
        }
        reads_whole(copy, &token, at);
        Oracle::new().the_log_verifies(copy);
    });
    println!("kek rotate --drop-generation: {points} points; there {there} times, gone {gone} times, lost 0");
    assert!(points > 5 && there > 0, "{points} {there} {gone}");
}

#[test]
fn a_token_key_is_the_old_or_the_new_one_wherever_its_change_is_killed() {
    let (home, token) = full();
    let rekey = ["--yes", "kek", "rotate", "--rekey-tokens", "--env", "prod"];
    let (mut old, mut new) = (0, 0);
    let points = at_each_call(&home, &rekey, |copy, finished, at| {
        let got = copy.ibyok(["get", "-n", "prod/key"]).env("IBYOK_TOKEN", &token).run();
        match got.code() {
            0 => {
                assert!(!finished, "{at}: acknowledged, and the old token works");
                copy.ibyok(rekey).run().done();
                old += 1;
            }
            _ => new += 1,
        }
        let got = copy.ibyok(["get", "-n", "prod/key"]).env("IBYOK_TOKEN", &token).run();
        assert_ne!(got.code(), 0, "{at}");
        assert_eq!(copy.get("prod/key"), b"second", "{at}");
        Oracle::new().the_log_verifies(copy);
    });
    println!("kek rotate --rekey-tokens: {points} points; the old key {old} times, the new one {new} times");
    assert!(points > 5 && old > 0 && new > 0, "{points} {old} {new}");
}
