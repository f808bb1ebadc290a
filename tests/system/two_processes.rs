//! Several programs on one vault at once: servers and command lines, each right, also when one is killed or stands still.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ibyok_tests::{Oracle, Request, Server};
use rustix::process::Signal;

use crate::home_with_vault;

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
                        if Instant::now() > until {
                            return;
                        }
                        let reference = format!("prod/s{which}-{writer}-{}", number % 5);
                        write_and_read(server, token, &reference, &format!("value-{number}"), oracle);
                    }
                });
            }
        }
        for number in 0.. {
            if Instant::now() > until {
                return;
            }
            let (reference, value) = (format!("prod/cli-{}", number % 5), format!("value-{number}"));
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
    assert_eq!(oracle.keys(), 25);
}

/// What a client wrote it reads at once, where it wrote it.
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

#[test]
fn a_revocation_by_the_command_line_holds_in_the_server_within_a_second() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let server = home.serve();
    let mut worst = Duration::ZERO;
    for round in 0..5 {
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
    println!("revocation by another process: the longest that a server still served was {worst:?} (5 trials)");
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
