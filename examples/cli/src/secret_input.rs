//! Reads a secret from standard input, a file, or a hidden prompt. Never from an argument, which every process can
//! see.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ibyok_core::{
    Secret,
    keys::{FieldName, VALUE_MAX},
    secrecy::ExposeSecret,
};
use serde::de::{Deserializer, MapAccess, Visitor};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::io::Io;

/// The largest `--fields-from` file, in bytes: every field may be as large as a value, and JSON makes it larger.
const FIELDS_FILE_MAX: usize = 16 * VALUE_MAX;

/// The fields of a new version.
pub(crate) type Fields = BTreeMap<FieldName, Secret>;

/// Reads the fields that were asked for, or the key itself if none was.
///
/// # Errors
/// [`Error::Usage`] if several fields come from one standard input, and for input that cannot be read.
pub(crate) fn read_fields(
    io: &mut Io,
    wanted: &[FieldName],
    file: Option<&Path>,
    json: Option<&Path>,
) -> Result<Fields> {
    if let Some(path) = json {
        return fields_from(io, path);
    }
    let value = [FieldName::value()];
    let wanted = if wanted.is_empty() { &value } else { wanted };
    match (wanted, file) {
        ([only], Some(path)) => Ok(BTreeMap::from([(only.clone(), from_file(path)?)])),
        ([only], None) if !io.terminal.input => Ok(BTreeMap::from([(only.clone(), from_input(io)?)])),
        (several, None) if io.terminal.input => several
            .iter()
            .map(|field| Ok((field.clone(), from_prompt(field)?)))
            .collect(),
        _ => Err(Error::usage(
            "cannot read several fields from one input",
            "write the fields to a JSON file and give `--fields-from FILE`, or type them at a terminal",
        )),
    }
}

/// Standard input to its end; one trailing line break is taken away.
///
/// # Errors
/// As [`read`].
pub(crate) fn from_input(io: &mut Io) -> Result<Secret> {
    // One line break more than a value may be long.
    let read = read(&mut io.input(), VALUE_MAX + 2, "standard input").map_err(|error| match error {
        Error::Vault(ibyok_core::Error::TooLarge { what, .. }) => too_large(what, VALUE_MAX),
        other => other,
    })?;
    let bytes = read.expose_secret();
    let stripped = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n"));
    let secret = stripped.map(Secret::copy_of).unwrap_or(read);
    within_limit(secret)
}

/// A file as it is.
fn from_file(path: &Path) -> Result<Secret> {
    let mut file = File::open(path).map_err(|error| Error::reading(path, &error))?;
    within_limit(read(&mut file, VALUE_MAX, &format!("`{}`", path.display()))?)
}

fn within_limit(secret: Secret) -> Result<Secret> {
    if secret.len() > VALUE_MAX {
        return Err(too_large("the value", VALUE_MAX));
    }
    Ok(secret)
}

/// Reads to the end into memory that is wiped.
///
/// # Errors
/// The vault's `too_large` over the limit, [`Error::Failed`] if it cannot be read.
pub(crate) fn read(reader: &mut impl Read, limit: usize, name: &str) -> Result<Secret> {
    let mut counted = Counted {
        reader,
        count: 0,
        failed: false,
    };
    Secret::read(&mut counted, limit).map_err(|error| match counted {
        Counted {
            failed: false, count, ..
        } if count > limit => too_large("the value", limit),
        _ => Error::failed(
            format!("cannot read {name}: {error}"),
            "check that it exists and that you may read it",
        ),
    })
}

fn too_large(what: &'static str, limit: usize) -> Error {
    Error::Vault(ibyok_core::Error::TooLarge { what, limit })
}

struct Counted<'a, R> {
    reader: &'a mut R,
    count: usize,
    failed: bool,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        self.count += read.as_ref().map_or(0, |read| *read);
        self.failed = read
            .as_ref()
            .is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

fn from_prompt(field: &FieldName) -> Result<Secret> {
    let prompt = if field.is_value() {
        "Value: ".to_owned()
    } else {
        format!("{field}: ")
    };
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
    let typed = typed
        .map_err(|error| Error::failed(format!("cannot read from the terminal: {error}"), "use standard input"))?;
    within_limit(Secret::copy_of(typed.as_bytes()))
}

/// A JSON object of strings; `-` is standard input.
fn fields_from(io: &mut Io, path: &Path) -> Result<Fields> {
    let wrong = |why: &dyn fmt::Display| {
        Error::usage(
            format!("cannot read fields from `{}`: {why}", path.display()),
            "give one JSON object of strings",
        )
    };
    let text = if path == Path::new("-") {
        read(&mut io.input(), FIELDS_FILE_MAX, "standard input")?
    } else {
        let mut file = File::open(path).map_err(|error| Error::reading(path, &error))?;
        read(&mut file, FIELDS_FILE_MAX, &format!("`{}`", path.display()))?
    };
    let mut parser = serde_json::Deserializer::from_slice(text.expose_secret());
    // The messages of serde_json could quote a value, so the error has only the place.
    let place = |error: serde_json::Error| wrong(&format!("line {}, column {}", error.line(), error.column()));
    let pairs = parser.deserialize_map(Pairs).map_err(place)?;
    parser.end().map_err(place)?;
    let mut fields = Fields::new();
    for (name, value) in pairs {
        let secret = Secret::copy_of(value.as_bytes());
        let field: FieldName = name.parse().map_err(Error::Vault)?;
        if fields.insert(field, secret).is_some() {
            return Err(wrong(&format!(
                "the field `{}` occurs twice",
                crate::show::clean(&name)
            )));
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

    fn io(input: &[u8]) -> Io {
        Io::new(io::Cursor::new(input.to_vec()), io::sink(), io::sink())
    }

    #[test]
    fn one_trailing_line_break_is_taken_away_and_nothing_else() {
        for (given, kept) in [
            ("a\n", "a"),
            ("a\n\n", "a\n"),
            ("a\r\n", "a"),
            ("a", "a"),
            (" a ", " a "),
            ("\n", ""),
        ] {
            assert_eq!(
                from_input(&mut io(given.as_bytes())).unwrap().expose_secret(),
                kept.as_bytes(),
                "{given:?}"
            );
        }
        let binary = b"\0\xff\xfe";
        assert_eq!(from_input(&mut io(binary)).unwrap().expose_secret(), binary);
    }

    #[test]
    fn a_value_may_be_as_long_as_the_limit_and_no_longer() {
        let full = vec![b'x'; VALUE_MAX];
        assert_eq!(
            from_input(&mut io(&[full.as_slice(), b"\n"].concat())).unwrap().len(),
            VALUE_MAX
        );
        for over in [VALUE_MAX + 1, VALUE_MAX + 2, VALUE_MAX + 3, 4 * VALUE_MAX] {
            let error = from_input(&mut io(&vec![b'x'; over])).unwrap_err();
            assert_eq!(error.code(), "too_large", "{over}");
        }
    }

    #[test]
    fn several_fields_want_a_file_or_a_terminal() {
        let fields: Vec<FieldName> = ["value", "org_id"].iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(
            read_fields(&mut io(b"x"), &fields, None, None).unwrap_err().code(),
            "invalid"
        );
    }

    #[test]
    fn fields_come_from_one_json_object_of_strings() {
        let read = |text: &str| fields_from(&mut io(text.as_bytes()), Path::new("-"));
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
            assert_eq!(error.code(), "invalid", "{bad}");
            assert!(!error.to_string().contains("SENT"), "{error}");
        }
        assert!(read(r#"{"Bad Name":"x"}"#).is_err());
    }
}
