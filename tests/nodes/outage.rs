//! A store that is away, that does not write, or that forgot: refused with the part named, never half served, and back by itself.

use std::time::{Duration, Instant};

use ibyok_core::{AccessToken, Code};

use crate::shared::Shared;
use crate::site::{Node, Site, code, key, said, unavailable};

crate::on!(postgres redis, a_store_that_is_away_at_the_start_is_said_and_one_that_returns_is_found);

/// The longest time until a node serves again after its store does.
const BACK: Duration = Duration::from_secs(2);

/// The greatest age of a value that a node releases.
const PROMISED: Duration = Duration::from_secs(1);

async fn a_store_that_is_away_at_the_start_is_said_and_one_that_returns_is_found(mut shared: Shared) {
    let site = Site::new();
    let node = site.create(&shared.url()).await;
    node.set("prod/key", "first").await.expect("a key");
    let token = node.token("reader", "prod").await;
    node.get(&token, "prod/key").await.expect("a value");

    shared.kill();
    let begun = Instant::now();
    assert!(unavailable(site.open(&shared.url()).await).contains("store"));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    tokio::time::sleep(PROMISED).await;
    assert!(unavailable(node.get(&token, "prod/key").await).contains("store"));
    unavailable(node.set("prod/key", "second").await);
    assert!(node.vault.ready().await.lease.is_some());

    shared.restart();
    let back = node.serves_again(&token, "prod/key", BACK).await;
    println!("{}: back {back:?} after it was started again", shared.name());
    assert_eq!(node.get(&token, "prod/key").await.expect("a value"), "first");
    assert_eq!(node.set("prod/key", "third").await.expect("a version"), 2);
    let late = site.open(&shared.url()).await.expect("a node");
    assert_eq!(late.get(&token, "prod/key").await.expect("a value"), "third");
}

/// A write is refused and changes nothing; reading goes on.
async fn reads_only(node: &Node, token: &AccessToken) {
    for _ in 0..3 {
        unavailable(node.set("prod/key", "second").await);
        unavailable(node.operator().keys().disable(&key("prod/key")).await);
        assert_eq!(node.get(token, "prod/key").await.expect("a value"), "first");
    }
}

/// Writes until one is taken.
async fn writes_again(node: &Node) {
    let begun = Instant::now();
    while let Err(error) = node.set("prod/key", "second").await {
        assert!(begun.elapsed() < BACK, "{}", said(&error));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let shown = node.operator().keys().show(&key("prod/key")).await.expect("a key");
    assert_eq!((shown.version, shown.disabled), (Some(2), false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_postgresql_that_is_read_only_is_read() {
    let shared = Shared::postgres();
    let Shared::Postgres(server) = &shared else {
        unreachable!()
    };
    let site = Site::new();
    let node = site.create(&shared.url()).await;
    node.set("prod/key", "first").await.expect("a key");
    let token = node.token("reader", "prod").await;

    server.psql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.psql("SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(300)).await;
    reads_only(&node, &token).await;

    server.psql_in_parts(&[
        "SET default_transaction_read_only = off",
        "ALTER SYSTEM RESET default_transaction_read_only",
    ]);
    server.psql("SELECT pg_reload_conf()");
    writes_again(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_postgresql_that_ends_every_connection_is_found_again() {
    let shared = Shared::postgres();
    let Shared::Postgres(server) = &shared else {
        unreachable!()
    };
    let site = Site::new();
    let node = site.create(&shared.url()).await;
    node.set("prod/key", "first").await.expect("a key");
    let token = node.token("reader", "prod").await;
    for _ in 0..3 {
        server.psql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
        node.serves_again(&token, "prod/key", BACK).await;
    }
    writes_again(&node).await;
}

/// The records, and how far the change feed had come: what a backup that is restored under running nodes brings back.
const KEEP: &str = "
    CREATE SCHEMA kept;
    CREATE TABLE kept.records AS TABLE ibyok.records;
    CREATE TABLE kept.changes AS TABLE ibyok.changes;
    CREATE TABLE kept.counters AS TABLE ibyok.counters";
const PUT_BACK: &str = "
    BEGIN;
    DELETE FROM ibyok.records; INSERT INTO ibyok.records TABLE kept.records;
    DELETE FROM ibyok.changes; INSERT INTO ibyok.changes TABLE kept.changes;
    UPDATE ibyok.counters SET change = (SELECT change FROM kept.counters);
    COMMIT";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_postgresql_that_goes_back_under_a_node_is_said_once_and_nothing_that_was_cached_is_served() {
    let shared = Shared::postgres();
    let Shared::Postgres(server) = &shared else {
        unreachable!()
    };
    let site = Site::new();
    let node = site.create(&shared.url()).await;
    node.set("prod/key", "leaked").await.expect("a key");
    let token = node.token("reader", "prod").await;
    server.psql(KEEP);
    node.set("prod/key", "replaced").await.expect("a version");
    node.set("prod/later", "value").await.expect("a key");
    // The node looks at the feed after its own changes as well.
    tokio::time::sleep(PROMISED).await;
    for (reference, value) in [("prod/key", "replaced"), ("prod/later", "value")] {
        assert_eq!(node.get(&token, reference).await.expect("a value"), value);
    }

    server.psql(PUT_BACK);
    tokio::time::sleep(PROMISED).await;
    for _ in 0..20 {
        for reference in ["prod/key", "prod/later"] {
            let refused = code(&node.get(&token, reference).await);
            assert_eq!(refused, Some(Code::Integrity), "{reference}");
        }
        assert!(node.vault.ready().await.behind.is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let lines = ibyok_tests::audit_lines(&node.log);
    let told = lines.iter().filter(|line| line.text("action") == "vault.store_behind");
    assert_eq!(told.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_without_memory_is_read() {
    let shared = Shared::redis();
    let Shared::Redis(server) = &shared else { unreachable!() };
    let site = Site::new();
    let node = site.create(&shared.url()).await;
    node.set("prod/key", "first").await.expect("a key");
    let token = node.token("reader", "prod").await;

    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    reads_only(&node, &token).await;

    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    writes_again(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_forgot_everything_releases_nothing() {
    let shared = Shared::redis();
    let Shared::Redis(server) = &shared else { unreachable!() };
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let there = site.open(&shared.url()).await.expect("a node");
    here.set("prod/key", "first").await.expect("a key");
    let (token, revoked) = (here.token("reader", "prod").await, here.token("revoked", "prod").await);
    for node in [&here, &there] {
        node.get(&token, "prod/key").await.expect("a value");
    }
    here.revoke("revoked").await.expect("revoked");

    server.cli(&["FLUSHALL"]);
    tokio::time::sleep(PROMISED).await;
    for node in [&here, &there] {
        for token in [&token, &revoked] {
            let refused = code(&node.get(token, "prod/key").await);
            let expected = [Code::Unauthenticated, Code::Integrity, Code::Unavailable];
            assert!(refused.is_some_and(|code| expected.contains(&code)), "{refused:?}");
        }
    }
    // Where it was revoked, its record is known to have been there.
    println!(
        "Redis, FLUSHALL: a revoked token gives {:?}",
        code(&here.get(&revoked, "prod/key").await)
    );
    let opened = site.open(&shared.url()).await;
    assert_eq!(code(&opened), Some(Code::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_lost_records_refuses_them_where_they_were_seen() {
    let shared = Shared::redis();
    let Shared::Redis(server) = &shared else { unreachable!() };
    let site = Site::new();
    site.create(&shared.url()).await;
    let node = site.open_without_cache(&shared.url()).await.expect("a node");
    node.set("prod/key", "first").await.expect("a key");
    node.set("prod/other", "first").await.expect("a key");
    let token = node.token("reader", "prod").await;
    node.get(&token, "prod/key").await.expect("a value");

    // Key records, of kind 3, go. The feed says nothing of it.
    let names = server.cli(&["KEYS", "{ibyok}:record:3.*"]);
    assert_eq!(names.lines().count(), 2, "{names}");
    for name in names.lines() {
        server.cli(&["DEL", name]);
    }
    assert_eq!(code(&node.get(&token, "prod/key").await), Some(Code::Integrity));
    assert_eq!(code(&node.get(&token, "prod/other").await), Some(Code::Integrity));
    // Not even a new one takes its place.
    assert!(node.set("prod/key", "second").await.is_err());
}
