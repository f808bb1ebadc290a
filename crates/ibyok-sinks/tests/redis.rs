//! The sink in Redis, with a server of its own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic on unexpected results"
)]

mod feed;
#[path = "../../ibyok-storage/tests/servers/mod.rs"]
mod servers;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ibyok_audit::conformance::SinkHarness;
use ibyok_audit::{Batch, Error, Sink, SinkDescription};
use ibyok_sinks::RedisSink;

use crate::feed::{batch, lines};
use crate::servers::redis::Redis;

static SERVER: LazyLock<Redis> = LazyLock::new(|| Redis::start(&[]));

/// A prefix that no other test uses.
fn prefix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("audit-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn open(server: &Redis, prefix: &str, must_sync: bool) -> RedisSink {
    RedisSink::new(&format!("{}?prefix={prefix}", server.url()), must_sync, None).unwrap()
}

fn found(server: &Redis, prefix: &str, log: &str) -> Vec<Vec<u8>> {
    let text = server.cli(&["--raw", "XRANGE", &format!("{prefix}:{log}"), "-", "+"]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.chunks(3).map(|entry| entry[2].as_bytes().to_vec()).collect()
}

struct Streams;

struct Stream {
    sink: RedisSink,
    prefix: String,
}

impl Sink for Stream {
    fn describe(&self) -> SinkDescription {
        self.sink.describe()
    }

    fn durable(&self) -> bool {
        self.sink.durable()
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.sink.write(batch)
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.sink.sync()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.sink.close()
    }
}

impl SinkHarness for Streams {
    type Sink = Stream;

    fn fresh(&self) -> Stream {
        let prefix = prefix();
        let sink = open(&SERVER, &prefix, true);
        Stream { sink, prefix }
    }

    fn restart(&self, stream: Stream) -> Stream {
        Stream {
            sink: open(&SERVER, &stream.prefix, true),
            prefix: stream.prefix,
        }
    }

    fn lines(&self, stream: &Stream) -> Vec<Vec<u8>> {
        found(&SERVER, &stream.prefix, "conformance")
    }
}

ibyok_audit::sink_conformance!(Streams);

#[test]
fn a_batch_that_is_sent_again_adds_only_what_is_missing_and_another_line_is_refused() {
    let prefix = prefix();
    let mut sink = open(&SERVER, &prefix, true);
    sink.write(&batch(&lines("AbC", 1..=10), 1)).unwrap();
    sink.write(&batch(&lines("AbC", 1..=10), 1)).unwrap();
    // As after a restart that knows of nothing.
    let mut sink = open(&SERVER, &prefix, true);
    sink.write(&batch(&lines("AbC", 5..=12), 5)).unwrap();
    assert_eq!(found(&SERVER, &prefix, "AbC"), feed::split(&lines("AbC", 1..=12)));
    let forged = String::from_utf8(lines("AbC", 12..=12))
        .unwrap()
        .replace("allowed", "denied");
    let error = sink.write(&batch(forged.as_bytes(), 12)).unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    sink.write(&batch(&lines("XyZ", 1..=1), 1)).unwrap();
    assert_eq!(found(&SERVER, &prefix, "XyZ").len(), 1);
}

#[test]
fn a_server_that_may_lose_lines_is_no_required_sink() {
    for (settings, name) in [
        (vec!["--appendfsync", "everysec"], "appendfsync"),
        (vec!["--appendonly", "no"], "appendonly"),
        (vec!["--no-appendfsync-on-rewrite", "yes"], "no-appendfsync-on-rewrite"),
        (vec!["--maxmemory-policy", "allkeys-lru"], "maxmemory-policy"),
    ] {
        let server = Redis::start(&settings);
        let bytes = lines("AbC", 1..=1);
        let error = open(&server, "a", true).write(&batch(&bytes, 1)).unwrap_err();
        assert!(format!("{error:?}").contains(name), "{error:?}");
        let mut best_effort = open(&server, "a", false);
        assert!(!best_effort.durable());
        best_effort.write(&batch(&bytes, 1)).unwrap();
    }
}

#[test]
fn a_required_sink_notices_a_server_that_stops_to_sync_while_it_is_connected() {
    let server = Redis::start(&[]);
    let mut sink = open(&server, "a", true);
    sink.write(&batch(&lines("AbC", 1..=1), 1)).unwrap();
    server.cli(&["CONFIG", "SET", "appendfsync", "everysec"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let next = lines("AbC", 2..=2);
    let error = sink.write(&batch(&next, 2)).unwrap_err();
    assert!(format!("{error:?}").contains("appendfsync"), "{error:?}");
    server.cli(&["CONFIG", "SET", "appendfsync", "always"]);
    sink.write(&batch(&next, 2)).unwrap();
    assert_eq!(found(&server, "a", "AbC").len(), 2);
}

#[test]
fn a_server_that_is_killed_or_frozen_is_an_error_and_gets_the_same_batch_afterwards() {
    let mut server = Redis::start(&[]);
    let mut sink = open(&server, "a", true);
    sink.write(&batch(&lines("AbC", 1..=5), 1)).unwrap();
    server.freeze();
    let next = lines("AbC", 6..=9);
    assert!(sink.write(&batch(&next, 6)).is_err(), "frozen");
    server.thaw();
    sink.write(&batch(&next, 6)).unwrap();
    server.kill();
    let last = lines("AbC", 10..=11);
    assert!(sink.write(&batch(&last, 10)).is_err(), "killed");
    server.restart();
    sink.write(&batch(&last, 10)).unwrap();
    assert_eq!(found(&server, "a", "AbC"), feed::split(&lines("AbC", 1..=11)));
    assert!(!format!("{sink:?} {:?}", sink.describe()).contains("SENTINEL"));
}

#[test]
fn a_url_that_is_none_is_refused_without_its_password() {
    for url in [
        "redis://:hunter2@h:port/0",
        "http://:hunter2@h/0",
        "redis://:hunter2@h/0?prefix=A B",
        "redis://h/0?passwrod=hunter2",
    ] {
        let error = RedisSink::new(url, true, None).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
