//! Killed on entering the n-th system call that writes, for n = 1, 2, 3, … until nothing is hit any more: faults are enumerated,
//! not sampled. Needs strace.

use ibyok_tests::{AuditLine, Home, Oracle, audit_lines};

use crate::home_with_vault;

/// The system calls by which a change reaches the disk, and the files on which each call is counted apart as well.
/// strace counts for each thread by itself, so no thread hides behind another that comes to its n-th call sooner.
const CALLS: [(&str, &[&str]); 7] = [
    ("fdatasync", &[LOG]),
    (
        "pwrite64",
        &[LOG, "vault.db-wal", "vault.db", "audit/floors-wal", "audit/floors"],
    ),
    ("write", &["audit/slot-0/checkpoints"]),
    ("fsync", &["vault.db-wal"]),
    ("rename", &[]),
    ("unlink", &[]),
    ("ftruncate", &[]),
];

const LOG: &str = "audit/slot-0/audit-00000001.log";

/// More often than any command calls.
const END: u32 = 400;

/// Runs a command on copies of a home, killed at one point after the other, and hands each copy on.
fn at_each_point(home: &Home, args: &[&str], input: &str, mut then: impl FnMut(&Home, bool)) -> u32 {
    let mut points = 0;
    for (call, files) in CALLS {
        // Where there is no vault yet, there are no files to tell apart.
        let files = if home.vault().exists() { files } else { &[] };
        for file in [None].into_iter().chain(files.iter().map(Some)) {
            for number in 1..END {
                let copy = home.copy();
                let path = file.map(|file| copy.vault().join(file).display().to_string());
                let traced = [
                    "-f".to_owned(),
                    "-qq".to_owned(),
                    "--output=/dev/null".to_owned(),
                    format!("--trace={call}"),
                    format!("--inject={call}:signal=KILL:when={number}"),
                ];
                let only = path.iter().flat_map(|path| ["-P", path]).map(str::to_owned);
                let ended = copy.ibyok_under("strace", traced.into_iter().chain(only), args);
                let ended = ended.input(input).run();
                match ended.code() {
                    137 => points += 1,
                    0 => {}
                    other => panic!("{call} {number} {file:?}: {other}: {}", ended.said()),
                }
                let finished = ended.code() == 0;
                then(&copy, finished);
                if finished {
                    break;
                }
            }
        }
    }
    points
}

#[test]
fn an_add_is_there_in_full_or_not_at_all() {
    let home = home_with_vault();
    home.set("prod/before", "before");
    let (mut there, mut not) = (0, 0);
    let points = at_each_point(&home, &["keys", "add", "prod/new"], "new", |copy, finished| {
        let mut oracle = Oracle::new();
        oracle.acknowledge("prod/before", "before");
        oracle.attempt("prod/new", "new");
        if finished {
            oracle.acknowledge("prod/new", "new");
        }
        oracle.check(copy);
        let found = copy.ibyok(["get", "-n", "prod/new"]).run();
        if found.code() == 0 {
            assert_eq!(found.stdout, b"new");
            there += 1;
        } else {
            found.exits(4);
            assert!(!finished, "acknowledged and lost");
            not += 1;
        }
        copy.set("prod/new", "newer");
        assert_eq!(copy.get("prod/new"), b"newer");
    });
    println!("keys add: {points} points; there {there} times, not there {not} times, half never, lost 0");
    assert!(points > 20 && there > 0 && not > 0, "{points} {there} {not}");
}

#[test]
fn a_revocation_that_was_begun_is_finished_at_the_next_start() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["leaked", "--env", "prod"]);
    let (mut held, mut not) = (0, 0);
    let points = at_each_point(&home, &["--yes", "tokens", "revoke", "leaked"], "", |copy, finished| {
        let lines = audit_lines(&copy.vault().join("audit"));
        let is_intention = |line: &AuditLine| line.text("action") == "token.revoke" && line.text("phase") == "intended";
        let begun = lines.iter().any(is_intention);
        copy.ibyok(["status"]).run().done();
        let got = copy.ibyok(["get", "prod/key"]).env("IBYOK_TOKEN", &token).run();
        if finished || begun {
            got.exits(3);
            held += 1;
        } else {
            // Nobody was told that it is revoked; it may be, and if it is not, it can be.
            copy.ibyok(["--yes", "tokens", "revoke", "leaked"]).run().done();
            copy.ibyok(["get", "prod/key"])
                .env("IBYOK_TOKEN", &token)
                .run()
                .exits(3);
            not += 1;
        }
        Oracle::new().the_log_verifies(copy);
    });
    println!("tokens revoke: {points} points; held {held} times, not begun {not} times, lost 0");
    assert!(points > 20 && held > 0 && not > 0, "{points} {held} {not}");
}

#[test]
fn an_init_that_is_killed_leaves_a_vault_or_none() {
    let home = Home::empty(crate::PROGRAMS);
    let (mut whole, mut none) = (0, 0);
    let points = at_each_point(&home, &["init"], "", |copy, finished| {
        let set = || copy.ibyok(["--json", "keys", "set", "prod/key"]).input("value").run();
        let first = set();
        if finished || first.code() == 0 {
            first.done();
            whole += 1;
        } else {
            first.fails(4, "not_found");
            copy.ibyok(["init"]).run().done();
            set().done();
            none += 1;
        }
        Oracle::new().the_log_verifies(copy);
    });
    println!("init: {points} points; a vault {whole} times, none {none} times, which init then made");
    assert!(points > 20 && whole > 0 && none > 0, "{points} {whole} {none}");
}

#[test]
fn a_promotion_leaves_one_current_version_wherever_it_is_killed() {
    let home = home_with_vault();
    home.set("prod/key", "old");
    home.ibyok(["rotate", "stage", "prod/key"]).input("new").run().done();
    let (mut promoted, mut not) = (0, 0);
    let points = at_each_point(&home, &["rotate", "promote", "prod/key"], "", |copy, finished| {
        match copy.get("prod/key").as_slice() {
            b"new" => promoted += 1,
            b"old" if !finished => {
                assert_eq!(copy.get("prod/key?version=pending"), b"new");
                copy.ibyok(["rotate", "promote", "prod/key"]).run().done();
                not += 1;
            }
            other => panic!("{finished}: {other:?}"),
        }
        assert_eq!(copy.get("prod/key?version=1"), b"old");
        Oracle::new().the_log_verifies(copy);
    });
    println!("rotate promote: {points} points; promoted {promoted} times, not {not} times, neither never");
    assert!(points > 20 && promoted > 0 && not > 0, "{points} {promoted} {not}");
}

/// The calls at which a change of the KEK is killed: those of its own files, and a share of those that every command makes.
const CALLS_OF_KEKS: [&str; 4] = ["fdatasync", "fsync", "rename", "unlink"];

#[test]
fn a_change_of_the_kek_is_completed_by_the_same_command_wherever_it_is_killed() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    home.set("dev/key", "of dev");
    let old = home.kek_file();
    let old = old.strip_prefix(home.path("")).unwrap().display().to_string();
    let (mut points, mut rerun, mut was_done) = (0, 0, 0);
    for call in CALLS_OF_KEKS {
        for number in 1..END {
            let copy = home.copy();
            let new = copy.path("home/new.kek").display().to_string();
            let to = ["kek", "rotate", "--to", "local", "--kek-file", &new];
            let traced = [
                "-f",
                "-qq",
                "--output=/dev/null",
                &format!("--trace={call}"),
                &format!("--inject={call}:signal=KILL:when={number}"),
            ];
            let ended = copy.ibyok_under("strace", traced, to).run();
            assert!([0, 137].contains(&ended.code()), "{call} {number}: {}", ended.said());
            // Both KEKs are in the settings, or the one that everything needs.
            assert_eq!(copy.get("prod/key"), b"value", "{call} {number}");
            if ended.code() == 137 {
                points += 1;
                let again = copy.ibyok(to).run();
                match again.code() {
                    0 => rerun += 1,
                    // It was killed after its last step.
                    2 => was_done += 1,
                    other => panic!("{call} {number}: {other}: {}", again.said()),
                }
            }
            std::fs::remove_file(copy.path(&old)).unwrap();
            assert_eq!(copy.get("prod/key"), b"value", "{call} {number}");
            assert_eq!(copy.get("dev/key"), b"of dev", "{call} {number}");
            if ended.code() == 0 {
                copy.ibyok(["kek", "rotate", "--check"]).run().done();
                Oracle::new().the_log_verifies(&copy);
                break;
            }
        }
    }
    println!("kek rotate: {points} points; completed {rerun} times, done already {was_done} times, lost 0");
    assert!(points > 15 && rerun > 15, "{points} {rerun} {was_done}");
}

#[test]
fn a_destruction_that_was_begun_is_finished_at_the_next_start() {
    let home = home_with_vault();
    home.set("prod/key", "old");
    home.set("prod/key", "new");
    let (mut gone, mut not) = (0, 0);
    let destroy = ["--yes", "rotate", "destroy", "prod/key", "--version", "1"];
    let points = at_each_point(&home, &destroy, "", |copy, finished| {
        let lines = audit_lines(&copy.vault().join("audit"));
        let is_intention = |line: &AuditLine| line.text("action") == "key.destroy" && line.text("phase") == "intended";
        let begun = lines.iter().any(is_intention);
        copy.ibyok(["status"]).run().done();
        let got = copy.ibyok(["get", "prod/key?version=1"]).run();
        if finished || begun {
            got.exits(4);
            gone += 1;
        } else {
            copy.ibyok(destroy).run().done();
            copy.ibyok(["get", "prod/key?version=1"]).run().exits(4);
            not += 1;
        }
        assert_eq!(copy.get("prod/key"), b"new");
        Oracle::new().the_log_verifies(copy);
    });
    println!("rotate destroy: {points} points; gone {gone} times, not begun {not} times, lost 0");
    assert!(points > 20 && gone > 0 && not > 0, "{points} {gone} {not}");
}
