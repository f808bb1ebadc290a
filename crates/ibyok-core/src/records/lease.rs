//! The lease that caches live on (ARCHITECTURE, "Caches live on a lease").
//!
//! A cached record may be used only if a read of the store's change number *started* less than [`LEASE`] ago and
//! every change up to it has been applied. So a change on another node takes effect here within a second, even when
//! the connection that would have brought the news is silently dead.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ibyok_storage::ChangeNumber;
use tokio::sync::Mutex;

use crate::base::clock::Clock;

/// The maximum age of the last read of the change feed.
pub(crate) const LEASE: Duration = Duration::from_millis(700);

/// The age from which on the next use renews the lease in the background, so that busy nodes never wait for it.
pub(crate) const RENEW: Duration = Duration::from_millis(300);

/// The time that one read of the change feed may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// A number that no store reaches. To a node that has seen nothing, the feed answers it with a gap and its newest
/// number, and does not list every change that it remembers.
pub(crate) const BEFORE_THE_FIRST: ChangeNumber = ChangeNumber::new(i64::MAX.unsigned_abs());

#[derive(Debug)]
pub(crate) struct Lease {
    /// The start of the last complete read, in nanoseconds of [`Clock::elapsed`], plus one; 0 is never.
    pub(super) started: AtomicU64,
    pub(super) renewing: AtomicBool,
    /// True if the feed did not list every change, until the store was compared with the logs.
    pub(crate) met_gap: AtomicBool,
    /// The change up to which changes have been applied. Held while they are fetched, so that there is one read at a
    /// time.
    pub(super) applied: Mutex<ChangeNumber>,
}

impl Lease {
    /// Begins a lease with a read of the change feed that started then. The caches are still empty, so no change can
    /// make them wrong.
    pub(crate) fn begun(started: Duration, upto: ChangeNumber) -> Self {
        let nanos = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX - 1);
        Lease {
            started: AtomicU64::new(nanos + 1),
            renewing: AtomicBool::new(false),
            met_gap: AtomicBool::new(false),
            applied: Mutex::new(upto),
        }
    }

    /// Returns the newest change number that this process has read.
    pub(crate) async fn newest_change(&self) -> u64 {
        self.applied.lock().await.as_u64()
    }

    pub(super) fn age(&self, clock: &dyn Clock) -> Option<Duration> {
        let started = self.started.load(Ordering::Acquire).checked_sub(1)?;
        Some(clock.elapsed().saturating_sub(Duration::from_nanos(started)))
    }

    /// True if the caches may be used right now.
    pub(crate) fn holds(&self, clock: &dyn Clock) -> bool {
        self.age(clock).is_some_and(|age| age < LEASE)
    }
}
