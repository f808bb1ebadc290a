//! A KEK that is derived from a passphrase.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretBox};

use super::context::KekContext;
use super::contract::Kek;
use super::own::{unwrap_under, wrap_under};
use super::passphrase_cost::PassphraseCost;
use super::wrapped::{KekDescription, KekId, WrappedKey};
use crate::cipher::KEY_LEN;
use crate::read::Reader;
use crate::{EnvironmentKey, Error, Secret, derive, random};

/// The kind in its id.
const KIND: &str = "passphrase";
/// RFC 9106 §4 recommends 16 bytes.
const SALT_LEN: usize = 16;
/// The largest number of derived keys that are kept: a vault has one salt, and two while its passphrase is changed.
const KEPT: usize = 8;

/// A KEK that Argon2id derives from a passphrase.
///
/// Each wrapped key begins with salt and cost, so people need to remember only the passphrase. One derivation serves
/// every realm that was wrapped under the same salt, and new wraps use a salt that has already opened something, or a
/// fresh one.
///
/// The passphrase is taken byte for byte. A program that reads it from people may want to normalise it first. Its id
/// distinguishes derived keys, so a wrong passphrase is [`Error::KekDenied`] and not damage.
///
/// Deriving takes a tenth of a second at the recommended cost, on the thread that polls. Other callers that need the
/// same key wait for it. A server opens its realms at start, or from a thread that may block.
pub struct PassphraseKek {
    passphrase: Secret,
    cost: PassphraseCost,
    derived: Mutex<Vec<Derived>>,
}

struct Derived {
    salt: [u8; SALT_LEN],
    cost: PassphraseCost,
    key: SecretBox<[u8; KEY_LEN]>,
    id: [u8; 16],
    /// Made by us, or has opened a key: a salt that a stranger chose is never used to wrap.
    proven: bool,
}

impl PassphraseKek {
    /// One whose new wraps take `cost`. Nothing is derived yet.
    #[must_use]
    pub const fn new(passphrase: Secret, cost: PassphraseCost) -> Self {
        Self {
            passphrase,
            cost,
            derived: Mutex::new(Vec::new()),
        }
    }

    fn derived(&self) -> MutexGuard<'_, Vec<Derived>> {
        // What is kept is whole at any moment, so a panic elsewhere has not spoilt it.
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn derive(&self, salt: [u8; SALT_LEN], cost: PassphraseCost) -> Result<Derived, Error> {
        let key = cost
            .derive(&self.passphrase, &salt)
            .map_err(|error| Error::KekUnavailable {
                kek: KIND.to_owned(),
                source: Box::new(error),
            })?;
        let id = derive::kek_id(key.expose_secret());
        Ok(Derived {
            salt,
            cost,
            key,
            id,
            proven: false,
        })
    }

    /// Returns the index of the key of this salt and cost. Derives the key if it is missing.
    fn position(&self, kept: &mut Vec<Derived>, salt: [u8; SALT_LEN], cost: PassphraseCost) -> Result<usize, Error> {
        if let Some(at) = kept.iter().position(|one| one.salt == salt && one.cost == cost) {
            return Ok(at);
        }
        let new = self.derive(salt, cost)?;
        if kept.len() >= KEPT {
            // Rather one that has opened nothing.
            kept.remove(kept.iter().position(|one| !one.proven).unwrap_or(0));
        }
        kept.push(new);
        Ok(kept.len().saturating_sub(1))
    }
}

impl Derived {
    fn id(&self) -> KekId {
        KekId::of_bytes(KIND, self.id)
    }

    /// Salt ‖ cost ‖ the key, sealed.
    fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error> {
        let mut bytes = self.salt.to_vec();
        self.cost.print(&mut bytes);
        bytes.extend_from_slice(&wrap_under(self.key.expose_secret(), self.id, key, context)?);
        Ok(WrappedKey::new(self.id(), bytes))
    }
}

#[async_trait]
impl Kek for PassphraseKek {
    async fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error> {
        let mut kept = self.derived();
        if let Some(known) = kept.iter().find(|one| one.proven && one.cost == self.cost) {
            return known.wrap(key, context);
        }
        let at = self.position(&mut kept, random::array()?, self.cost)?;
        let fresh = kept.get_mut(at).ok_or(Error::Open)?;
        fresh.proven = true;
        fresh.wrap(key, context)
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error> {
        if !self.accepts(wrapped.kek()) {
            return Err(Error::UnknownKek {
                named: wrapped.kek().to_string(),
            });
        }
        let mut reader = Reader::new(wrapped.bytes());
        let salt = reader.array()?;
        let cost = PassphraseCost::read(&mut reader)?;
        let mut kept = self.derived();
        let at = self.position(&mut kept, salt, cost)?;
        let derived = kept.get_mut(at).ok_or(Error::Open)?;
        if derived.id() != *wrapped.kek() {
            return Err(Error::KekDenied {
                kek: wrapped.kek().to_string(),
            });
        }
        let key = unwrap_under(derived.key.expose_secret(), derived.id, reader.rest(), context)?;
        derived.proven = true;
        Ok(key)
    }

    fn describe(&self) -> KekDescription {
        let known = self
            .derived()
            .iter()
            .find(|one| one.proven && one.cost == self.cost)
            .map(Derived::id);
        KekDescription::new(KIND, known)
    }

    fn accepts(&self, id: &KekId) -> bool {
        id.kind() == KIND
    }
}

impl fmt::Debug for PassphraseKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassphraseKek(..)")
    }
}
