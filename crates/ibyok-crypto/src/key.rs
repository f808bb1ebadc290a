//! Keys: 32 bytes each, of types that cannot be taken for one another.

use std::fmt;

use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};

use crate::cipher::KEY_LEN;
use crate::format::Purpose;
use crate::place::SealedPlace;
use crate::seal::{self, Slot};
use crate::{Error, Secret, random};

/// A realm's key, which a KEK wraps and which wraps data keys and seals records.
///
/// Its bytes can be read, so that a [`Kek`](crate::Kek) can be written elsewhere.
pub struct EnvironmentKey(SecretBox<[u8; KEY_LEN]>);

impl EnvironmentKey {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        random_box().map(Self)
    }

    /// A key that `fill` writes in place, over zeros. A [`Kek`](crate::Kek) returns an unwrapped key this way.
    #[must_use]
    pub fn init_with_mut(fill: impl FnOnce(&mut [u8; KEY_LEN])) -> Self {
        Self(SecretBox::init_with_mut(fill))
    }
}

impl ExposeSecret<[u8; KEY_LEN]> for EnvironmentKey {
    fn expose_secret(&self) -> &[u8; KEY_LEN] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for EnvironmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvironmentKey(..)")
    }
}

/// The key of one version of one key, which seals its fields.
pub struct DataKey(SecretBox<[u8; KEY_LEN]>);

impl DataKey {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        random_box().map(Self)
    }

    /// Seals a value so that it opens only at `place`, whose version and field say which value it is.
    ///
    /// The result is 131 bytes longer than the value.
    ///
    /// # Errors
    /// [`Error::Random`]; [`Error::TooLarge`] for a name of 4 GiB.
    pub fn seal(&self, place: &SealedPlace<'_>, value: &Secret) -> Result<Vec<u8>, Error> {
        seal::seal(
            self.0.expose_secret(),
            &Slot::new(Purpose::Value, 0, place),
            value.expose_secret(),
        )
    }

    /// Opens bytes that [`DataKey::seal`] sealed at the same place.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::Truncated`], [`Error::NotSealed`] or [`Error::UnsupportedFormat`] for bytes that are
    /// not of this form.
    pub fn open(&self, place: &SealedPlace<'_>, sealed: &[u8]) -> Result<Secret, Error> {
        seal::open(self.0.expose_secret(), &Slot::new(Purpose::Value, 0, place), sealed)
    }

    pub(crate) fn from_box(key: SecretBox<[u8; KEY_LEN]>) -> Self {
        Self(key)
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_LEN] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

pub(crate) fn random_box() -> Result<SecretBox<[u8; KEY_LEN]>, Error> {
    let mut key = SecretBox::new(Box::new([0; KEY_LEN]));
    random::fill(key.expose_secret_mut())?;
    Ok(key)
}

pub(crate) fn copy_box(bytes: &[u8; KEY_LEN]) -> SecretBox<[u8; KEY_LEN]> {
    SecretBox::init_with_mut(|key: &mut [u8; KEY_LEN]| key.copy_from_slice(bytes))
}
