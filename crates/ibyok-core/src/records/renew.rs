//! Renewing the lease: reads the change feed, and forgets the records that changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ibyok_storage::{Change, ChangeNumber};

use super::Records;
use super::lease::{DEADLINE, LEASE, RENEW};
use crate::base::clock::Clock;
use crate::base::error::{Error, Part, Result};
use crate::model::kind;

impl Records {
    /// Makes sure that the lease holds, renewing it if it has to.
    pub(crate) async fn hold_lease(self: &Arc<Self>) -> Result<()> {
        match self.lease.age(self.clock.as_ref()) {
            Some(age) if age < RENEW => Ok(()),
            Some(age) if age < LEASE => {
                self.renew_soon();
                Ok(())
            }
            _ => Box::pin(self.renew_lease()).await,
        }
    }

    fn renew_soon(self: &Arc<Self>) {
        if !self.lease.renewing.swap(true, Ordering::AcqRel) {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = inner.renew_lease().await {
                    tracing::warn!(%error, "cannot renew the lease");
                }
                inner.lease.renewing.store(false, Ordering::Release);
            });
        }
    }

    /// Reads the change feed, unless another caller did while this one waited.
    pub(crate) async fn renew_lease(&self) -> Result<()> {
        let asked = self.clock.elapsed();
        let look = async {
            let mut applied = self.lease.applied.lock().await;
            let renewed = self.lease.started.load(Ordering::Acquire).checked_sub(1);
            // That look began after this call, so it covers every change that the caller must see.
            if renewed.is_some_and(|started| Duration::from_nanos(started) >= asked) {
                return Ok(());
            }
            self.apply_changes(&mut applied).await
        };
        tokio::time::timeout(DEADLINE, look)
            .await
            .map_err(|_| Error::unavailable(Part::Store, "timed out reading the store's change feed"))?
    }

    async fn apply_changes(&self, applied: &mut ChangeNumber) -> Result<()> {
        // Before the read: the lease runs from the start of the look, not from its end.
        let started = self.clock.elapsed();
        loop {
            let changes = self.store.changes(*applied).await?;
            let before = std::mem::replace(applied, changes.upto);
            // The feed cannot list the changes then, so everything in memory may be old.
            if changes.gap || changes.upto < before {
                self.cache.clear();
                self.realms.forget_all();
                self.lease.met_gap.store(true, Ordering::Release);
            } else {
                self.forget(&changes.changes);
            }
            if changes.upto < before {
                let known = self.stated.store_change().max(before.as_u64());
                self.store_went_back(known, changes.upto.as_u64());
            } else {
                self.stated.store_came_to(changes.upto.as_u64());
            }
            if !changes.more {
                break;
            }
        }
        self.heed_floors().await;
        let nanos = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX - 1);
        self.lease.started.store(nanos + 1, Ordering::Release);
        Ok(())
    }

    /// Drops the records in memory after another process of this place changed the floors: a store that withholds its change feed
    /// must not keep alive what this node took away.
    async fn heed_floors(&self) {
        match self.floors.were_changed_by_others().await {
            Ok(false) => {}
            Ok(true) => {
                self.cache.clear();
                self.realms.forget_tags();
                for realm in self.realms.held_ones() {
                    // A floor that cannot be read now is asked again by the request that needs it.
                    if self.is_outlived(&realm).await.unwrap_or(true) {
                        self.realms.forget_keys();
                        break;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the floors were not compared with the records in memory"),
        }
    }

    fn forget(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.cache.invalidate(changes.iter().map(|change| &change.id));
        for change in changes {
            match change.id.collection().kind().as_u8() {
                // A tombstone, or a record that came back, ends a loss.
                kind::TAG | kind::REMOVED => self.realms.forget_tags(),
                kind::REALM => self.realms.forget_all(),
                _ => {}
            }
        }
    }
}
