//! Somebody changes the log or the store behind the vault's back: it is noticed, named, and nothing is released by mistake.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ibyok_tests::{Home, Oracle, Request, segments, wait_until};

use crate::home_with_vault;

/// A vault with a log of some lines, closed, so that a checkpoint speaks of all of them.
fn home_with_a_log() -> Home {
    let home = home_with_vault();
    for number in 0..6 {
        home.set(&format!("prod/key-{number}"), "value");
    }
    home
}

/// The only segment of the log: its lines, and how they are put back.
struct Log {
    file: std::path::PathBuf,
    lines: Vec<String>,
}

impl Log {
    fn of(home: &Home) -> Log {
        let file = segments(&home.slot(0)).remove(0);
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8(bytes.split(|&b| b == 0).next().unwrap().to_vec()).unwrap();
        Log {
            file,
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    fn write(&self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&self.file, text).unwrap();
    }
}

/// Changes the log of a copy, and says what verification finds.
#[track_caller]
fn finds(home: &Home, change: impl FnOnce(&mut Vec<String>)) -> serde_json::Value {
    let copy = home.copy();
    let log = Log::of(&copy);
    let mut lines = log.lines.clone();
    change(&mut lines);
    log.write(&lines);
    let report = copy.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert_eq!(report["ok"], false, "{report}");
    report["first_bad"].clone()
}

#[test]
fn verification_names_the_first_line_that_was_touched() {
    let home = home_with_a_log();
    home.ibyok(["audit", "verify"]).run().done();
    let lines = Log::of(&home).lines;
    let middle = lines.len() / 2;
    let line = |bad: &serde_json::Value| {
        (
            bad["what"].as_str().unwrap_or("").to_owned(),
            bad["seq"].as_u64().unwrap_or(0) as usize,
        )
    };

    let bad = finds(&home, |lines| {
        lines[middle] = lines[middle]
            .replace("\"allowed\"", "\"denied\"")
            .replace("prod", "priv")
    });
    assert_eq!(line(&bad), ("changed".to_owned(), middle + 1), "{bad}");
    assert_eq!(bad["line"], middle + 1, "{bad}");
    let bad = finds(&home, |lines| drop(lines.remove(middle)));
    assert_eq!(line(&bad), ("removed".to_owned(), middle + 1), "{bad}");
    let bad = finds(&home, |lines| lines.insert(middle, lines[2].clone()));
    assert_eq!(
        (line(&bad).0.as_str(), bad["line"].as_u64()),
        ("inserted", Some(middle as u64 + 1)),
        "{bad}"
    );
    let bad = finds(&home, |lines| lines.swap(middle, middle + 1));
    assert_eq!(line(&bad).0, "moved", "{bad}");
    // The line that says that somebody verified goes on behind the hole, so that what is cut off counts as removed.
    let bad = finds(&home, |lines| lines.truncate(lines.len() - 3));
    assert_eq!(line(&bad), ("removed".to_owned(), lines.len() - 2), "{bad}");
    let bad = finds(&home, Vec::clear);
    assert_eq!(line(&bad), ("removed".to_owned(), 1), "{bad}");
}

#[test]
fn a_line_of_another_vaults_log_is_told_from_ours() {
    let (home, other) = (home_with_a_log(), home_with_a_log());
    let foreign = Log::of(&other).lines;
    let bad = finds(&home, |lines| lines[5].clone_from(&foreign[5]));
    assert_eq!(bad["line"], 6, "{bad}");
    let bad = finds(&home, |lines| *lines = foreign);
    assert_eq!(bad["line"], 1, "{bad}");
}

#[test]
fn an_older_copy_that_is_put_back_is_noticed_by_the_store() {
    let home = home_with_a_log();
    let old = home.copy();
    home.set("prod/later", "value");
    fs::remove_dir_all(home.vault().join("audit")).unwrap();
    ibyok_tests::copy_tree(&old.vault().join("audit"), &home.vault().join("audit"));
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert_eq!(report["first_bad"]["what"], "truncated", "{report}");
}

#[test]
fn a_last_line_that_a_crash_has_cut_is_no_tampering() {
    let home = home_with_a_log();
    let server = home.serve();
    let token = home.token(&["app", "--env", "prod"]);
    server.retrieve(&token, "prod/key-1").is(200);
    server.kill();
    let log = Log::of(&home);
    let bytes: String = log.lines.iter().map(|line| format!("{line}\n")).collect();
    // Half a line that nobody was told of.
    fs::write(&log.file, format!("{bytes}{}", r#"{"v":1,"seq":"#)).unwrap();
    home.ibyok(["--json", "audit", "verify"]).run().done();
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key-1", "value");
    oracle.check(&home);
}

/// Damages the log's file while a server writes it.
fn while_it_runs(what: &str, fault: impl FnOnce(&Path)) {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let server = home.serve();
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    let kept = server.retrieve(&token, "prod/key").is(200);
    assert_eq!(kept.json()["value"], "value");
    fault(segments(&home.slot(0)).last().unwrap());
    let refused = server.retrieve(&token, "prod/key").is_problem(503, "unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    oracle.answered(&refused);
    wait_until(what, Duration::from_secs(10), || {
        let answer = server.send(&Request::get("/api/v1/keys/prod/key/value").bearer(&token));
        oracle.answered(&answer);
        answer.status == 200
    });
    oracle.answered(&server.retrieve(&token, "prod/key").is(200));
    assert!(server.stop().success());
    // From the moment of the fault on; what was on the lost file is what verification complains about.
    home.ibyok(["--json", "status"]).run().done();
    oracle.nothing_acknowledged_is_lost(&home);
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert_ne!(report["first_bad"], serde_json::Value::Null, "{what}: {report}");
}

#[test]
fn a_log_that_is_deleted_while_the_server_runs_is_noticed_at_once() {
    while_it_runs("deleted", |file| fs::remove_file(file).unwrap());
}

#[test]
fn a_log_that_is_replaced_while_the_server_runs_is_noticed_at_once() {
    while_it_runs("replaced", |file| {
        fs::rename(file, file.with_extension("away")).unwrap();
        fs::write(file, "").unwrap();
    });
}

#[test]
fn a_log_that_is_cut_while_the_server_runs_is_noticed_at_once() {
    while_it_runs("cut", |file| {
        fs::File::options().write(true).open(file).unwrap().set_len(10).unwrap()
    });
}

#[test]
fn records_that_are_swapped_or_damaged_do_not_open() {
    let home = home_with_vault();
    home.set("prod/one", "value-one");
    let one = home.behind().newest();
    home.set("prod/two", "value-two");
    let two = home.behind().newest();
    home.set("dev/one", "value-dev");
    let dev = home.behind().newest();
    let token = home.token(&["app", "--env", "prod"]);
    let issued = home.behind().newest();
    assert!(
        [one, two, dev].iter().all(|id| id.collection().kind().as_u8() == 3) && issued.collection().kind().as_u8() == 4
    );
    let whole = home.behind().bytes(one);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cases: [(&str, Vec<u8>); 7] = [
        ("another key of the environment", home.behind().bytes(two)),
        ("the same name of another environment", home.behind().bytes(dev)),
        ("a token's record", home.behind().bytes(issued)),
        ("a bit flipped", flipped),
        ("a byte more", [&whole[..], &[0]].concat()),
        ("a byte less", whole[..whole.len() - 1].to_vec()),
        ("nothing", Vec::new()),
    ];
    let server = home.serve();
    let mut oracle = Oracle::new();
    for (what, bytes) in cases {
        home.behind().put(one, &bytes);
        // The running server hears of the change, and a command line starts with it.
        wait_until(what, Duration::from_secs(2), || {
            let answer = server.retrieve(&token, "prod/one");
            assert!(
                answer.status != 200 || answer.json()["value"] == "value-one",
                "{what}: another value: {}",
                String::from_utf8_lossy(&answer.raw)
            );
            oracle.answered(&answer);
            answer.status == 500 && answer.json()["code"] == "integrity"
        });
        home.ibyok(["--json", "get", "prod/one"]).run().fails(5, "integrity");
        // The others are served as ever.
        assert_eq!(server.retrieve(&token, "prod/two").is(200).json()["value"], "value-two");
        home.behind().put(one, &whole);
        wait_until("the right record is back", Duration::from_secs(2), || {
            server.retrieve(&token, "prod/one").status == 200
        });
    }
    assert!(server.stop().success());
    oracle.acknowledge("prod/one", "value-one");
    oracle.acknowledge("prod/two", "value-two");
    oracle.acknowledge("dev/one", "value-dev");
    oracle.check(&home);
    println!("records swapped or damaged: 7 ways, wrong values 0");
}

#[test]
fn an_older_record_of_the_same_id_does_not_bring_back_what_was_taken_away() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let key = home.behind().newest();
    let token = home.token(&["app", "--env", "prod"]);
    let issued = home.behind().newest();
    let (valid, enabled) = (home.behind().bytes(issued), home.behind().bytes(key));
    home.ibyok(["get", "prod/key"]).env("IBYOK_TOKEN", &token).run().done();
    home.ibyok(["--yes", "tokens", "revoke", "app"]).run().done();
    home.ibyok(["keys", "disable", "prod/key"]).run().done();
    home.behind().put(issued, &valid);
    home.behind().put(key, &enabled);
    home.ibyok(["--json", "get", "prod/key"]).run().fails(5, "integrity");
    // Whoever holds the revoked token learns nothing and gets nothing, whatever the code.
    let refused = home.ibyok(["get", "prod/key"]).env("IBYOK_TOKEN", &token).run();
    assert!(
        matches!(refused.code(), 3 | 5) && refused.stdout.is_empty(),
        "{}",
        refused.said()
    );
    let server = home.serve();
    let answer = server.retrieve(&token, "prod/key");
    assert!(
        matches!(answer.status, 401 | 500),
        "{}",
        String::from_utf8_lossy(&answer.raw)
    );
}

#[test]
fn a_whole_store_that_is_older_than_the_log_does_not_bring_back_what_was_taken_away() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    home.set("prod/other", "value");
    let token = home.token(&["app", "--env", "prod"]);
    home.behind().settle();
    let file = home.vault().join("vault.db");
    let old = fs::read(&file).unwrap();
    home.ibyok(["--yes", "tokens", "revoke", "app"]).run().done();
    home.ibyok(["--yes", "keys", "remove", "prod/key"]).run().done();
    home.behind().settle();
    fs::write(&file, old).unwrap();
    let refused = home.ibyok(["get", "prod/other"]).env("IBYOK_TOKEN", &token).run();
    assert!(
        matches!(refused.code(), 3 | 5) && refused.stdout.is_empty(),
        "{}",
        refused.said()
    );
    let removed = home.ibyok(["--json", "get", "prod/key"]).run();
    assert!(matches!(removed.code(), 4 | 5), "{}", removed.text());
    // What was not taken away is served as ever.
    assert_eq!(home.get("prod/other"), b"value");
}
