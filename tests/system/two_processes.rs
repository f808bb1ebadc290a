//! Several programs on one vault at once: servers and command lines, each right, also when one is killed or stopped.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ibyok_tests::{Oracle, Request, Server, ServerOptions};
use rustix::process::Signal;

use crate::home_with_vault;

/// The number of keys that each writer writes at least once, however slow the machine is.
const KEYS: usize = 5;

#[test]
fn two_servers_and_a_command_line_lose_nothing_of_each_other() {
    let home = home_with_vault();
    let token = home.token(&["both", "--env", "prod", "--scope", "keys:read", "--scope", "keys:write"]);
    let servers = [home.serve(), home.serve()];
    let oracle = Mutex::new(Oracle::new());
    let until = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        for (which, server) in servers.iter().enumerate() {
            for writer in 0..2 {
                let (oracle, token) = (&oracle, &token);
                scope.spawn(move || {
                    for number in 0.. {
                        if number >= KEYS && Instant::now() > until {
                            return;
                        }
                        let reference = format!("prod/s{which}-{writer}-{}", number % KEYS);
                        write_and_read(server, token, &reference, &format!("value-{number}"), oracle);
                    }
                });
            }
        }
        for number in 0.. {
            if number >= KEYS && Instant::now() > until {
                return;
            }
            let (reference, value) = (format!("prod/cli-{}", number % KEYS), format!("value-{number}"));
            home.set(&reference, value.as_bytes());
            oracle.lock().unwrap().acknowledge(&reference, &value);
            assert_eq!(home.get(&reference), value.as_bytes());
        }
    });
    let oracle = oracle.into_inner().unwrap();
    for server in servers {
        assert!(server.stop().success());
    }
    oracle.check(&home);
    println!(
        "two servers and a command line: {} values received, {} keys as written last",
        oracle.values(),
        oracle.keys()
    );
    assert_eq!(oracle.keys(), 5 * KEYS);
}

/// Checks that a client reads its own write at once, from the server to which it wrote.
fn write_and_read(server: &Server, token: &str, reference: &str, value: &str, oracle: &Mutex<Oracle>) {
    let path = format!("/api/v1/keys/{reference}");
    let put = server.send(
        &Request::new("PUT", &path)
            .bearer(token)
            .json(format!(r#"{{"value":"{value}"}}"#)),
    );
    assert!(put.status < 300, "{}", String::from_utf8_lossy(&put.raw));
    let got = server.retrieve(token, reference).is(200);
    assert_eq!(got.json()["value"], value, "{reference}");
    let mut oracle = oracle.lock().unwrap();
    oracle.answered(&put);
    oracle.answered(&got);
    oracle.acknowledge(reference, value);
}

/// The number of revocations that are timed.
const TRIALS: u32 = 10;

#[test]
fn a_revocation_by_the_command_line_holds_in_the_server_within_a_second() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let server = home.serve();
    let mut worst = Duration::ZERO;
    for round in 0..TRIALS {
        let name = format!("token-{round}");
        let token = home.token(&[&name, "--env", "prod"]);
        server.retrieve(&token, "prod/key").is(200);
        home.ibyok(["--yes", "tokens", "revoke", &name]).run().done();
        let revoked = Instant::now();
        let mut last = revoked;
        // The request must have begun before the second was over.
        while server.retrieve(&token, "prod/key").status == 200 {
            last = Instant::now();
            assert!(
                last - revoked < Duration::from_secs(1),
                "still served {:?} after the revocation",
                last - revoked
            );
        }
        worst = worst.max(last - revoked);
    }
    println!("revocation by another process: the longest that a server still served was {worst:?} ({TRIALS} trials)");
}

#[test]
fn a_server_that_stood_still_knows_what_was_revoked_meanwhile() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let server = home.serve();
    let token = home.token(&["app", "--env", "prod"]);
    server.retrieve(&token, "prod/key").is(200);
    server.signal(Signal::STOP);
    home.ibyok(["--yes", "tokens", "revoke", "app"]).run().done();
    std::thread::sleep(Duration::from_millis(800));
    server.signal(Signal::CONT);
    server.retrieve(&token, "prod/key").is_problem(401, "unauthenticated");
    assert!(server.stop().success());
    Oracle::new().check(&home);
}

#[test]
fn the_other_goes_on_when_one_is_killed() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let (one, other) = (home.serve(), home.serve());
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.answered(&one.retrieve(&token, "prod/key").is(200));
    one.kill();
    oracle.answered(&other.retrieve(&token, "prod/key").is(200));
    home.set("prod/key", "newer");
    oracle.acknowledge("prod/key", "newer");
    let third = home.serve();
    for server in [&other, &third] {
        let fresh = || server.retrieve(&token, "prod/key").json()["value"] == "newer";
        ibyok_tests::wait_until("the new value is everywhere", Duration::from_secs(1), fresh);
    }
    drop((other, third));
    oracle.check(&home);
}

#[test]
fn of_many_who_add_a_key_at_once_exactly_one_does() {
    let home = home_with_vault();
    let token = home.token(&["writer", "--env", "prod", "--scope", "keys:write"]);
    let servers = [home.serve(), home.serve()];
    let mut oracle = Oracle::new();
    for round in 0..4 {
        let reference = format!("prod/raced-{round}");
        let won = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for client in 0..16 {
                let (server, token, reference, won) = (&servers[client % 2], &token, &reference, &won);
                scope.spawn(move || {
                    let value = format!("client-{client}");
                    let put = Request::new("PUT", &format!("/api/v1/keys/{reference}")).bearer(token);
                    let put = put
                        .header("If-None-Match", "*")
                        .json(format!(r#"{{"value":"{value}"}}"#));
                    match server.send(&put) {
                        answer if answer.status == 201 => won.lock().unwrap().push(value),
                        answer if answer.status == 412 => drop(answer.is_problem(412, "precondition")),
                        answer => drop(answer.is_problem(409, "exists")),
                    }
                });
            }
            for number in 0..2 {
                let (home, reference, won) = (&home, &reference, &won);
                scope.spawn(move || {
                    let value = format!("command-{number}");
                    let added = home
                        .ibyok(["--json", "keys", "add", reference])
                        .input(value.as_bytes())
                        .run();
                    match added.code() {
                        0 => won.lock().unwrap().push(value),
                        _ => drop(added.fails(1, "exists")),
                    }
                });
            }
        });
        let won = won.into_inner().unwrap();
        assert_eq!(won.len(), 1, "{won:?}");
        oracle.acknowledge(&reference, &won[0]);
    }
    drop(servers);
    oracle.check(&home);
}

#[test]
fn no_update_is_lost_when_many_write_one_key() {
    let home = home_with_vault();
    home.set("prod/shared", "first");
    let token = home.token(&[
        "writer",
        "--env",
        "prod",
        "--scope",
        "keys:write",
        "--scope",
        "keys:read",
    ]);
    let servers = [home.serve(), home.serve()];
    let versions = Mutex::new(std::collections::BTreeMap::new());
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, token, versions) = (&servers[client % 2], &token, &versions);
            scope.spawn(move || {
                for number in 0..4 {
                    let value = format!("client-{client}-{number}");
                    let put = Request::new("PUT", "/api/v1/keys/prod/shared").bearer(token);
                    let put = server.send(&put.json(format!(r#"{{"value":"{value}"}}"#)));
                    match put.status {
                        200 => {
                            let version = put.json()["version"].as_u64().unwrap();
                            let before = versions.lock().unwrap().insert(version, value);
                            assert_eq!(before, None, "two writers were told that theirs is version {version}");
                        }
                        _ => drop(put.is_problem(409, "conflict")),
                    }
                }
            });
        }
    });
    let versions = versions.into_inner().unwrap();
    // Each version that somebody was told of holds what he wrote, and there are no others.
    for (version, value) in &versions {
        let path = format!("/api/v1/keys/prod/shared/value?version={version}");
        let answer = servers[0].send(&Request::get(&path).bearer(&token)).is(200);
        assert_eq!(answer.json()["value"], value.as_str());
    }
    let newest = *versions.keys().last().unwrap();
    assert_eq!(newest as usize, versions.len() + 1, "{versions:?}");
    drop(servers);
    Oracle::new().check(&home);
    println!("one key, 8 writers on 2 servers: {} versions, lost 0", versions.len());
}

#[test]
fn a_server_without_descriptors_left_recovers_when_its_clients_are_gone() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let options = ServerOptions::default();
    let command = home.serve_command(&options);
    let mut limited = home
        .program("prlimit")
        .arg("--nofile=64")
        .arg(command.get_program())
        .args(command.get_args());
    limited = limited.env("IBYOK_VAULT", home.vault());
    let server = Server::start(limited.into_command(), options.port, &home.path("logs/limited"));
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.answered(&server.retrieve(&token, "prod/key").is(200));
    let idle: Vec<_> = (0..200)
        .filter_map(|_| std::net::TcpStream::connect(server.address).ok())
        .collect();
    assert!(idle.len() > 64);
    std::thread::sleep(Duration::from_millis(300));
    drop(idle);
    ibyok_tests::wait_until("it serves again", Duration::from_secs(12), || {
        let answer = server.try_send(&Request::get("/api/v1/keys/prod/key/value").bearer(&token));
        answer.is_ok_and(|answer| {
            oracle.answered(&answer);
            answer.status == 200
        })
    });
    assert!(server.stop().success());
    oracle.check(&home);
}
