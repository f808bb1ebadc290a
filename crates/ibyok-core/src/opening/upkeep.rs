//! The upkeep of a vault: its background work, as long as it lives.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::error::Result;
use crate::vault::{Inner, Vault};

/// The interval at which a vault does its upkeep.
const TICK: Duration = Duration::from_secs(1);

/// The time after opening at which the file of floors is read as a whole.
const LOOK_THROUGH: Duration = Duration::from_secs(5);

/// Looks after the vault as long as it lives: drops keys whose period is over, folds counts, reopens a log that failed, and keeps
/// the log's newest checkpoint in the store.
pub(crate) async fn look_after(vault: Weak<Inner>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut kept, mut failing) = (None, BTreeSet::new());
    loop {
        ticks.tick().await;
        let Some(inner) = vault.upgrade() else { return };
        inner
            .records
            .realms
            .expire(inner.records.clock.elapsed(), inner.records.key_cache_ttl);
        inner
            .records
            .realms
            .token_keys
            .expire(inner.records.clock.elapsed(), inner.records.token_key_period());
        inner.recorder.fold_refusals(false);
        inner.recorder.fold_limited(false).await;
        inner.recorder.fold_token_refusals(false).await;
        inner.limits.buckets.expire(inner.records.clock.elapsed());
        if inner.recorder.log.status().failure.is_some() {
            match inner.recorder.log.reopen().await {
                Ok(()) => tracing::info!("the audit log is open again"),
                Err(error) => tracing::warn!(%error, "the audit log is still unavailable"),
            }
        }
        inner.tell_of_sinks(&mut failing);
        inner.write_floors().await;
        inner.logs.keep_checkpoint(&mut kept).await;
        // It may have been accepted meanwhile. Where the feed did not list every change, the file may have been replaced by an older one
        // that is at a higher number than this node had seen, and the logs know better.
        let is_unsure = inner.records.lease.met_gap.swap(false, Ordering::AcqRel);
        if (is_unsure || inner.records.store_is_behind().is_some())
            && let Err(error) = inner.logs.compare_store().await
        {
            tracing::warn!(%error, "cannot compare the store with the audit log");
        }
        inner.logs.tell_behind().await;
    }
}

/// Reads the file of floors as a whole, once. A request verifies only the part that it reads; this check finds damage
/// elsewhere early. It is not worth the time of a process that ends at once.
pub(crate) async fn look_through_floors(vault: Weak<Inner>) {
    tokio::time::sleep(LOOK_THROUGH).await;
    let Some(inner) = vault.upgrade() else { return };
    if let Err(error) = inner.records.floors.verify_items().await {
        tracing::warn!(%error, "cannot read the whole file of floors");
    }
    inner.tell_floors().await;
}

impl Vault {
    /// Writes the pending lines to the audit log, and closes it; every later request is refused.
    ///
    /// A vault that is dropped without it loses nothing that was acknowledged.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the audit log cannot be written.
    pub async fn close(&self) -> Result<()> {
        self.inner.recorder.fold_refusals(true);
        self.inner.recorder.fold_limited(true).await;
        self.inner.recorder.fold_token_refusals(true).await;
        let finished = self.inner.usage.finish_usage().await;
        // The last line states how far the store has come. Without an answer it states nothing: the next process takes a number there for
        // the newest.
        if let Err(error) = self.inner.records.renew_lease().await {
            tracing::warn!(%error, "cannot read the change feed again");
            self.inner.records.stated.store_is_unknown();
        }
        self.inner.write_floors().await;
        self.inner.recorder.closed.store(true, Ordering::Release);
        self.inner.recorder.log.close().await?;
        self.inner.usage.close_usage(finished).await;
        self.inner.logs.keep_checkpoint(&mut None).await;
        self.inner.records.floors.close().await;
        Ok(())
    }
}

impl Inner {
    /// Logs each sink of the audit log that began to fail, or works again. `failing` has the names of those that failed before.
    fn tell_of_sinks(&self, failing: &mut BTreeSet<String>) {
        for sink in self.recorder.log.status().further {
            match &sink.failure {
                Some(failure) if failing.insert(sink.name.clone()) => {
                    tracing::warn!(
                        sink = sink.name,
                        failure,
                        waiting = sink.waiting,
                        "a sink of the audit log fails"
                    );
                }
                None if failing.remove(&sink.name) => {
                    tracing::info!(
                        sink = sink.name,
                        dropped = sink.dropped,
                        "a sink of the audit log works again"
                    );
                }
                _ => {}
            }
        }
    }

    /// Writes the floors that are pending, mends their file if it failed, and reports its faults.
    async fn write_floors(&self) {
        let upto = self.recorder.log.last_seq();
        let written = async {
            if self.records.floors.is_broken().await {
                self.records.floors.mend().await?;
                tracing::info!("the file of floors is open again");
            }
            self.records.floors.flush(Some(upto)).await?;
            self.records.floors.sync().await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, "the file of floors is unavailable");
        }
        self.tell_floors().await;
    }
}
