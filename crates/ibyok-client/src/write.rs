//! What is sent to store or change a key.

use std::collections::BTreeMap;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ibyok_policy::Rate;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A value to be stored, with what is to be known about it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct KeyWrite {
    /// The fields of the new version; `value` is the key itself.
    pub fields: BTreeMap<String, SecretSlice<u8>>,
    /// The provider; unchanged if `None`.
    pub provider: Option<String>,
    /// The variable that programs read it from; unchanged if `None`.
    pub variable: Option<String>,
    /// Labels; unchanged if `None`.
    pub labels: Option<BTreeMap<String, String>>,
    /// How often the key may be retrieved; `Some(None)` takes its own limit away, and what is `None` stays.
    pub limit: Option<Option<Rate>>,
    /// How old a current version may become before it is due to be rotated, as `90d`; `Some(None)` takes that away.
    pub rotate_every: Option<Option<String>>,
    /// When the key ends at its provider; `Some(None)` takes that away.
    pub expires_at: Option<Option<Timestamp>>,
    /// Why the value is stored although it leaked. The version is then marked compromised, and an incident is open on the key.
    pub force: Option<String>,
}

impl KeyWrite {
    /// A version with this value.
    #[must_use]
    pub fn value(value: SecretSlice<u8>) -> Self {
        Self::fields(BTreeMap::from([("value".to_owned(), value)]))
    }

    /// A version with these fields.
    #[must_use]
    pub fn fields(fields: BTreeMap<String, SecretSlice<u8>>) -> Self {
        KeyWrite {
            fields,
            ..Self::default()
        }
    }

    /// The body of the request, in a buffer that is wiped and never grows.
    pub(crate) fn body(&self) -> Result<Bytes> {
        wiped(&self.sent(), self.size())
    }

    pub(crate) fn sent(&self) -> Sent<'_> {
        Sent {
            fields: self
                .fields
                .iter()
                .map(|(name, value)| (name.as_str(), Field(value)))
                .collect(),
            provider: self.provider.as_deref(),
            variable: self.variable.as_deref(),
            labels: self.labels.as_ref(),
            limit: self.limit,
            rotate_every: self.rotate_every.as_ref().map(Option::as_deref),
            expires_at: self.expires_at,
            force: self.force.is_some(),
            reason: self.force.as_deref(),
        }
    }

    /// The most bytes of JSON that it is sent as.
    pub(crate) fn size(&self) -> usize {
        // A byte takes at most six characters of JSON.
        let secrets: usize = self
            .fields
            .iter()
            .map(|(name, value)| (name.len() + value.expose_secret().len()) * 6 + 32)
            .sum();
        let labels: usize = self
            .labels
            .iter()
            .flatten()
            .map(|(name, value)| (name.len() + value.len()) * 6 + 8)
            .sum();
        let facts = [&self.provider, &self.variable, &self.force];
        let facts: usize = facts.into_iter().flatten().map(String::len).sum();
        secrets + labels + facts * 6 + 512
    }
}

/// A version as it is sent.
#[derive(Serialize)]
pub(crate) struct Sent<'a> {
    fields: BTreeMap<&'a str, Field<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Option<Rate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotate_every: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

pub(crate) fn wiped(body: &impl Serialize, size: usize) -> Result<Bytes> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(size));
    serde_json::to_writer(&mut *buffer, body)
        .map_err(|_| Error::invalid("the value cannot be sent", "see that it is not too large"))?;
    Ok(Bytes::from_owner(buffer))
}

/// A field as it is sent: text, or Base64 where it is not text.
struct Field<'a>(&'a SecretSlice<u8>);

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Base64<'a>(&'a [u8]);
        impl Serialize for Base64<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
            }
        }
        let bytes = self.0.expose_secret();
        match std::str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_map([("base64", Base64(bytes))]),
        }
    }
}

/// What is to be changed about a key, its value aside. What is `None` or not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyEdit {
    /// The provider; an empty one is taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Labels to set, or with `None` to take away.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Option<String>>,
    /// How often the key may be retrieved; `Some(None)` takes its own limit away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Option<Rate>>,
    /// How old a current version may become before it is due to be rotated, as `90d`; `Some(None)` takes that away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_every: Option<Option<String>>,
    /// When the key ends at its provider; `Some(None)` takes that away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<Timestamp>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(bytes: &[u8]) -> SecretSlice<u8> {
        SecretSlice::from(bytes.to_vec())
    }

    #[test]
    fn text_goes_as_text_and_other_bytes_as_base64() {
        let mut write = KeyWrite::fields(BTreeMap::from([
            ("pin".to_owned(), secret(b"\xff\x00")),
            ("value".to_owned(), secret(b"a\n\"\x01")),
        ]));
        write.provider = Some("openai".to_owned());
        let body = write.body().unwrap();
        let expected = r#"{"fields":{"pin":{"base64":"/wA="},"value":"a\n\"\u0001"},"provider":"openai"}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn a_write_is_not_shown() {
        let write = KeyWrite::value(secret(b"sentinel"));
        assert!(!format!("{write:?}").contains("sentinel"));
        assert!(!format!("{write:?}").contains("115, 101"));
    }
}
