//! The vault itself: what its parts are, and the little that goes on beside requests.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ibyok_audit::Log;
use ibyok_crypto::{Keyring, VaultId};
use ibyok_storage::{RecordId, Store};

use crate::builder::VaultBuilder;
use crate::cache::RecordCache;
use crate::change::Turns;
use crate::clock::{Clock, SteadyClock};
use crate::error::Result;
use crate::floors::Floors;
use crate::guardrails::Guardrails;
use crate::leaked::LeakTries;
use crate::lease::Lease;
use crate::limits::{LimitRefusals, NodeBuckets};
use crate::logs::LogKeys;
use crate::realm::{Realm, Realms};
use crate::refusals::Refusals;
use crate::review::Reviews;
use crate::stated::Stated;
use crate::store_behind::Behind;
use crate::token_refusals::TokenRefusals;
use crate::usage::Usage;

/// How often a vault looks after itself.
const TICK: Duration = Duration::from_secs(1);

/// The time after opening at which the file of floors is read as a whole.
const LOOK_THROUGH: Duration = Duration::from_secs(5);

/// A vault for the API keys that programs use: the one way to a secret.
///
/// Cheap to clone; every clone is the same vault. Made by [`Vault::builder`]; it needs a tokio runtime with time enabled.
#[derive(Clone, Debug)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

/// What every session of a vault shares.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) vault: VaultId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Keyring,
    pub(crate) log: Log,
    /// The realm under which this node's own records (its log's key and checkpoints) are sealed.
    pub(crate) home: Arc<Realm>,
    pub(crate) clock: Arc<SteadyClock>,
    pub(crate) realms: Realms,
    pub(crate) cache: RecordCache,
    pub(crate) lease: Lease,
    /// What the lines of the log state that are written now.
    pub(crate) stated: Arc<Stated>,
    /// How far the store is behind what the log says, if it is.
    pub(crate) behind: Mutex<Option<Behind>>,
    pub(crate) log_keys: LogKeys,
    pub(crate) floors: Floors,
    pub(crate) refusals: Refusals,
    pub(crate) usage: Arc<Usage>,
    pub(crate) buckets: NodeBuckets,
    pub(crate) limit_refusals: LimitRefusals,
    pub(crate) token_refusals: TokenRefusals,
    pub(crate) leak_tries: LeakTries,
    pub(crate) key_cache_ttl: Duration,
    pub(crate) guardrails: Guardrails,
    pub(crate) turns: Turns,
    pub(crate) reviews: Reviews,
    /// Whether the audit log was closed for good.
    pub(crate) closed: AtomicBool,
    /// Records that were refused, for `status`.
    pub(crate) damaged_records: Mutex<BTreeSet<RecordId>>,
    /// What was found at open that somebody should look at.
    pub(crate) warnings: Mutex<Vec<String>>,
}

impl Vault {
    /// The beginning of every vault.
    pub fn builder() -> VaultBuilder<(), (), ()> {
        VaultBuilder::new()
    }

    /// The vault's id: 22 base62 characters.
    #[must_use]
    pub fn id(&self) -> String {
        self.inner.vault.to_string()
    }

    /// Writes what is still to be written to the audit log, and closes it; every later request is refused.
    ///
    /// A vault that is dropped without it loses nothing that was acknowledged.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the audit log cannot be written.
    pub async fn close(&self) -> Result<()> {
        self.inner.fold_refusals(true);
        self.inner.fold_limited(true).await;
        self.inner.fold_token_refusals(true).await;
        let finished = self.inner.finish_usage().await;
        // The last line states how far the store has come: without an answer, how far it is known to have come.
        if let Err(error) = self.inner.renew_lease().await {
            tracing::warn!(%error, "the change feed was not read once more");
        }
        self.inner.write_floors().await;
        self.inner.closed.store(true, Ordering::Release);
        self.inner.log.close().await?;
        self.inner.close_usage(finished).await;
        self.inner.keep_checkpoint(&mut None).await;
        self.inner.floors.close().await;
        Ok(())
    }
}

/// Looks after the vault as long as it lives: drops keys whose period is over, folds counts, reopens a log that failed, and keeps
/// the log's newest checkpoint in the store.
pub(crate) async fn look_after(vault: Weak<Inner>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut kept = None;
    loop {
        ticks.tick().await;
        let Some(inner) = vault.upgrade() else { return };
        inner.realms.expire(inner.clock.elapsed(), inner.key_cache_ttl);
        inner
            .realms
            .token_keys
            .expire(inner.clock.elapsed(), inner.token_key_period());
        inner.fold_refusals(false);
        inner.fold_limited(false).await;
        inner.fold_token_refusals(false).await;
        inner.buckets.expire(inner.clock.elapsed());
        if inner.log.status().failure.is_some() {
            match inner.log.reopen().await {
                Ok(()) => tracing::info!("the audit log is open again"),
                Err(error) => tracing::warn!(%error, "the audit log is still unavailable"),
            }
        }
        inner.write_floors().await;
        inner.keep_checkpoint(&mut kept).await;
        // It may have been accepted meanwhile.
        if inner.store_is_behind().is_some()
            && let Err(error) = inner.compare_store().await
        {
            tracing::warn!(%error, "the store was not compared with the audit log");
        }
    }
}

/// Reads the file of floors as a whole, once. What a request reads is verified by itself: this finds early what is wrong elsewhere,
/// and is not worth the time of a process that ends at once.
pub(crate) async fn look_through_floors(vault: Weak<Inner>) {
    tokio::time::sleep(LOOK_THROUGH).await;
    let Some(inner) = vault.upgrade() else { return };
    if let Err(error) = inner.floors.verify_items().await {
        tracing::warn!(%error, "the file of floors was not read as a whole");
    }
    inner.tell_floors().await;
}

impl Inner {
    /// Writes the floors that are pending, mends their file if it failed, and says what was found wrong with it.
    async fn write_floors(&self) {
        let upto = self.log.last_seq();
        let written = async {
            if self.floors.is_broken().await {
                self.floors.mend().await?;
                tracing::info!("the file of floors is open again");
            }
            self.floors.flush(Some(upto)).await?;
            self.floors.sync().await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, "the file of floors is unavailable");
        }
        self.tell_floors().await;
    }

    /// Something that somebody should look at: in the program's log, and in `status`.
    pub(crate) fn warn(&self, text: String) {
        tracing::warn!("{text}");
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}
