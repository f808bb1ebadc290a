//! The generations of a realm's environment key: a new one is announced, then seals, and the old one is dropped last.

use super::body::MAX_GENERATIONS;
use super::keys::{HeldGeneration, RealmKeys};
use crate::Error;

/// The state of a generation of a realm's environment key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third state would change who may seal; callers must decide about it"
)]
pub enum GenerationState {
    /// Seals and opens. There is exactly one.
    Current,
    /// Opens records that it sealed before, and never seals.
    Retiring,
}

/// One generation of a realm's environment key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Generation {
    /// Its number, from 1, never used twice.
    pub number: u32,
    /// The state: current or retiring.
    pub state: GenerationState,
}

impl RealmKeys {
    /// Returns the same keys with a further generation that opens and does not seal yet, and its number. Every node that holds the
    /// record of these keys opens what the generation will seal. [`RealmKeys::with_current`] then makes it seal.
    ///
    /// # Errors
    /// [`Error::Random`]; [`Error::TooLarge`] when there are 32 generations already, or no number is left.
    pub fn with_announced_generation(&self) -> Result<(Self, u32), Error> {
        let numbers = self.generations.iter().map(|held| held.generation.number);
        let number = numbers.max().unwrap_or(0).checked_add(1).ok_or(Error::TooLarge {
            limit: u32::MAX as usize,
        })?;
        if self.generations.len() >= MAX_GENERATIONS {
            return Err(Error::TooLarge { limit: MAX_GENERATIONS });
        }
        let mut keys = self.share();
        keys.generations
            .push(HeldGeneration::new(number, GenerationState::Retiring)?);
        Ok((keys, number))
    }

    /// Returns the same keys with this generation as the one that seals; the others are retiring. They hold once their record is
    /// stored.
    ///
    /// # Errors
    /// [`Error::NoSuchGeneration`] for a generation that is not held.
    pub fn with_current(&self, number: u32) -> Result<Self, Error> {
        self.held(number).ok_or(Error::NoSuchGeneration { number })?;
        let mut keys = self.share();
        for held in &mut keys.generations {
            held.generation.state = match held.generation.number == number {
                true => GenerationState::Current,
                false => GenerationState::Retiring,
            };
        }
        Ok(keys)
    }

    /// Returns the generation that was announced and does not seal yet: a retiring one that is newer than the current one.
    #[must_use]
    pub fn announced_generation(&self) -> Option<u32> {
        let newest = self.generations.last().map(|held| held.generation.number);
        newest.filter(|number| *number > self.current_generation())
    }

    /// The same keys with a new generation, which is current; the others are retiring. They hold once their record is stored.
    ///
    /// A node that runs meanwhile cannot open what the new generation seals until it reads the record. Announce the generation first if there
    /// are such nodes.
    ///
    /// # Errors
    /// As [`RealmKeys::with_announced_generation`].
    pub fn with_new_generation(&self) -> Result<Self, Error> {
        let (keys, number) = self.with_announced_generation()?;
        keys.with_current(number)
    }

    /// The same keys without a retiring generation: records that it sealed never open again.
    ///
    /// # Errors
    /// [`Error::NoSuchGeneration`]; [`Error::CurrentGeneration`] for the one that seals.
    pub fn without_generation(&self, number: u32) -> Result<Self, Error> {
        let held = self.held(number).ok_or(Error::NoSuchGeneration { number })?;
        if held.generation.state == GenerationState::Current {
            return Err(Error::CurrentGeneration { number });
        }
        let mut keys = self.share();
        keys.generations.retain(|held| held.generation.number != number);
        Ok(keys)
    }

    /// The number of the generation that seals.
    #[must_use]
    pub fn current_generation(&self) -> u32 {
        self.current().map_or(0, |held| held.generation.number)
    }

    /// Returns the same keys with a retiring generation that `other` still holds, after it was dropped too early.
    ///
    /// # Errors
    /// [`Error::OtherRealm`] if `other` is of another realm, [`Error::NoSuchGeneration`] if it does not hold the generation.
    pub fn with_generation_of(&self, other: &Self, number: u32) -> Result<Self, Error> {
        if self.identity != other.identity {
            return Err(Error::OtherRealm);
        }
        let returned = other.held(number).ok_or(Error::NoSuchGeneration { number })?;
        let mut keys = self.share();
        if keys.holds(number) {
            return Ok(keys);
        }
        let mut returned = returned.clone();
        returned.generation.state = GenerationState::Retiring;
        keys.generations.push(returned);
        keys.generations.sort_by_key(|held| held.generation.number);
        Ok(keys)
    }

    /// Returns true if a generation of this number is held, so that it opens what the generation sealed.
    #[must_use]
    pub fn holds(&self, number: u32) -> bool {
        self.held(number).is_some()
    }

    /// The generations held, ascending.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        self.generations.iter().map(|held| held.generation).collect()
    }

    pub(super) fn current(&self) -> Result<&HeldGeneration, Error> {
        // Every constructor leaves exactly one.
        self.generations
            .iter()
            .find(|held| held.generation.state == GenerationState::Current)
            .ok_or(Error::NoSuchGeneration { number: 0 })
    }

    pub(super) fn held(&self, number: u32) -> Option<&HeldGeneration> {
        self.generations.iter().find(|held| held.generation.number == number)
    }
}
