//! Fingerprints under a key that belongs to no realm: to know values again where no vault may be opened.

use secrecy::{ExposeSecret, SecretBox};

use crate::derive;
use crate::error::Error;
use crate::key::random_box;

/// A key under which values have fingerprints: HMAC-SHA-256, as in a realm.
///
/// An attacker who holds the key and a fingerprint can try values until one fits. So a fingerprint protects no value
/// that can be guessed.
#[derive(Debug)]
pub struct FingerprintKey(SecretBox<[u8; 32]>);

impl FingerprintKey {
    /// A random one.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system returns no randomness.
    pub fn generate() -> Result<Self, Error> {
        Ok(FingerprintKey(random_box()?))
    }

    /// The one of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        FingerprintKey(SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            key.copy_from_slice(bytes)
        }))
    }

    /// Its bytes, to be kept.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// The fingerprint of a value.
    #[must_use]
    pub fn fingerprint(&self, value: &[u8]) -> [u8; 32] {
        derive::fingerprint(self.0.expose_secret(), value)
    }
}
