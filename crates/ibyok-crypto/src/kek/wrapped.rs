//! A wrapped key, and which KEK wrapped it.

use std::fmt;
use std::str::FromStr;

use crate::{Error, base62};

/// The public id of a KEK: its kind, a colon, and its name within that kind: `local:…`, `passphrase:…`,
/// `aws-kms:arn:…`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KekId(String);

impl KekId {
    /// The most bytes of an id.
    pub const LIMIT: usize = 1024;

    /// The id of a kind and a name within it.
    ///
    /// # Errors
    /// [`Error::InvalidName`] unless it is visible ASCII, at most [`KekId::LIMIT`] bytes, with a kind and a name.
    pub fn new(kind: &str, name: &str) -> Result<Self, Error> {
        format!("{kind}:{name}").parse()
    }

    pub(super) fn of_bytes(kind: &str, id: [u8; 16]) -> Self {
        Self(format!("{kind}:{}", base62::print(id)))
    }

    /// Returns the text before the first colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// Returns the text after the first colon.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// The whole.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KekId {
    type Err = Error;

    /// Reads the output of `Display`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let formed = text
            .split_once(':')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        if formed && text.len() <= Self::LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::InvalidName { what: "KEK id" })
        }
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekId({})", self.0)
    }
}

/// An environment key as a KEK wrapped it, and which KEK that was.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    kek: KekId,
    bytes: Vec<u8>,
}

impl WrappedKey {
    /// The most bytes that a KEK may make of a key; AWS KMS makes some 200.
    pub const LIMIT: usize = 8 * 1024;

    /// These bytes, wrapped by that KEK.
    #[must_use]
    pub const fn new(kek: KekId, bytes: Vec<u8>) -> Self {
        Self { kek, bytes }
    }

    /// The KEK that it names.
    #[must_use]
    pub const fn kek(&self) -> &KekId {
        &self.kek
    }

    /// The wrapped bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({}, {} bytes)", self.kek, self.bytes.len())
    }
}

/// A description of a KEK, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekDescription {
    kind: String,
    id: Option<KekId>,
    note: Option<&'static str>,
}

impl KekDescription {
    /// A kind, and the id where it is known without a call.
    #[must_use]
    pub fn new(kind: &str, id: Option<KekId>) -> Self {
        Self {
            kind: kind.to_owned(),
            id,
            note: None,
        }
    }

    /// The same with something that people should know about it.
    #[must_use]
    pub const fn with_note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// `local`, `passphrase`, `aws-kms`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id under which it wraps; `None` for a passphrase that was not used yet.
    #[must_use]
    pub const fn id(&self) -> Option<&KekId> {
        self.id.as_ref()
    }

    /// Returns a note about the KEK for people, if there is one.
    #[must_use]
    pub const fn note(&self) -> Option<&'static str> {
        self.note
    }
}

impl fmt::Display for KekDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id.as_ref().map_or(self.kind.as_str(), KekId::as_str))
    }
}
