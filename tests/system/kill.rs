//! kill -9 while something is being written: nothing acknowledged is lost, nothing is released without its line, and what comes
//! after opens without repair.

use std::sync::Mutex;
use std::time::Duration;

use ibyok_tests::{Dice, Home, Oracle, Request, Server, audit_lines};

use crate::home_with_vault;

/// The number of kills of each program.
const ROUNDS: u64 = 20;

#[test]
fn a_server_that_is_killed_loses_nothing_that_it_acknowledged() {
    let mut dice = Dice::of_this_run("server killed");
    let home = home_with_vault();
    home.set("prod/read", "sk-read");
    let token = home.token(&["both", "--env", "prod", "--scope", "keys:read", "--scope", "keys:write"]);
    let mut all = Oracle::new();
    let mut writes = 0;
    for round in 0..ROUNDS {
        let moment = Duration::from_millis(dice.below(250));
        let seen = killed_in_the_middle(home.serve(), &token, round, moment);
        writes += seen.writes();
        all.merge(seen);
        all.nothing_released_without_its_line(&home);
    }
    all.check(&home);
    usage_is_what_the_log_says(&home);
    println!(
        "server: {ROUNDS} kills, {writes} writes acknowledged, {} values received; lost 0, without a line 0",
        all.values()
    );
    assert!(writes > 0 && all.values() > 0, "the server was never killed at work");
}

/// However often the server was killed: each retrieval that is on the log is counted, and none twice.
fn usage_is_what_the_log_says(home: &Home) {
    let usage = home.ibyok(["usage", "--by", "env", "--json"]).run().done().json();
    let items = usage["items"].as_array().expect("items");
    let sum = |field: &str| -> u64 { items.iter().filter_map(|item| item[field].as_u64()).sum() };
    let lines = audit_lines(&home.vault().join("audit"));
    let on_log = |outcome: &str| {
        let uses = lines
            .iter()
            .filter(|line| ["key.retrieve", "key.export"].contains(&line.text("action")));
        uses.filter(|line| line.text("outcome") == outcome).count() as u64
    };
    assert!(on_log("allowed") > 0);
    assert_eq!((sum("allowed"), sum("failed")), (on_log("allowed"), on_log("failed")));
}

/// Readers and writers at a server that dies after a while, and what they saw.
fn killed_in_the_middle(server: Server, token: &str, round: u64, moment: Duration) -> Oracle {
    let seen = Mutex::new(Oracle::new());
    let address = server.address;
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let seen = &seen;
            scope.spawn(move || {
                for number in 0.. {
                    // A last word that a token may choose: else `export` would leave the variable out.
                    let reference = format!("prod/r{round}-w{writer}-{}-key", number % 8);
                    let value = format!("value-{number}");
                    seen.lock().unwrap().attempt(&reference, &value);
                    let body = format!(r#"{{"value":"{value}"}}"#);
                    let request = Request::new("PUT", &format!("/api/v1/keys/{reference}"))
                        .bearer(token)
                        .json(body);
                    let Ok(answer) = request.try_send(address) else { return };
                    let mut seen = seen.lock().unwrap();
                    seen.answered(&answer);
                    if answer.status < 300 {
                        seen.acknowledge(&reference, &value);
                    }
                }
            });
        }
        for reader in 0..2 {
            let seen = &seen;
            scope.spawn(move || {
                for number in 0.. {
                    let id = format!("r{round}-{reader}-{number}");
                    let request = Request::get("/api/v1/keys/prod/read/value").bearer(token).id(&id);
                    let Ok(answer) = request.try_send(address) else { return };
                    seen.lock().unwrap().answered(&answer);
                }
            });
        }
        std::thread::sleep(moment);
        server.kill();
    });
    seen.into_inner().unwrap()
}

#[test]
fn a_command_that_is_killed_did_all_of_it_or_nothing() {
    let mut dice = Dice::of_this_run("command killed");
    let home = home_with_vault();
    let usual = duration_of_an_add(&home).as_millis() as u64;
    let mut oracle = Oracle::new();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let reference = format!("dev/killed-{round}");
        let moment = Duration::from_millis(dice.below(usual * 2));
        oracle.attempt(&reference, "value");
        let ended = home.ibyok(["keys", "add", &reference]).input("value").run_and(|child| {
            std::thread::sleep(moment);
            child.kill().unwrap();
        });
        match ended.code() {
            0 => oracle.acknowledge(&reference, "value"),
            137 => killed += 1,
            other => panic!("{other}: {}", ended.said()),
        }
    }
    oracle.check(&home);
    println!(
        "command line: {killed} of {ROUNDS} killed before their end, {} writes acknowledged; lost 0",
        oracle.keys()
    );
}

fn duration_of_an_add(home: &Home) -> Duration {
    let begun = std::time::Instant::now();
    home.ibyok(["keys", "add", "dev/first"]).input("value").run().done();
    begun.elapsed()
}

#[test]
fn a_server_that_is_asked_to_stop_cuts_no_answer_short() {
    let home = home_with_vault();
    home.set("prod/read", "sk-read");
    let token = home.token(&["reader", "--env", "prod"]);
    let server = home.serve();
    let address = server.address;
    let seen = Mutex::new(Oracle::new());
    std::thread::scope(|scope| {
        for reader in 0..8 {
            let (seen, token) = (&seen, &token);
            scope.spawn(move || {
                for number in 0.. {
                    let request = Request::get("/api/v1/keys/prod/read/value").bearer(token);
                    match request.id(&format!("stop-{reader}-{number}")).try_send(address) {
                        Ok(answer) => {
                            seen.lock().unwrap().answered(&answer);
                            assert!(answer.status != 200 || answer.json()["value"] == "sk-read");
                        }
                        // Not accepted any more: not a byte of an answer. One that is cut would be `InvalidData`.
                        Err(error) => return assert_ne!(error.kind(), std::io::ErrorKind::InvalidData, "{error}"),
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(300));
        assert!(server.stop().success());
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.values() > 0);
    seen.check(&home);
    println!(
        "SIGTERM under load: {} values received, cut short 0, without a line 0",
        seen.values()
    );
}
