//! The fields of a value, as one JSON object of strings.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ibyok_core::{
    Secret,
    keys::{FieldName, VALUE_MAX},
    secrecy::ExposeSecret,
};
use serde::de::{Deserializer, MapAccess, Visitor};
use zeroize::{Zeroize, Zeroizing};

use super::error::{FileError, Result};
use super::read::read_secret;

/// The largest JSON text, in bytes: every field may be as large as a value, and JSON makes it larger.
const FIELDS_MAX: usize = 16 * VALUE_MAX;

/// The fields of a version.
pub type Fields = BTreeMap<FieldName, Secret>;

/// Reads the fields of a value from a stream that holds a JSON object of strings. `path` names the stream in an error.
///
/// # Errors
/// [`FileError::Input`] for text of another form; else as [`read_secret`].
pub fn read_fields(reader: &mut (impl Read + ?Sized), path: &Path, name: &str) -> Result<Fields> {
    let text = read_secret(reader, FIELDS_MAX, name)?;
    parse(text.expose_secret(), path)
}

/// Reads the fields of a value from a file that holds a JSON object of strings.
///
/// # Errors
/// As [`read_fields`], and [`FileError::Input`] if there is no such file.
pub fn read_fields_file(path: &Path) -> Result<Fields> {
    let mut file = File::open(path).map_err(|error| FileError::reading(path, &error))?;
    read_fields(&mut file, path, &format!("`{}`", path.display()))
}

fn parse(text: &[u8], path: &Path) -> Result<Fields> {
    let wrong = |why: &dyn fmt::Display| {
        FileError::input(
            format!("cannot read fields from `{}`: {why}", path.display()),
            "give one JSON object of strings",
        )
    };
    let mut parser = serde_json::Deserializer::from_slice(text);
    // The messages of serde_json could quote a value, so the error has only the place.
    let place = |error: serde_json::Error| wrong(&format!("line {}, column {}", error.line(), error.column()));
    let pairs = parser.deserialize_map(Pairs).map_err(place)?;
    parser.end().map_err(place)?;
    let mut fields = Fields::new();
    for (name, value) in pairs {
        let secret = Secret::copy_of(value.as_bytes());
        let field: FieldName = name.parse().map_err(|error: ibyok_core::Error| {
            let hint = error.hint().unwrap_or_default();
            FileError::input(error.to_string(), hint)
        })?;
        if fields.insert(field, secret).is_some() {
            return Err(wrong(&format!("the field `{name}` occurs twice")));
        }
    }
    Ok(fields)
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, Zeroizing<String>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, mut value)) = map.next_entry::<String, String>()? {
            pairs.push((name, Zeroizing::new(value.clone())));
            value.zeroize();
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_from_one_json_object_of_strings() {
        let read = |text: &str| parse(text.as_bytes(), Path::new("-"));
        let fields = read(r#"{"value":"sk\n","org_id":"o"}"#).unwrap();
        assert_eq!(fields[&FieldName::value()].expose_secret(), b"sk\n");
        assert_eq!(fields.len(), 2);
        for bad in [
            r#"{"value":1}"#,
            r#"{"value":"SENT","value":"b"}"#,
            r#"["SENT"]"#,
            r#"{"value":"SENT"} x"#,
            "SENT",
            "",
        ] {
            let error = read(bad).unwrap_err();
            assert!(matches!(error, FileError::Input { .. }), "{bad}");
            assert!(!error.to_string().contains("SENT"), "{error}");
        }
        assert!(read(r#"{"Bad Name":"x"}"#).is_err());
    }
}
