//! The realms that a node holds opened: one call to the KEK for each realm and period, however many requests wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::cache::RecordCache;
use super::tags::Tags;
use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, MissingKek, Part};
use crate::realm::token_keys::TokenKeys;
use crate::realm::{Realm, RealmName};

/// The realms that a node knows, and those that it holds opened.
#[derive(Debug, Default)]
pub(crate) struct Realms {
    /// Every tag of the store; `None` when it has to be read again.
    pub(crate) tags: RwLock<Option<Arc<Tags>>>,
    /// Opened realms, and the time since which each is held.
    opened: RwLock<HashMap<RealmName, (Arc<Realm>, Duration)>>,
    /// One lock a realm, so that there is one call to the KEK for all requests that wait. Under it is the failure of
    /// the last call.
    opening: Mutex<HashMap<RealmName, Arc<AsyncMutex<Option<Failure>>>>>,
    /// The keys that distinguish strangers from holders of tokens. They are apart from the opened realms.
    pub(crate) token_keys: TokenKeys,
    /// The number of changes of environment key records that this node knows of.
    changes: AtomicU64,
}

/// The time for which a KEK that failed is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// The failure to open a realm, for every caller who waited for the same call and for those who come right after.
#[derive(Debug)]
pub(super) struct Failure {
    at: Duration,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unavailable(Part, String),
    Kek(String),
    /// A KEK that this node does not have.
    NoKek(MissingKek),
    /// A damaged record: a caller that asks for it again must not cost a KMS a call each time.
    Damaged(String, Damage),
}

impl Failure {
    pub(super) fn of(error: &Error, at: Duration) -> Option<Self> {
        let why = match error {
            Error::Unavailable { part, source } => Why::Unavailable(*part, source.to_string()),
            Error::Kek { source } => match source.downcast_ref::<MissingKek>() {
                Some(missing) => Why::NoKek(missing.clone()),
                None => Why::Kek(source.to_string()),
            },
            Error::Integrity { what, damage, .. } => Why::Damaged(what.clone(), *damage),
            _ => return None,
        };
        Some(Failure { at, why })
    }

    /// True if it still holds for a caller that asked at `asked`. A damaged record stays so until the record changes,
    /// which the feed reports.
    pub(super) fn holds(&self, asked: Duration, now: Duration, period: Duration) -> bool {
        let pause = match self.why {
            Why::Unavailable(..) | Why::Kek(_) | Why::NoKek(_) => PAUSE,
            Why::Damaged(..) => period,
        };
        self.at >= asked || now.saturating_sub(self.at) < pause
    }

    pub(super) fn error(&self) -> Error {
        match &self.why {
            Why::Unavailable(part, why) => Error::unavailable(*part, why.clone()),
            Why::Kek(why) => Error::Kek {
                source: why.clone().into(),
            },
            Why::NoKek(missing) => Error::Kek {
                source: missing.clone().into(),
            },
            Why::Damaged(what, damage) => Error::damaged(what.clone(), *damage).about(Affected::Environment),
        }
    }
}

impl Realms {
    pub(crate) fn forget_all(&self) {
        self.forget_tags();
        self.forget_keys();
    }

    pub(crate) fn forget_tags(&self) {
        *self.tags.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Drops every opened realm, and the failures to open, after an environment key record changed: its id does not
    /// show whose it is.
    pub(crate) fn forget_keys(&self) {
        // First: a realm that is being read now counts as older than the change.
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.token_keys.forget_all();
        self.opened.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the number of changes of environment key records that this node knows of: a realm that was opened at this number is the
    /// newest.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn held(&self, name: &RealmName, now: Duration, period: Duration) -> Option<Arc<Realm>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let (realm, since) = opened.get(name)?;
        (now.saturating_sub(*since) < period).then(|| Arc::clone(realm))
    }

    /// Every realm that is held opened.
    pub(super) fn held_ones(&self) -> Vec<Arc<Realm>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.values().map(|(realm, _)| Arc::clone(realm)).collect()
    }

    /// Keeps an opened realm, unless something was invalidated since `epoch`: those that invalidate clear this afterwards.
    pub(super) fn keep(
        &self,
        realm: &Arc<Realm>,
        (since, period): (Duration, Duration),
        cache: &RecordCache,
        epoch: u64,
    ) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if cache.epoch() == epoch {
            self.token_keys.keep(realm, since);
            // Without a period the environment's keys are wiped after this request.
            if !period.is_zero() {
                opened.insert(realm.name.clone(), (Arc::clone(realm), since));
            }
        }
    }

    pub(super) fn opening(&self, name: &RealmName) -> Arc<AsyncMutex<Option<Failure>>> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        // Only names of the store's own tags get here, so this stays as small as the number of realms.
        Arc::clone(opening.entry(name.clone()).or_default())
    }

    /// Returns the last failure to open a realm, if the last try failed.
    pub(crate) async fn last_failure(&self, name: &RealmName) -> Option<Error> {
        let lock = self.opening(name);
        let failure = lock.lock().await;
        failure.as_ref().map(Failure::error)
    }

    /// Drops the realms that were held for their whole period, so that idle nodes hold no keys.
    pub(crate) fn expire(&self, now: Duration, period: Duration) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|_, (_, since)| now.saturating_sub(*since) < period);
    }
}
