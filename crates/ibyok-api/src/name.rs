//! Names that a request carries and that are refused before anything looks at them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The error of a text that is not a name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAFieldName;

impl fmt::Display for NotAFieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a field's name: letters, digits, `_`, `-` and `.`, beginning with a letter or `_`, at most 64 characters",
        )
    }
}

impl std::error::Error for NotAFieldName {}

/// The name of a field of a version: `value` for the key itself, or for example `org_id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(Box<str>);

impl FieldName {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FieldName {
    type Err = NotAFieldName;

    fn from_str(text: &str) -> Result<Self, NotAFieldName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let fits = begins && text.len() <= 64 && text.bytes().all(plain);
        fits.then(|| FieldName(text.into())).ok_or(NotAFieldName)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for FieldName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A pattern of key names, in which `*` matches any characters and `?` matches one.
pub(crate) struct KeyPattern(String);

impl KeyPattern {
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for KeyPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._*?-".contains(&byte);
        if (1..=128).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(KeyPattern(text));
        }
        Err(serde::de::Error::custom("not a pattern of key names"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_characters_are_refused() {
        for text in ["", "1a", "-a", ".a", "a/b", "a#b", "a b", "é", &"a".repeat(65)] {
            assert_eq!(text.parse::<FieldName>(), Err(NotAFieldName), "{text}");
        }
        for text in ["org_id2", "API_KEY", "_a", "client-id", "tls.crt"] {
            assert_eq!(text.parse::<FieldName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn patterns_of_other_characters_are_refused() {
        for text in ["", "a[b]", "a b", "a/b", "é", &"a".repeat(129)] {
            let json = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<KeyPattern>(&json).is_err(), "{text}");
        }
        let read: KeyPattern = serde_json::from_str("\"open*-?\"").unwrap();
        assert_eq!(read.into_string(), "open*-?");
    }
}
