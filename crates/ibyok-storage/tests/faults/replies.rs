//! Replies that are late, in pieces, cut off, damaged, or another call's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ibyok_storage::{ChangeNumber, Error, Expect, Store};
use tokio::task::JoinSet;

use super::{Backend, id, is_unavailable, put, recovers, timed};
use crate::proxy::{Fault, Proxy};

async fn behind_proxy(backend: &dyn Backend, place: &str) -> (Proxy, Arc<dyn Store>) {
    let proxy = Proxy::start(backend.port());
    let store = backend.open(proxy.port(), place).await.unwrap();
    (proxy, store)
}

/// However replies are cut into pieces, they are put together.
pub async fn replies_in_single_bytes_are_put_together(backend: &dyn Backend) {
    let (proxy, _) = behind_proxy(backend, "split").await;
    proxy.set(Fault::Split);
    let store = backend.open(proxy.port(), "split").await.unwrap();
    put(&*store, 1, &[7; 5000]).await;
    recovers(&*store, &id(1), &[7; 5000]).await;
    assert_eq!(store.list(id(1).collection(), None, 9).await.unwrap().len(), 2);
    assert_eq!(store.changes(ChangeNumber::default()).await.unwrap().changes.len(), 0);
}

/// A slow reply is waited for until the deadline, and not longer.
pub async fn a_slow_reply_is_waited_for_until_the_deadline(backend: &dyn Backend) {
    let (proxy, store) = behind_proxy(backend, "slow").await;
    put(&*store, 1, b"x").await;
    proxy.set(Fault::Delay(Duration::from_secs(1)));
    let (answer, took) = timed(store.get(&id(1))).await;
    assert!(answer.unwrap().is_some() && took >= Duration::from_secs(1));
    proxy.set(Fault::Delay(Duration::from_secs(4)));
    assert!(is_unavailable(&timed(store.get(&id(1))).await.0));
    proxy.set(Fault::Pass);
    recovers(&*store, &id(1), b"x").await;
}

/// If no more replies come, every call ends at the deadline, however many calls there are. The next calls find a
/// working connection again.
pub async fn a_silent_connection_keeps_nobody(backend: &dyn Backend) {
    let (proxy, store) = behind_proxy(backend, "silent").await;
    put(&*store, 1, b"x").await;
    for after in [0, 7] {
        proxy.set(Fault::Hang(after));
        let mut calls = JoinSet::new();
        for number in 0..40 {
            let store = Arc::clone(&store);
            calls.spawn(async move {
                match number % 4 {
                    0 => is_unavailable(&timed(store.get(&id(1))).await.0),
                    1 => is_unavailable(&timed(store.put(&id(number), b"x", Expect::Absent)).await.0),
                    2 => is_unavailable(&timed(store.changes(ChangeNumber::default())).await.0),
                    _ => is_unavailable(&timed(store.check()).await.0),
                }
            });
        }
        assert!(calls.join_all().await.into_iter().all(|unavailable| unavailable));
        proxy.set(Fault::Pass);
        recovers(&*store, &id(1), b"x").await;
    }
}

/// A put whose reply is cut off, after any number of bytes, is reported as unknown, was done once or not at all, and a second try
/// with the same expectation does not do it twice. Gives the number of places that were cut.
pub async fn a_put_that_is_cut_off_is_not_done_twice(backend: &dyn Backend) -> usize {
    let (proxy, store) = behind_proxy(backend, "cut").await;
    let mut revision = put(&*store, 1, b"first").await;
    // The second put of a connection is as long as all that come after it.
    for bytes in [b"2nd", b"3rd"] {
        proxy.set(Fault::Pass);
        revision = store.put(&id(1), bytes, Expect::Revision(revision)).await.unwrap();
    }
    let length = proxy.bytes();
    for at in 0..length {
        let bytes = format!("cut at {at}");
        proxy.set(Fault::Cut(at));
        let (answer, _) = timed(store.put(&id(1), bytes.as_bytes(), Expect::Revision(revision))).await;
        proxy.set(Fault::Pass);
        let found = store.get(&id(1)).await.unwrap().unwrap();
        let done = found.bytes == bytes.as_bytes();
        match answer {
            Ok(made) => assert!(done && made == found.revision),
            Err(Error::Unavailable { .. }) => assert_eq!(done, found.revision != revision),
            Err(error) => panic!("cut at {at}: {error}"),
        }
        if done {
            let again = store.put(&id(1), bytes.as_bytes(), Expect::Revision(revision)).await;
            assert!(matches!(again, Err(Error::Conflict)), "cut at {at}: {again:?}");
        }
        // Puts the connection back to where it takes the same bytes again.
        revision = store
            .put(&id(1), b"between", Expect::Revision(found.revision))
            .await
            .unwrap();
    }
    length
}

/// A connection that is cut off anywhere while it is made is an error and nothing worse.
pub async fn connecting_may_be_cut_off_anywhere(backend: &dyn Backend) -> usize {
    let (proxy, store) = behind_proxy(backend, "begin").await;
    put(&*store, 1, b"x").await;
    proxy.set(Fault::Pass);
    drop(backend.open(proxy.port(), "begin").await.unwrap());
    let length = proxy.bytes();
    let mut cuts = 0;
    for at in (0..length).step_by(13) {
        proxy.set(Fault::Cut(at));
        let (opened, _) = timed(backend.open(proxy.port(), "begin")).await;
        match opened {
            Ok(store) => recovers(&*store, &id(1), b"x").await,
            Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "cut at {at}: {error}"),
        }
        cuts += 1;
    }
    cuts
}

/// Whichever bit of a reply is wrong, the call ends in time and the store is well afterwards. That the bytes themselves are right is for
/// the seal to say.
pub async fn a_damaged_reply_does_no_harm(backend: &dyn Backend) -> usize {
    let (proxy, store) = behind_proxy(backend, "flip").await;
    put(&*store, 1, b"right").await;
    store.get(&id(1)).await.unwrap();
    proxy.set(Fault::Pass);
    store.get(&id(1)).await.unwrap();
    let length = proxy.bytes();
    // Side by side, because a length that is wrong is only noticed at the deadline.
    let mut flips = Vec::new();
    for at in 0..length {
        let (proxy, store) = behind_proxy(backend, "flip").await;
        store.get(&id(1)).await.unwrap();
        flips.push((at, proxy, store));
    }
    let mut calls = JoinSet::new();
    for (at, proxy, store) in flips {
        calls.spawn(async move {
            proxy.set(Fault::Flip(at));
            timed(store.get(&id(1))).await.0.ok();
            proxy.set(Fault::Pass);
            // So many connections at once take their time.
            for _ in 0..5 {
                match store.get(&id(1)).await {
                    Ok(stored) => return stored.is_some_and(|stored| stored.bytes == b"right"),
                    Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error}"),
                }
            }
            false
        });
    }
    assert!(calls.join_all().await.into_iter().all(|right| right));
    length
}

/// The reply to another question, also to an older one about the same record, is never taken for the answer.
pub async fn another_requests_reply_is_noticed(backend: &dyn Backend) {
    let (proxy, store) = behind_proxy(backend, "stale").await;
    let mut revisions = Vec::new();
    for number in 0..8 {
        revisions.push(put(&*store, number, format!("old {number}").as_bytes()).await);
    }
    let noticed = Arc::new(AtomicUsize::new(0));
    for round in 0..4 {
        for number in 0..8 {
            store.get(&id(number)).await.unwrap();
        }
        proxy.set(Fault::Stale);
        let mut calls = JoinSet::new();
        for number in 0..8 {
            let (store, noticed) = (Arc::clone(&store), Arc::clone(&noticed));
            calls.spawn(async move {
                match timed(store.get(&id(number))).await.0 {
                    Ok(Some(stored)) => assert_eq!(stored.bytes, format!("old {number}").as_bytes()),
                    Ok(None) => panic!("a record that is there was taken for absent"),
                    Err(Error::Unavailable { .. }) => _ = noticed.fetch_add(1, Ordering::Relaxed),
                    Err(error) => panic!("round {round}: {error}"),
                }
            });
        }
        calls.join_all().await;
        // A put whose answer is another's is not known to be done.
        let answer = timed(store.put(&id(0), b"old 0", Expect::Revision(revisions[0])))
            .await
            .0;
        assert!(answer.is_err(), "{answer:?}");
        proxy.set(Fault::Pass);
        recovers(&*store, &id(0), b"old 0").await;
        revisions[0] = store.get(&id(0)).await.unwrap().unwrap().revision;
    }
    assert!(noticed.load(Ordering::Relaxed) > 0, "no reply was stale");
}

/// Callers that go away half-way, one in ten of many, leave no other caller with their answers.
pub async fn callers_that_go_away_leave_no_answers_behind(backend: &dyn Backend) {
    let (proxy, store) = behind_proxy(backend, "away").await;
    for number in 0..64 {
        put(&*store, number, format!("value {number}").as_bytes()).await;
    }
    proxy.set(Fault::Delay(Duration::from_micros(300)));
    let mut callers = JoinSet::new();
    for number in 0..64_u16 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            let id = id(number);
            for turn in 0..20 {
                let get = store.get(&id);
                if (u32::from(number) + turn) % 10 == 0 {
                    let patience = Duration::from_micros(u64::from(turn) * 150);
                    tokio::time::timeout(patience, get).await.ok();
                    continue;
                }
                match get.await {
                    Ok(stored) => assert_eq!(stored.unwrap().bytes, format!("value {number}").as_bytes()),
                    Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error}"),
                }
            }
        });
    }
    callers.join_all().await;
    proxy.set(Fault::Pass);
    recovers(&*store, &id(1), b"value 1").await;
}
