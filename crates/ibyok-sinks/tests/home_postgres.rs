//! The home in PostgreSQL, with a server of its own.
#![expect(clippy::unwrap_used, reason = "tests may panic on unexpected results")]

#[path = "../../ibyok-storage/tests/servers/mod.rs"]
mod servers;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ibyok_audit::conformance::HomeHarness;
use ibyok_audit::{Error, Home, SinkDurability};
use ibyok_sinks::PostgresHome;

use crate::servers::postgres::Postgres;

/// An id of a log, and a file of its lines.
const LOG: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const LINES: &str = "audit-00000001.log";

static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(&[]));

struct Schemas;

impl HomeHarness for Schemas {
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error> {
        Ok(Arc::new(open(&SERVER, place)))
    }
}

ibyok_audit::home_conformance!(Schemas);

fn open(server: &Postgres, schema: &str) -> PostgresHome {
    PostgresHome::new(&format!("{}&schema={schema}", server.url())).unwrap()
}

/// The whole file, as a copy would get it.
fn contents(home: &PostgresHome) -> String {
    let length = home.files(LOG).unwrap().into_iter().find(|file| file.name == LINES);
    let length = usize::try_from(length.map_or(0, |file| file.length)).unwrap();
    String::from_utf8(home.read(LOG, LINES, 0, length).unwrap()).unwrap()
}

fn text(error: &Error) -> String {
    format!("{error:?}")
}

#[test]
fn a_log_of_a_killed_process_is_free_after_its_lease_and_the_old_process_writes_no_more() {
    let (first, second) = (open(&SERVER, "lease"), open(&SERVER, "lease"));
    let hold = first.take(LOG).unwrap();
    first.append(LOG, LINES, 0, b"one\n").unwrap();
    assert!(second.take(LOG).unwrap().is_none());
    // As thirty seconds later, on a server that has run for a while.
    SERVER.psql("UPDATE lease.logs SET held_until = now() - interval '1 second'");
    std::thread::sleep(Duration::from_secs(31).saturating_sub(uptime()));
    SERVER.psql("UPDATE lease.logs SET held_until = now() - interval '1 second'");
    let taken = second.take(LOG).unwrap();
    assert!(taken.is_some());
    for refused in [
        first.append(LOG, LINES, 4, b"two\n"),
        first.replace(LOG, "state", b"{}"),
    ] {
        assert!(text(&refused.unwrap_err()).contains("another process took"));
    }
    second.append(LOG, LINES, 4, b"two\n").unwrap();
    assert_eq!(contents(&second), "one\ntwo\n");
    // The lease that was lost frees nothing.
    drop(hold);
    assert!(first.take(LOG).unwrap().is_none());
}

fn uptime() -> Duration {
    let seconds = SERVER.psql("SELECT extract(epoch FROM now() - pg_postmaster_start_time())");
    Duration::from_secs_f64(seconds.parse().unwrap())
}

#[test]
fn a_server_that_comes_back_gives_holders_the_time_to_renew() {
    let server = Postgres::start(&[]);
    let home = open(&server, "a");
    let _hold = home.take(LOG).unwrap().unwrap();
    // The server was away for a minute: by its clock the lease is over.
    server.psql("UPDATE a.logs SET held_until = now() - interval '1 minute'");
    assert!(open(&server, "a").take(LOG).unwrap().is_none());
}

#[test]
fn a_lease_is_renewed_without_writes() {
    let home = open(&SERVER, "renewal");
    let _hold = home.take(LOG).unwrap().unwrap();
    let until = || SERVER.psql("SELECT held_until FROM renewal.logs");
    let before = until();
    let begun = Instant::now();
    while until() == before {
        assert!(begun.elapsed() < Duration::from_secs(20), "the lease is not renewed");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_restart_of_the_server_costs_an_idle_home_no_error() {
    let mut server = Postgres::start(&[]);
    let home = open(&server, "a");
    let _hold = home.take(LOG).unwrap().unwrap();
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    server.kill();
    server.restart();
    home.append(LOG, LINES, 4, b"two\n").unwrap();
    assert_eq!(contents(&home), "one\ntwo\n");
}

#[test]
fn a_server_that_is_down_or_frozen_is_an_error_within_three_seconds_and_the_next_call_finds_it() {
    let mut server = Postgres::start(&[]);
    let home = open(&server, "a");
    let _hold = home.take(LOG).unwrap().unwrap();
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    server.freeze();
    let begun = Instant::now();
    let late = home.append(LOG, LINES, 4, b"two\n").unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(text(&late).contains("no answer within 3 seconds"), "{late:?}");
    server.thaw();
    // The frozen server may have taken the line: the home shows whether it did.
    let end = u64::try_from(contents(&home).len()).unwrap();
    home.append(LOG, LINES, end, b"three\n").unwrap();
    server.kill();
    let begun = Instant::now();
    home.append(LOG, LINES, end + 6, b"four\n").unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    server.restart();
    home.append(LOG, LINES, end + 6, b"four\n").unwrap();
    assert!(contents(&home).ends_with("three\nfour\n"));
}

#[test]
fn a_server_that_does_not_sync_is_no_home_also_if_it_stops_to_later() {
    let server = Postgres::start(&["fsync=off"]);
    let error = open(&server, "a").logs().unwrap_err();
    assert!(text(&error).contains("fsync"), "{error:?}");

    let server = Postgres::start(&[]);
    let home = open(&server, "a");
    assert_eq!(home.describe().durability, SinkDurability::Synced);
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    server.psql_in_parts(&["ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"]);
    std::thread::sleep(Duration::from_millis(500));
    let end = u64::try_from(contents(&home).len()).unwrap();
    let error = home.append(LOG, LINES, end, b"two\n").unwrap_err();
    assert!(text(&error).contains("does not sync"), "{error:?}");
}

#[test]
fn tables_that_a_crash_empties_are_no_home() {
    let home = open(&SERVER, "unlogged");
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    SERVER.psql("ALTER TABLE unlogged.parts SET UNLOGGED");
    let error = home.append(LOG, LINES, 4, b"two\n").unwrap_err();
    assert!(text(&error).contains("UNLOGGED"), "{error:?}");
}

#[test]
fn a_commit_is_synced_also_where_the_database_turned_that_off() {
    let server = Postgres::start(&["synchronous_commit=off"]);
    let home = open(&server, "a");
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    assert_eq!(contents(&home), "one\n");
}

#[test]
fn every_change_of_the_table_shows_in_the_file() {
    let home = open(&SERVER, "changed");
    for (at, line) in [(0, "one\n"), (4, "two\n"), (8, "three\n")] {
        home.append(LOG, LINES, at, line.as_bytes()).unwrap();
    }
    let whole = contents(&home);
    let parts = "SELECT * FROM changed.parts";
    SERVER.psql(&format!("CREATE TABLE changed.kept AS {parts}"));
    for change in [
        "UPDATE changed.parts SET bytes = 'TWO\n' WHERE at = 4",
        "UPDATE changed.parts SET bytes = bytes || 'forged\n'::bytea WHERE at = 4",
        "UPDATE changed.parts SET bytes = bytes || 'forged\n'::bytea WHERE at = 8",
        "DELETE FROM changed.parts WHERE at = 0",
        "DELETE FROM changed.parts WHERE at = 4",
        "DELETE FROM changed.parts WHERE at = 8",
        "INSERT INTO changed.parts SELECT log, file, 6, 'forged\n' FROM changed.parts LIMIT 1",
        "INSERT INTO changed.parts SELECT log, file, 14, 'forged\n' FROM changed.parts LIMIT 1",
        "INSERT INTO changed.parts SELECT log, file, 99, 'forged\n' FROM changed.parts LIMIT 1",
        "UPDATE changed.parts SET at = 20 WHERE at = 8",
    ] {
        SERVER.psql(change);
        assert_ne!(contents(&home), whole, "{change}");
        SERVER.psql_in_parts(&[
            "TRUNCATE changed.parts",
            "INSERT INTO changed.parts SELECT * FROM changed.kept",
        ]);
        assert_eq!(contents(&home), whole);
    }
}

#[test]
fn a_role_that_may_only_read_and_write_is_enough_for_tables_that_exist() {
    open(&SERVER, "granted").append(LOG, LINES, 0, b"one\n").unwrap();
    SERVER.psql(
        "CREATE ROLE home_writer LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA granted TO home_writer; \
         GRANT SELECT ON granted.home TO home_writer; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON granted.logs, granted.parts TO home_writer",
    );
    let port = SERVER.port();
    let url = format!("postgres://home_writer:pw@127.0.0.1:{port}/postgres?sslmode=disable&schema=granted");
    let home = PostgresHome::new(&url).unwrap();
    let _hold = home.take(LOG).unwrap().unwrap();
    home.append(LOG, LINES, 4, b"two\n").unwrap();
    home.replace(LOG, "state", b"{}").unwrap();
    assert_eq!(contents(&home), "one\ntwo\n");
    assert!(!format!("{home:?} {:?}", home.describe()).contains("pw"));
    assert_eq!(
        home.describe().name,
        format!("postgres://127.0.0.1:{port}/postgres schema granted")
    );
}

#[test]
fn tables_of_a_newer_program_are_refused() {
    open(&SERVER, "newer").logs().unwrap();
    SERVER.psql("UPDATE newer.home SET format = 2");
    let error = open(&SERVER, "newer").logs().unwrap_err();
    assert!(text(&error).contains("use a newer program"), "{error:?}");
}

#[test]
fn a_url_that_is_none_is_refused_without_its_password() {
    for url in [
        "postgres://me:hunter2@h:port/d",
        "redis://me:hunter2@h/d",
        "postgres://me:hunter2@h/d?schema=A;B",
        "postgres://me@h/d?passwrod=hunter2",
    ] {
        let error = PostgresHome::new(url).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
