//! The signed statement that lines of a log are archived.

use std::io;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::Signature;
use serde::{Deserialize, Serialize};

use super::point::Point;
use super::segment::ArchivedSegment;
use crate::chain::Head;
use crate::error::Error;
use crate::key::{SigningKey, VerifyingKey, origin};

/// The statement beside a log whose first lines are archived.
pub(super) const ARCHIVED: &str = "archived";

/// The statement in an archive.
pub(super) const MANIFEST: &str = "manifest";

/// The largest statement that is read, in bytes: about 100,000 segments.
const LONGEST: u64 = 32 << 20;

/// The signed statement that lines of a log are archived, and in which files.
///
/// It is a C2SP `signed-note` under the log's key. Its first line differs from that of a checkpoint, so neither can pass for the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    v: u32,
    log: String,
    pub(super) from: Point,
    pub(super) until: Point,
    pub(super) segments: Vec<ArchivedSegment>,
}

impl Archived {
    pub(super) fn new(log: &str, from: Point, until: Point, segments: Vec<ArchivedSegment>) -> Self {
        Self {
            v: 1,
            log: log.to_owned(),
            from,
            until,
            segments,
        }
    }

    /// The id of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The number of the last archived line. The log goes on with the next one.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.until.lines
    }

    /// The archived segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[ArchivedSegment] {
        &self.segments
    }

    /// Returns the statement beside the log in a slot, if there is one that the key signed.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub fn beside(slot: &Path, key: &VerifyingKey) -> Result<Option<Self>, Error> {
        Self::read(slot, ARCHIVED, key)
    }

    /// Returns the statement of an archive's slot, if there is one that the key signed.
    pub(super) fn manifest(slot: &Path, key: &VerifyingKey) -> Result<Option<Self>, Error> {
        Self::read(slot, MANIFEST, key)
    }

    fn read(slot: &Path, name: &str, key: &VerifyingKey) -> Result<Option<Self>, Error> {
        let path = slot.join(name);
        match std::fs::metadata(&path) {
            Ok(meta) if meta.len() > LONGEST => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("look at", &path)(error)),
        }
        let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
        Ok(Self::open(&String::from_utf8_lossy(&text), key))
    }

    /// Signs the statement.
    pub(super) fn sign(&self, key: &SigningKey) -> Result<String, Error> {
        let json = serde_json::to_string(self).map_err(|error| Error::unavailable(error.to_string()))?;
        let name = origin(&self.log);
        let body = format!("{name} archive\n{json}\n");
        let mut signature = key.public(&self.log).hash().to_vec();
        signature.extend_from_slice(&key.sign(body.as_bytes()));
        let signature = BASE64_STANDARD.encode(signature);
        Ok(format!("{body}\n\u{2014} {name} {signature}\n"))
    }

    /// The statement in a text, if the key signed it for its log.
    fn open(text: &str, key: &VerifyingKey) -> Option<Self> {
        let (head, tail) = text.split_once("\n\n")?;
        let json = head.strip_prefix(key.name())?.strip_prefix(" archive\n")?;
        let signature = tail.strip_prefix("\u{2014} ")?.strip_prefix(key.name())?;
        let signature = BASE64_STANDARD
            .decode(signature.strip_prefix(' ')?.strip_suffix('\n')?)
            .ok()?;
        let signature: [u8; 64] = signature.strip_prefix(&key.hash())?.try_into().ok()?;
        let dalek = ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes()).ok()?;
        dalek
            .verify_strict(format!("{head}\n").as_bytes(), &Signature::from_bytes(&signature))
            .ok()?;
        let said: Self = serde_json::from_str(json).ok()?;
        (said.v == 1 && Some(said.log.as_str()) == key.log()).then_some(said)
    }

    /// The head of the log behind the archived lines.
    pub(super) fn head(&self) -> Option<Head> {
        self.until.head()
    }

    /// The number of the first segment that is not archived.
    pub(super) fn next_segment(&self) -> u32 {
        self.segments.last().map_or(1, |last| last.number.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use secrecy::SecretBox;

    fn statement() -> (Archived, SigningKey) {
        let key = SigningKey::from_seed(SecretBox::new(Box::new([1; 32])));
        let mut head = Head::default();
        head.push(b"a line");
        let (from, until) = (Point::new(&Head::default(), true), Point::new(&head, false));
        (Archived::new("A", from, until, Vec::new()), key)
    }

    #[test]
    fn a_statement_opens_only_with_its_own_key_unchanged_and_for_its_own_log() {
        let (said, key) = statement();
        let other = SigningKey::from_seed(SecretBox::new(Box::new([2; 32])));
        let text = said.sign(&key).unwrap();
        assert_eq!(Archived::open(&text, &key.public("A")), Some(said));
        assert_eq!(Archived::open(&text, &other.public("A")), None);
        assert_eq!(Archived::open(&text, &key.public("B")), None);
        assert_eq!(
            Archived::open(&text.replace("\"lines\":1", "\"lines\":2"), &key.public("A")),
            None
        );
    }

    #[test]
    fn neither_a_statement_nor_a_checkpoint_passes_for_the_other() {
        let (said, key) = statement();
        let public = key.public("A");
        assert_eq!(Checkpoint::open(&said.sign(&key).unwrap(), &public), None);
        let checkpoint = Checkpoint::sign(&key, "A", 1, [9; 32]);
        assert_eq!(Archived::open(checkpoint.text(), &public), None);
    }
}
