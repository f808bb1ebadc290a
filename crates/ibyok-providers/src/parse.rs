//! Custom catalogues in TOML.

use serde_json::Value;

use crate::{catalogue::Catalogue, entry, error::Error, rules};

impl Catalogue {
    /// The most bytes that a catalogue's text may have.
    pub const MAX_LEN: usize = 1 << 20;

    /// Reads a catalogue in the form of `providers.toml` and holds it to every rule of `docs/providers.md`.
    ///
    /// # Errors
    ///
    /// The first fault, with the entry and the field.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > Self::MAX_LEN {
            return Err(Error::TooLong {
                bytes: text.len(),
                limit: Self::MAX_LEN,
            });
        }
        let file: Value = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        let providers = entry::read(file)?;
        rules::check(&providers)?;
        Ok(Self::new(providers))
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start);
    let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    Error::Syntax {
        line,
        message: error.message().lines().collect::<Vec<_>>().join(" "),
    }
}
