//! The key that signs a log's checkpoints.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::Signer as _;
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest, Sha256};
use zeroize::Zeroize as _;

use crate::about::About;
use crate::error::{Error, shown};
use crate::line_key::LineKey;

/// The algorithm byte of Ed25519 in C2SP's `signed-note`.
const ED25519: u8 = 1;

/// The private half of a log's key: an Ed25519 seed. It belongs sealed in the store, never next to the log.
pub struct SigningKey {
    seed: SecretBox<[u8; 32]>,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// [`Error::Random`] when the operating system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let mut filled = Ok(());
        let seed = SecretBox::init_with_mut(|seed: &mut [u8; 32]| {
            filled = SysRng.try_fill_bytes(seed).map_err(|_| Error::Random);
        });
        filled.map(|()| Self { seed })
    }

    /// The key with this seed.
    #[must_use]
    pub fn from_seed(seed: SecretBox<[u8; 32]>) -> Self {
        Self { seed }
    }

    /// The seed, to be sealed.
    #[must_use]
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.seed.expose_secret()
    }

    /// The public half, under the name of the log it signs for.
    #[must_use]
    pub fn public(&self, log: &str) -> VerifyingKey {
        VerifyingKey {
            name: origin(log),
            key: self.dalek().verifying_key().to_bytes(),
            lines: None,
            about: None,
        }
    }

    /// The key of the lines of a log whose writer was given none.
    pub(crate) fn line_key(&self) -> LineKey {
        LineKey::of_seed(self.expose_seed())
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.dalek().sign(text).to_bytes()
    }

    fn dalek(&self) -> ed25519_dalek::SigningKey {
        let mut seed = *self.seed.expose_secret();
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        seed.zeroize();
        key
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The public half of a log's key. Prints as C2SP's `signed-note` has it: `name+hash+key`.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    name: String,
    key: [u8; 32],
    lines: Option<LineKey>,
    about: Option<Arc<About>>,
}

/// The key of the lines and the environment go with a public key, and are no part of it.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.key) == (&other.name, &other.key)
    }
}

impl Eq for VerifyingKey {}

impl std::hash::Hash for VerifyingKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.name, &self.key).hash(state);
    }
}

impl VerifyingKey {
    /// The name it signs under: `ibyok-audit/` and the log's id.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the id of the log, if the name is that of an IBYOK log.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.name.strip_prefix("ibyok-audit/")
    }

    /// The same with the key of the MACs that the log's lines carry: lines without a signature are then judged by these.
    #[must_use]
    pub fn with_lines(mut self, lines: LineKey) -> Self {
        self.lines = Some(lines);
        self
    }

    /// The same for a log whose lines are believed about one environment alone. Readers leave its other lines out, and count them.
    #[must_use]
    pub fn only_about(mut self, about: About) -> Self {
        self.about = Some(Arc::new(about));
        self
    }

    /// The one environment that the log's lines are believed about; `None` if they are believed about everything.
    #[must_use]
    pub fn about(&self) -> Option<&About> {
        self.about.as_deref()
    }

    /// The key of the lines' MACs, where it is known.
    pub(crate) fn lines(&self) -> Option<&LineKey> {
        self.lines.as_ref()
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// The first four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)`.
    #[must_use]
    pub fn hash(&self) -> [u8; 4] {
        let digest = Sha256::new_with_prefix(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key)
            .finalize();
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
        [a, b, c, d]
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(&self.key);
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            u32::from_be_bytes(self.hash()),
            BASE64_STANDARD.encode(bytes)
        )
    }
}

impl FromStr for VerifyingKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text)
            .filter(|key| key.to_string() == text)
            .ok_or_else(|| Error::BadKey { text: shown(text) })
    }
}

fn parse(text: &str) -> Option<VerifyingKey> {
    let (name, rest) = text.split_once('+')?;
    let (_hash, key) = rest.split_once('+')?;
    let bytes = BASE64_STANDARD.decode(key).ok()?;
    let key = bytes.strip_prefix(&[ED25519])?.try_into().ok()?;
    let named = !name.is_empty() && !name.chars().any(char::is_whitespace);
    named.then(|| VerifyingKey {
        name: name.to_owned(),
        key,
        lines: None,
        about: None,
    })
}

/// The origin line of a log's checkpoints.
pub(crate) fn origin(log: &str) -> String {
    format!("ibyok-audit/{log}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_reads_back_as_printed_and_in_no_other_way() {
        let key = SigningKey::from_seed(SecretBox::new(Box::new([7; 32]))).public("A");
        let text = key.to_string();
        assert_eq!(text.parse::<VerifyingKey>().unwrap(), key);
        for bad in [
            "",
            "a",
            "a+b",
            "+00000000+AQ==",
            &text.replace('+', " "),
            &format!("x{text}"),
            text.trim_end_matches(char::is_alphanumeric),
        ] {
            assert!(bad.parse::<VerifyingKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_seed() {
        let key = SigningKey::from_seed(SecretBox::new(Box::new([7; 32])));
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }

    #[test]
    fn two_generated_keys_differ() {
        let (a, b) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        assert_ne!(a.expose_seed(), b.expose_seed());
    }
}
