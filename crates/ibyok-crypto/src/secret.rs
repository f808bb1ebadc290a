//! The bytes of a value.

use std::fmt;
use std::io;

use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;

/// The bytes of a value: wiped when dropped, never copied by a growing buffer, and shown as `Secret(..)`.
///
/// It is neither `Clone`, `Display` nor `Serialize`. A caller that needs the bytes calls
/// [`ExposeSecret::expose_secret`], and a search for that word finds every such place.
pub struct Secret(SecretBox<[u8]>);

impl Secret {
    /// The largest value that a vault takes: 64 KiB.
    pub const LIMIT: usize = 64 * 1024;

    /// Reads until the end, at most `limit` bytes.
    ///
    /// The bytes go straight into one buffer that never grows and is wiped, so give it an unbuffered reader: a buffered one keeps a copy.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if there is more, or no memory for so much; [`Error::Read`] if reading fails.
    pub fn read(reader: &mut impl io::Read, limit: usize) -> Result<Self, Error> {
        // One byte more than the limit tells "exactly at it" from "beyond it".
        let size = limit.saturating_add(1);
        let mut buffer = Zeroizing::new(Vec::new());
        buffer.try_reserve_exact(size).map_err(|_| Error::TooLarge { limit })?;
        buffer.resize(size, 0);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match reader.read(rest) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
        match buffer.get(..filled) {
            Some(bytes) if filled <= limit => Ok(Self::copy_of(bytes)),
            _ => Err(Error::TooLarge { limit }),
        }
    }

    /// A secret of `len` bytes, filled in place from zeros.
    #[must_use]
    pub fn init_with_mut(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self(SecretBox::new(vec![0; len].into_boxed_slice()));
        fill(secret.0.expose_secret_mut());
        secret
    }

    /// A copy; wiping the original stays with the caller.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::init_with_mut(bytes.len(), |buffer| buffer.copy_from_slice(bytes))
    }

    /// Takes the bytes over and wipes the buffer that they came in.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "taking it over wipes it")]
    pub fn from_zeroizing(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::copy_of(&bytes)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.expose_secret().len()
    }

    /// Returns true if the secret has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`Error::NotText`] if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(self.expose_secret()).map_err(|_| Error::NotText)
    }

    /// Returns true if both hold the same bytes. The comparison has no early end, except that a different length
    /// shows at once.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.expose_secret().ct_eq(other.expose_secret()).into()
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8] {
        self.0.expose_secret_mut()
    }
}

/// Takes the text over and wipes the buffer that it came in.
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from_zeroizing(Zeroizing::new(text.into_bytes()))
    }
}

/// Takes the text over; `secrecy` wipes its own copy.
impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self::copy_of(text.expose_secret().as_bytes())
    }
}

impl ExposeSecret<[u8]> for Secret {
    fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// One byte a call, interrupted before each.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.take(1).read(buffer).inspect(|&count| self.0 = &self.0[count..])
        }
    }

    #[test]
    fn a_secret_is_made_of_owned_text() {
        let text = String::from("s\u{e9}cret\0");
        assert_eq!(Secret::from(text.clone()).expose_secret(), text.as_bytes());
        assert_eq!(
            Secret::from(SecretString::from(text.as_str())).expose_secret(),
            text.as_bytes()
        );
        assert_eq!(format!("{:?}", Secret::from(text)), "Secret(..)");
    }

    #[test]
    fn exactly_the_limit_is_read_and_one_more_is_refused() {
        for len in [0, 1, 15, 16] {
            let bytes = vec![7; len];
            let secret = Secret::read(&mut bytes.as_slice(), 16).unwrap();
            assert_eq!(secret.expose_secret(), bytes);
        }
        assert!(matches!(
            Secret::read(&mut [7; 17].as_slice(), 16),
            Err(Error::TooLarge { limit: 16 })
        ));
        assert!(matches!(
            Secret::read(&mut io::repeat(7), 16),
            Err(Error::TooLarge { limit: 16 })
        ));
    }

    #[test]
    fn short_and_interrupted_reads_lose_nothing() {
        let secret = Secret::read(&mut Slow(b"sk-123\0\xff\n", false), 64).unwrap();
        assert_eq!(secret.expose_secret(), b"sk-123\0\xff\n");
    }

    #[test]
    fn a_failing_reader_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        assert!(matches!(Secret::read(&mut Broken, 64), Err(Error::Read(_))));
    }

    #[test]
    fn text_is_utf8_or_refused() {
        assert_eq!(Secret::copy_of("schlüssel".as_bytes()).text().unwrap(), "schlüssel");
        assert!(matches!(Secret::copy_of(b"\xff").text(), Err(Error::NotText)));
    }

    #[test]
    fn the_same_bytes_are_the_same() {
        let secret = Secret::from_zeroizing(Zeroizing::new(b"abc".to_vec()));
        assert!(secret.same_as(&Secret::copy_of(b"abc")));
        assert!(!secret.same_as(&Secret::copy_of(b"abd")));
        assert!(!secret.same_as(&Secret::copy_of(b"ab")));
        assert_eq!(
            (secret.len(), secret.is_empty(), Secret::copy_of(b"").is_empty()),
            (3, false, true)
        );
    }
}
