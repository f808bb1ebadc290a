//! The token keys of realms: by them a stranger is refused before a realm is opened, so that strangers cost a KMS nothing.
//!
//! A token key only verifies tokens; it opens no record and no value. It is held for `key_cache_ttl`, or for a minute
//! where that is 0, apart from the environment keys. A realm whose KEK refuses is not tried again for strangers
//! within that period; one whose KEK is unavailable is tried again after a growing pause. Only a caller whose token
//! verified before learns that the KEK does not answer. Every other caller is refused as a stranger, since nothing
//! distinguishes the two.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ibyok_policy::{TokenId, TokenKey};
use quick_cache::sync::Cache;

use crate::base::error::{Error, Part};
use crate::realm::{Realm, RealmName};

/// The time for which a token key is held where environment keys are not held at all.
pub(crate) const WITHOUT_CACHE: Duration = Duration::from_secs(60);

/// The first pause after a KEK was unavailable; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause after a KEK was unavailable.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The time between two tries of readiness to reach a KEK that is unavailable: short, so that a load balancer soon
/// sees that it is back.
const READINESS_PAUSE: Duration = Duration::from_secs(1);

/// The number of presented tokens that are remembered as verified.
const REMEMBERED: usize = 1 << 16;

/// The number of forms of one token (narrowed ones) that are remembered: its holder cannot push out other tokens.
pub(crate) const FORMS: u8 = 4;

/// A token key, and the time since which it is held.
type Held = (Arc<TokenKey>, Duration);

/// A failure to open a realm that holds for strangers.
#[derive(Debug)]
struct Refusal {
    /// The time until which strangers do not make the KEK be asked again.
    until: Duration,
    pause: Duration,
    /// The time from which readiness asks again.
    readiness: Duration,
}

impl Refusal {
    fn refused(now: Duration, period: Duration) -> Refusal {
        let until = now.saturating_add(period);
        Refusal {
            until,
            pause: period,
            readiness: until,
        }
    }

    /// The failure of a KEK that did not answer, after an earlier failure if there was one.
    fn unavailable(before: Option<&Refusal>, now: Duration, period: Duration) -> Refusal {
        let (until, pause) = match before {
            // A try of readiness does not lengthen the pause of strangers.
            Some(before) if now < before.until => (before.until, before.pause),
            Some(before) => {
                let pause = (before.pause * 2).min(LONGEST_PAUSE).min(period);
                (now.saturating_add(pause), pause)
            }
            None => {
                let pause = FIRST_PAUSE.min(period);
                (now.saturating_add(pause), pause)
            }
        };
        Refusal {
            until,
            pause,
            readiness: now.saturating_add(READINESS_PAUSE.min(pause)),
        }
    }
}

/// The token keys that this node holds.
pub(crate) struct TokenKeys {
    held: RwLock<HashMap<RealmName, Held>>,
    refused: Mutex<HashMap<RealmName, Refusal>>,
    /// Keyed hashes of presented tokens that verified.
    pub(crate) verified: Cache<(TokenId, u8), [u8; 32]>,
}

impl Default for TokenKeys {
    fn default() -> Self {
        TokenKeys {
            held: RwLock::default(),
            refused: Mutex::default(),
            verified: Cache::new(REMEMBERED),
        }
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys").finish_non_exhaustive()
    }
}

impl TokenKeys {
    pub(crate) fn held(&self, name: &RealmName, now: Duration, period: Duration) -> Option<Arc<TokenKey>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let (key, since) = held.get(name)?;
        (now.saturating_sub(*since) < period).then(|| Arc::clone(key))
    }

    /// Keeps the token key of a realm that was just opened. The caller makes sure that nothing was invalidated meanwhile.
    pub(crate) fn keep(&self, realm: &Realm, since: Duration) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.insert(
            realm.name.clone(),
            (Arc::new(TokenKey::new(realm.keys.token_key())), since),
        );
    }

    /// Notes that a realm opened, or how it failed to.
    pub(crate) fn note(&self, name: &RealmName, failure: Option<&Error>, now: Duration, period: Duration) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = match failure {
            Some(Error::Unavailable { part: Part::Kek, .. }) => Refusal::unavailable(refused.get(name), now, period),
            Some(Error::Kek { .. }) => Refusal::refused(now, period),
            // A store that does not answer says nothing about the KEK.
            Some(_) => return,
            None => {
                refused.remove(name);
                return;
            }
        };
        refused.insert(name.clone(), refusal);
    }

    pub(crate) fn readiness_waits(&self, name: &RealmName, now: Duration) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(name).is_some_and(|refusal| now < refusal.readiness)
    }

    pub(crate) fn is_refused(&self, name: &RealmName, now: Duration) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(name).is_some_and(|refusal| now < refusal.until)
    }

    /// Forgets all keys and failures, after an environment key record changed.
    pub(crate) fn forget_all(&self) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Drops the keys that were held for their whole period.
    pub(crate) fn expire(&self, now: Duration, period: Duration) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (_, since)| now.saturating_sub(*since) < period);
    }
}
