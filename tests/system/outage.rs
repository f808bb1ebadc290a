//! The disk under the log or the store fails while a server runs: requests are refused, and no value is
//! released. When the disk works again, so does the server. Needs strace, and root for a small tmpfs.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ibyok_tests::{Home, Oracle, Request, Server, segments, wait_until};

use crate::small_disk::Small;
use crate::{PROGRAMS, home_with_vault};

/// strace on a running process.
struct Tracer(Child);

impl Tracer {
    /// Makes calls on a file fail, as `--inject` says.
    fn inject(server: &Server, call: &str, fault: &str, file: &Path) -> Tracer {
        let pid = server.pid().to_string();
        let said = file.with_file_name("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid, "-P"]).arg(file);
        command
            .arg(format!("--trace={call}"))
            .arg(format!("--inject={call}:{fault}"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).unwrap());
        let tracer = Tracer(command.spawn().expect("strace is there"));
        wait_until("strace is attached", Duration::from_secs(5), || {
            fs::read_to_string(&said).unwrap().contains("attached")
        });
        // It says so before each thread has stopped once and is followed from then on.
        std::thread::sleep(Duration::from_millis(300));
        tracer
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

#[test]
fn one_failed_sync_refuses_all_who_wait_and_is_not_forgotten_by_the_next() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let server = home.serve();
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.answered(&server.retrieve(&token, "prod/key").is(200));
    let log = segments(&home.slot(0)).pop().unwrap();
    // The first sync of the thread that writes the log fails; every later one would succeed.
    let tracer = Tracer::inject(&server, "fdatasync", "error=EIO:when=1", &log);
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let answer = server.retrieve(&token, "prod/key");
                match answer.status {
                    503 => {
                        answer.is_problem(503, "unavailable");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    // One that came after the log was opened again.
                    200 => assert_eq!(answer.json()["value"], "value"),
                    _ => panic!("{}", String::from_utf8_lossy(&answer.raw)),
                }
            });
        }
    });
    let refused = refused.into_inner();
    assert!(refused > 0, "the fault was never hit");
    wait_until("it serves again", Duration::from_secs(10), || {
        let answer = server.retrieve(&token, "prod/key");
        oracle.answered(&answer);
        answer.status == 200
    });
    drop(tracer);
    assert!(server.stop().success());
    oracle.check(&home);
    println!("one failed fdatasync under 32 clients: {refused} refused, released without a line 0");
}

#[test]
fn a_log_that_cannot_be_written_releases_nothing() {
    for (call, fault) in [
        ("pwrite64", "error=ENOSPC"),
        ("pwrite64", "error=EIO"),
        ("fdatasync", "error=EIO"),
    ] {
        println!("{call} of the log: {fault}");
        let home = home_with_vault();
        home.set("prod/key", "value");
        let token = home.token(&["app", "--env", "prod"]);
        let server = home.serve();
        let mut oracle = Oracle::new();
        oracle.acknowledge("prod/key", "value");
        let log = segments(&home.slot(0)).pop().unwrap();
        let tracer = Tracer::inject(&server, call, fault, &log);
        for _ in 0..5 {
            let answer = server.retrieve(&token, "prod/key").is_problem(503, "unavailable");
            oracle.answered(&answer);
            let put = Request::new("PUT", "/api/v1/keys/prod/key")
                .bearer(&token)
                .json(r#"{"value":"x"}"#);
            assert!(server.send(&put).status >= 400);
        }
        let ready = server.send(&Request::get("/readyz")).is(503);
        assert_eq!(ready.json()["audit"], "unavailable");
        drop(tracer);
        wait_until("it serves again", Duration::from_secs(10), || {
            let answer = server.retrieve(&token, "prod/key");
            oracle.answered(&answer);
            answer.status == 200
        });
        wait_until("it is ready", Duration::from_secs(5), || server.is_ready());
        assert!(server.stop().success());
        oracle.check(&home);
    }
}

#[test]
fn a_disk_that_hangs_is_not_waited_for_without_end() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let server = home.serve();
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    let log = segments(&home.slot(0)).pop().unwrap();
    let tracer = Tracer::inject(&server, "fdatasync", "delay_enter=30s", &log);
    let begun = std::time::Instant::now();
    oracle.answered(&server.retrieve(&token, "prod/key").is_problem(503, "unavailable"));
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    drop(tracer);
    wait_until("it serves again", Duration::from_secs(10), || {
        let answer = server.retrieve(&token, "prod/key");
        oracle.answered(&answer);
        answer.status == 200
    });
    assert!(server.stop().success());
    oracle.check(&home);
}

#[test]
fn a_store_whose_sync_fails_is_not_believed_when_the_next_one_works() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod", "--scope", "keys:read", "--scope", "keys:write"]);
    let server = home.serve();
    let put = |value: &str| {
        let body = format!(r#"{{"value":"{value}"}}"#);
        server.send(&Request::new("PUT", "/api/v1/keys/prod/key").bearer(&token).json(body))
    };
    let mut oracle = Oracle::new();
    put("first").is(200);
    oracle.acknowledge("prod/key", "first");
    let tracer = Tracer::inject(&server, "fsync", "error=EIO:when=1", &home.vault().join("vault.db-wal"));
    oracle.attempt("prod/key", "second");
    let failed = put("second").is_problem(503, "unavailable");
    oracle.answered(&failed);
    drop(tracer);
    // Whatever it does next, it does not say that something is stored which is not.
    for number in 0..3 {
        let value = format!("later-{number}");
        oracle.attempt("prod/key", &value);
        let answer = put(&value);
        oracle.answered(&answer);
        if answer.status == 200 {
            oracle.acknowledge("prod/key", &value);
        }
    }
    // It opens the store anew by itself, once everything in it is written and synced once more.
    let since = Instant::now();
    while server.retrieve(&token, "prod/key").status != 200 {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "it does not serve again by itself"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    oracle.attempt("prod/key", "last");
    let answer = put("last").is(200);
    oracle.answered(&answer);
    oracle.acknowledge("prod/key", "last");
    server.kill();
    let again = home.serve();
    oracle.answered(&again.retrieve(&token, "prod/key").is(200));
    assert!(again.stop().success());
    oracle.check(&home);
}

#[test]
fn a_full_disk_refuses_and_recovers_when_there_is_space() {
    let home = Home::empty(PROGRAMS);
    let small = Small::mount(&home, "size=8m");
    home.ibyok(["init"]).run().done();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod", "--scope", "keys:read", "--scope", "keys:write"]);
    let server = home.serve();
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.answered(&server.retrieve(&token, "prod/key").is(200));

    let ballast = home.path("home/ballast");
    let filled = fs::write(&ballast, vec![0_u8; 16 << 20]);
    assert!(filled.is_err(), "the disk is full");
    let mut refused = 0;
    for number in 0..200 {
        // Values until nothing more fits anywhere, also where space was kept ready.
        let (reference, value) = (format!("prod/full-{number}"), "x".repeat(32 << 10));
        oracle.attempt(&reference, &value);
        let body = format!(r#"{{"value":"{value}"}}"#);
        let answer = server.send(
            &Request::new("PUT", &format!("/api/v1/keys/{reference}"))
                .bearer(&token)
                .json(body),
        );
        oracle.answered(&answer);
        if answer.status < 300 {
            oracle.acknowledge(&reference, &value);
        } else {
            answer.is_problem(503, "unavailable");
            refused += 1;
        }
        if refused > 5 {
            break;
        }
    }
    assert!(refused > 5, "the disk was never full");
    let command = home
        .ibyok(["--json", "keys", "add", "prod/other"])
        .input("x".repeat(32 << 10))
        .run();
    assert_eq!(command.code(), 5, "{}", command.text());

    fs::remove_file(&ballast).unwrap();
    wait_until("it serves again", Duration::from_secs(15), || {
        let answer = server.retrieve(&token, "prod/key");
        oracle.answered(&answer);
        answer.status == 200
    });
    let after = Request::new("PUT", "/api/v1/keys/prod/after")
        .bearer(&token)
        .json(r#"{"value":"x"}"#);
    wait_until("it stores again", Duration::from_secs(15), || {
        server.send(&after).status < 300
    });
    oracle.acknowledge("prod/after", "x");
    assert!(server.stop().success());
    oracle.check(&home);
    println!(
        "disk full: {refused} writes refused, {} acknowledged, lost 0",
        oracle.writes()
    );
    drop(small);
}

#[test]
fn a_disk_that_cannot_be_written_to_is_refused() {
    let home = Home::empty(PROGRAMS);
    let small = Small::mount(&home, "size=32m");
    home.ibyok(["init"]).run().done();
    home.set("prod/key", "value");
    small.remount("ro");
    for args in [
        &["get", "prod/key"][..],
        &["keys", "list"],
        &["status"],
        &["keys", "remove", "prod/key", "--yes"],
    ] {
        home.ibyok(["--json"].iter().chain(args)).run().fails(5, "unavailable");
    }
    small.remount("rw");
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.check(&home);
}

#[test]
fn an_init_on_a_full_disk_leaves_nothing_in_the_way_of_the_next() {
    for size in [4, 16, 40, 64, 100] {
        let home = Home::empty(PROGRAMS);
        let small = Small::mount(&home, &format!("size={size}k"));
        let first = home.ibyok(["--json", "init"]).run();
        assert!(
            matches!(first.code(), 0 | 2 | 5),
            "{size}k: {}: {}",
            first.code(),
            first.text()
        );
        small.remount("size=16m");
        if first.code() != 0 && home.ibyok(["status"]).run().code() != 0 {
            home.ibyok(["init"]).run().done();
        }
        home.set("prod/key", "value");
        let mut oracle = Oracle::new();
        oracle.acknowledge("prod/key", "value");
        oracle.check(&home);
    }
}
