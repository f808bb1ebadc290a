//! A rotation as it happens: two programs fetch a key by HTTP, one of them is slow to pick up the new version, and nothing of the
//! old one goes away before it has.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use ibyok_tests::{Home, Server, wait_until};
use serde_json::Value;

use crate::home_with_vault;

const PATIENCE: Duration = Duration::from_secs(20);

/// A program that fetches `prod/openai` all the time.
struct Worker {
    child: Child,
    pin: PathBuf,
    notes: PathBuf,
}

impl Worker {
    fn start(home: &Home, server: &Server, name: &str, pinned: &str) -> Worker {
        let token = home.token(&[name, "--env", "prod", "--key", "openai"]);
        let pin = home.input(&format!("{name}.pin"), pinned);
        let notes = home.path(&format!("{name}.notes"));
        let mut command = home
            .program(env!("CARGO_BIN_EXE_worker-under-test"))
            .env("IBYOK_URL", format!("http://{}", server.address))
            .env("IBYOK_TOKEN", token)
            .args(["prod", "openai"])
            .args([&pin, &notes])
            .into_command();
        let child = command.stdin(Stdio::piped()).spawn().unwrap();
        Worker { child, pin, notes }
    }

    /// Returns the notes of the worker: the number of a version, or the reason why it got none.
    fn noted(&self) -> Vec<String> {
        let notes = std::fs::read_to_string(&self.notes).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    }

    fn reads(&self, version: &str) -> bool {
        self.noted().last().is_some_and(|last| last == version)
    }

    fn stop(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        self.noted()
    }
}

fn state_of(status: &Value, version: u64) -> &str {
    let versions = status["versions"].as_array().unwrap();
    let found = versions.iter().find(|v| v["version"] == version);
    found.and_then(|v| v["state"].as_str()).unwrap_or("none")
}

fn consumers_of(status: &Value, version: u64) -> Vec<&str> {
    let versions = status["versions"].as_array().unwrap();
    let found = versions.iter().find(|v| v["version"] == version).unwrap();
    let consumers = found["consumers"].as_array().unwrap();
    consumers
        .iter()
        .filter_map(|consumer| consumer["name"].as_str())
        .collect()
}

#[test]
fn a_rotation_waits_for_the_program_that_is_left_behind() {
    let home = home_with_vault();
    home.set("prod/openai", "sk-first");
    let server = home.serve();
    let quick = Worker::start(&home, &server, "quick", "");
    let slow = Worker::start(&home, &server, "slow", "1");
    wait_until("both workers read", PATIENCE, || quick.reads("1") && slow.reads("1"));
    let status = || {
        home.ibyok(["--json", "rotate", "status", "prod/openai"])
            .run()
            .done()
            .json()
    };

    // The new version is tried before anybody else gets it.
    home.ibyok(["rotate", "stage", "prod/openai"])
        .input("sk-second")
        .run()
        .done();
    let tried = home.ibyok(["get", "prod/openai", "--version", "pending"]).run().done();
    assert_eq!(tried.text().trim(), "sk-second");
    assert_eq!(state_of(&status(), 2), "pending");
    assert!(quick.reads("1"), "nobody is given what is only staged");

    home.ibyok(["rotate", "promote", "prod/openai"]).run().done();
    wait_until("the quick one has the new version", PATIENCE, || quick.reads("2"));
    assert!(
        slow.reads("1"),
        "the old one is still served to who asks for it by number"
    );
    wait_until("it is known who reads what", PATIENCE, || {
        consumers_of(&status(), 2) == ["quick"] && consumers_of(&status(), 1).contains(&"slow")
    });

    // Neither retired nor destroyed while somebody needs it, and it is said who.
    for verb in [
        &["rotate", "retire", "prod/openai"][..],
        &["--yes", "rotate", "destroy", "prod/openai", "--version", "1"],
    ] {
        let refused = home.ibyok(["--json"].iter().chain(verb)).run().fails(1, "in_use");
        assert!(refused.text().contains("slow"), "{}", refused.text());
        assert!(!refused.text().contains("quick"), "{}", refused.text());
    }
    assert_eq!(state_of(&status(), 1), "retiring");

    // It picks up the new version, and the old one may go.
    std::fs::write(&slow.pin, "").unwrap();
    wait_until("the slow one has the new version", PATIENCE, || slow.reads("2"));
    wait_until("nobody needs the old version", PATIENCE, || {
        home.ibyok(["rotate", "retire", "prod/openai"]).run().code() == 0
    });
    home.ibyok(["--yes", "rotate", "destroy", "prod/openai", "--version", "1"])
        .run()
        .done();
    assert_eq!(state_of(&status(), 1), "destroyed");
    home.ibyok(["--json", "get", "prod/openai", "--version", "1"])
        .run()
        .fails(4, "version_destroyed");

    let usage = home.ibyok(["--json", "usage", "--by", "version"]).run().done().json();
    let items = usage["items"].as_array().unwrap();
    assert!(items.len() >= 2, "each version's retrievals are counted: {usage}");

    // Nobody was ever refused.
    for (name, noted) in [("quick", quick.stop()), ("slow", slow.stop())] {
        assert!(noted.iter().all(|line| line == "1" || line == "2"), "{name}: {noted:?}");
    }
    assert!(server.stop().success());
}
