//! Keys from keys: HKDF-SHA-256 ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)) and HMAC-SHA-256
//! ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)), each use under its own label.

use std::fmt;

use hkdf::HkdfExtract;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::cipher::KEY_LEN;
use crate::cut::cut;
use crate::format::Purpose;

/// Sealing: followed by the purpose, one byte.
const SEAL: &[u8] = b"ibyok/v1/seal";
/// A key's public id: followed by its name.
const RECORD_ID: &[u8] = b"ibyok/v1/record-id";
/// A value's fingerprint: followed by its bytes.
const FINGERPRINT: &[u8] = b"ibyok/v1/fingerprint";
/// The key of a keyed hash: followed by the caller's label.
const KEYED_HASH: &[u8] = b"ibyok/v1/keyed-hash";
/// Separates the keys of generations: followed by the number, u32 BE.
const GENERATION: &[u8] = b"ibyok/v1/generation";
/// The public id of a KEK that we hold ourselves.
const KEK_ID: &[u8] = b"ibyok/v1/kek-id";

/// The output of one derivation for sealing: a key for one message, and a commitment to that key.
pub(crate) struct Derived {
    okm: Zeroizing<[u8; 64]>,
}

impl Derived {
    /// `K(32) ‖ commitment(32) = HKDF-SHA-256(ikm = key, salt, info = label ‖ purpose)`.
    pub(crate) fn new(key: &[u8; KEY_LEN], salt: &[u8; 32], purpose: Purpose) -> Result<Self, Error> {
        let mut okm = Zeroizing::new([0; 64]);
        hkdf(key, salt, &[SEAL, &[purpose.as_u8()]], okm.as_mut_slice())?;
        Ok(Self { okm })
    }

    pub(crate) fn key(&self) -> Result<&[u8; 32], Error> {
        self.okm.first_chunk().ok_or(Error::Open)
    }

    pub(crate) fn commitment(&self) -> Result<&[u8; 32], Error> {
        self.okm.last_chunk().ok_or(Error::Open)
    }
}

/// A key of HMAC with its state after it has taken the key in: a MAC then costs two hash blocks less.
///
/// The state is as secret as the key. Both are wiped when they are dropped.
pub(crate) struct MacKey {
    key: SecretBox<[u8; KEY_LEN]>,
    state: Hmac<Sha256>,
}

impl MacKey {
    pub(crate) fn new(key: SecretBox<[u8; KEY_LEN]>) -> Self {
        let state = keyed(key.expose_secret());
        Self { key, state }
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        finish(self.state.clone(), parts)
    }
}

impl ExposeSecret<[u8; KEY_LEN]> for MacKey {
    fn expose_secret(&self) -> &[u8; KEY_LEN] {
        self.key.expose_secret()
    }
}

/// HMAC(name key, label ‖ name), cut to 128 bits.
pub(crate) fn record_id(name_key: &MacKey, name: &str) -> [u8; 16] {
    cut(name_key.mac(&[RECORD_ID, name.as_bytes()]))
}

/// HMAC(fingerprint key, label ‖ value).
pub(crate) fn fingerprint(fingerprint_key: &[u8; KEY_LEN], value: &[u8]) -> [u8; 32] {
    hmac(fingerprint_key, &[FINGERPRINT, value])
}

/// HMAC(HMAC(fingerprint key, label ‖ the caller's label), bytes).
pub(crate) fn keyed_hash(fingerprint_key: &[u8; KEY_LEN], label: &str, bytes: &[u8]) -> [u8; 32] {
    labelled(fingerprint_key, label).hash(bytes)
}

/// The hash of [`keyed_hash`] for one label, for a caller that needs it often.
pub(crate) fn labelled(fingerprint_key: &[u8; KEY_LEN], label: &str) -> KeyedHash {
    let key = Zeroizing::new(hmac(fingerprint_key, &[KEYED_HASH, label.as_bytes()]));
    KeyedHash(keyed(&key))
}

/// The keyed hash of a realm under one label, ready for use. Wiped when it is dropped.
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// Returns the hash of some bytes: the result of [`RealmKeys::keyed_hash`](crate::RealmKeys::keyed_hash) with the label.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        finish(self.0.clone(), &[bytes])
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash(..)")
    }
}

/// HMAC(environment key, label ‖ number): distinguishes keys and reveals nothing about them.
pub(crate) fn generation(environment_key: &[u8; KEY_LEN], number: u32) -> [u8; 32] {
    hmac(environment_key, &[GENERATION, &number.to_be_bytes()])
}

/// HMAC(KEK, label), cut to 128 bits: public.
pub(crate) fn kek_id(kek: &[u8; KEY_LEN]) -> [u8; 16] {
    cut(hmac(kek, &[KEK_ID]))
}

fn hkdf(key: &[u8], salt: &[u8], info: &[&[u8]], okm: &mut [u8]) -> Result<(), Error> {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    extract.input_ikm(key);
    let (mut prk, hkdf) = extract.finalize();
    prk.as_mut_slice().zeroize();
    hkdf.expand_multi_info(info, okm).map_err(|_| Error::Open)
}

fn hmac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; 32] {
    finish(keyed(key), parts)
}

/// HMAC with a key that it has taken in.
fn keyed(key: &[u8; KEY_LEN]) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros to the block; done here, it cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new((&*block).into())
}

fn finish(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
