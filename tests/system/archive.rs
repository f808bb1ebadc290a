//! Old lines of the log: moved into an archive with `ibyok audit archive`, or taken away in other ways.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ibyok_tests::{Home, Oracle, Run, copy_tree, segments};
use serde_json::Value;

use crate::home_with_vault;

/// A vault whose log has some closed segments: each is full after a few commands.
fn home_with_old_lines() -> Home {
    let home = home_with_vault();
    let file = home.vault().join("vault.toml");
    let mut settings = fs::read_to_string(&file).unwrap_or_default();
    settings.insert_str(0, "audit_rotate_size = \"4KiB\"\n");
    fs::write(&file, settings).unwrap();
    home.set("prod/key", "the value of the key");
    for _ in 0..4 {
        home.ibyok(["get", "-n", "prod/key"]).run().done();
    }
    assert!(segments(&home.slot(0)).len() > 3);
    home
}

fn archive(home: &Home, to: &str) -> Run {
    home.ibyok(["--json", "audit", "archive", "--before", "2100-01-01", "--to", to])
}

fn verified(home: &Home, args: &[&str], code: i32) -> Value {
    home.ibyok(["--json", "audit", "verify"].iter().chain(args))
        .run()
        .exits(code)
        .json()
}

/// The numbers of the lines of the first log, as `audit export` prints them.
fn exported(home: &Home, args: &[&str]) -> Vec<u64> {
    let lines = home.ibyok(["audit", "export"].iter().chain(args)).run().done();
    let lines = String::from_utf8(lines.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["seq"].as_u64().unwrap()).collect()
}

#[test]
fn old_lines_move_into_an_archive_that_verifies_alone_and_with_the_log() {
    let home = home_with_old_lines();
    let dry = home.ibyok([
        "--json",
        "audit",
        "archive",
        "--before",
        "2100-01-01",
        "--to",
        "old",
        "--dry-run",
    ]);
    let would = dry.run().done().json();
    assert!(!home.path("inputs/old").exists());
    let moved = archive(&home, "old").run().done().json();
    assert_eq!(moved["items"][0]["first"], 1, "{moved}");
    assert!(moved["items"][0]["last"].as_u64() >= would["items"][0]["last"].as_u64());
    let last = moved["items"][0]["last"].as_u64().unwrap();

    let live = verified(&home, &[], 0);
    assert_eq!(live["logs"][0]["archived"], last, "{live}");
    assert!(live["notes"].to_string().contains("are archived in"), "{live}");
    let both = verified(&home, &["--archive", "old"], 0);
    assert_eq!(both["logs"][0]["archived"], 0, "{both}");
    // Without the vault, by the public key alone.
    let keys = home.ibyok(["audit", "keys"]).run().done();
    let keys = home.input("keys", keys.stdout).display().to_string();
    let outside = |place: &str, more: &[&str]| {
        let args = ["--json", "--audit", place, "audit", "verify", "--key", &keys];
        let run = home.ibyok(args.iter().chain(more)).without("IBYOK_VAULT");
        run.run().done().json()
    };
    let alone = outside("old", &[]);
    assert_eq!(
        (&alone["ok"], alone["events"].as_u64()),
        (&Value::Bool(true), Some(last))
    );
    let place = home.vault().join("audit").display().to_string();
    assert_eq!(outside(&place, &["--archive", "old"])["logs"][0]["archived"], 0);

    let whole = exported(&home, &["--archive", "old"]);
    assert_eq!(whole, (1..=whole.len() as u64).collect::<Vec<_>>());
    assert_eq!(exported(&home, &[])[0], last + 1);
    let tail = home.ibyok(["audit", "tail", "--action", "vault.init"]).run().done();
    assert!(
        tail.stdout.is_empty() && tail.said().contains("are archived in"),
        "{}",
        tail.said()
    );
    let tail = home
        .ibyok(["audit", "tail", "--action", "vault.init", "--archive", "old"])
        .run()
        .done();
    assert!(!tail.stdout.is_empty(), "{}", tail.said());
    let lines = home
        .ibyok(["audit", "tail", "--action", "log.archive", "--json"])
        .run()
        .done();
    assert_eq!(
        String::from_utf8(lines.stdout).unwrap().lines().count(),
        2,
        "intended and done"
    );

    let proof = home
        .ibyok(["audit", "prove", "2", "--archive", "old", "-o", "proof"])
        .run()
        .done();
    drop(proof);
    home.ibyok(["audit", "verify", "--proof", "proof", "--key", &keys])
        .run()
        .done();
    home.ibyok(["audit", "prove", "2"]).run().exits(4);
    let review = home.ibyok(["audit", "review", "--json"]).run();
    assert!(String::from_utf8(review.stdout).unwrap().contains("were not reviewed"));
    let review = home.ibyok(["audit", "review", "--json", "--archive", "old"]).run();
    assert!(!String::from_utf8(review.stdout).unwrap().contains("were not reviewed"));
    let incident = home
        .ibyok(["--json", "--yes", "incident", "open", "prod/key", "--reason", "a test"])
        .run()
        .done();
    drop(incident);
    let report = home.ibyok(["--json", "incident", "report", "prod/key"]).run().done();
    assert!(String::from_utf8(report.stdout).unwrap().contains("are archived in"));
}

#[test]
fn a_log_that_lost_old_lines_in_another_way_is_a_finding() {
    let home = home_with_old_lines();
    let first = segments(&home.slot(0)).remove(0);
    let bytes = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    assert_eq!(verified(&home, &[], 10)["first_bad"]["what"], "removed");
    let refused = archive(&home, "old").run().exits(5).json();
    assert!(refused.to_string().contains("cannot archive"), "{refused}");
    fs::write(&first, &bytes).unwrap();
    archive(&home, "old").run().done();
    assert_eq!(verified(&home, &[], 0)["ok"], true);
    // Without the statement, the archived lines are missing; the archive has them.
    let statement = home.slot(0).join("archived");
    let text = fs::read(&statement).unwrap();
    fs::remove_file(&statement).unwrap();
    assert_eq!(verified(&home, &[], 10)["first_bad"]["what"], "removed");
    verified(&home, &["--archive", "old"], 0);
    // With the statement of another vault's log, too.
    let other = home_with_old_lines();
    archive(&other, "old").run().done();
    fs::copy(other.slot(0).join("archived"), &statement).unwrap();
    verified(&home, &[], 10);
    verified(
        &home,
        &["--archive", &other.path("inputs/old").display().to_string()],
        10,
    );
    fs::write(&statement, text).unwrap();
    verified(&home, &[], 0);
    // An older copy of the log put back is the whole log again, and no more.
    fs::remove_file(segments(&home.slot(0)).remove(0)).unwrap();
    verified(&home, &[], 10);
}

#[test]
fn lost_floors_are_not_rebuilt_without_the_archived_lines() {
    let home = home_with_old_lines();
    archive(&home, "old").run().done();
    for name in ["floors", "floors-wal", "floors-shm"] {
        fs::remove_file(home.vault().join("audit").join(name)).ok();
    }
    let refused = home.ibyok(["get", "-n", "prod/key"]).run();
    assert_ne!(refused.code(), 0);
    assert!(refused.said().contains("are archived"), "{}", refused.said());
    for file in fs::read_dir(home.path("inputs/old/slot-0")).unwrap() {
        let from = file.unwrap().path();
        let name = from.file_name().unwrap().to_owned();
        if name.to_string_lossy().starts_with("audit-") {
            fs::copy(&from, home.slot(0).join(name)).unwrap();
        }
    }
    assert_eq!(home.get("prod/key"), b"the value of the key");
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    Oracle::new().the_log_verifies(&home);
}

#[test]
fn a_bad_request_to_archive_moves_nothing() {
    let home = home_with_old_lines();
    home.input("a-file", "text");
    let token = home.token(&["reader", "--env", "prod"]);
    let inside = home.vault().join("audit/old").display().to_string();
    let before = segments(&home.slot(0)).len();
    let cases: &[(&[&str], i32)] = &[
        (&["--to", "old"], 2),
        (&["--before", "2100-01-01"], 2),
        (&["--before", "soon", "--to", "old"], 2),
        (&["--before", "2100-01-01", "--to", "a-file"], 5),
        (&["--before", "2100-01-01", "--to", "no/such/parent"], 5),
        (&["--before", "2100-01-01", "--to", &inside], 5),
        (&["--before", "2100-01-01", "--to", ""], 2),
    ];
    for (args, code) in cases {
        let run = home.ibyok(["audit", "archive"].iter().chain(*args)).run();
        assert_eq!(run.code(), *code, "{args:?} {}", run.said());
    }
    let by_token = archive(&home, "old").env("IBYOK_TOKEN", &token).run();
    assert_ne!(by_token.code(), 0, "{}", by_token.said());
    let nothing = home.ibyok(["--json", "audit", "archive", "--before", "2020-01-01", "--to", "old"]);
    assert_eq!(nothing.run().done().json()["items"], Value::Array(Vec::new()));
    assert!(segments(&home.slot(0)).len() >= before);
    home.ibyok(["audit", "verify", "--archive", "nowhere"]).run().exits(5);
    Oracle::new().the_log_verifies(&home);
}

#[test]
fn servers_write_while_their_old_lines_move() {
    let home = home_with_old_lines();
    let token = home.token(&["reader", "--env", "prod"]);
    let server = home.serve();
    for _ in 0..5 {
        for _ in 0..10 {
            assert_eq!(server.retrieve(&token, "prod/key").status, 200);
        }
        archive(&home, "old").run().done();
    }
    verified(&home, &[], 0);
    verified(&home, &["--archive", "old"], 0);
    server.stop();
    // A second run of the server takes the same log on.
    let server = home.serve();
    assert_eq!(server.retrieve(&token, "prod/key").status, 200);
    server.stop();
    verified(&home, &["--archive", "old"], 0);
}

#[test]
fn a_retention_in_the_settings_says_which_lines_are_old() {
    let home = home_with_old_lines();
    let run = |retention: &str| {
        let run = home.ibyok(["--json", "audit", "archive", "--to", "old"]);
        run.env("IBYOK_AUDIT_RETENTION", retention).run()
    };
    assert_eq!(run("400d").done().json()["items"], Value::Array(Vec::new()));
    for bad in ["0", "soon", "-1d", "2026-01-01"] {
        let refused = home.ibyok(["audit", "archive", "--to", "old"]);
        let refused = refused.env("IBYOK_AUDIT_RETENTION", bad).run().exits(2);
        assert!(refused.said().contains("audit_retention"), "{}", refused.said());
    }
}

/// Kills `audit archive` at each system call by which it reaches the disk.
#[cfg(feature = "faults")]
#[test]
fn a_killed_archive_run_loses_no_line_and_the_same_command_ends_it() {
    let home = home_with_old_lines();
    let (mut points, mut moved) = (0, 0);
    for call in ["fsync", "fdatasync", "rename", "unlink", "mkdir"] {
        for number in 1..80 {
            let copy = home.copy();
            let traced = [
                "-f".to_owned(),
                "-qq".to_owned(),
                "--output=/dev/null".to_owned(),
                format!("--trace={call}"),
                format!("--inject={call}:signal=KILL:when={number}"),
            ];
            let args = ["audit", "archive", "--before", "2100-01-01", "--to", "old"];
            let ended = copy.ibyok_under("strace", traced, args).run();
            let finished = match ended.code() {
                137 => false,
                0 => true,
                other => panic!("{call} {number}: {other}: {}", ended.said()),
            };
            points += u32::from(!finished);
            verified(&copy, &[], 0);
            let archives: &[&str] = match copy.path("inputs/old").exists() {
                true => &["--archive", "old"],
                false => &[],
            };
            let numbers = exported(&copy, archives);
            assert_eq!(
                numbers,
                (1..=numbers.len() as u64).collect::<Vec<_>>(),
                "{call} {number}"
            );
            moved += u32::from(copy.slot(0).join("archived").exists() && !finished);
            archive(&copy, "old").run().done();
            verified(&copy, &["--archive", "old"], 0);
            if finished {
                break;
            }
        }
    }
    println!("archive: {points} points; statement there {moved} times; lines lost 0");
    assert!(points > 20 && moved > 0, "{points} {moved}");
}

/// `logrotate` in its two ways while a server writes, a log of another node, and an older copy.
#[test]
fn a_rotated_moved_cut_spliced_or_older_log_is_found() {
    let change = |what: &str, home: &Home| {
        let newest = segments(&home.slot(0)).pop().unwrap();
        match what {
            "copytruncate" => {
                fs::copy(&newest, home.path("inputs/rotated")).unwrap();
                fs::OpenOptions::new()
                    .write(true)
                    .open(&newest)
                    .unwrap()
                    .set_len(0)
                    .unwrap();
            }
            "rename" => fs::rename(&newest, newest.with_extension("log.1")).unwrap(),
            "delete" => fs::remove_file(&newest).unwrap(),
            "slot" => fs::rename(home.slot(0), home.path("inputs/slot")).unwrap(),
            other => panic!("{other}"),
        }
    };
    for what in ["copytruncate", "rename", "delete", "slot"] {
        let home = home_with_old_lines();
        let token = home.token(&["reader", "--env", "prod"]);
        let server = home.serve();
        assert_eq!(server.retrieve(&token, "prod/key").status, 200);
        change(what, &home);
        // The line of the refused retrieval releases nothing; the server takes the log on by itself.
        server.retrieve(&token, "prod/key");
        ibyok_tests::wait_until("the server serves again", Duration::from_secs(20), || {
            server.retrieve(&token, "prod/key").status == 200
        });
        server.stop();
        let report = verified(&home, &[], 10);
        assert_eq!(report["ok"], false, "{what}: {report}");
    }
    let home = home_with_old_lines();
    let (older, node) = (home.path("inputs/older"), home_with_old_lines());
    copy_tree(&home.slot(0), &older);
    home.set("prod/other", "another value");
    let put_back = |from: &PathBuf| {
        fs::remove_dir_all(home.slot(0)).unwrap();
        copy_tree(from, &home.slot(0));
    };
    let whole = home.path("inputs/whole");
    copy_tree(&home.slot(0), &whole);
    put_back(&older);
    verified(&home.copy(), &[], 10);
    put_back(&whole);
    // A segment of another node in place of an own one.
    fs::copy(&segments(&node.slot(0))[1], &segments(&home.slot(0))[1]).unwrap();
    verified(&home.copy(), &[], 10);
}
