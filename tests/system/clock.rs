//! A machine's clock that is set back, or far ahead, while a server runs and between two runs. Needs a C compiler and a dynamic
//! linker, to shift the clock of one program.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ibyok_tests::{Home, Oracle, Run, Server, ServerOptions, audit_lines};

use crate::home_with_vault;

const DAY: i64 = 24 * 60 * 60;

/// A clock of its own for the programs of a home.
struct Shift {
    library: PathBuf,
    file: PathBuf,
}

impl Shift {
    fn new(home: &Home) -> Shift {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock_shift.c");
        let library = home.path("inputs/clock_shift.so");
        let compile = Run::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source);
        compile.run().done();
        let shift = Shift {
            library,
            file: home.path("inputs/shift"),
        };
        shift.to(0);
        shift
    }

    /// Sets the clock, in seconds from the right time.
    fn to(&self, seconds: i64) {
        // One that is read half written would be another time.
        let new = self.file.with_extension("new");
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// A command under this clock.
    fn run(&self, command: Run) -> Run {
        let command = command.env("LD_PRELOAD", self.library.to_str().unwrap());
        command.env("CLOCK_SHIFT_FILE", self.file.to_str().unwrap())
    }

    fn options(&self) -> ServerOptions {
        let options = ServerOptions::default().env("LD_PRELOAD", self.library.to_str().unwrap());
        options.env("CLOCK_SHIFT_FILE", self.file.to_str().unwrap())
    }
}

fn is_served(server: &Server, token: &str) -> bool {
    let answer = server.retrieve(token, "prod/key");
    match answer.status {
        200 => true,
        401 => false,
        _ => panic!("{}", String::from_utf8_lossy(&answer.raw)),
    }
}

#[test]
fn a_clock_that_is_set_while_a_server_runs_revives_no_token_and_breaks_no_log() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let day = home.token(&["a day", "--env", "prod", "--expires", "1d"]);
    let month = home.token(&["a month", "--env", "prod", "--expires", "30d"]);
    let shift = Shift::new(&home);
    let server = home.serve_with(shift.options());
    assert!(is_served(&server, &day) && is_served(&server, &month));
    shift.to(-2 * DAY);
    assert!(
        is_served(&server, &day) && is_served(&server, &month),
        "back two days: still within their times"
    );
    shift.to(3650 * DAY);
    assert!(
        !is_served(&server, &day) && !is_served(&server, &month),
        "ten years ahead: both have ended"
    );
    shift.to(2 * DAY);
    assert!(
        !is_served(&server, &day) && is_served(&server, &month),
        "two days ahead: the first has ended"
    );
    assert!(server.stop().success());

    let lines = audit_lines(&home.vault().join("audit"));
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line.event["seq"].as_u64()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{numbers:?}");
    shift.to(0);
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.check(&home);
}

#[test]
fn a_clock_near_the_end_of_calendars_is_an_error_and_leaves_nothing() {
    let home = Home::empty(crate::PROGRAMS);
    let shift = Shift::new(&home);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    // The last day that calendars here have, the day after it, and ten years before it.
    for at in [253_402_200_000, 253_402_300_799, 253_402_300_799 - 3650 * DAY] {
        shift.to(at - now);
        shift.run(home.ibyok(["--json", "init"])).run().fails(5, "unavailable");
        assert_eq!(fs::read_dir(home.path("home")).unwrap().count(), 0, "{at}");
    }
    shift.to(0);
    home.ibyok(["init"]).run().done();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    for at in [253_402_200_000, 253_402_300_799] {
        shift.to(at - now);
        for args in [
            &["get", "prod/key"][..],
            &["status"],
            &["tokens", "issue", "b", "--env", "prod"],
            &["usage"],
        ] {
            let ended = shift.run(home.ibyok(["--json"].iter().chain(args))).run();
            ended.fails(5, "unavailable");
        }
        let ended = shift
            .run(home.ibyok(["tokens", "attenuate", "--expires", "15m"]))
            .input(token.clone())
            .run();
        assert!(
            matches!(ended.code(), 0 | 2) && !ended.said().contains("panicked"),
            "{}",
            ended.said()
        );
    }
    shift.to(0);
    // Spans that lead out of the calendar are wrong input, whichever way they lead.
    for args in [
        &["tokens", "issue", "c", "--env", "prod", "--expires", "9999999d"][..],
        &["keys", "edit", "prod/key", "--expires", "99999y"],
        &["keys", "edit", "prod/key", "--rotate-every", "9999999d"],
        &["usage", "--since", "99999y"],
        &["audit", "tail", "--since", "9999999d"],
        &["audit", "review", "--since", "9999999d"],
        &["tokens", "rotate", "app", "--grace", "9999999d"],
    ] {
        home.ibyok(["--json"].iter().chain(args)).run().fails(2, "invalid");
    }
}

#[test]
fn a_clock_that_is_set_back_is_reported() {
    let home = home_with_vault();
    let shift = Shift::new(&home);
    shift.to(DAY);
    let server = home.serve_with(shift.options());
    shift.to(-DAY);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(server.stop().success());
    let status = shift.run(home.ibyok(["--json", "status"])).run().done().json();
    let warns = status["warnings"]
        .as_array()
        .is_some_and(|all| all.iter().any(|w| w.to_string().contains("clock")));
    assert!(warns, "{status}");
}

#[test]
fn a_token_that_has_ended_stays_so_when_the_next_run_begins_with_a_clock_set_back() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["a day", "--env", "prod", "--expires", "1d"]);
    let shift = Shift::new(&home);
    shift.to(2 * DAY);
    let server = home.serve_with(shift.options());
    assert!(!is_served(&server, &token));
    assert!(server.stop().success());
    shift.to(0);
    let server = home.serve_with(shift.options());
    assert!(!is_served(&server, &token), "the log knows of a later time");
}
