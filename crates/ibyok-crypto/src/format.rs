//! The bytes of sealed things. Nothing else knows offsets; `docs/format.md` describes them byte for byte.

use crate::Error;
use crate::cipher::TAG_LEN;
use crate::place::SealedPlace;
use crate::read::Reader;

/// The first bytes of everything sealed.
const MAGIC: &[u8; 4] = b"IBYK";
/// The one version of the format.
pub(crate) const VERSION: u8 = 1;
/// Bytes before the ciphertext.
pub(crate) const HEADER_LEN: usize = 115;
/// The number of bytes that sealing adds.
pub(crate) const OVERHEAD: usize = HEADER_LEN + TAG_LEN;

/// The purpose of a key. Each purpose derives other keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An environment key under a KEK whose bytes this program holds.
    EnvironmentKey,
    /// The body of an environment key record.
    RealmKeys,
    /// The body of any other record.
    Record,
    /// A data key under an environment key.
    DataKey,
    /// A value under a data key.
    Value,
}

impl Purpose {
    pub(crate) const fn as_u8(self) -> u8 {
        match self {
            Self::EnvironmentKey => 1,
            Self::RealmKeys => 2,
            Self::Record => 3,
            Self::DataKey => 4,
            Self::Value => 5,
        }
    }
}

/// The fields before the ciphertext, without magic and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) purpose: u8,
    pub(crate) vault: [u8; 16],
    pub(crate) realm: [u8; 8],
    pub(crate) generation: u32,
    pub(crate) kind: u8,
    pub(crate) record: [u8; 16],
    pub(crate) salt: [u8; 32],
    pub(crate) commitment: [u8; 32],
}

impl Header {
    pub(crate) fn print(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[VERSION, self.purpose]);
        bytes.extend_from_slice(&self.vault);
        bytes.extend_from_slice(&self.realm);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.push(self.kind);
        bytes.extend_from_slice(&self.record);
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.commitment);
        bytes
    }
}

/// Sealed bytes, taken apart.
pub(crate) struct Sealed<'a> {
    pub(crate) header: Header,
    pub(crate) header_bytes: &'a [u8],
    pub(crate) ciphertext: &'a [u8],
    pub(crate) tag: &'a [u8; TAG_LEN],
}

impl<'a> Sealed<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header_bytes, rest) = bytes.split_at_checked(HEADER_LEN).ok_or_else(|| short(bytes, MAGIC))?;
        let mut reader = Reader::new(header_bytes);
        magic_and_version(&mut reader, MAGIC)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(Error::Truncated)?;
        let header = Header {
            purpose: reader.u8()?,
            vault: reader.array()?,
            realm: reader.array()?,
            generation: reader.u32()?,
            kind: reader.u8()?,
            record: reader.array()?,
            salt: reader.array()?,
            commitment: reader.array()?,
        };
        Ok(Self {
            header,
            header_bytes,
            ciphertext,
            tag,
        })
    }
}

/// Reads the beginning that all forms of this format share.
pub(crate) fn magic_and_version(reader: &mut Reader<'_>, magic: &[u8; 4]) -> Result<(), Error> {
    if reader.array::<4>()? != *magic {
        return Err(Error::NotSealed);
    }
    match reader.u8()? {
        VERSION => Ok(()),
        version => Err(Error::UnsupportedFormat { version }),
    }
}

/// The reason for refusing bytes shorter than a header: their beginning may show a more exact reason.
fn short(bytes: &[u8], magic: &[u8; 4]) -> Error {
    magic_and_version(&mut Reader::new(bytes), magic)
        .err()
        .unwrap_or(Error::Truncated)
}

/// Appends bytes with their length before them, u32 BE.
pub(crate) fn push_prefixed(to: &mut Vec<u8>, part: &[u8]) -> Result<(), Error> {
    let len = u32::try_from(part.len()).map_err(|_| Error::TooLarge {
        limit: u32::MAX as usize,
    })?;
    to.extend_from_slice(&len.to_be_bytes());
    to.extend_from_slice(part);
    Ok(())
}

/// The generation that sealed bytes name.
pub(crate) fn generation(bytes: &[u8]) -> Result<u32, Error> {
    Sealed::parse(bytes).map(|sealed| sealed.header.generation)
}

impl From<&SealedPlace<'_>> for Header {
    /// The header's fields that the place decides; the others are zero.
    fn from(place: &SealedPlace<'_>) -> Self {
        Self {
            purpose: 0,
            vault: *place.vault.as_bytes(),
            realm: *place.realm.as_bytes(),
            generation: 0,
            kind: place.kind,
            record: place.record,
            salt: [0; 32],
            commitment: [0; 32],
        }
    }
}
