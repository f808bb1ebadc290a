//! AES-256-GCM ([NIST SP 800-38D](https://doi.org/10.6028/NIST.SP.800-38D)): the one place that calls the cipher.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

use crate::Error;

/// The number of bytes of a key.
pub(crate) const KEY_LEN: usize = 32;

/// Bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes of an authentication tag.
pub(crate) const TAG_LEN: usize = 16;

/// Encrypts `buffer` in place and returns the tag.
pub(crate) fn encrypt(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LEN], Error> {
    let tag = Aes256Gcm::new(key.into())
        .encrypt_inout_detached(&Nonce::from(*nonce), associated, buffer.into())
        .map_err(|_| Error::TooLarge { limit: LIMIT })?;
    Ok(tag.into())
}

/// Decrypts `buffer` in place. On failure the caller wipes it.
pub(crate) fn decrypt(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), Error> {
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(&Nonce::from(*nonce), associated, buffer.into(), &Tag::from(*tag))
        .map_err(|_| Error::Open)
}

/// The longest plaintext of GCM is 2^36 - 32 bytes; the error names this number, which fits every platform.
const LIMIT: usize = u32::MAX as usize;

#[cfg(test)]
mod tests;
