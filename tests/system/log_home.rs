//! Nodes without a disk, whose logs are in a database that they share.

use std::time::{Duration, Instant};

use ibyok_tests::{Home, Run, Server, ServerOptions, wait_until};
use serde_json::Value;

use crate::PROGRAMS;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;

/// The longest time for a server to notice that its home works again.
const PATIENCE: Duration = Duration::from_secs(20);

/// A vault on PostgreSQL whose logs are in a home, and machines that use it.
struct Site {
    first: Home,
    store: Postgres,
    audit: String,
}

impl Site {
    /// A new vault with one key. `audit` is the URL of the home; without one, it is beside the store.
    fn new(audit: Option<String>) -> Self {
        let store = Postgres::start(&[]);
        let audit = audit.unwrap_or_else(|| format!("{}&schema=logs", store.url()));
        let site = Site {
            first: Home::empty(PROGRAMS),
            store,
            audit,
        };
        site.on(&site.first, &["init"]).run().done();
        let set = site.on(&site.first, &["keys", "set", "prod/key"]);
        set.input("value").run().done();
        site
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        let kek = self.first.path("home/kek").display().to_string();
        [
            ("IBYOK_STORE", self.store.url()),
            ("IBYOK_AUDIT", self.audit.clone()),
            ("IBYOK_KEK_FILE", kek),
        ]
    }

    /// A command on a machine.
    fn on(&self, machine: &Home, args: &[&str]) -> Run {
        let run = machine.ibyok(args);
        self.variables()
            .into_iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    }

    fn serve(&self, machine: &Home) -> Server {
        let options = self
            .variables()
            .into_iter()
            .fold(ServerOptions::default(), |options, (name, value)| {
                options.env(name, &value)
            });
        machine.serve_with(options.own_program())
    }

    fn token(&self) -> String {
        let issue = ["tokens", "issue", "app", "--env", "prod"];
        self.on(&self.first, &issue).run().done().text()
    }

    fn verify(&self, machine: &Home, exit: i32) -> Value {
        let run = self.on(machine, &["--json", "audit", "verify"]).run();
        run.exits(exit).json()
    }

    /// The number of retrievals on all logs, as a machine reads them.
    fn retrievals(&self, machine: &Home) -> usize {
        let exported = self.on(machine, &["audit", "export"]).run().done().text();
        let is_one =
            |line: &&str| line.contains(r#""action":"key.retrieve""#) && line.contains(r#""outcome":"allowed""#);
        exported.lines().filter(is_one).count()
    }
}

/// Two servers share a home, one is killed, and nothing is lost or left on either machine.
fn nodes_share(site: &Site) {
    let (second, token) = (Home::empty(PROGRAMS), site.token());
    let (one, two) = (site.serve(&site.first), site.serve(&second));
    for server in [&one, &two] {
        server.retrieve(&token, "prod/key").is(200);
    }
    assert_eq!(site.retrievals(&second), 2);
    one.retrieve(&token, "prod/key").is(200);
    one.kill();
    assert_eq!(
        site.retrievals(&second),
        3,
        "a line is in the home before its value is released"
    );
    let report = site.verify(&second, 0);
    assert!(report["logs"].as_array().unwrap().len() >= 3, "{report}");
    assert_eq!(report["floors"]["ok"], true, "{report}");
    two.retrieve(&token, "prod/key").is(200);
    // The first machine reports who read the key through the second one.
    let open = ["incident", "open", "prod/key", "--reason", "leaked", "--since", "1d"];
    site.on(&site.first, &open).run().exits(0);
    let report = ["--json", "incident", "report", "prod/key"];
    let report = site.on(&site.first, &report).run().done().json();
    let readers = report["readers"].as_array().unwrap();
    let app = readers.iter().find(|reader| reader.to_string().contains("\"app\""));
    assert!(app.is_some_and(|app| app["count"] == 4), "{report}");
    assert!(two.stop().success());
    assert!(!second.vault().exists(), "a node without a disk keeps no directory");
}

#[test]
fn nodes_without_a_disk_share_a_home_in_postgresql() {
    nodes_share(&Site::new(None));
}

#[test]
fn nodes_without_a_disk_share_a_home_in_redis() {
    let redis = Redis::start(&[]);
    nodes_share(&Site::new(Some(redis.url())));
}

#[test]
fn every_change_of_the_tables_is_a_finding_on_every_node() {
    let site = Site::new(None);
    let machine = Home::empty(PROGRAMS);
    for _ in 0..5 {
        site.on(&machine, &["get", "prod/key"]).run().done();
    }
    site.verify(&machine, 0);
    let psql = |statement: &str| site.store.psql(statement);
    psql("CREATE TABLE logs.kept AS SELECT * FROM logs.parts");
    psql("CREATE TABLE logs.kept_records AS SELECT * FROM ibyok.records");
    let log = psql("SELECT log FROM logs.parts WHERE file LIKE '%.log' GROUP BY log ORDER BY count(*) DESC LIMIT 1");
    let lines = format!("log = '{log}' AND file = 'audit-00000001.log'");
    let at = psql(&format!(
        "SELECT at FROM logs.parts WHERE {lines} ORDER BY at OFFSET 6 LIMIT 1"
    ));
    let of_line = format!("{lines} AND at = {at}");
    for change in [
        format!(
            "UPDATE logs.parts SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), 'allowed', 'denied!'), 'UTF8') WHERE {of_line}"
        ),
        format!("UPDATE logs.parts SET bytes = bytes || bytes WHERE {of_line}"),
        format!("DELETE FROM logs.parts WHERE {of_line}"),
        format!("INSERT INTO logs.parts SELECT log, file, at + 7, bytes FROM logs.parts WHERE {of_line}"),
        format!("DELETE FROM logs.parts WHERE {lines} AND at > {at}"),
        format!("DELETE FROM logs.parts WHERE log = '{log}'"),
        format!("DELETE FROM logs.logs WHERE log = '{log}'"),
    ] {
        psql(&change);
        let report = site.verify(&machine, 10);
        assert_eq!(report["ok"], false, "{change}: {report}");
        let findings = report["findings"].to_string();
        assert!(findings.contains(&log), "{change}: {report}");
        // The node still serves: the fault is reported, and stops nobody who needs a key.
        site.on(&machine, &["get", "prod/key"]).run().done();
        site.store.psql_in_parts(&[
            "TRUNCATE logs.parts",
            "INSERT INTO logs.parts SELECT * FROM logs.kept",
            "TRUNCATE ibyok.records",
            "INSERT INTO ibyok.records SELECT * FROM logs.kept_records",
        ]);
    }
}

#[test]
fn a_home_that_fails_stops_every_release_for_a_bounded_time_and_loses_no_line() {
    let mut redis = Redis::start(&[]);
    let site = Site::new(Some(redis.url()));
    let (token, server) = (site.token(), site.serve(&site.first));
    server.retrieve(&token, "prod/key").is(200);
    redis.freeze();
    let begun = Instant::now();
    server.retrieve(&token, "prod/key").is(503);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(!server.is_ready());
    redis.thaw();
    wait_until("the server works again after the freeze", PATIENCE, || {
        server.is_ready()
    });
    server.retrieve(&token, "prod/key").is(200);
    redis.kill();
    server.retrieve(&token, "prod/key").is(503);
    redis.restart();
    wait_until("the server works again after the restart", PATIENCE, || {
        server.is_ready()
    });
    server.retrieve(&token, "prod/key").is(200);
    // A failover that lost everything: the server has the lines, and writes them again.
    redis.cli(&["FLUSHALL"]);
    drop(server.retrieve(&token, "prod/key"));
    wait_until("the server works again after the loss", PATIENCE, || server.is_ready());
    server.retrieve(&token, "prod/key").is(200);
    assert!(site.retrievals(&site.first) >= 4);
    let printed = server.log_file();
    let ended = server.stop();
    assert!(ended.success(), "{}", std::fs::read_to_string(printed).unwrap());
    // The same with no node that runs: the checkpoint in the store shows the loss.
    redis.cli(&["FLUSHALL"]);
    let report = site.verify(&site.first, 10);
    assert!(report["findings"].to_string().contains("missing"), "{report}");
}

#[test]
fn a_home_without_its_server_is_an_error_that_names_no_password() {
    let site = Site::new(None);
    let (nowhere, machine) = (crate::servers::free_port(), Home::empty(PROGRAMS));
    for scheme in ["postgres", "redis"] {
        let url = format!("{scheme}://me:pw-SENTINEL@127.0.0.1:{nowhere}/0");
        let failed = site.on(&machine, &["get", "prod/key"]).env("IBYOK_AUDIT", &url).run();
        let said = failed.exits(5).said();
        assert!(!said.contains("SENTINEL") && said.contains("audit log"), "{said}");
        let flag = site.on(&machine, &["--audit", &url, "get", "prod/key"]).run();
        assert!(!flag.exits(2).said().contains("SENTINEL"));
    }
}
