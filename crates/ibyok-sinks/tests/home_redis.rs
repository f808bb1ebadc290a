//! The home in Redis, with a server of its own.
#![expect(clippy::unwrap_used, reason = "tests may panic on unexpected results")]

#[path = "../../ibyok-storage/tests/servers/mod.rs"]
mod servers;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ibyok_audit::conformance::HomeHarness;
use ibyok_audit::{Error, Home, SinkDurability};
use ibyok_sinks::RedisHome;

use crate::servers::redis::Redis;

/// An id of a log, and a file of its lines.
const LOG: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const LINES: &str = "audit-00000001.log";

static SERVER: LazyLock<Redis> = LazyLock::new(|| Redis::start(&[]));

struct Prefixes;

impl HomeHarness for Prefixes {
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error> {
        Ok(Arc::new(open(&SERVER, place)))
    }
}

ibyok_audit::home_conformance!(Prefixes);

fn open(server: &Redis, prefix: &str) -> RedisHome {
    RedisHome::new(&format!("{}?prefix={prefix}", server.url())).unwrap()
}

fn contents(home: &RedisHome) -> String {
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
    std::thread::sleep(Duration::from_secs(32).saturating_sub(uptime()));
    SERVER.cli(&["HSET", &format!("{{lease}}:{LOG}"), "until", "1"]);
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
    let info = SERVER.cli(&["INFO", "server"]);
    let seconds = info.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:"));
    Duration::from_secs(seconds.unwrap().trim().parse().unwrap())
}

#[test]
fn a_server_that_comes_back_gives_holders_the_time_to_renew() {
    let server = Redis::start(&[]);
    let home = open(&server, "a");
    let _hold = home.take(LOG).unwrap().unwrap();
    server.cli(&["HSET", &format!("{{a}}:{LOG}"), "until", "1"]);
    assert!(open(&server, "a").take(LOG).unwrap().is_none());
}

#[test]
fn a_server_that_lost_its_memory_gets_the_lines_again_from_the_holder() {
    let server = Redis::start(&[]);
    let home = open(&server, "a");
    let _hold = home.take(LOG).unwrap().unwrap();
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    server.cli(&["FLUSHALL"]);
    // The log compares the lengths, and fills the home from its copy.
    let refused = home.append(LOG, LINES, 4, b"two\n").unwrap_err();
    assert!(matches!(refused, Error::OutOfPlace { found: 0, .. }), "{refused:?}");
    home.append(LOG, LINES, 0, b"one\ntwo\n").unwrap();
    assert_eq!(contents(&home), "one\ntwo\n");
    // The first write takes the lease again, before another process can.
    assert!(open(&server, "a").take(LOG).unwrap().is_none());
}

#[test]
fn a_restart_of_the_server_costs_an_idle_home_no_error() {
    let mut server = Redis::start(&[]);
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
    let mut server = Redis::start(&[]);
    let home = open(&server, "a");
    let _hold = home.take(LOG).unwrap().unwrap();
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    server.freeze();
    let begun = Instant::now();
    home.append(LOG, LINES, 4, b"two\n").unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
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
fn a_server_that_may_lose_lines_is_no_home_also_if_it_is_set_so_later() {
    for (settings, name) in [
        (vec!["--appendfsync", "everysec"], "appendfsync"),
        (vec!["--appendonly", "no"], "appendonly"),
        (vec!["--no-appendfsync-on-rewrite", "yes"], "no-appendfsync-on-rewrite"),
        (vec!["--maxmemory-policy", "allkeys-lru"], "maxmemory-policy"),
    ] {
        let server = Redis::start(&settings);
        let error = open(&server, "a").take(LOG).unwrap_err();
        assert!(text(&error).contains(name), "{error:?}");
    }
    let server = Redis::start(&[]);
    let home = open(&server, "a");
    assert_eq!(home.describe().durability, SinkDurability::Synced);
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    server.cli(&["CONFIG", "SET", "appendfsync", "everysec"]);
    let error = home.append(LOG, LINES, 4, b"two\n").unwrap_err();
    assert!(text(&error).contains("appendfsync"), "{error:?}");
}

#[test]
fn a_user_with_the_documented_permissions_is_enough() {
    let server = Redis::start(&[]);
    let rules = "on >pw ~{granted}:* -@all +eval +hget +hset +strlen +append +set +getrange +sadd +sismember +smembers +time +info +config|get +waitaof +select +ping +hello";
    // Redis before 7.2 knows no WAITAOF, and refuses a rule about it.
    let rules = rules.replace(" +waitaof", "");
    let mut command = vec!["ACL", "SETUSER", "writer"];
    command.extend(rules.split(' '));
    server.cli(&command);
    let url = format!("redis://writer:pw@127.0.0.1:{}/0?prefix=granted", server.port());
    let home = RedisHome::new(&url).unwrap();
    let _hold = home.take(LOG).unwrap().unwrap();
    home.append(LOG, LINES, 0, b"one\n").unwrap();
    home.replace(LOG, "state", b"{}").unwrap();
    assert_eq!(contents(&home), "one\n");
    assert_eq!(home.logs().unwrap(), [LOG]);
    assert!(!format!("{home:?} {:?}", home.describe()).contains("pw"));
}

#[test]
fn a_url_that_is_none_is_refused_without_its_password() {
    for url in [
        "redis://:hunter2@h:port/0",
        "http://:hunter2@h/0",
        "redis://:hunter2@h/0?prefix=A B",
        "redis://h/0?passwrod=hunter2",
        "rediss://:hunter2@h/0?sslrootcert=/nowhere",
    ] {
        let error = RedisHome::new(url).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
