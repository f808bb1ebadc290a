//! A retrieved value, and how secrets are read from JSON without a copy left behind.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ibyok_api::Mode;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A value that the server released. Wiped when dropped.
#[derive(Deserialize)]
#[serde(try_from = "Answer")]
#[non_exhaustive]
pub struct Retrieved {
    /// `environment/name`.
    pub reference: String,
    /// The key's public id.
    pub id: String,
    /// The version's number.
    pub version: u32,
    /// The mode.
    pub mode: Mode,
    /// The provider, as given.
    pub provider: Option<String>,
    /// The variable that programs read it from.
    pub variable: Option<String>,
    value: Option<SecretSlice<u8>>,
    fields: BTreeMap<String, SecretSlice<u8>>,
}

impl Retrieved {
    /// The bytes of the field that was asked for, or of the key itself.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the key has no field `value` and none was named.
    pub fn bytes(&self) -> Result<&[u8]> {
        let value = self.value.as_ref().or_else(|| self.fields.get("value"));
        let value = value.ok_or_else(|| Error::invalid("the key has no field `value`", "name the field"))?;
        Ok(value.expose_secret())
    }

    /// The same as text.
    ///
    /// # Errors
    /// [`Error::NotText`] if it is not UTF-8; else as [`Retrieved::bytes`].
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::NotText)
    }

    /// Every field that came along. A key that has nothing but `value` comes with that one alone.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<String, SecretSlice<u8>> {
        &self.fields
    }
}

impl fmt::Debug for Retrieved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrieved")
            .field("reference", &self.reference)
            .field("version", &self.version)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Answer> for Retrieved {
    type Error = base64::DecodeError;

    fn try_from(answer: Answer) -> Result<Self, base64::DecodeError> {
        let value = match (answer.value, answer.value_base64) {
            (Some(text), _) => Some(text.into_bytes()),
            (None, Some(base64)) => Some(base64.decode()?),
            (None, None) => None,
        };
        Ok(Retrieved {
            reference: answer.reference,
            id: answer.id,
            version: answer.version,
            mode: answer.mode,
            provider: answer.provider,
            variable: answer.variable,
            value,
            fields: answer.fields.into_iter().map(|(name, field)| (name, field.0)).collect(),
        })
    }
}

/// The answer of a value route.
type Answer = ibyok_api::Value<Text, Field>;

/// A string of JSON as a secret.
pub(crate) struct Text(SecretString);

impl Text {
    pub(crate) fn into_string(self) -> SecretString {
        self.0
    }

    fn into_bytes(self) -> SecretSlice<u8> {
        copied(self.0.expose_secret().as_bytes())
    }

    /// The bytes that the text is the Base64 of.
    fn decode(&self) -> Result<SecretSlice<u8>, base64::DecodeError> {
        let bytes = Zeroizing::new(STANDARD.decode(self.0.expose_secret())?);
        Ok(copied(&bytes))
    }
}

/// A field: text, or `{"base64":"…"}`.
struct Field(SecretSlice<u8>);

fn copied(bytes: &[u8]) -> SecretSlice<u8> {
    // `to_vec` is exactly as long as its content, so that boxing it does not move it.
    SecretSlice::from(bytes.to_vec())
}

struct SecretVisitor<T>(fn(&str) -> Option<T>);

impl<T> Visitor<'_> for SecretVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::custom("not a secret"))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SecretVisitor(|text| Some(Text(SecretString::from(text)))))
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBase64;
        impl<'de> Visitor<'de> for TextOrBase64 {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
                Ok(Field(copied(text.as_bytes())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
                let mut found = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name == "base64" {
                        found = Some(map.next_value::<Text>()?.decode().map_err(de::Error::custom)?);
                    } else {
                        map.next_value::<de::IgnoredAny>()?;
                    }
                }
                found.map(Field).ok_or_else(|| de::Error::custom("not a field"))
            }
        }
        deserializer.deserialize_any(TextOrBase64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> serde_json::Result<Retrieved> {
        serde_json::from_str(&format!(
            r#"{{"ref":"prod/openai","id":"key_x","version":3,"mode":"live",{value}}}"#
        ))
    }

    #[test]
    fn a_value_is_text_or_base64() {
        assert_eq!(read(r#""value":"sk-\n1""#).unwrap().text().unwrap(), "sk-\n1");
        let binary = read(r#""value_base64":"AP8=""#).unwrap();
        assert_eq!(binary.bytes().unwrap(), [0, 255]);
        assert!(matches!(binary.text(), Err(Error::NotText)));
    }

    #[test]
    fn fields_come_along() {
        let key = read(r#""value":"v","fields":{"value":"v","org_id":"o","pin":{"base64":"AA=="}}"#).unwrap();
        assert_eq!(key.fields()["org_id"].expose_secret(), b"o");
        assert_eq!(key.fields()["pin"].expose_secret(), [0]);
        let without = read(r#""fields":{"user":"u","password":"p"}"#).unwrap();
        assert!(without.bytes().is_err());
    }

    #[test]
    fn a_retrieved_value_is_not_shown() {
        let key = read(r#""value":"sentinel","fields":{"a":"sentinel"}"#).unwrap();
        assert_eq!(
            format!("{key:?}"),
            r#"Retrieved { reference: "prod/openai", version: 3, mode: Live, .. }"#
        );
    }
}
