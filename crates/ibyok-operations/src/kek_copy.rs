//! Copies of a local KEK, sealed with [age](https://age-encryption.org/v1): as text that can be printed, and that `age -d` opens without this
//! program.
//!
//! A copy is sealed under a passphrase (scrypt), or to recipients: `age1…` (X25519), `age1tag1…` (P-256 in hardware) and `age1tagpq1…` (the same with
//! ML-KEM, against quantum computers). Its content is the 32 bytes of the KEK's file and nothing else.

use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{Decryptor, Encryptor, Identity, Recipient};
use ibyok_core::Secret;
use ibyok_core::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The bytes of a local KEK.
const KEK_LEN: usize = 32;

/// The largest copy that is read, in bytes. A copy to a hundred recipients has less.
pub const COPY_MAX: usize = 256 * 1024;

/// The reason why a copy was not made or not opened. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KekCopyError {
    /// The text is no recipient.
    #[error("`{given}` is not a recipient of age")]
    NoRecipient {
        /// The text.
        given: String,
    },
    /// The text is a secret identity, which must not be shown.
    #[error("the recipient is an identity of age, which is secret")]
    IsIdentity,
    /// The passphrase is not UTF-8.
    #[error("the passphrase is not text")]
    NotText,
    /// The bytes are no copy, or were damaged.
    #[error("the file is not a sealed copy of a KEK, or is damaged")]
    NoCopy,
    /// The file of identities holds none.
    #[error("the file holds no identity of age")]
    NoIdentity,
    /// The passphrase or the identities do not open the copy.
    #[error("{0}")]
    Refused(&'static str),
    /// Sealing failed.
    #[error("the copy cannot be sealed")]
    NotSealed,
}

impl KekCopyError {
    /// Returns the remedy, for a person.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            KekCopyError::NoRecipient { .. } => "give a public key such as `age1…`; `age-keygen -y FILE` prints it",
            KekCopyError::IsIdentity => "give the public key; `age-keygen -y FILE` prints it",
            KekCopyError::NotText => "use a passphrase of text",
            KekCopyError::NoCopy => "give a file that `ibyok kek export` wrote, with all its lines",
            KekCopyError::NoIdentity => "give a file that `age-keygen` wrote",
            KekCopyError::Refused(_) => "give the passphrase or the identity file for which the copy was made",
            KekCopyError::NotSealed => "check the recipients",
        }
    }
}

/// The opener of a copy.
#[non_exhaustive]
pub enum Opener<'a> {
    /// The passphrase.
    Passphrase(&'a Secret),
    /// The text of a file of identities, as `age-keygen` writes it.
    Identities(&'a str),
}

/// Seals a KEK to recipients.
///
/// # Errors
/// [`KekCopyError::NoRecipient`], [`KekCopyError::IsIdentity`], [`KekCopyError::NotSealed`].
pub fn seal_to(recipients: &[String], kek: &Secret) -> Result<String, KekCopyError> {
    let recipients = recipients.iter().map(|text| recipient(text));
    let recipients: Vec<Box<dyn Recipient>> = recipients.collect::<Result<_, _>>()?;
    let encryptor = Encryptor::with_recipients(recipients.iter().map(AsRef::as_ref));
    sealed(encryptor.map_err(|_| KekCopyError::NotSealed)?, kek)
}

/// Seals a KEK under a passphrase.
///
/// # Errors
/// [`KekCopyError::NotText`], [`KekCopyError::NotSealed`].
pub fn seal_under(passphrase: &Secret, kek: &Secret) -> Result<String, KekCopyError> {
    sealed(Encryptor::with_user_passphrase(text_of(passphrase)?), kek)
}

/// Returns true if a copy is sealed under a passphrase, and false if to recipients.
///
/// # Errors
/// [`KekCopyError::NoCopy`].
pub fn is_under_passphrase(copy: &[u8]) -> Result<bool, KekCopyError> {
    let read = Decryptor::new_buffered(ArmoredReader::new(copy));
    read.map(|read| read.is_scrypt()).map_err(|_| KekCopyError::NoCopy)
}

/// Opens a copy.
///
/// # Errors
/// [`KekCopyError::NoCopy`] for other bytes or a damaged copy, [`KekCopyError::Refused`] for a wrong passphrase or identity.
pub fn open(copy: &[u8], opener: &Opener<'_>) -> Result<Secret, KekCopyError> {
    let read = Decryptor::new_buffered(ArmoredReader::new(copy)).map_err(|_| KekCopyError::NoCopy)?;
    let identities: Vec<Box<dyn Identity>> = match opener {
        Opener::Passphrase(passphrase) => vec![Box::new(age::scrypt::Identity::new(text_of(passphrase)?))],
        Opener::Identities(text) => identities(text)?,
    };
    let refused = match opener {
        Opener::Passphrase(_) => "the passphrase does not open the copy",
        Opener::Identities(_) => "no identity of the file opens the copy",
    };
    let opened = read.decrypt(identities.iter().map(AsRef::as_ref));
    let opened = opened.map_err(|_| KekCopyError::Refused(refused))?;
    // Enough from the start: growing would leave a copy of the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEK_LEN));
    let limit = u64::try_from(KEK_LEN + 1).unwrap_or(u64::MAX);
    opened
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|_| KekCopyError::NoCopy)?;
    match bytes.len() == KEK_LEN {
        true => Ok(Secret::copy_of(&bytes)),
        false => Err(KekCopyError::NoCopy),
    }
}

fn sealed(encryptor: Encryptor, kek: &Secret) -> Result<String, KekCopyError> {
    let failed = |_: std::io::Error| KekCopyError::NotSealed;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(failed)?;
    let mut writer = encryptor.wrap_output(armor).map_err(failed)?;
    writer.write_all(kek.expose_secret()).map_err(failed)?;
    let text = writer.finish().and_then(ArmoredWriter::finish).map_err(failed)?;
    String::from_utf8(text).map_err(|_| KekCopyError::NotSealed)
}

fn recipient(text: &str) -> Result<Box<dyn Recipient>, KekCopyError> {
    let text = text.trim();
    if text.to_ascii_uppercase().starts_with("AGE-") {
        return Err(KekCopyError::IsIdentity);
    }
    if let Ok(one) = text.parse::<age::x25519::Recipient>() {
        return Ok(Box::new(one));
    }
    if let Ok(one) = text.parse::<age::tag::Recipient>() {
        return Ok(Box::new(one));
    }
    match text.parse::<age::tagpq::Recipient>() {
        Ok(one) => Ok(Box::new(one)),
        Err(_) => Err(KekCopyError::NoRecipient {
            given: text.chars().take(80).flat_map(char::escape_default).collect(),
        }),
    }
}

fn identities(text: &str) -> Result<Vec<Box<dyn Identity>>, KekCopyError> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| match line.parse::<age::x25519::Identity>() {
        Ok(one) => Ok(Box::new(one) as Box<dyn Identity>),
        Err(_) => Err(KekCopyError::NoIdentity),
    });
    let all: Vec<Box<dyn Identity>> = parsed.collect::<Result<_, _>>()?;
    match all.is_empty() {
        true => Err(KekCopyError::NoIdentity),
        false => Ok(all),
    }
}

fn text_of(passphrase: &Secret) -> Result<SecretString, KekCopyError> {
    let text = std::str::from_utf8(passphrase.expose_secret()).map_err(|_| KekCopyError::NotText)?;
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek() -> Secret {
        Secret::copy_of(&[7; KEK_LEN])
    }

    #[test]
    fn a_copy_opens_for_its_recipients_and_for_nobody_else() {
        let (one, two, other) = (
            age::x25519::Identity::generate(),
            age::x25519::Identity::generate(),
            age::x25519::Identity::generate(),
        );
        let recipients = [&one, &two].map(|identity| identity.to_public().to_string());
        let copy = seal_to(&recipients, &kek()).unwrap();
        assert!(copy.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && copy.is_ascii());
        assert!(!is_under_passphrase(copy.as_bytes()).unwrap());
        for identity in [&one, &two] {
            let file = format!("# made by age-keygen\n{}\n", identity.to_string().expose_secret());
            let opened = open(copy.as_bytes(), &Opener::Identities(&file)).unwrap();
            assert_eq!(opened.expose_secret(), kek().expose_secret());
        }
        let file = other.to_string();
        let refused = open(copy.as_bytes(), &Opener::Identities(file.expose_secret()));
        assert!(matches!(refused, Err(KekCopyError::Refused(_))));
        assert!(matches!(
            open(copy.as_bytes(), &Opener::Identities("# none")),
            Err(KekCopyError::NoIdentity)
        ));
    }

    #[test]
    fn a_copy_that_was_changed_or_cut_does_not_open() {
        let identity = age::x25519::Identity::generate();
        let copy = seal_to(&[identity.to_public().to_string()], &kek()).unwrap();
        let file = identity.to_string();
        let opens = |bytes: &[u8]| open(bytes, &Opener::Identities(file.expose_secret())).is_ok();
        assert!(opens(copy.as_bytes()));
        for end in (0..copy.len() - 1).step_by(7) {
            assert!(!opens(&copy.as_bytes()[..end]), "{end}");
        }
        for line in ["", "-----BEGIN AGE ENCRYPTED FILE-----", "prod/openai"] {
            assert!(!opens(line.as_bytes()));
        }
    }

    #[test]
    fn a_recipient_is_a_public_key() {
        let identity = age::x25519::Identity::generate();
        let secret = identity.to_string().expose_secret().to_owned();
        let refused = seal_to(std::slice::from_ref(&secret), &kek()).unwrap_err();
        assert!(matches!(refused, KekCopyError::IsIdentity) && !refused.to_string().contains(&secret));
        for text in ["", "age1", "ssh-ed25519 AAAA", "me@example.com"] {
            assert!(
                matches!(
                    seal_to(&[text.to_owned()], &kek()),
                    Err(KekCopyError::NoRecipient { .. })
                ),
                "{text}"
            );
        }
    }
}
