//! The sink in PostgreSQL, with a server of its own.
#![expect(clippy::unwrap_used, reason = "tests may panic on unexpected results")]

mod feed;
#[path = "../../ibyok-storage/tests/servers/mod.rs"]
mod servers;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ibyok_audit::conformance::SinkHarness;
use ibyok_audit::{Batch, Error, Sink, SinkDescription};
use ibyok_sinks::PostgresSink;

use crate::feed::{batch, lines};
use crate::servers::postgres::Postgres;

static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(&[]));

/// A schema that no other test uses.
fn schema() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("audit_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn open(server: &Postgres, schema: &str, must_sync: bool) -> PostgresSink {
    PostgresSink::new(&format!("{}&schema={schema}", server.url()), must_sync).unwrap()
}

fn found(server: &Postgres, schema: &str) -> Vec<Vec<u8>> {
    let text = server.psql(&format!("SELECT line FROM {schema}.lines ORDER BY log, seq"));
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

struct Tables;

struct Table {
    sink: PostgresSink,
    schema: String,
}

impl Sink for Table {
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

impl SinkHarness for Tables {
    type Sink = Table;

    fn fresh(&self) -> Table {
        let schema = schema();
        let sink = open(&SERVER, &schema, true);
        Table { sink, schema }
    }

    fn restart(&self, table: Table) -> Table {
        Table {
            sink: open(&SERVER, &table.schema, true),
            schema: table.schema,
        }
    }

    fn lines(&self, table: &Table) -> Vec<Vec<u8>> {
        found(&SERVER, &table.schema)
    }
}

ibyok_audit::sink_conformance!(Tables);

#[test]
fn a_batch_that_is_sent_again_adds_nothing_and_another_line_under_its_number_is_refused() {
    let schema = schema();
    let mut sink = open(&SERVER, &schema, true);
    let bytes = lines("AbC", 1..=10);
    sink.write(&batch(&bytes, 1)).unwrap();
    sink.write(&batch(&bytes, 1)).unwrap();
    let longer = lines("AbC", 5..=12);
    sink.write(&batch(&longer, 5)).unwrap();
    assert_eq!(found(&SERVER, &schema), feed::split(&lines("AbC", 1..=12)));
    let forged = String::from_utf8(lines("AbC", 12..=12))
        .unwrap()
        .replace("allowed", "denied");
    let error = sink.write(&batch(forged.as_bytes(), 12)).unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    assert_eq!(found(&SERVER, &schema), feed::split(&lines("AbC", 1..=12)));
    // Another log has numbers of its own.
    sink.write(&batch(&lines("XyZ", 1..=1), 1)).unwrap();
    assert_eq!(found(&SERVER, &schema).len(), 13);
}

#[test]
fn a_server_that_does_not_sync_is_no_required_sink() {
    let server = Postgres::start(&["fsync=off"]);
    let bytes = lines("AbC", 1..=1);
    let mut required = open(&server, "a", true);
    let error = required.write(&batch(&bytes, 1)).unwrap_err();
    assert!(error_text(&error).contains("fsync"), "{error:?}");
    let mut best_effort = open(&server, "a", false);
    assert!(!best_effort.durable());
    best_effort.write(&batch(&bytes, 1)).unwrap();
}

fn error_text(error: &Error) -> String {
    format!("{error:?}")
}

#[test]
fn a_table_that_a_crash_empties_is_no_required_sink() {
    let schema = schema();
    SERVER.psql(&format!(
        "CREATE SCHEMA {schema}; CREATE UNLOGGED TABLE {schema}.lines (log text NOT NULL, seq bigint NOT NULL, line text NOT NULL, \
         received timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (log, seq))"
    ));
    let bytes = lines("AbC", 1..=1);
    let error = open(&SERVER, &schema, true).write(&batch(&bytes, 1)).unwrap_err();
    assert!(error_text(&error).contains("UNLOGGED"), "{error:?}");
    open(&SERVER, &schema, false).write(&batch(&bytes, 1)).unwrap();
}

#[test]
fn a_required_sink_notices_a_table_that_becomes_unlogged_while_it_is_connected() {
    let schema = schema();
    let mut sink = open(&SERVER, &schema, true);
    sink.write(&batch(&lines("AbC", 1..=1), 1)).unwrap();
    SERVER.psql(&format!("ALTER TABLE \"{schema}\".lines SET UNLOGGED"));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let next = lines("AbC", 2..=2);
    let error = sink.write(&batch(&next, 2)).unwrap_err();
    assert!(error_text(&error).contains("UNLOGGED"), "{error:?}");
    SERVER.psql(&format!("ALTER TABLE \"{schema}\".lines SET LOGGED"));
    sink.write(&batch(&next, 2)).unwrap();
    assert_eq!(found(&SERVER, &schema).len(), 2);
}

#[test]
fn a_commit_is_synced_also_where_the_database_turned_that_off() {
    let server = Postgres::start(&["synchronous_commit=off"]);
    let mut sink = open(&server, "a", true);
    sink.write(&batch(&lines("AbC", 1..=1), 1)).unwrap();
    assert_eq!(found(&server, "a").len(), 1);
}

#[test]
fn a_server_that_is_killed_or_frozen_is_an_error_and_gets_the_same_batch_afterwards() {
    let mut server = Postgres::start(&[]);
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
    assert_eq!(found(&server, "a"), feed::split(&lines("AbC", 1..=11)));
    sink.close().unwrap();
}

#[test]
fn a_role_that_may_only_add_and_read_is_enough_for_a_table_that_exists() {
    let schema = schema();
    open(&SERVER, &schema, true)
        .write(&batch(&lines("AbC", 1..=1), 1))
        .unwrap();
    let role = format!("writer_{schema}");
    SERVER.psql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT INSERT, SELECT ON {schema}.lines TO {role}"
    ));
    let url = format!(
        "postgres://{role}:pw@127.0.0.1:{}/postgres?sslmode=disable&schema={schema}",
        SERVER.port()
    );
    let mut sink = PostgresSink::new(&url, true).unwrap();
    sink.write(&batch(&lines("AbC", 2..=3), 2)).unwrap();
    assert_eq!(found(&SERVER, &schema).len(), 3);
    assert!(!format!("{sink:?} {:?}", sink.describe()).contains("pw"));
}

#[test]
fn a_url_that_is_none_is_refused_without_its_password() {
    for url in [
        "postgres://me:hunter2@h:port/d",
        "mysql://me:hunter2@h/d",
        "postgres://me:hunter2@h/d?schema=A;B",
        "postgres://me@h/d?passwrod=hunter2",
        "postgres://me@h/d?sslpassword=hunter2",
        "postgres://me:hunter2@h/d?sslmod=verify-full",
    ] {
        let error = PostgresSink::new(url, true).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
