//! A realm's keys, opened.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretBox};

use super::body::{self, Body};
use super::generations::{Generation, GenerationState};
use super::identity::RealmIdentity;
use super::record;
use crate::cipher::KEY_LEN;
use crate::derive::{KeyedHash, MacKey};
use crate::format::{self, Purpose};
use crate::kek::Kek;
use crate::key::random_box;
use crate::place::SealedPlace;
use crate::seal::{self, Slot};
use crate::{DataKey, EnvironmentKey, Error, Secret, derive};

/// A realm's keys, opened: the generations of its environment key, and its token, name and fingerprint keys.
///
/// Everything is wiped when the last holder drops it. It is not `Clone`: share it in an `Arc`.
pub struct RealmKeys {
    pub(super) identity: RealmIdentity,
    /// Ascending by number; exactly one is current.
    pub(crate) generations: Vec<HeldGeneration>,
    pub(crate) token_key: Arc<SecretBox<[u8; KEY_LEN]>>,
    pub(crate) name_key: Arc<MacKey>,
    pub(crate) fingerprint_key: Arc<SecretBox<[u8; KEY_LEN]>>,
}

/// A generation with its key.
#[derive(Clone)]
pub(crate) struct HeldGeneration {
    pub(crate) generation: Generation,
    pub(crate) key: Arc<EnvironmentKey>,
}

impl RealmKeys {
    /// Makes a realm's keys and its first record. `attributes` are the caller's own bytes, sealed with the keys.
    ///
    /// # Errors
    /// [`Error::Random`], [`Error::TooLarge`] for attributes over 64 KiB, and the errors of the KEK.
    pub async fn create(
        identity: RealmIdentity,
        attributes: &[u8],
        rev: u64,
        kek: &dyn Kek,
    ) -> Result<(Self, Vec<u8>), Error> {
        let keys = Self::generate(identity)?;
        let record = keys.record(attributes, rev, kek).await?;
        Ok((keys, record))
    }

    /// Returns the record of these keys, wrapped again under `kek` and sealed under the current generation.
    ///
    /// # Errors
    /// As [`RealmKeys::create`].
    pub async fn record(&self, attributes: &[u8], rev: u64, kek: &dyn Kek) -> Result<Vec<u8>, Error> {
        let context = self.identity.kek_context();
        let mut wrapped = Vec::with_capacity(self.generations.len());
        for held in &self.generations {
            wrapped.push(kek.wrap(&held.key, &context).await?);
        }
        let (place, current) = (body::place(&self.identity), self.current()?);
        let body = Body::print(self, &wrapped, attributes, rev)?;
        let slot = Slot::new(Purpose::RealmKeys, current.generation.number, &place);
        let sealed = seal::seal(current.key.expose_secret(), &slot, body.expose_secret())?;
        record::print(&self.identity, &self.generations, &wrapped, &sealed)
    }

    /// Returns the same keys with a new token key: no earlier token verifies under it.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn with_new_token_key(&self) -> Result<Self, Error> {
        let token_key = Arc::new(random_box()?);
        Ok(Self {
            token_key,
            ..self.share()
        })
    }

    /// Seals the body of a record under the current generation. The result is 131 bytes longer.
    ///
    /// # Errors
    /// [`Error::OtherRealm`] if the place is not of this realm; [`Error::Random`].
    pub fn seal_record(&self, place: &SealedPlace<'_>, body: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal(Purpose::Record, place, body)
    }

    /// Opens bytes that [`RealmKeys::seal_record`] sealed at the same place, under any generation held.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::Truncated`], [`Error::NotSealed`] or [`Error::UnsupportedFormat`] for bytes that are
    /// not of this form.
    pub fn open_record(&self, place: &SealedPlace<'_>, sealed: &[u8]) -> Result<Secret, Error> {
        self.open(Purpose::Record, place, sealed)
    }

    /// Wraps a data key under the current generation.
    ///
    /// # Errors
    /// As [`RealmKeys::seal_record`].
    pub fn wrap_data_key(&self, place: &SealedPlace<'_>, key: &DataKey) -> Result<Vec<u8>, Error> {
        self.seal(Purpose::DataKey, place, key.bytes())
    }

    /// Unwraps a data key that [`RealmKeys::wrap_data_key`] wrapped at the same place, under any generation held.
    ///
    /// # Errors
    /// As [`RealmKeys::open_record`].
    pub fn unwrap_data_key(&self, place: &SealedPlace<'_>, wrapped: &[u8]) -> Result<DataKey, Error> {
        let (number, held) = self.sealer_of(place, wrapped)?;
        let slot = Slot::new(Purpose::DataKey, number, place);
        seal::open_key(held.key.expose_secret(), &slot, wrapped).map(DataKey::from_box)
    }

    /// The id of the record of a name: HMAC-SHA-256 under the name key, cut to 128 bits.
    #[must_use]
    pub fn record_id(&self, name: &str) -> [u8; 16] {
        derive::record_id(&self.name_key, name)
    }

    /// A value's fingerprint in this realm: it shows equal values without revealing them.
    #[must_use]
    pub fn fingerprint(&self, value: &Secret) -> [u8; 32] {
        derive::fingerprint(self.fingerprint_key.expose_secret(), value.expose_secret())
    }

    /// A keyed hash of the caller's bytes under the caller's label. It survives new generations, rewraps and new token keys.
    #[must_use]
    pub fn keyed_hash(&self, label: &str, bytes: &[u8]) -> [u8; 32] {
        derive::keyed_hash(self.fingerprint_key.expose_secret(), label, bytes)
    }

    /// The keyed hash under one label, ready for use: for a caller that hashes often. Keep it no longer than these keys.
    #[must_use]
    pub fn keyed_hasher(&self, label: &str) -> KeyedHash {
        derive::labelled(self.fingerprint_key.expose_secret(), label)
    }

    /// The key that access tokens of this realm are made with.
    #[must_use]
    pub fn token_key(&self) -> &SecretBox<[u8; KEY_LEN]> {
        &self.token_key
    }

    /// Returns the identity of the realm.
    #[must_use]
    pub const fn identity(&self) -> &RealmIdentity {
        &self.identity
    }

    /// Returns the generation that sealed bytes name. Only opening them proves it: for finding records to seal again.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::NotSealed`] or [`Error::UnsupportedFormat`].
    pub fn generation_of(sealed: &[u8]) -> Result<u32, Error> {
        format::generation(sealed)
    }

    fn generate(identity: RealmIdentity) -> Result<Self, Error> {
        Ok(Self {
            identity,
            generations: vec![HeldGeneration::new(1, GenerationState::Current)?],
            token_key: Arc::new(random_box()?),
            name_key: Arc::new(MacKey::new(random_box()?)),
            fingerprint_key: Arc::new(random_box()?),
        })
    }

    fn seal(&self, purpose: Purpose, place: &SealedPlace<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.identity.holds(place) {
            return Err(Error::OtherRealm);
        }
        let current = self.current()?;
        let slot = Slot::new(purpose, current.generation.number, place);
        seal::seal(current.key.expose_secret(), &slot, plaintext)
    }

    fn open(&self, purpose: Purpose, place: &SealedPlace<'_>, sealed: &[u8]) -> Result<Secret, Error> {
        let (number, held) = self.sealer_of(place, sealed)?;
        seal::open(held.key.expose_secret(), &Slot::new(purpose, number, place), sealed)
    }

    /// The generation that sealed some bytes of this realm, if it is held.
    fn sealer_of(&self, place: &SealedPlace<'_>, sealed: &[u8]) -> Result<(u32, &HeldGeneration), Error> {
        let number = format::generation(sealed)?;
        let held = self.held(number).filter(|_| self.identity.holds(place));
        held.map(|held| (number, held)).ok_or(Error::Open)
    }

    pub(super) fn share(&self) -> Self {
        Self {
            identity: self.identity.clone(),
            generations: self.generations.clone(),
            token_key: Arc::clone(&self.token_key),
            name_key: Arc::clone(&self.name_key),
            fingerprint_key: Arc::clone(&self.fingerprint_key),
        }
    }
}

impl HeldGeneration {
    pub(super) fn new(number: u32, state: GenerationState) -> Result<Self, Error> {
        Ok(Self {
            generation: Generation { number, state },
            key: Arc::new(EnvironmentKey::generate()?),
        })
    }
}

impl fmt::Debug for RealmKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealmKeys")
            .field("identity", &self.identity)
            .field("generations", &self.generations())
            .finish_non_exhaustive()
    }
}
