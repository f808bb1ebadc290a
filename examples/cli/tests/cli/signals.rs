//! Signals of operators and of tools that rotate log files.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::Place;

/// A server whose own log is a file.
struct Logged {
    child: Child,
    place: Place,
}

impl Logged {
    fn start() -> Self {
        let place = Place::with_key("dev/k", "v");
        let mut call = place.ibyok(&["serve", "--listen", "127.0.0.1:0"]);
        let log = File::create(place.path("server.log")).unwrap();
        let child = call
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Logged { child, place };
        server.wait_for("server.log", "listening");
        server
    }

    fn wait_for(&self, file: &str, text: &str) {
        let begun = Instant::now();
        while !fs::read_to_string(self.place.path(file)).is_ok_and(|log| log.contains(text)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "`{text}` in {file}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn sighup_never_ends_a_server_and_opens_its_log_again() {
    let mut server = Logged::start();
    for round in 0..3 {
        let moved = format!("server.log.{round}");
        fs::rename(server.place.path("server.log"), server.place.path(&moved)).unwrap();
        server.signal("-HUP");
        server.wait_for("server.log", "reopened this log after SIGHUP");
        assert_eq!(server.child.try_wait().unwrap(), None);
    }
    server.signal("-TERM");
    assert!(server.child.wait().unwrap().success());
    assert!(server.place.read("server.log").contains("stopped"));
}

#[test]
fn sigquit_ends_a_server_as_gracefully_as_sigterm() {
    for signal in ["-QUIT", "-TERM", "-INT"] {
        let mut server = Logged::start();
        server.signal(signal);
        assert!(server.child.wait().unwrap().success(), "{signal}");
        let last = server.place.ibyok(&["audit", "tail", "--json"]).ok().out;
        assert_eq!(
            last.matches("\"log.open\"").count(),
            last.matches("\"log.close\"").count() + 1,
            "{signal} {last}"
        );
        assert!(server.place.read("server.log").contains("stopped"), "{signal}");
    }
}
