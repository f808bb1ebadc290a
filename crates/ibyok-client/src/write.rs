//! The requests that store or change a key.

use std::collections::BTreeMap;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ibyok_api as api;
use ibyok_api::{Change, Interval, Rate};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A value to be stored, with the description of its key.
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
    /// The key's own limit.
    pub limit: Change<Rate>,
    /// The age at which a current version is due for rotation.
    pub rotate_every: Change<Interval>,
    /// The time at which the key expires at its provider.
    pub expires_at: Change<Timestamp>,
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
        wiped(&self.sent()?, self.size())
    }

    /// The document that is sent, which borrows the secrets.
    pub(crate) fn sent(&self) -> Result<api::KeyWrite<Field<'_>>> {
        let fields = self.fields.iter().map(|(name, value)| {
            let parsed = name.parse().map_err(|_| {
                let hint =
                    "use letters, digits, `_`, `-` and `.`, beginning with a letter or `_`, at most 64 characters";
                Error::invalid(format!("field `{name}` is not valid"), hint)
            })?;
            Ok((parsed, Field(value)))
        });
        Ok(api::KeyWrite {
            fields: Some(fields.collect::<Result<_>>()?),
            provider: self.provider.clone(),
            variable: self.variable.clone(),
            labels: self.labels.clone(),
            limit: self.limit,
            rotate_every: self.rotate_every,
            expires_at: self.expires_at,
            force: self.force.is_some(),
            reason: self.force.clone(),
            ..api::KeyWrite::default()
        })
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

pub(crate) fn wiped(body: &impl Serialize, size: usize) -> Result<Bytes> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(size));
    serde_json::to_writer(&mut *buffer, body)
        .map_err(|_| Error::invalid("the value cannot be written as JSON", "check that it is not too large"))?;
    Ok(Bytes::from_owner(buffer))
}

/// A field as it is sent: text, or Base64 where it is not text.
pub(crate) struct Field<'a>(&'a SecretSlice<u8>);

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
    fn a_field_of_no_valid_name_is_not_sent() {
        let write = KeyWrite::fields(BTreeMap::from([("A B".to_owned(), secret(b"x"))]));
        assert!(matches!(write.body(), Err(Error::Invalid { .. })));
    }

    #[test]
    fn a_write_is_not_shown() {
        let write = KeyWrite::value(secret(b"sentinel"));
        assert!(!format!("{write:?}").contains("sentinel"));
        assert!(!format!("{write:?}").contains("115, 101"));
    }
}
