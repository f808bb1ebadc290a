//! The environment key record: a clear part that names the keys to unwrap, and a body sealed under the current generation.

use std::fmt;

use secrecy::ExposeSecret;

use super::body::{self, Body, MAX_GENERATIONS};
use super::generations::{Generation, GenerationState};
use super::identity::{NAME_LIMIT, RealmIdentity};
use super::keys::{HeldGeneration, RealmKeys};
use crate::format::{self, Purpose, push_prefixed};
use crate::kek::{KekId, Keyring, WrappedKey};
use crate::place::WHOLE;
use crate::read::Reader;
use crate::seal::{self, Slot};
use crate::{Error, RealmTag, VaultId};

/// The first bytes of every environment key record.
const MAGIC: &[u8; 4] = b"IBYE";

/// An environment key record as stored. Only [`RealmRecord::open`] proves its own statements.
pub struct RealmRecord {
    identity: RealmIdentity,
    generations: Vec<(Generation, KekId)>,
    wrapped: Vec<WrappedKey>,
    sealed: Vec<u8>,
}

/// The content of an opened environment key record.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedRealm {
    /// The realm's keys.
    pub keys: RealmKeys,
    /// The caller's own bytes; they are no secret, and not wiped.
    pub attributes: Vec<u8>,
    /// The record's revision, for noticing an older one.
    pub rev: u64,
    /// The KEK that the current generation is wrapped under.
    pub kek: KekId,
}

impl RealmRecord {
    /// Reads the clear part.
    ///
    /// # Errors
    /// [`Error::NotSealed`], [`Error::UnsupportedFormat`], [`Error::Truncated`], [`Error::TooLarge`] or
    /// [`Error::Malformed`] for bytes that are not of this form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        format::magic_and_version(&mut reader, MAGIC)?;
        let vault = VaultId::from_bytes(reader.array()?);
        let tag = RealmTag::from_bytes(reader.array()?).map_err(malformed_name)?;
        let namespace = reader.prefixed_text(NAME_LIMIT)?;
        let environment = Some(reader.prefixed_text(NAME_LIMIT)?).filter(|name| *name != WHOLE);
        let identity = RealmIdentity::new(vault, tag, namespace, environment).map_err(malformed_name)?;
        let count = usize::from(reader.u8()?);
        if count > MAX_GENERATIONS {
            return Err(Error::TooLarge { limit: MAX_GENERATIONS });
        }
        let (mut generations, mut wrapped) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let (generation, kek) = read_generation(&mut reader)?;
            wrapped.push(WrappedKey::new(
                kek.clone(),
                reader.prefixed(WrappedKey::LIMIT)?.to_vec(),
            ));
            generations.push((generation, kek));
        }
        if !body::well_formed(&generations) {
            return Err(Error::Malformed {
                reason: "its generations are not one current and ascending",
            });
        }
        Ok(Self {
            identity,
            generations,
            wrapped,
            sealed: reader.rest().to_vec(),
        })
    }

    /// The vault that it names.
    #[must_use]
    pub const fn vault(&self) -> VaultId {
        self.identity.vault()
    }

    /// The tag that it names.
    #[must_use]
    pub const fn tag(&self) -> RealmTag {
        self.identity.tag()
    }

    /// The namespace that it names.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.identity.namespace()
    }

    /// The environment that it names; `None` for the realm that spans environments.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.identity.environment()
    }

    /// All of that at once.
    #[must_use]
    pub const fn identity(&self) -> &RealmIdentity {
        &self.identity
    }

    /// The KEKs that its generations are wrapped under, each once.
    #[must_use]
    pub fn kek_ids(&self) -> Vec<&KekId> {
        let mut ids: Vec<&KekId> = self.generations.iter().map(|(_, kek)| kek).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Unwraps every generation and opens the body. The caller compares the names in it with the expected ones.
    ///
    /// # Errors
    /// [`Error::Open`] if anything of it was changed; [`Error::UnknownKek`], [`Error::KekDenied`] or [`Error::KekUnavailable`] from the KEKs.
    pub async fn open(&self, keks: &Keyring) -> Result<OpenedRealm, Error> {
        let context = self.identity.kek_context();
        let mut keys = Vec::with_capacity(self.wrapped.len());
        for wrapped in &self.wrapped {
            keys.push(keks.unwrap(wrapped, &context).await?);
        }
        let ((current, kek), key) = self
            .generations
            .iter()
            .zip(&keys)
            .find(|((generation, _), _)| generation.state == GenerationState::Current)
            .ok_or(Error::Open)?;
        let place = body::place(&self.identity);
        let slot = Slot::new(Purpose::RealmKeys, current.number, &place);
        let opened = seal::open(key.expose_secret(), &slot, &self.sealed)?;
        // A holder of the key sealed it, so every fault in it is the same failure.
        let body = Body::read(&opened, &self.identity, &self.generations, keys).map_err(|_| Error::Open)?;
        Ok(OpenedRealm {
            keys: body.keys,
            attributes: body.attributes,
            rev: body.rev,
            kek: kek.clone(),
        })
    }
}

impl fmt::Debug for RealmRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealmRecord")
            .field("identity", &self.identity)
            .field("generations", &self.generations)
            .finish_non_exhaustive()
    }
}

/// `magic ‖ version ‖ vault ‖ tag ‖ namespace ‖ environment ‖ count ‖ count × (number, state, KEK id, wrapped key) ‖ sealed body`.
pub(super) fn print(
    identity: &RealmIdentity,
    generations: &[HeldGeneration],
    wrapped: &[WrappedKey],
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(format::VERSION);
    bytes.extend_from_slice(identity.vault().as_bytes());
    bytes.extend_from_slice(identity.tag().as_bytes());
    push_prefixed(&mut bytes, identity.namespace().as_bytes())?;
    push_prefixed(&mut bytes, identity.environment_word().as_bytes())?;
    bytes.push(count(generations)?);
    for (held, wrapped) in generations.iter().zip(wrapped) {
        if wrapped.bytes().len() > WrappedKey::LIMIT {
            return Err(Error::TooLarge {
                limit: WrappedKey::LIMIT,
            });
        }
        print_generation(&mut bytes, held.generation, wrapped.kek())?;
        push_prefixed(&mut bytes, wrapped.bytes())?;
    }
    bytes.extend_from_slice(sealed);
    Ok(bytes)
}

pub(super) fn count(generations: &[HeldGeneration]) -> Result<u8, Error> {
    u8::try_from(generations.len()).map_err(|_| Error::TooLarge { limit: MAX_GENERATIONS })
}

/// Number (u32 BE), state (1 current, 2 retiring), KEK id with its length.
pub(super) fn print_generation(to: &mut Vec<u8>, generation: Generation, kek: &KekId) -> Result<(), Error> {
    to.extend_from_slice(&generation.number.to_be_bytes());
    to.push(match generation.state {
        GenerationState::Current => 1,
        GenerationState::Retiring => 2,
    });
    push_prefixed(to, kek.as_str().as_bytes())
}

pub(super) fn read_generation(reader: &mut Reader<'_>) -> Result<(Generation, KekId), Error> {
    let number = reader.u32()?;
    let state = match reader.u8()? {
        1 => GenerationState::Current,
        2 => GenerationState::Retiring,
        _ => {
            return Err(Error::Malformed {
                reason: "a generation is neither current nor retiring",
            });
        }
    };
    Ok((
        Generation { number, state },
        reader.prefixed_text(KekId::LIMIT)?.parse()?,
    ))
}

fn malformed_name(_: Error) -> Error {
    Error::Malformed {
        reason: "a name in it is none",
    }
}
