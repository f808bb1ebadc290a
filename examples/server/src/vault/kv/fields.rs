//! The data of a secret as the fields of a key. Every key has the field `value`, which other interfaces read. If the data has no such
//! name, another name takes its place, and Vault's clients see the value under that name.

use std::collections::BTreeMap;
use std::fmt;

use ibyok_core::Secret;
use ibyok_core::keys::{FieldName, KeyWrite};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::json::Raw;
use crate::problem::Problem;

/// Names of the data that mean the key itself, the first one that is there. Case does not matter.
const USUAL: [&str; 6] = ["api_key", "apikey", "key", "token", "secret", "password"];

/// An object whose values are not read yet. Names may not repeat.
pub(super) struct Object<'a>(pub(super) BTreeMap<String, Raw<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Raw<'de>>()? {
                    if all.insert(name, value).is_some() {
                        return Err(A::Error::custom("a repeated name"));
                    }
                }
                Ok(Object(all))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// The secrets of a write, by the names of the data.
pub(super) type Secrets = BTreeMap<FieldName, Secret>;

/// Reads the data of a write.
pub(super) fn secrets(data: Object<'_>) -> Result<Secrets, Problem> {
    let read = data.0.iter().map(|(name, raw)| Ok((field(name)?, secret(raw)?)));
    read.collect()
}

/// Reads the name of a field.
pub(super) fn field(name: &str) -> Result<FieldName, Problem> {
    name.parse().map_err(|_| {
        Problem::invalid("a name in `data` is not a name of a field")
            .hint("use letters, digits, `_`, `-` and `.`, beginning with a letter or `_`, at most 64 characters")
    })
}

/// Reads the value of a field.
pub(super) fn secret(raw: &Raw<'_>) -> Result<Secret, Problem> {
    raw.text().ok_or_else(|| {
        Problem::invalid("a value in `data` is not a string: a key has no numbers, lists or objects")
            .hint("send each value as a string, for example JSON as text")
    })
}

/// Makes the write. `value_name` is the name that the value had until now.
pub(super) fn key_write(mut secrets: Secrets, value_name: Option<&FieldName>) -> Result<KeyWrite, Problem> {
    let value = FieldName::value();
    let Some(name) = name_of_value(&secrets, value_name) else {
        return Err(Problem::invalid("no data provided"));
    };
    if name == value {
        return Ok(KeyWrite::new(secrets));
    }
    if let Some(secret) = secrets.remove(&name) {
        secrets.insert(value, secret);
    }
    Ok(KeyWrite::new(secrets).value_name(Some(name)))
}

/// Returns the name that means the key itself.
fn name_of_value(secrets: &Secrets, value_name: Option<&FieldName>) -> Option<FieldName> {
    let value = FieldName::value();
    if secrets.contains_key(&value) {
        return Some(value);
    }
    if let Some(name) = value_name.filter(|name| secrets.contains_key(*name)) {
        return Some(name.clone());
    }
    let usual = USUAL.iter().find_map(|usual| {
        let mut names = secrets.keys();
        names.find(|name| name.as_str().eq_ignore_ascii_case(usual))
    });
    usual.or_else(|| secrets.keys().next()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_name(names: &[&str], before: Option<&str>) -> Option<String> {
        let secrets = names
            .iter()
            .map(|name| (name.parse().unwrap(), Secret::copy_of(name.as_bytes())));
        let before = before.map(|name| name.parse().unwrap());
        let write = key_write(secrets.collect(), before.as_ref()).ok()?;
        assert!(write.fields.contains_key(&FieldName::value()), "{names:?}");
        assert_eq!(write.fields.len(), names.len());
        Some(
            write
                .value_name
                .map_or_else(|| "value".to_owned(), |name| name.to_string()),
        )
    }

    #[test]
    fn one_name_of_the_data_means_the_key_itself() {
        for (names, before, expected) in [
            (&["value"][..], None, "value"),
            (&["base_url", "value"], None, "value"),
            (&["api_key", "value"], Some("api_key"), "value"),
            (&["username", "password"], None, "password"),
            (&["username", "password"], Some("username"), "username"),
            (&["OPENAI_URL", "Token"], None, "Token"),
            (&["foo", "bar"], None, "bar"),
            (&["foo"], Some("gone"), "foo"),
        ] {
            assert_eq!(value_name(names, before).as_deref(), Some(expected), "{names:?}");
        }
        assert_eq!(value_name(&[], None), None);
    }
}
