//! Faults of a Redis server and of the way to it, and their effect on the store.
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

use ibyok_storage::{ChangeNumber, Durability, Error, Expect, RecordPut, RedisStore, Result, Store, Stored, open};

use self::faults::{Backend, hides, id, is_unavailable, put, recovers, timed};
use self::servers::redis::{PASSWORD, Redis};
use self::servers::tls::Certificates;

/// For what leaves the server as it is.
static SHARED: LazyLock<Redis> = LazyLock::new(|| Redis::start(&[]));

faults::survived_by_every_server!(Redis, "?prefix=");

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_has_a_new_past() {
    let mut server = Redis::start(&[]);
    let store = fresh(&server, "restarted").await;
    put(&*store, 1, b"kept").await;
    let upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    server.kill();
    server.restart();
    recovers(&*store, &id(1), b"kept").await;
    assert!(store.changes(upto).await.unwrap().gap);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_connection_that_hears_every_change_is_still_told() {
    let server = Redis::start(&[]);
    let store = fresh(&server, "deaf").await;
    let other = fresh(&server, "deaf").await;
    let mut upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    for number in 0..5 {
        let waiting = tokio::spawn({
            let store = Arc::clone(&store);
            async move { timed(store.wait(upto)).await.0 }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
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
async fn without_memory_or_replicas_writes_fail_cleanly_and_reads_go_on() {
    let server = Redis::start(&[]);
    let store = fresh(&server, "full").await;
    let revision = put(&*store, 1, b"kept").await;
    let upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    for (setting, value, healthy) in [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")] {
        server.cli(&["CONFIG", "SET", setting, value]);
        for answer in [
            store.put(&id(2), b"x", Expect::Absent).await.map(drop),
            store.put(&id(1), b"x", Expect::Revision(revision)).await.map(drop),
            store.delete(&id(1), revision).await,
        ] {
            assert!(is_unavailable(&answer), "{setting}: {answer:?}");
        }
        assert_eq!(store.get(&id(1)).await.unwrap().unwrap().bytes, b"kept");
        assert!(store.get(&id(2)).await.unwrap().is_none());
        let told = store.changes(upto).await.unwrap();
        assert!(
            !told.gap && told.changes.is_empty(),
            "a write that failed is in the feed: {told:?}"
        );
        assert_eq!(store.list(id(1).collection(), None, 9).await.unwrap(), [id(1)]);
        server.cli(&["CONFIG", "SET", setting, healthy]);
    }
    recovers(&*store, &id(1), b"kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_becomes_a_replica_is_unavailable_until_it_is_a_primary_again() {
    let server = Redis::start(&[]);
    let store = fresh(&server, "replica").await;
    put(&*store, 1, b"kept").await;
    server.cli(&["REPLICAOF", "127.0.0.1", &servers::free_port().to_string()]);
    assert!(is_unavailable(&timed(store.put(&id(2), b"x", Expect::Absent)).await.0));
    assert!(
        is_unavailable(&timed(store.get(&id(1))).await.0),
        "after the refusal it looks what the server is"
    );
    let (opened, _) = timed(server.open(server.port(), "replica")).await;
    assert!(is_unavailable(&opened));
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    recovers(&*store, &id(1), b"kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_makes_a_gap_however_much_is_written_afterwards() {
    let server = Redis::start(&[]);
    let store = fresh(&server, "emptied").await;
    let old = put(&*store, 1, b"x").await;
    let upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    server.cli(&["FLUSHALL"]);
    assert!(store.changes(upto).await.unwrap().gap);
    assert!(store.get(&id(1)).await.unwrap().is_none());
    let new = put(&*store, 1, b"y").await;
    assert_ne!(old, new);
    assert!(matches!(
        store.put(&id(1), b"z", Expect::Revision(old)).await,
        Err(Error::Conflict)
    ));
    for number in 2..50 {
        put(&*store, number, b"x").await;
        assert!(store.changes(upto).await.unwrap().gap, "after {number} writes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_scripts_are_sent_again() {
    let server = &*SHARED;
    let store = fresh(server, "scripts").await;
    put(&*store, 1, b"x").await;
    server.cli(&["SCRIPT", "FLUSH"]);
    put(&*store, 2, b"x").await;
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().bytes, b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_wrong_type_is_damage_and_nothing_is_half_written() {
    let server = &*SHARED;
    let store = fresh(server, "damaged").await;
    server.cli(&["SET", "{damaged}:index:3.aB3dE5gH", "in the way"]);
    let answer = store.put(&id(1), b"x", Expect::Absent).await;
    assert!(matches!(answer, Err(Error::Corrupt { .. })), "{answer:?}");
    server.cli(&["DEL", "{damaged}:index:3.aB3dE5gH"]);
    assert!(store.get(&id(1)).await.unwrap().is_none());
    put(&*store, 1, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_store_wrote_closes_no_collection_and_can_be_replaced() {
    let server = &*SHARED;
    let store = fresh(server, "planted").await;
    for number in 1..=3 {
        put(&*store, number, b"x").await;
    }
    let record = |number| format!("{{planted}}:record:{}", id(number));
    server.cli(&["HSET", &record(1), "revision", "-5"]);
    server.cli(&["HDEL", &record(2), "bytes"]);
    server.cli(&["SET", &record(3), "of another type"]);
    server.cli(&["ZADD", "{planted}:index:3.aB3dE5gH", "0", "short", "0", ""]);
    // No page is shorter than it should be, so that nobody takes it for the last.
    let first = store.list(id(1).collection(), None, 2).await.unwrap();
    assert_eq!(first, [id(1), id(2)]);
    assert_eq!(store.list(id(1).collection(), Some(&id(2)), 2).await.unwrap(), [id(3)]);
    let ids = [id(1), id(2), id(3)];
    let there: Vec<Stored> = store.get_many(&ids).await.unwrap().into_iter().flatten().collect();
    let puts = ids.iter().zip(&there);
    let puts: Vec<RecordPut<'_>> = puts
        .map(|(id, there)| RecordPut::new(*id, b"mended", Expect::Revision(there.revision)))
        .collect();
    // Record 1 is mended alone, the others at once.
    let first = store.put(&id(1), b"mended", puts[0].expect).await.unwrap();
    let rest = store.put_many(&puts[1..]).await.unwrap();
    for (number, mended) in [(1, first), (2, rest[0]), (3, rest[1])] {
        let stored = store.get(&id(number)).await.unwrap().unwrap();
        assert_eq!((stored.bytes.as_slice(), stored.revision), (&b"mended"[..], mended));
        store.delete(&id(number), mended).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_forget_or_lose_is_refused_unless_accepted_by_name() {
    for (settings, word, durability) in [
        (
            "--maxmemory-policy allkeys-lru",
            "allow_evicting",
            Durability::PowerLoss,
        ),
        ("--appendfsync everysec", "allow_unsynced", Durability::None),
        ("--appendfsync no", "allow_unsynced", Durability::ProcessExit),
        ("--appendonly no", "allow_unsynced", Durability::None),
    ] {
        let server = Redis::start(&settings.split(' ').collect::<Vec<_>>());
        let error = open(&server.url()).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert!(error.hint().contains(word), "{}", error.hint());
        for wrong in ["no", "true", ""] {
            assert!(open(&format!("{}?{word}={wrong}", server.url())).await.is_err());
        }
        let store = open(&format!("{}?{word}=yes", server.url())).await.unwrap();
        assert_eq!(store.check().await.unwrap().durability, durability, "{settings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_changed_later_is_noticed() {
    let server = Redis::start(&[]);
    let store = fresh(&server, "later").await;
    put(&*store, 1, b"x").await;
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert!(matches!(store.check().await, Err(Error::Refused { .. })));
    assert!(matches!(store.get(&id(1)).await, Err(Error::Refused { .. })));
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    recovers(&*store, &id(1), b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_least_permissions_can_do_all() {
    let server = &*SHARED;
    let rules = "on >least ~{least}:* resetchannels &{least}:changes -@all +evalsha +eval +script|load +hget +hmget +hset +hincrby \
                 +del +pexpire +rpush +ltrim +llen +lrange +zadd +zrem +zscore +zrangebylex +publish +subscribe +time +ping +info +hello \
                 +select";
    let set = |user: &str, more: &str| {
        let all = format!("{rules} {more}");
        let arguments: Vec<&str> = ["ACL", "SETUSER", user]
            .into_iter()
            .chain(all.split_whitespace())
            .collect();
        server.cli(&arguments);
    };
    set("least", "+config|get");
    let url = format!("redis://least:least@127.0.0.1:{}/0?prefix=least", server.port());
    let store = open(&url).await.unwrap();
    let revision = put(&*store, 1, b"x").await;
    store.delete(&id(1), revision).await.unwrap();
    put(&*store, 1, b"x").await;
    recovers(&*store, &id(1), b"x").await;
    assert!(store.check().await.is_ok());
    assert!(matches!(
        open(&url.replace("=least", "=other")).await,
        Err(Error::Refused { .. })
    ));

    // Without a look at the settings nothing is promised.
    set("blind", "");
    let url = url.replace("least:least@", "blind:least@");
    let error = open(&url).await.unwrap_err();
    assert!(error.hint().contains("allow_unchecked"), "{error:?}");
    let store = open(&format!("{url}&allow_unchecked=yes")).await.unwrap();
    let health = store.check().await.unwrap();
    assert_eq!(health.durability, Durability::None);
    assert!(
        health.detail.iter().any(|(_, value)| value.contains("not checked")),
        "{health:?}"
    );

    // A user who lacks what a write needs is refused before anything is written.
    set("lacking", "+config|get -rpush");
    server.cli(&["DEL", "{least}:counters"]);
    let error = open(&url.replace("blind:", "lacking:")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!(server.cli(&["EXISTS", "{least}:counters"]), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_is_refused_naming_both() {
    let server = &*SHARED;
    drop(fresh(server, "newer").await);
    server.cli(&["HSET", "{newer}:counters", "format", "7"]);
    let error = server.open(server.port(), "newer").await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 7, known: 1, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_url_is_refused_without_showing_the_password() {
    let server = &*SHARED;
    let right = server.url();
    for (url, refused) in [
        (right.replace(PASSWORD, "pw-SENTINEL-wrong"), true),
        (right.replace("redis://:", "redis://nobody:"), true),
        (right.replace(&format!(":{PASSWORD}@"), ""), true),
        (right.replace("/0", "/pw-SENTINEL"), true),
        (right.replace("/0", "/0#insecure"), true),
        (format!("{right}?pw-SENTINEL=x"), true),
        (format!("{right}?prefix=pw-SENTINEL"), true),
        (format!("{right}?sslrootcert=/nowhere"), true),
        (right.replace("/0", "/9999"), false),
        (
            right.replace(&server.port().to_string(), &servers::free_port().to_string()),
            false,
        ),
        (right.replace("127.0.0.1", "host.invalid"), false),
        (right.replace("redis://", "rediss://"), false),
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
    let store = RedisStore::open(&right).await.unwrap();
    assert!(!format!("{store:?} {:?}", store.check().await.unwrap()).contains("pw-SENTINEL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tls_only_the_right_certificate_will_do() {
    let (right, wrong) = (Certificates::new(), Certificates::new());
    let port = servers::free_port().to_string();
    let (certificate, key, authority) = (
        right.shown("server.pem"),
        right.shown("server.key"),
        right.shown("authority.pem"),
    );
    let server = Redis::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ]);
    let url = server
        .url()
        .replace("redis://", "rediss://")
        .replace(&server.port().to_string(), &port);
    let store = open(&format!("{url}?sslrootcert={authority}")).await.unwrap();
    put(&*store, 1, b"x").await;
    recovers(&*store, &id(1), b"x").await;

    for url in [
        url.clone(),
        format!("{url}?sslrootcert={}", wrong.shown("authority.pem")),
        format!("{url}?sslrootcert={authority}").replace("127.0.0.1", "localhost"),
    ] {
        let (opened, _) = timed(open(&url)).await;
        let error = opened.map(drop).unwrap_err();
        assert!(
            matches!(error, Error::Unavailable { .. } | Error::Refused { .. }),
            "{error:?}"
        );
        hides(&error, &["pw-SENTINEL"]);
    }
    for wrong in ["/nowhere", &key] {
        let error = open(&format!("{url}?sslrootcert={wrong}")).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    }
}
