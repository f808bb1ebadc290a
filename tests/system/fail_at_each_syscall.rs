//! The n-th system call fails, for n = 1, 2, 3, … until no call is hit any more. The program then ends with a
//! documented code, reports the truth, and leaves everything as it should be. Needs strace.

use ibyok_tests::{Finished, Home, Oracle};

use crate::home_with_vault;

const LOG: &str = "audit/slot-0/audit-00000001.log";

/// A call, how it fails, and on which file of the vault; `None` is any.
const FAULTS: [(&str, &str, Option<&str>); 21] = [
    ("getrandom", "error=EIO", None),
    ("read", "error=EINTR", Some("vault.toml")),
    ("read", "error=EINTR", Some("audit/slot-0/state")),
    ("pread64", "error=EIO", Some("audit/floors")),
    ("pread64", "error=EINTR", Some("vault.db")),
    ("pread64", "error=EIO", Some("vault.db")),
    ("pread64", "error=EIO", Some("vault.db-wal")),
    ("pread64", "error=EIO", Some(LOG)),
    ("pwrite64", "error=ENOSPC", Some("vault.db-wal")),
    ("pwrite64", "error=EIO", Some("vault.db-wal")),
    ("pwrite64", "error=ENOSPC", Some(LOG)),
    ("fsync", "error=EIO", None),
    ("fdatasync", "error=EIO", None),
    ("write", "error=ENOSPC", Some("audit/slot-0/checkpoints")),
    ("pwrite64", "error=ENOSPC", Some("audit/floors-wal")),
    ("pwrite64", "error=EIO", Some("audit/floors-wal")),
    ("openat", "error=EMFILE", Some("vault.db")),
    ("openat", "error=EMFILE", Some("vault.db-wal")),
    ("openat", "error=EACCES", Some(LOG)),
    ("openat", "error=EACCES", Some("audit/slot-0/id")),
    ("rename", "error=EIO", None),
];

/// More often than any command calls.
const END: u32 = 300;

/// Runs a command on copies of a home, with one fault after the other.
fn at_each_fault(home: &Home, args: &[&str], input: &str, mut then: impl FnMut(&Home, &str, Finished)) -> u32 {
    let mut points = 0;
    for (call, fault, file) in FAULTS {
        for number in 1..END {
            let copy = home.copy();
            let said = copy.path("inputs/strace");
            let traced = [
                "-f".to_owned(),
                "-qq".to_owned(),
                format!("--output={}", said.display()),
                format!("--trace={call}"),
                format!("--inject={call}:{fault}:when={number}"),
            ];
            let path = file.map(|file| copy.vault().join(file).display().to_string());
            let only = path.iter().flat_map(|path| ["-P", path]).map(str::to_owned);
            let ended = copy.ibyok_under("strace", traced.into_iter().chain(only), args);
            let ended = ended.input(input).run();
            let hit = std::fs::read_to_string(&said).unwrap().contains("(INJECTED)");
            let what = format!("{call} {number} on {file:?}: {fault}");
            let code = ended.code();
            // Without randomness Rust's own tables abort the process before ours is asked for; that is no output at all.
            let aborted = call == "getrandom" && code > 5 && ended.stdout.is_empty();
            let documented = (0..=5).contains(&code) && !ended.said().contains("panicked");
            assert!(aborted || documented, "{what}: ended with {code}: {}", ended.said());
            then(&copy, &what, ended);
            if !hit {
                break;
            }
            points += 1;
        }
    }
    points
}

#[test]
fn a_set_whose_calls_fail_says_what_is_true() {
    let home = home_with_vault();
    home.set("prod/key", "before");
    let (mut done, mut refused) = (0, 0);
    let points = at_each_fault(&home, &["keys", "set", "prod/key"], "after", |copy, _, ended| {
        let mut oracle = Oracle::new();
        if ended.code() == 0 {
            oracle.acknowledge("prod/key", "after");
            done += 1;
        } else {
            oracle.acknowledge("prod/key", "before");
            oracle.attempt("prod/key", "after");
            refused += 1;
        }
        oracle.check(copy);
    });
    println!("keys set: {points} calls failed; done {done} times, refused {refused} times, untrue 0");
    assert!(points > 20 && done > 0 && refused > 0, "{points} {done} {refused}");
}

/// From some call on, every read of the store fails: the disk is gone, although no attacker has tampered with
/// anything.
#[test]
fn a_store_that_the_disk_does_not_read_is_unavailable_and_not_damaged() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let (mut refused, mut given) = (0, 0);
    for file in ["vault.db", "vault.db-wal"] {
        for number in 1..END {
            let copy = home.copy();
            let path = copy.vault().join(file).display().to_string();
            let inject = format!("--inject=pread64:error=EIO:when={number}+");
            let traced = [
                "-f",
                "-qq",
                "--output=/dev/null",
                "--trace=pread64",
                &inject,
                "-P",
                &path,
            ];
            let ended = copy.ibyok_under("strace", traced, ["--json", "get", "prod/key"]).run();
            if ended.code() == 0 {
                given += 1;
                break;
            }
            refused += 1;
            ended.fails(5, "unavailable");
        }
    }
    println!("reads of the store that fail for good: {refused}, each unavailable");
    assert!(refused > 5 && given == 2, "{refused} {given}");
}

#[test]
fn a_get_whose_calls_fail_gives_the_value_with_its_line_or_nothing() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let (mut given, mut refused) = (0, 0);
    let points = at_each_fault(&home, &["get", "-n", "prod/key"], "", |copy, what, ended| {
        let lines = ibyok_tests::audit_lines(&copy.vault().join("audit"));
        let is_release =
            |line: &&ibyok_tests::AuditLine| line.text("action") == "key.retrieve" && line.text("outcome") == "allowed";
        let released = lines.iter().filter(is_release).count();
        if ended.stdout.is_empty() {
            assert_ne!(ended.code(), 0, "{what}: nothing was given, and nothing said");
            refused += 1;
        } else {
            assert_eq!(ended.stdout, b"value", "{what}");
            assert_eq!(released, 1, "{what}: released without a line");
            given += 1;
        }
        let mut oracle = Oracle::new();
        oracle.acknowledge("prod/key", "value");
        oracle.check(copy);
    });
    println!("get: {points} calls failed; given {given} times, refused {refused} times, without a line 0");
    assert!(points > 10 && given > 0 && refused > 0, "{points} {given} {refused}");
}
