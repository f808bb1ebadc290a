//! Signed statements of how a log stood: C2SP [`tlog-checkpoint`] in a [`signed-note`].
//!
//! [`tlog-checkpoint`]: https://c2sp.org/tlog-checkpoint
//! [`signed-note`]: https://c2sp.org/signed-note

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use crate::key::{SigningKey, VerifyingKey, origin};
use crate::tree::Hash;

/// A signed statement: the log had so many lines, and their tree this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    log: String,
    size: u64,
    root: Hash,
    text: String,
}

impl Checkpoint {
    pub(crate) fn sign(key: &SigningKey, log: &str, size: u64, root: Hash) -> Self {
        let origin = origin(log);
        let body = format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root));
        let mut signature = key.public(log).hash().to_vec();
        signature.extend_from_slice(&key.sign(body.as_bytes()));
        let text = format!("{body}\n\u{2014} {origin} {}\n", BASE64_STANDARD.encode(signature));
        Self {
            log: log.to_owned(),
            size,
            root,
            text,
        }
    }

    /// Signs the checkpoint of a log that has no line yet. A store that keeps it beside the log's key can tell a new log from one whose
    /// lines and checkpoints were removed. Its root is the hash of an empty tree (RFC 6962, section 2.1).
    ///
    /// ```
    /// use ibyok_audit::{Checkpoint, SigningKey};
    ///
    /// let first = Checkpoint::before_first_line(&SigningKey::generate()?, "0cJnjxnr2uvhAKKlOBRrMH");
    /// assert_eq!(first.size(), 0);
    /// # Ok::<(), ibyok_audit::Error>(())
    /// ```
    #[must_use]
    pub fn before_first_line(key: &SigningKey, log: &str) -> Self {
        Self::sign(key, log, 0, Sha256::digest([]).into())
    }

    /// The checkpoint in this text, if that key signed it.
    pub(crate) fn open(text: &str, key: &VerifyingKey) -> Option<Self> {
        let (head, tail) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let (name, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let signature = tail
            .strip_prefix("\u{2014} ")?
            .strip_prefix(name)?
            .strip_prefix(' ')?
            .strip_suffix('\n')?;
        let signature = BASE64_STANDARD.decode(signature).ok()?;
        let signature: [u8; 64] = signature.strip_prefix(&key.hash())?.try_into().ok()?;
        let dalek = ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes()).ok()?;
        let signed = format!("{head}\n");
        dalek
            .verify_strict(signed.as_bytes(), &ed25519_dalek::Signature::from_bytes(&signature))
            .ok()?;
        let root = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        let log = name.strip_prefix("ibyok-audit/")?.to_owned();
        (name == key.name()).then_some(Self {
            log,
            size: size.parse().ok()?,
            root,
            text: text.to_owned(),
        })
    }

    /// The id of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Returns the number of lines that the checkpoint covers: those with a `seq` up to this number.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of their tree.
    #[must_use]
    pub fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// The signed note, as it is kept and handed on.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretBox;

    #[test]
    fn a_checkpoint_opens_only_with_its_own_key_and_unchanged() {
        let key = SigningKey::from_seed(SecretBox::new(Box::new([1; 32])));
        let other = SigningKey::from_seed(SecretBox::new(Box::new([2; 32])));
        let checkpoint = Checkpoint::sign(&key, "A", 12, [9; 32]);
        assert_eq!(
            Checkpoint::open(checkpoint.text(), &key.public("A")),
            Some(checkpoint.clone())
        );
        assert_eq!(Checkpoint::open(checkpoint.text(), &other.public("A")), None);
        assert_eq!(Checkpoint::open(checkpoint.text(), &key.public("B")), None);
        assert_eq!(
            Checkpoint::open(&checkpoint.text().replace("\n12\n", "\n13\n"), &key.public("A")),
            None
        );
    }
}
