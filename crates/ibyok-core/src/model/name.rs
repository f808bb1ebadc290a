//! Validated names: a name that is refused here never reaches a backend, a path or a log.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::base::error::Error;
use crate::base::secret_text::{holds_a_secret, looks_like_a_token};
pub(crate) use ibyok_crypto::base62::{digits as base62_digits, parse as from_base62, print as base62};

/// Words with a special meaning in tokens, routes or realms.
const RESERVED: [&str; 6] = ["self", "admin", "root", "whole", "data", "metadata"];

/// The longest namespace or environment, in bytes.
const LABEL_MAX: usize = 63;

/// The longest key name, in bytes.
const KEY_NAME_MAX: usize = 128;

/// The longest field name, in bytes.
const FIELD_MAX: usize = 64;

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// The name's text, shared.
        impl From<&$name> for Arc<str> {
            fn from(name: &$name) -> Self {
                Arc::clone(&name.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::kept(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// The tenant: matches `[a-z0-9][a-z0-9-]{0,62}` and is no reserved word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Arc<str>);

text_type!(Namespace);

impl Default for Namespace {
    /// `default`, which the command line uses.
    fn default() -> Self {
        Namespace("default".into())
    }
}

impl Namespace {
    /// A name as a record holds it.
    fn kept(text: &str) -> Result<Self, Error> {
        label("namespace", text).map(|text| Namespace(text.into()))
    }
}

impl FromStr for Namespace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        no_secret("namespace", text)?;
        Namespace::kept(text)
    }
}

/// An environment of a namespace: `dev`, `staging`, `prod` or another name of the form `[a-z0-9][a-z0-9-]{0,62}`.
///
/// `development` and `production` become `dev` and `prod`; reserved words are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnvironmentName(Arc<str>);

text_type!(EnvironmentName);

impl EnvironmentName {
    /// The long form that the published interface uses: `development`, `staging`, `production`, else the name itself.
    #[must_use]
    pub fn long(&self) -> &str {
        match self.as_str() {
            "dev" => "development",
            "prod" => "production",
            other => other,
        }
    }

    /// A name as a record holds it.
    fn kept(text: &str) -> Result<Self, Error> {
        let name = label("environment", text)?;
        Ok(EnvironmentName(
            match name {
                "development" => "dev",
                "production" => "prod",
                other => other,
            }
            .into(),
        ))
    }
}

impl FromStr for EnvironmentName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        no_secret("environment", text)?;
        EnvironmentName::kept(text)
    }
}

/// A key's name in its environment: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, exact to the letter.
///
/// A name that looks like a key id (`key_` and 22 base62 characters) is refused, so that the two are never mistaken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(Arc<str>);

text_type!(KeyName);

impl KeyName {
    /// The variable that a program would read the key from: capitals, with `-` and `.` as `_`, and a `_` before a digit.
    #[must_use]
    pub fn variable(&self) -> String {
        let digit = self.0.starts_with(|c: char| c.is_ascii_digit()).then_some('_');
        let letters = self.0.chars().map(|c| match c {
            '-' | '.' => '_',
            other => other.to_ascii_uppercase(),
        });
        digit.into_iter().chain(letters).collect()
    }

    /// A name as a record holds it. A shape that the catalogue learns later makes no record unreadable.
    fn kept(text: &str) -> Result<Self, Error> {
        let form = "letters, digits, `.`, `_` and `-`, beginning with a letter or digit, at most 128 characters";
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !first || !rest || text.len() > KEY_NAME_MAX {
            return Err(Error::invalid_name("key name", text, form));
        }
        if KeyId::looks_like(text) {
            return Err(Error::invalid_name(
                "key name",
                text,
                "a name that does not look like a key id",
            ));
        }
        Ok(KeyName(text.into()))
    }
}

impl FromStr for KeyName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if looks_like_a_token(text) {
            return Err(Error::invalid(
                "this is an access token, not the name of a key",
                "give a token in `IBYOK_TOKEN` or in the `Authorization` header; if somebody could read this token, revoke it",
            ));
        }
        no_secret("key name", text)?;
        KeyName::kept(text)
    }
}

/// A field of a version: `value` is the key itself; others (`base_url`, `org_id`, …) come along. `[a-z][a-z0-9_]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldName(Arc<str>);

text_type!(FieldName);

impl FieldName {
    /// The field that is the key itself.
    #[must_use]
    pub fn value() -> Self {
        FieldName("value".into())
    }

    /// True if this is the field of the key itself.
    #[must_use]
    pub fn is_value(&self) -> bool {
        &*self.0 == "value"
    }
}

impl FieldName {
    /// A name as a record holds it.
    fn kept(text: &str) -> Result<Self, Error> {
        text.parse()
    }
}

impl FromStr for FieldName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !first || !rest || text.len() > FIELD_MAX {
            let form = "letters, digits, `_`, `-` and `.`, beginning with a letter or `_`, at most 64 characters";
            return Err(Error::invalid_name("field", text, form));
        }
        Ok(FieldName(text.into()))
    }
}

/// A key's public id: `key_` and 22 base62 characters, the keyed hash of its name in its environment.
///
/// An id names a key in one environment; the key is found by it with one read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub(crate) [u8; 16]);

impl KeyId {
    const PREFIX: &'static str = "key_";

    /// True if a text has the form of a key id.
    pub(crate) fn looks_like(text: &str) -> bool {
        text.strip_prefix(Self::PREFIX)
            .is_some_and(|rest| rest.len() == 22 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
    }
}

/// The text of a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyIdText([u8; 26]);

impl KeyIdText {
    pub(crate) fn as_str(&self) -> &str {
        // Every byte is ASCII, so that this is never empty.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<KeyId> for KeyIdText {
    fn from(id: KeyId) -> Self {
        let mut text = *b"key_0000000000000000000000";
        let digits = text.iter_mut().skip(KeyId::PREFIX.len());
        digits.zip(base62_digits(id.0)).for_each(|(to, from)| *to = from);
        KeyIdText(text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At once, so that a string that it is written to grows once.
        f.write_str(KeyIdText::from(*self).as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.strip_prefix(Self::PREFIX)
            .and_then(from_base62)
            .map(KeyId)
            .ok_or_else(|| Error::invalid_name("key id", text, "`key_` and 22 base62 characters"))
    }
}

/// Refuses a name that is or holds a provider's key, because lists and the log show names to many readers.
pub(crate) fn no_secret(what: &'static str, text: &str) -> Result<(), Error> {
    if !holds_a_secret(text) {
        return Ok(());
    }
    Err(Error::invalid(
        format!("this {what} looks like a secret; it is not repeated here"),
        "lists and logs show names: choose another name; if somebody could read the secret, rotate it",
    ))
}

fn label<'a>(what: &'static str, text: &'a str) -> Result<&'a str, Error> {
    let form = "lower-case letters, digits and `-`, beginning with a letter or digit, at most 63 characters";
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !first || !rest || text.len() > LABEL_MAX {
        return Err(Error::invalid_name(what, text, form));
    }
    if RESERVED.contains(&text) {
        return Err(Error::invalid_name(
            what,
            text,
            "a name other than the reserved words self, admin, root, whole, data and metadata",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_outside_the_form_are_refused() {
        let long = "a".repeat(129);
        for bad in [
            "",
            "../x",
            "a/b",
            "%00",
            "a\nb",
            "оpenai",
            "*",
            "-x",
            ".x",
            "a b",
            long.as_str(),
        ] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad:?}");
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad:?}");
        }
        assert!("a".repeat(128).parse::<KeyName>().is_ok());
        for bad in [
            "Prod", "self", "admin", "root", "whole", "data", "metadata", "a_b", "a.b",
        ] {
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad:?}");
            assert!(bad.parse::<Namespace>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn long_names_of_environments_become_short() {
        assert_eq!("production".parse::<EnvironmentName>().unwrap().as_str(), "prod");
        assert_eq!("development".parse::<EnvironmentName>().unwrap().as_str(), "dev");
        assert_eq!("prod".parse::<EnvironmentName>().unwrap().long(), "production");
    }

    #[test]
    fn a_name_that_looks_like_an_id_is_refused() {
        let id = KeyId([7; 16]).to_string();
        assert!(id.parse::<KeyName>().is_err());
        assert!("key_short".parse::<KeyName>().is_ok());
    }

    #[test]
    fn an_access_token_is_no_name_and_is_not_repeated() {
        let error = "ibyok_24bEqhjG3hVKitVJk3G3iWdMQ9mw4h_05K1"
            .parse::<KeyName>()
            .unwrap_err();
        assert!(!error.to_string().contains("24bE"), "{error}");
    }

    #[test]
    fn a_providers_key_is_no_name_and_is_not_repeated() {
        let key = format!("AKIA{}", "EXAMPLE7EXAMPLE7");
        for text in [key.clone(), format!("old-{key}"), format!("{key}.bak")] {
            let error = text.parse::<KeyName>().unwrap_err().to_string();
            assert!(!error.contains("AKIA"), "{error}");
            let kept: KeyName = serde_json::from_value(text.as_str().into()).unwrap();
            assert_eq!(kept.as_str(), text);
        }
    }

    #[test]
    fn every_name_has_a_variable_that_a_shell_can_set() {
        let variable = |name: &str| name.parse::<KeyName>().unwrap().variable();
        assert_eq!(
            (variable("open-ai.key").as_str(), variable("1x").as_str()),
            ("OPEN_AI_KEY", "_1X")
        );
    }

    #[test]
    fn reserved_words_are_good_names_of_keys() {
        assert!("admin".parse::<KeyName>().is_ok());
    }

    proptest! {
        #[test]
        fn an_id_prints_and_parses_back(bytes: [u8; 16]) {
            let id = KeyId(bytes);
            prop_assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
            prop_assert_eq!(id.to_string().len(), 26);
        }

        #[test]
        fn no_text_makes_a_name_parser_panic(text in ".*") {
            prop_assert_eq!(text.parse::<KeyName>().is_ok_and(|n| n.as_str() != text), false);
            prop_assert!(text.parse::<FieldName>().map_or(true, |n| n.as_str() == text));
        }
    }
}
