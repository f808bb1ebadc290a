//! The KEKs that a program was given.

use std::sync::Arc;

use super::context::KekContext;
use super::contract::Kek;
use super::wrapped::WrappedKey;
use crate::{EnvironmentKey, Error};

/// The KEKs that a program was given: the first wraps, all unwrap.
///
/// Holding the old and the new one is how a KEK is changed while serving.
#[derive(Clone, Debug)]
pub struct Keyring {
    first: Arc<dyn Kek>,
    others: Vec<Arc<dyn Kek>>,
}

impl Keyring {
    /// A ring of one.
    #[must_use]
    pub fn new(first: Arc<dyn Kek>) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }

    /// The same ring with one more that unwraps.
    #[must_use]
    pub fn with(mut self, other: Arc<dyn Kek>) -> Self {
        self.others.push(other);
        self
    }

    /// The one that wraps.
    #[must_use]
    pub fn first(&self) -> &Arc<dyn Kek> {
        &self.first
    }

    /// All of them, the one that wraps first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kek>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Unwraps with the KEK that the wrapped key names. If several accept its id (two passphrases), each is tried in
    /// turn.
    ///
    /// # Errors
    /// [`Error::UnknownKek`], without a call, if none accepts it; else the first one's error.
    pub async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error> {
        let mut refused = None;
        for kek in self.iter().filter(|kek| kek.accepts(wrapped.kek())) {
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
