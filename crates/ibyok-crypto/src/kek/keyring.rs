//! The KEKs that a program was given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::KekContext;
use super::contract::Kek;
use super::wrapped::WrappedKey;
use crate::{EnvironmentKey, Error};

/// The KEKs that a program was given, sorted by the environments that they are for.
///
/// An environment can have KEKs of its own. Then no other KEK of the ring wraps or opens its key: a holder of another
/// environment's KEK cannot make a key that passes for this environment's. All other environments, and the realm that spans
/// them, share the KEKs of the rest.
///
/// The first KEK of an environment wraps, and all of them unwrap. Holding the new and the old one is how a KEK is changed
/// while serving.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    rest: Vec<Arc<dyn Kek>>,
    of: BTreeMap<String, Vec<Arc<dyn Kek>>>,
}

impl Keyring {
    /// Makes a ring with one KEK, for every environment.
    #[must_use]
    pub fn new(first: Arc<dyn Kek>) -> Self {
        Self {
            rest: vec![first],
            of: BTreeMap::new(),
        }
    }

    /// Adds a KEK for the environments that have none of their own. The first one that is added wraps.
    #[must_use]
    pub fn with(mut self, other: Arc<dyn Kek>) -> Self {
        self.rest.push(other);
        self
    }

    /// Adds a KEK that wraps from now on for the environments that have none of their own. The earlier ones unwrap.
    #[must_use]
    pub fn with_first(mut self, first: Arc<dyn Kek>) -> Self {
        self.rest.insert(0, first);
        self
    }

    /// Adds a KEK of an environment. The first one that is added wraps.
    #[must_use]
    pub fn with_kek_for(mut self, environment: &str, kek: Arc<dyn Kek>) -> Self {
        self.of.entry(environment.to_owned()).or_default().push(kek);
        self
    }

    /// Notes that an environment has a KEK of its own, which this program was not given. The KEKs of the rest do not open
    /// the environment then.
    #[must_use]
    pub fn with_own_kek(mut self, environment: &str) -> Self {
        self.of.entry(environment.to_owned()).or_default();
        self
    }

    /// Returns the KEKs for a context, the one that wraps first.
    #[must_use]
    pub fn keks_for(&self, context: &KekContext) -> &[Arc<dyn Kek>] {
        let own = context.environment().and_then(|name| self.of.get(name));
        own.unwrap_or(&self.rest)
    }

    /// Returns the KEK that wraps for a context.
    ///
    /// # Errors
    /// [`Error::NoKek`] if the ring has none for it.
    pub fn wraps(&self, context: &KekContext) -> Result<&Arc<dyn Kek>, Error> {
        self.keks_for(context).first().ok_or_else(|| Error::NoKek {
            environment: context.environment().map(str::to_owned),
        })
    }

    /// All of them: those of the rest, then those of each environment.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kek>> {
        self.rest.iter().chain(self.of.values().flatten())
    }

    /// Returns true if the ring holds no KEK.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Unwraps with the KEK that the wrapped key names, if it is one for the context. If several accept its id (two
    /// passphrases), each is tried in turn.
    ///
    /// # Errors
    /// [`Error::UnknownKek`], without a call, if none accepts it; else the first one's error.
    pub async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error> {
        let mut refused = None;
        let keks = self.keks_for(context).iter();
        for kek in keks.filter(|kek| kek.accepts(wrapped.kek())) {
            match kek.unwrap(wrapped, context).await {
                Ok(key) => return Ok(key),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| Error::UnknownKek {
            named: wrapped.kek().to_string(),
        }))
    }
}
