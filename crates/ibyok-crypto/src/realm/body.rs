//! The sealed part of an environment key record: the realm's other keys, and a copy of its clear part that no
//! attacker can change.

use std::sync::Arc;

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::generations::{Generation, GenerationState};
use super::identity::RealmIdentity;
use super::keys::{HeldGeneration, RealmKeys};
use super::record;
use crate::derive::MacKey;
use crate::format::push_prefixed;
use crate::kek::{KekId, WrappedKey};
use crate::key::copy_box;
use crate::place::ENVIRONMENT_KEY_RECORD;
use crate::place::SealedPlace;
use crate::read::Reader;
use crate::{EnvironmentKey, Error, Secret, derive};

/// The most generations of a realm.
pub(super) const MAX_GENERATIONS: usize = 32;
/// The most bytes of the caller's attributes.
pub(super) const ATTRIBUTES_LIMIT: usize = 64 * 1024;

/// Returns the place at which the body is sealed. The realm identifies the record, so the record id is zero.
pub(super) fn place(identity: &RealmIdentity) -> SealedPlace<'_> {
    identity.place(ENVIRONMENT_KEY_RECORD, [0; 16])
}

/// An opened body.
pub(super) struct Body {
    pub(super) rev: u64,
    pub(super) keys: RealmKeys,
    pub(super) attributes: Vec<u8>,
}

impl Body {
    /// `rev ‖ token key ‖ name key ‖ fingerprint key ‖ count ‖ count × (number, state, KEK id, check) ‖ attributes`.
    pub(super) fn print(
        keys: &RealmKeys,
        wrapped: &[WrappedKey],
        attributes: &[u8],
        rev: u64,
    ) -> Result<Secret, Error> {
        if attributes.len() > ATTRIBUTES_LIMIT {
            return Err(Error::TooLarge {
                limit: ATTRIBUTES_LIMIT,
            });
        }
        // Enough from the start: growing would leave a copy of the keys behind.
        let capacity = 256 + MAX_GENERATIONS * (64 + KekId::LIMIT) + ATTRIBUTES_LIMIT;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        bytes.extend_from_slice(&rev.to_be_bytes());
        bytes.extend_from_slice(keys.token_key.expose_secret());
        bytes.extend_from_slice(keys.name_key.expose_secret());
        bytes.extend_from_slice(keys.fingerprint_key.expose_secret());
        bytes.push(record::count(&keys.generations)?);
        for (held, wrapped) in keys.generations.iter().zip(wrapped) {
            record::print_generation(&mut bytes, held.generation, wrapped.kek())?;
            bytes.extend_from_slice(&check(&held.key, held.generation.number));
        }
        push_prefixed(&mut bytes, attributes)?;
        Ok(Secret::from_zeroizing(bytes))
    }

    /// Reads it and compares each generation with the clear part and with the key that was unwrapped for it.
    pub(super) fn read(
        opened: &Secret,
        identity: &RealmIdentity,
        clear: &[(Generation, KekId)],
        unwrapped: Vec<EnvironmentKey>,
    ) -> Result<Self, Error> {
        let mut reader = Reader::new(opened.expose_secret());
        let rev = reader.u64()?;
        let mut key = || reader.array_ref().map(copy_box);
        let (token_key, name_key, fingerprint_key) = (key()?, MacKey::new(key()?), key()?);
        if usize::from(reader.u8()?) != clear.len() || unwrapped.len() != clear.len() {
            return Err(Error::Open);
        }
        let mut generations = Vec::with_capacity(clear.len());
        for (expected, key) in clear.iter().zip(unwrapped) {
            let found = record::read_generation(&mut reader)?;
            let generation = found.0;
            if found != *expected || reader.array()? != check(&key, generation.number) {
                return Err(Error::Open);
            }
            generations.push(HeldGeneration {
                generation,
                key: Arc::new(key),
            });
        }
        let attributes = reader.prefixed(ATTRIBUTES_LIMIT)?.to_vec();
        if !reader.rest().is_empty() {
            return Err(Error::Open);
        }
        let identity = identity.clone();
        let keys = RealmKeys {
            identity,
            generations,
            token_key: Arc::new(token_key),
            name_key: Arc::new(name_key),
            fingerprint_key: Arc::new(fingerprint_key),
        };
        Ok(Self { rev, keys, attributes })
    }
}

/// Shows that a wrapped key is the one of its number, and not another generation's in its place.
fn check(key: &EnvironmentKey, number: u32) -> [u8; 32] {
    derive::generation(key.expose_secret(), number)
}

/// Returns true if exactly one generation seals, and the numbers ascend without repetition.
pub(super) fn well_formed(generations: &[(Generation, KekId)]) -> bool {
    let current = generations
        .iter()
        .filter(|(one, _)| one.state == GenerationState::Current)
        .count();
    current == 1 && generations.is_sorted_by(|(one, _), (next, _)| one.number < next.number)
}
