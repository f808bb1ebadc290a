//! Envelope encryption for IBYOK: secrets that zeroize, sealing, wrapping, and the [`Kek`] trait.
//!
//! A KEK (key-encryption key: a file, a passphrase, with the feature `aws-kms` a key of AWS KMS) **wraps** a realm's
//! environment key; the environment key **wraps** data keys and **seals** records; a data key **seals** the fields of
//! one version of one key. Bytes sealed at a [`SealedPlace`] open at no other: the place is the cipher's associated data.
//! One construction does all of it, byte for byte as in `docs/format.md`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use ibyok_crypto::{DataKey, Keyring, LocalKek, RealmIdentity, RealmKeys, RealmRecord, RealmTag, Secret, VaultId};
//!
//! # fn main() -> Result<(), ibyok_crypto::Error> { ibyok_crypto::conformance::block_on(async {
//! let kek = Arc::new(LocalKek::generate()?);
//! let identity = RealmIdentity::new(VaultId::generate()?, RealmTag::generate()?, "default", Some("prod"))?;
//!
//! // A realm's keys are made once; its record is stored.
//! let (_, record) = RealmKeys::create(identity, b"class=prod", 1, kek.as_ref()).await?;
//! let keys = RealmRecord::parse(&record)?.open(&Keyring::new(kek)).await?.keys;
//!
//! // One data key for each version, one sealing for each field.
//! let place = keys.identity().place(3, keys.record_id("openai")).version(1);
//! let data_key = DataKey::generate()?;
//! let wrapped = keys.wrap_data_key(&place, &data_key)?;
//! let sealed = data_key.seal(&place.field("value"), &Secret::copy_of(b"sk-example"))?;
//!
//! let opened = keys.unwrap_data_key(&place, &wrapped)?.open(&place.field("value"), &sealed)?;
//! assert_eq!(opened.text()?, "sk-example");
//! assert!(keys.unwrap_data_key(&place.version(2), &wrapped).is_err());
//! # Ok(()) }) }
//! ```
//!
//! This crate does not know the purpose of a key, reads no clock, and stores nothing. It does not notice an *older*
//! record that was put back in its own place: `rev` is for that. It wipes the secrets that it holds. It cannot wipe
//! copies of callers, and it does not hide the length of a value.
#![forbid(unsafe_code)]

mod associated;
pub mod base62;
mod cipher;
mod cut;
mod derive;
mod error;
mod fingerprint;
mod format;
mod id;
mod kek;
mod key;
mod place;
mod random;
mod read;
mod realm;
mod seal;
mod secret;
#[cfg(test)]
mod vectors;

#[cfg(feature = "conformance")]
pub mod conformance;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

// The public interface is:
pub use self::cut::cut;
pub use self::derive::KeyedHash;
pub use self::error::Error;
pub use self::fingerprint::FingerprintKey;
pub use self::id::{RealmTag, VaultId};
#[cfg(feature = "aws-kms")]
pub use self::kek::{AwsKms, AwsKmsOptions};
pub use self::kek::{
    Kek, KekContext, KekDescription, KekId, KekRefusal, Keyring, LocalKek, PassphraseCost, PassphraseKek, WrappedKey,
};
pub use self::key::{DataKey, EnvironmentKey};
pub use self::place::SealedPlace;
pub use self::realm::{Generation, GenerationState, OpenedRealm, RealmIdentity, RealmKeys, RealmRecord};
pub use self::secret::Secret;
