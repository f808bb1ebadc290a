//! Faults that every backend with a server must survive.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of tests, in which whatever goes wrong is a panic"
)]

pub mod history;
pub mod outages;
pub mod replies;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibyok_storage::{Collection, Error, Expect, Kind, RecordId, Result, Revision, Store};

/// The longest time for any call: the deadline, and a little for a busy machine.
pub const AT_MOST: Duration = Duration::from_millis(3500);

/// The server as a [`Backend`], whose stores have different suffixes of its URL, and one test for each promise that
/// every server's store keeps. Tests that leave the server as it is share `SHARED`.
macro_rules! survived_by_every_server {
    ($server:ident, $place:literal) => {
        #[async_trait::async_trait]
        impl Backend for $server {
            fn port(&self) -> u16 {
                self.port()
            }

            fn kill(&mut self) {
                self.kill();
            }

            fn restart(&mut self) {
                self.restart();
            }

            fn freeze(&self) {
                self.freeze();
            }

            fn thaw(&self) {
                self.thaw();
            }

            async fn open(&self, port: u16, place: &str) -> Result<Arc<dyn Store>> {
                open(&format!("{}{}{place}", self.url_at(port), $place)).await
            }
        }

        async fn fresh(server: &$server, place: &str) -> Arc<dyn Store> {
            server.open(server.port(), place).await.unwrap()
        }

        $crate::faults::survived_by_every_server! { @SHARED replies
            replies_in_single_bytes_are_put_together a_slow_reply_is_waited_for_until_the_deadline a_silent_connection_keeps_nobody
            a_put_that_is_cut_off_is_not_done_twice connecting_may_be_cut_off_anywhere a_damaged_reply_does_no_harm
            another_requests_reply_is_noticed callers_that_go_away_leave_no_answers_behind
        }
        $crate::faults::survived_by_every_server! { @SHARED history of_many_writers_one_replaces_each_revision }
        $crate::faults::survived_by_every_server! { @OWN $server
            a_server_that_is_killed_frozen_or_not_there_is_unavailable_and_found_again
            acknowledged_writes_survive_a_kill_at_any_time
        }
    };
    (@SHARED $module:ident $($promise:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            println!("{:?}", $crate::faults::$module::$promise(&*SHARED).await);
        })+
    };
    (@OWN $server:ident $($promise:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            $crate::faults::outages::$promise(&mut $server::start(&[])).await;
        })+
    };
}
pub(crate) use survived_by_every_server;

/// A server with a way to open a store on it, directly or through a proxy.
#[async_trait]
pub trait Backend: Sync {
    /// The port on which the server listens.
    fn port(&self) -> u16;

    /// Ends the server as a loss of power would.
    fn kill(&mut self);

    /// Starts it again on the same port with the same data.
    fn restart(&mut self);

    /// Stops it with SIGSTOP: it takes connections, and answers nothing.
    fn freeze(&self);

    /// Lets it go on.
    fn thaw(&self);

    /// Opens the store called `place` through this port.
    async fn open(&self, port: u16, place: &str) -> Result<Arc<dyn Store>>;
}

/// The `number`th id of a collection.
pub fn id(number: u16) -> RecordId {
    let collection = Collection::new(Kind::new(3), *b"aB3dE5gH").unwrap();
    RecordId::new(collection, u128::from(number).to_be_bytes())
}

/// A call's answer and how long it took, which must not be longer than the deadline.
pub async fn timed<T>(call: impl Future<Output = Result<T>>) -> (Result<T>, Duration) {
    let begun = Instant::now();
    let answer = call.await;
    let took = begun.elapsed();
    assert!(took < AT_MOST, "a call took {took:?}");
    (answer, took)
}

/// Returns true if the answer leaves it unknown whether the call had an effect.
pub fn is_unavailable<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::Unavailable { .. }))
}

/// Fails unless the store is as good as ever within two seconds, with what was put before still there.
pub async fn recovers(store: &dyn Store, id: &RecordId, bytes: &[u8]) {
    let begun = Instant::now();
    loop {
        match store.get(id).await {
            Ok(stored) => {
                assert_eq!(stored.expect("an acknowledged write is lost").bytes, bytes);
                break;
            }
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(2), "after two seconds: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let spare = self::id(60_000);
    let expect = match store.get(&spare).await.unwrap() {
        Some(stored) => Expect::Revision(stored.revision),
        None => Expect::Absent,
    };
    store.put(&spare, b"well again", expect).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        begun.elapsed()
    );
}

/// Puts a first record.
pub async fn put(store: &dyn Store, number: u16, bytes: &[u8]) -> Revision {
    store.put(&id(number), bytes, Expect::Absent).await.unwrap()
}

/// Fails if an error or any of its causes shows one of these.
pub fn hides(error: &Error, secrets: &[&str]) {
    let mut said = format!("{error} {error:?} {}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        said += &format!(" {error} {error:?}");
        cause = error.source();
    }
    for secret in secrets {
        assert!(!said.contains(secret), "an error shows a password: {said}");
    }
}
