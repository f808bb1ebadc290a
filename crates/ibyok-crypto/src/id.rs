//! The identities of vaults and realms.

use std::fmt;
use std::str::FromStr;

use crate::{Error, base62, random};

/// A vault: 16 random bytes, printed as 22 characters of `0-9A-Za-z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultId([u8; 16]);

impl VaultId {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(random::array()?))
    }

    /// The one of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the id, as headers hold them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base62::print(self.0))
    }
}

impl fmt::Debug for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultId({self})")
    }
}

impl FromStr for VaultId {
    type Err = Error;

    /// Reads the output of `Display`.
    fn from_str(text: &str) -> Result<Self, Error> {
        base62::parse(text)
            .map(Self)
            .ok_or(Error::InvalidName { what: "vault id" })
    }
}

/// A realm within a store: 8 random characters of `0-9A-Za-z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RealmTag([u8; 8]);

impl RealmTag {
    /// The tag in a header that has no realm, such as that of a key that a KEK wraps. No realm has this tag.
    pub(crate) const NONE: Self = Self([0; 8]);

    /// A new one, each character with the same chance.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        let mut tag = [0; 8];
        let mut at = tag.iter_mut();
        let mut next = at.next();
        while next.is_some() {
            for byte in random::array::<16>()? {
                // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
                let letter = base62::ALPHABET.get(usize::from(byte % 62)).filter(|_| byte < 248);
                if let (Some(slot), Some(&letter)) = (next.as_deref_mut(), letter) {
                    *slot = letter;
                    next = at.next();
                }
            }
        }
        Ok(Self(tag))
    }

    /// The one of these bytes.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if they are not all of `0-9A-Za-z`.
    pub fn from_bytes(bytes: [u8; 8]) -> Result<Self, Error> {
        if bytes.iter().all(u8::is_ascii_alphanumeric) {
            Ok(Self(bytes))
        } else {
            Err(Error::InvalidName { what: "realm tag" })
        }
    }

    /// Returns the bytes of the tag, as headers hold them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Its characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every public constructor admits ASCII only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RealmTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RealmTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RealmTag({self})")
    }
}

impl FromStr for RealmTag {
    type Err = Error;

    /// Reads the output of `Display`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = text
            .as_bytes()
            .try_into()
            .map_err(|_| Error::InvalidName { what: "realm tag" })?;
        Self::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_vault_id_is_read_as_printed() {
        let id = VaultId::generate().unwrap();
        assert_eq!(id.to_string().parse::<VaultId>().unwrap(), id);
        for wrong in [
            "",
            "0",
            "000000000000000000000000",
            "00000000000000000000-0",
            "zzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert!(wrong.parse::<VaultId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tags_use_the_whole_alphabet_and_differ() {
        let tags: Vec<RealmTag> = (0..2000).map(|_| RealmTag::generate().unwrap()).collect();
        let letters: HashSet<u8> = tags.iter().flat_map(|tag| *tag.as_bytes()).collect();
        assert_eq!(letters.len(), 62);
        assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len());
    }

    #[test]
    fn a_tag_is_eight_letters_or_digits() {
        assert_eq!("Ab3dEf7h".parse::<RealmTag>().unwrap().to_string(), "Ab3dEf7h");
        for wrong in ["", "Ab3dEf7", "Ab3dEf7hi", "Ab3dEf7_", "Ab3dEf\u{e9}"] {
            assert!(wrong.parse::<RealmTag>().is_err(), "{wrong}");
        }
    }
}
