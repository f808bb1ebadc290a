//! Faults of a PostgreSQL server and of the way to it, and their effect on the store.
#![allow(
    clippy::allow_attributes,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's set-up may fail"
)]

mod faults;
mod proxy;
mod servers;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ibyok_storage::{
    ChangeNumber, Durability, Error, Expect, PostgresOptions, PostgresStore, RecordPut, Result, Store, Stored, open,
};
use tokio::task::JoinSet;

use self::faults::{Backend, hides, id, is_unavailable, put, recovers, timed};
use self::servers::postgres::{PASSWORD, Postgres};
use self::servers::tls::Certificates;

/// For what leaves the server as it is.
static SHARED: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(&[]));

faults::survived_by_every_server!(Postgres, "&schema=");

#[tokio::test(flavor = "multi_thread")]
async fn ended_sessions_are_not_noticed_by_those_who_read() {
    let server = Postgres::start(&[]);
    let store = fresh(&server, "ended").await;
    put(&*store, 1, b"kept").await;
    for _ in 0..3 {
        server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ibyok'");
        assert_eq!(store.get(&id(1)).await.unwrap().unwrap().bytes, b"kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_listening_session_every_change_is_still_told() {
    let server = Postgres::start(&[]);
    let store = fresh(&server, "deaf").await;
    let other = fresh(&server, "deaf").await;
    let mut upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    for number in 0..5 {
        let waiting = tokio::spawn({
            let store = Arc::clone(&store);
            async move { timed(store.wait(upto)).await.0 }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
        put(&*other, number, b"x").await;
        waiting.await.unwrap().unwrap();
        let told = store.changes(upto).await.unwrap();
        assert_eq!(
            told.changes.iter().map(|change| change.id).collect::<Vec<_>>(),
            [id(number)]
        );
        upto = told.upto;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_store_wrote_closes_no_collection_and_can_be_replaced() {
    let server = &*SHARED;
    let store = fresh(server, "planted").await;
    for number in 1..=3 {
        put(&*store, number, b"x").await;
    }
    server.psql(&format!(
        "SET search_path TO planted; ALTER TABLE records DROP CONSTRAINT records_id_check; UPDATE records SET revision = -5;
         INSERT INTO records SELECT kind, realm, '\\x01'::bytea, 7, bytes FROM records WHERE get_byte(id, 15) = {}",
        id(1).id()[15]
    ));
    // No page is shorter than it should be, so that nobody takes it for the last.
    let first = store.list(id(1).collection(), None, 2).await.unwrap();
    assert_eq!(first, [id(1), id(2)]);
    assert_eq!(store.list(id(1).collection(), Some(&id(2)), 2).await.unwrap(), [id(3)]);
    let there = store.get(&id(1)).await.unwrap().unwrap();
    let expect = Expect::Revision(there.revision);
    let mended = store.put(&id(1), b"mended", expect).await.unwrap();
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().revision, mended);
    // The same for many at once.
    let ids = [id(2), id(3)];
    let there: Vec<Stored> = store.get_many(&ids).await.unwrap().into_iter().flatten().collect();
    let puts = ids.iter().zip(&there);
    let puts: Vec<RecordPut<'_>> = puts
        .map(|(id, there)| RecordPut::new(*id, b"mended", Expect::Revision(there.revision)))
        .collect();
    let mended = store.put_many(&puts).await.unwrap();
    assert_eq!(store.get(&id(3)).await.unwrap().unwrap().revision, mended[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_is_read_and_refuses_writes() {
    let server = Postgres::start(&[]);
    let store = fresh(&server, "readonly").await;
    put(&*store, 1, b"kept").await;
    server.psql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.psql("SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (answer, _) = timed(store.put(&id(2), b"x", Expect::Absent)).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().bytes, b"kept");
    server.psql_in_parts(&[
        "SET default_transaction_read_only = off",
        "ALTER SYSTEM RESET default_transaction_read_only",
    ]);
    server.psql("SELECT pg_reload_conf()");
    recovers(&*store, &id(1), b"kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_kept_and_a_shorter_timeout_end_a_call_in_time() {
    let server = Postgres::start(&["statement_timeout=500ms"]);
    let store = fresh(&server, "locked").await;
    put(&*store, 1, b"kept").await;
    let lock = server.in_background("SET statement_timeout = 0; BEGIN; LOCK TABLE locked.records; SELECT pg_sleep(2)");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (answer, took) = timed(store.put(&id(2), b"x", Expect::Absent)).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    assert!(
        took < Duration::from_millis(1500),
        "the server's own timeout is shorter, and it took {took:?}"
    );
    drop(lock);
    recovers(&*store, &id(1), b"kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_free_connection_is_unavailable_until_there_is_one() {
    let server = Postgres::start(&["max_connections=6", "superuser_reserved_connections=3"]);
    server.psql("CREATE ROLE plain LOGIN PASSWORD 'plain'");
    server.psql("CREATE DATABASE plain OWNER plain");
    let url = format!("postgres://plain:plain@127.0.0.1:{}/plain", server.port());
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&url).await.unwrap());
    put(&*store, 1, b"kept").await;
    let others: Vec<_> = (0..3).map(|_| server.in_background("SELECT pg_sleep(60)")).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // What it holds open goes on, and what would need more is refused in time.
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        calls.spawn(async move { timed(store.get(&id(1))).await.0 });
    }
    let mut served = 0;
    for answer in calls.join_all().await {
        match answer {
            Ok(stored) => {
                assert_eq!(stored.expect("the record is there").bytes, b"kept");
                served += 1;
            }
            refused => assert!(is_unavailable(&refused), "{refused:?}"),
        }
    }
    assert!(served > 0, "the connections that it holds serve nobody");
    drop(others);
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()");
    recovers(&*store, &id(1), b"kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_programs_at_once_make_the_tables_once() {
    let server = &*SHARED;
    for round in 0..3 {
        let place = format!("four{round}");
        let mut programs = JoinSet::new();
        for _ in 0..4 {
            let url = format!("{}&schema={place}", server.url());
            programs.spawn(async move { PostgresStore::open(&url).await.map(drop) });
        }
        for opened in programs.join_all().await {
            opened.unwrap();
        }
        assert_eq!(server.psql(&format!("SELECT count(*) FROM {place}.ibyok_format")), "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_half_way_leaves_nothing() {
    let server = &*SHARED;
    // The third table is in the way.
    server.psql("CREATE SCHEMA half; CREATE TABLE half.changes (x int)");
    assert!(server.open(server.port(), "half").await.is_err());
    let tables = server.psql("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'half'");
    assert_eq!(tables, "changes");
    server.psql("DROP TABLE half.changes");
    put(&*fresh(server, "half").await, 1, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_is_refused_naming_both_and_another_programs_schema_is_left_alone() {
    let server = &*SHARED;
    drop(fresh(server, "newer").await);
    server.psql("UPDATE newer.ibyok_format SET format = 7");
    let error = server.open(server.port(), "newer").await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 7, known: 1, .. }), "{error:?}");
    server.psql("CREATE SCHEMA theirs; CREATE TABLE theirs.records (x int)");
    let error = server.open(server.port(), "theirs").await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_past_makes_a_gap() {
    let server = &*SHARED;
    let store = fresh(server, "past").await;
    put(&*store, 1, b"x").await;
    let upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    // As after a failover to a replica that was one change behind, on which others have gone on.
    server.psql("UPDATE past.counters SET history = 'other', change = change + 5");
    let again = fresh(server, "past").await;
    assert!(again.changes(upto).await.unwrap().gap);
    put(&*again, 2, b"x").await;
    assert!(store.changes(upto).await.unwrap().gap);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_url_is_refused_without_showing_the_password() {
    let server = &*SHARED;
    let port = server.port();
    let right = server.url();
    for (url, refused) in [
        (right.replace(PASSWORD, "pw-SENTINEL-wrong"), true),
        (right.replace("/postgres?", "/nodatabase?"), true),
        (right.replace("postgres:pw", "nobody:pw"), true),
        (right.replace("sslmode=disable", "sslmode=pw-SENTINEL"), true),
        (right.replace("sslmode=disable", "pw-SENTINEL=x"), true),
        (right.replace("sslmode=disable", "schema=pw-SENTINEL"), true),
        (right.replace("sslmode=disable", "connections=pw-SENTINEL"), true),
        (right.replace("sslmode=disable", "sslmode=require"), false),
        (
            right.replace("sslmode=disable", "sslmode=verify-full&sslrootcert=/nowhere"),
            false,
        ),
        (
            right.replace(&port.to_string(), &servers::free_port().to_string()),
            false,
        ),
        (right.replace("127.0.0.1", "host.invalid"), false),
    ] {
        let (opened, _) = timed(open(&url)).await;
        let error = opened.map(drop).unwrap_err();
        assert_eq!(
            matches!(error, Error::Refused { .. } | Error::Invalid { .. }),
            refused,
            "{error:?}"
        );
        hides(&error, &["pw-SENTINEL"]);
    }
    let store = PostgresStore::open(&right).await.unwrap();
    assert!(!format!("{store:?} {:?}", store.check().await.unwrap()).contains("pw-SENTINEL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_least_privileges_can_do_all_but_make_the_tables() {
    let server = &*SHARED;
    drop(fresh(server, "least").await);
    server.psql("CREATE ROLE least LOGIN PASSWORD 'least'");
    server.psql(
        "GRANT USAGE ON SCHEMA least TO least; GRANT SELECT ON least.ibyok_format TO least;
         GRANT SELECT, INSERT, UPDATE, DELETE ON least.records, least.changes TO least;
         GRANT SELECT, UPDATE ON least.counters TO least; GRANT USAGE, UPDATE ON SEQUENCE least.revisions TO least",
    );
    let url = format!(
        "postgres://least:least@127.0.0.1:{}/postgres?schema=least",
        server.port()
    );
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&url).await.unwrap());
    let revision = put(&*store, 1, b"x").await;
    store.delete(&id(1), revision).await.unwrap();
    put(&*store, 1, b"x").await;
    recovers(&*store, &id(1), b"x").await;
    server.psql("UPDATE least.counters SET history = 'other'");
    drop(PostgresStore::open(&url).await.unwrap());
    assert_eq!(server.psql("SELECT history <> 'other' FROM least.counters"), "t");

    let error = PostgresStore::open(&url.replace("schema=least", "schema=nothere"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn durability_is_what_the_server_is_set_to() {
    let server = Postgres::start(&["fsync=off", "synchronous_commit=off"]);
    let health = fresh(&server, "unsynced").await.check().await.unwrap();
    assert_eq!(health.durability, Durability::ProcessExit);
    let detail = |name: &str| health.detail.iter().find(|(found, _)| found == name).unwrap().1.clone();
    assert_eq!(detail("fsync"), "off");
    // A commit that is not waited for could be lost when the server is killed, so this is never left off.
    assert_eq!(detail("synchronous_commit"), "on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_connection_serves_many() {
    let options = PostgresOptions::new().connections(1);
    let url = format!("{}&schema=single", SHARED.url());
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open_with(&url, options).await.unwrap());
    put(&*store, 1, b"x").await;
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&store);
        calls.spawn(async move { store.get(&id(1)).await.unwrap().unwrap().bytes });
    }
    assert!(calls.join_all().await.iter().all(|bytes| bytes == b"x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_verify_full_only_the_right_certificate_will_do() {
    let (right, wrong) = (Certificates::new(), Certificates::new());
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", right.shown("server.pem")),
        format!("ssl_key_file={}", right.shown("server.key")),
    ];
    let server = Postgres::start(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    let url = |mode: &str, authority: &Certificates| {
        let parameters = format!("sslmode={mode}&sslrootcert={}", authority.shown("authority.pem"));
        server.url().replace("sslmode=disable", &parameters)
    };
    let store = open(&url("verify-full", &right)).await.unwrap();
    put(&*store, 1, b"x").await;
    let health = store.check().await.unwrap();
    assert!(
        health.detail.contains(&("tls".to_owned(), "on".to_owned())),
        "{health:?}"
    );
    recovers(&*store, &id(1), b"x").await;

    let (opened, _) = timed(open(&url("verify-full", &wrong))).await;
    assert!(is_unavailable(&opened), "{opened:?}");
    let other_name = url("verify-full", &right).replace("127.0.0.1", "localhost");
    let (opened, _) = timed(open(&other_name)).await;
    assert!(is_unavailable(&opened), "{opened:?}");
}
