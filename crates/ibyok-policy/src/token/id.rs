//! A token's public name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::base62;
use crate::Error;

/// The public id of a token: the tag of its realm and 16 bytes. Not a secret.
///
/// Printed as 30 base62 characters: the tag's 8, then the bytes as a big-endian number of 22 digits. There is
/// one such text for each id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId {
    tag: [u8; 8],
    id: [u8; 16],
}

impl TokenId {
    /// The length of its text in characters.
    pub const LEN: usize = 8 + base62::ID_WIDTH;

    /// An id of 16 bytes (random ones) under a realm's tag.
    ///
    /// # Errors
    /// [`Error::RealmTag`] if the tag is not of base62 characters.
    pub fn new(tag: [u8; 8], id: [u8; 16]) -> Result<Self, Error> {
        if tag.iter().all(u8::is_ascii_alphanumeric) {
            Ok(Self { tag, id })
        } else {
            Err(Error::RealmTag)
        }
    }

    /// The realm's tag, 8 base62 characters in ASCII.
    #[must_use]
    pub const fn tag(&self) -> [u8; 8] {
        self.tag
    }

    /// The 16 bytes that follow the tag.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 16] {
        self.id
    }

    /// Reads the 30 characters; `None` for anything else.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (tag, digits) = text.split_first_chunk::<8>()?;
        if digits.len() != base62::ID_WIDTH {
            return None;
        }
        let id = base62::number(digits)?.to_be_bytes();
        Self::new(*tag, id).ok()
    }

    pub(super) fn push_to(&self, out: &mut String) {
        out.push_str(self.text().as_str());
    }

    /// Returns the id as text, without an allocation: for logs, which print an id for each request.
    #[must_use]
    pub fn text(&self) -> TokenIdText {
        let mut text = [0; Self::LEN];
        let (tag, digits) = text.split_at_mut(self.tag.len());
        tag.copy_from_slice(&self.tag);
        base62::write_number(digits, u128::from_be_bytes(self.id));
        TokenIdText(text)
    }
}

/// The text of a [`TokenId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenIdText([u8; TokenId::LEN]);

impl TokenIdText {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every byte is of base62, so that this is never empty.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text.as_bytes()).ok_or(Error::TokenId)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_it_was_printed(tag in "[0-9A-Za-z]{8}", id in any::<[u8; 16]>()) {
            let id = TokenId::new(tag.as_bytes().try_into().unwrap(), id).unwrap();
            let text = id.to_string();
            prop_assert_eq!(text.len(), TokenId::LEN);
            prop_assert!(text.starts_with(&tag));
            prop_assert_eq!(text.parse::<TokenId>().unwrap(), id);
        }

        #[test]
        fn there_is_one_text_for_an_id(text in "[0-9A-Za-z]{28,32}") {
            if let Ok(id) = text.parse::<TokenId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_over_its_range_is_refused() {
        assert_eq!(
            "aaaaaaaa7n42DGM5Tflk9n8mt7Fhc7".parse::<TokenId>().unwrap().bytes(),
            [0xff; 16],
        );
        assert!("aaaaaaaa7n42DGM5Tflk9n8mt7Fhc8".parse::<TokenId>().is_err());
        assert!("aaaaaaaazzzzzzzzzzzzzzzzzzzzzz".parse::<TokenId>().is_err());
    }

    #[test]
    fn a_tag_is_of_base62_characters() {
        assert!(TokenId::new(*b"abcdef-1", [0; 16]).is_err());
        assert!(TokenId::new([0xff; 8], [0; 16]).is_err());
    }
}
