//! The lease that caches live on (ARCHITECTURE, "Caches live on a lease").
//!
//! A cached record may be used only if a read of the store's change number *started* less than [`LEASE`] ago and every change up
//! to it has been applied. So what is changed on another node holds here within a second, also when the connection that would have
//! brought the news is silently dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ibyok_storage::{Change, ChangeNumber};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::error::{Error, Part, Result};
use crate::model::kind;
use crate::vault::Inner;

/// How old the last look at the change feed may be.
pub(crate) const LEASE: Duration = Duration::from_millis(700);

/// From this age on the next use renews the lease in the background, so that busy nodes never wait for it.
const RENEW: Duration = Duration::from_millis(300);

/// How long a look at the change feed may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// A number that no store reaches: to a node that has seen nothing the feed answers with a gap and its newest number, and does
/// not tell of every change that it remembers.
pub(crate) const BEFORE_THE_FIRST: ChangeNumber = ChangeNumber::new(i64::MAX.unsigned_abs());

#[derive(Debug)]
pub(crate) struct Lease {
    /// When the last complete look started, in nanoseconds of [`Clock::elapsed`], plus one; 0 is never.
    started: AtomicU64,
    renewing: AtomicBool,
    /// Up to where changes have been applied. Held while they are fetched, so that there is one look at a time.
    applied: Mutex<ChangeNumber>,
}

impl Lease {
    /// Begins with a look at the change feed that started then: nothing is cached yet that it could be about.
    pub(crate) fn begun(started: Duration, upto: ChangeNumber) -> Self {
        let nanos = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX - 1);
        Lease {
            started: AtomicU64::new(nanos + 1),
            renewing: AtomicBool::new(false),
            applied: Mutex::new(upto),
        }
    }

    fn age(&self, clock: &dyn Clock) -> Option<Duration> {
        let started = self.started.load(Ordering::Acquire).checked_sub(1)?;
        Some(clock.elapsed().saturating_sub(Duration::from_nanos(started)))
    }

    /// Whether the caches may be used right now.
    pub(crate) fn holds(&self, clock: &dyn Clock) -> bool {
        self.age(clock).is_some_and(|age| age < LEASE)
    }
}

impl Inner {
    /// Makes sure that the lease holds, renewing it if it has to.
    pub(crate) async fn hold_lease(self: &Arc<Self>) -> Result<()> {
        match self.lease.age(self.clock.as_ref()) {
            Some(age) if age < RENEW => Ok(()),
            Some(age) if age < LEASE => {
                self.renew_soon();
                Ok(())
            }
            _ => self.renew_lease().await,
        }
    }

    fn renew_soon(self: &Arc<Self>) {
        if !self.lease.renewing.swap(true, Ordering::AcqRel) {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = inner.renew_lease().await {
                    tracing::warn!(%error, "the lease was not renewed");
                }
                inner.lease.renewing.store(false, Ordering::Release);
            });
        }
    }

    /// Looks at the change feed, unless somebody else did while this waited.
    pub(crate) async fn renew_lease(&self) -> Result<()> {
        let asked = self.clock.elapsed();
        let look = async {
            let mut applied = self.lease.applied.lock().await;
            let renewed = self.lease.started.load(Ordering::Acquire).checked_sub(1);
            if renewed.is_some_and(|started| Duration::from_nanos(started) >= asked) {
                return Ok(());
            }
            self.apply_changes(&mut applied).await
        };
        tokio::time::timeout(DEADLINE, look)
            .await
            .map_err(|_| Error::unavailable(Part::Store, "it did not say in time what has changed"))?
    }

    async fn apply_changes(&self, applied: &mut ChangeNumber) -> Result<()> {
        let started = self.clock.elapsed();
        loop {
            let changes = self.store.changes(*applied).await?;
            let before = std::mem::replace(applied, changes.upto);
            if changes.gap || changes.upto < before {
                self.cache.clear();
                self.realms.forget_all();
            } else {
                self.forget(&changes.changes);
            }
            if changes.upto < before {
                let known = self.stated.store_change().max(before.as_u64());
                self.store_went_back(known, changes.upto.as_u64()).await;
            } else {
                self.stated.store_came_to(changes.upto.as_u64());
            }
            if !changes.more {
                break;
            }
        }
        let nanos = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX - 1);
        self.lease.started.store(nanos + 1, Ordering::Release);
        Ok(())
    }

    fn forget(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.cache.invalidate(changes.iter().map(|change| &change.id));
        for change in changes {
            match change.id.collection().kind().as_u8() {
                kind::TAG => self.realms.forget_tags(),
                kind::REALM => self.realms.forget_keys(),
                _ => {}
            }
        }
    }
}
