//! The associated data of sealed bytes.

use crate::Error;
use crate::place::SealedPlace;

/// The number of bytes that need no allocation: the header, and names of the lengths that vaults allow.
const INLINE: usize = 384;

/// The associated data: the header as stored, then the parts that are not stored, each with its length.
pub(crate) struct AssociatedData {
    inline: [u8; INLINE],
    len: usize,
    /// Everything, once it is longer than the array.
    long: Vec<u8>,
}

impl AssociatedData {
    pub(crate) fn new(header: &[u8], place: &SealedPlace<'_>) -> Result<Self, Error> {
        let mut data = Self {
            inline: [0; INLINE],
            len: 0,
            long: Vec::new(),
        };
        data.push(header);
        data.push_prefixed(place.namespace.as_bytes())?;
        data.push_prefixed(place.environment.as_bytes())?;
        data.push_prefixed(&place.version.to_be_bytes())?;
        data.push_prefixed(place.field.as_bytes())?;
        Ok(data)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self.long.is_empty() {
            true => self.inline.get(..self.len).unwrap_or_default(),
            false => &self.long,
        }
    }

    /// Appends bytes with their length before them, u32 BE.
    fn push_prefixed(&mut self, part: &[u8]) -> Result<(), Error> {
        let len = u32::try_from(part.len()).map_err(|_| Error::TooLarge {
            limit: u32::MAX as usize,
        })?;
        self.push(&len.to_be_bytes());
        self.push(part);
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self
            .inline
            .get_mut(self.len..)
            .and_then(|rest| rest.get_mut(..bytes.len()));
        match room.filter(|_| self.long.is_empty()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => {
                if self.long.is_empty() {
                    self.long
                        .extend_from_slice(self.inline.get(..self.len).unwrap_or_default());
                }
                self.long.extend_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RealmTag, VaultId};

    #[test]
    fn the_parts_follow_the_header_each_with_its_length_whether_or_not_they_fit_the_array() {
        let tag = RealmTag::from_bytes(*b"Ab3dEf7h").unwrap();
        for length in [0, 1, 63, 120, 121, 122, 250, 400, 5000] {
            let (namespace, field) = ("n".repeat(length), "f".repeat(length / 2));
            let place = SealedPlace::new(VaultId::from_bytes([1; 16]), tag, 3, [2; 16], &namespace, "prod");
            let place = place.version(4).field(&field);
            let mut expected = b"header".to_vec();
            for part in [namespace.as_bytes(), b"prod", &4_u32.to_be_bytes(), field.as_bytes()] {
                expected.extend_from_slice(&(part.len() as u32).to_be_bytes());
                expected.extend_from_slice(part);
            }
            assert_eq!(
                AssociatedData::new(b"header", &place).unwrap().as_bytes(),
                expected,
                "{length}"
            );
        }
    }
}
