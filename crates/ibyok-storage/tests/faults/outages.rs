//! Servers that are killed, frozen or not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ibyok_storage::{ChangeNumber, Error, Expect, Revision, Store};
use tokio::task::JoinSet;

use super::{Backend, id, is_unavailable, put, recovers, timed};

/// The number of kills of a server under load.
const KILLS: u16 = 3;

pub async fn a_server_that_is_killed_frozen_or_not_there_is_unavailable_and_found_again(server: &mut impl Backend) {
    let store = server.open(server.port(), "killed").await.unwrap();
    let first = put(&*store, 1, b"kept").await;

    server.kill();
    let (opened, _) = timed(server.open(server.port(), "killed")).await;
    assert!(is_unavailable(&opened), "down at the start");
    assert!(is_unavailable(&timed(store.get(&id(1))).await.0));
    assert!(is_unavailable(&timed(store.put(&id(2), b"x", Expect::Absent)).await.0));
    assert!(is_unavailable(&timed(store.changes(ChangeNumber::default())).await.0));
    assert!(is_unavailable(&timed(store.check()).await.0));
    server.restart();
    recovers(&*store, &id(1), b"kept").await;
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().revision, first);

    server.freeze();
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        calls.spawn(async move { is_unavailable(&timed(store.get(&id(number))).await.0) });
    }
    assert!(calls.join_all().await.into_iter().all(|unavailable| unavailable));
    server.thaw();
    recovers(&*store, &id(1), b"kept").await;
}

pub async fn acknowledged_writes_survive_a_kill_at_any_time(server: &mut impl Backend) {
    let store = server.open(server.port(), "acknowledged").await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        // Right after a kill, a connection that failed is not tried again for a moment.
        let begun = Instant::now();
        while store.get(&id(0)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut writers = JoinSet::new();
        let written = Arc::new(AtomicUsize::new(0));
        for writer in 0..8 {
            let first = round * 8000 + writer * 1000;
            writers.spawn(until_it_is_gone(Arc::clone(&store), first, Arc::clone(&written)));
        }
        let begun = Instant::now();
        // In the midst of it, however busy the machine is.
        while written.load(Ordering::Relaxed) < 20 {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody can write");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.kill();
        acknowledged.extend(writers.join_all().await.into_iter().flatten());
        server.restart();
    }
    assert!(acknowledged.len() >= 60, "only {} writes", acknowledged.len());
    // Connecting may have failed a moment ago.
    tokio::time::sleep(Duration::from_millis(150)).await;
    for (number, revision) in acknowledged {
        let stored = store.get(&id(number)).await.unwrap();
        let stored = stored.expect("an acknowledged write is lost");
        assert_eq!(
            (stored.bytes, stored.revision),
            (number.to_be_bytes().to_vec(), revision)
        );
    }
}

/// Writes one record after another, and gives those that were acknowledged.
async fn until_it_is_gone(store: Arc<dyn Store>, first: u16, written: Arc<AtomicUsize>) -> Vec<(u16, Revision)> {
    let mut done = Vec::new();
    for number in first..first + 1000 {
        match store.put(&id(number), &number.to_be_bytes(), Expect::Absent).await {
            Ok(revision) => {
                done.push((number, revision));
                written.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(matches!(error, Error::Unavailable { .. }), "{error}");
                return done;
            }
        }
    }
    done
}
