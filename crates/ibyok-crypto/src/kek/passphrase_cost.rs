//! The cost of guessing a passphrase.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use zeroize::Zeroize;

use crate::cipher::KEY_LEN;
use crate::read::Reader;
use crate::{Error, Secret};

/// Argon2id's cost ([RFC 9106](https://www.rfc-editor.org/rfc/rfc9106)): the memory and time that one guess of a passphrase takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// 64 MiB, 3 passes, 4 lanes: RFC 9106 §4, the second recommended option, for where 2 GiB cannot be asked for. It lies above OWASP's
    /// minimum of 19 MiB and 2 passes, which is meant for servers that many log in to at once; a vault derives once at its start.
    pub const RECOMMENDED: Self = Self {
        memory: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    /// The most memory that is accepted when reading: 1 GiB, in KiB.
    pub const MAX_MEMORY: u32 = 1024 * 1024;
    /// The most passes that are accepted when reading.
    pub const MAX_PASSES: u32 = 16;
    /// The most lanes that are accepted when reading.
    pub const MAX_LANES: u32 = 4;

    /// A custom cost: memory in KiB, passes over it, and lanes.
    ///
    /// # Errors
    /// [`Error::Cost`] beyond the three maxima, for a zero, and for less than 8 KiB a lane.
    pub const fn new(memory: u32, passes: u32, lanes: u32) -> Result<Self, Error> {
        let bound = if passes == 0 || passes > Self::MAX_PASSES {
            "1 to 16 passes"
        } else if lanes == 0 || lanes > Self::MAX_LANES {
            "1 to 4 lanes"
        } else if memory < 8 * lanes || memory > Self::MAX_MEMORY {
            "8 KiB a lane to 1 GiB of memory"
        } else {
            return Ok(Self { memory, passes, lanes });
        };
        Err(Error::Cost { bound })
    }

    /// Next to nothing: for tests, never for a passphrase that protects anything.
    #[must_use]
    pub const fn cheap_for_tests() -> Self {
        Self {
            memory: 64,
            passes: 1,
            lanes: 1,
        }
    }

    /// Memory, passes and lanes, each u32 BE.
    pub(super) fn print(self, to: &mut Vec<u8>) {
        [self.memory, self.passes, self.lanes]
            .iter()
            .for_each(|number| to.extend_from_slice(&number.to_be_bytes()));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Self::new(reader.u32()?, reader.u32()?, reader.u32()?)
    }

    /// `Argon2id(passphrase, salt)` of version 0x13, 32 bytes. It takes a tenth of a second or so, on the caller's thread.
    pub(super) fn derive(self, passphrase: &Secret, salt: &[u8]) -> Result<SecretBox<[u8; KEY_LEN]>, argon2::Error> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(KEY_LEN))?;
        let mut blocks: Vec<Block> = Vec::new();
        // Asked for, so that a cost beyond this machine's memory is an error and not the end of the process.
        blocks
            .try_reserve_exact(params.block_count())
            .map_err(|_| argon2::Error::OutOfMemory)?;
        blocks.resize(params.block_count(), Block::default());
        let mut key = SecretBox::new(Box::new([0; KEY_LEN]));
        let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            passphrase.expose_secret(),
            salt,
            key.expose_secret_mut(),
            &mut blocks,
        );
        blocks.iter_mut().for_each(Zeroize::zeroize);
        derived.map(|()| key)
    }
}

impl Default for PassphraseCost {
    fn default() -> Self {
        Self::RECOMMENDED
    }
}
