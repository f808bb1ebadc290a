//! The one construction: seals and opens under any key, for any purpose.

use secrecy::{ExposeSecretMut, SecretBox};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::associated::AssociatedData;
use crate::cipher::KEY_LEN;
use crate::cipher::{self, NONCE_LEN, TAG_LEN};
use crate::derive::Derived;
use crate::format::{self, HEADER_LEN, Header, Purpose, Sealed};
use crate::place::SealedPlace;
use crate::{Error, Secret, random};

/// Each derived key meets one message only, so its nonce need not differ.
const NONCE: [u8; NONCE_LEN] = [0; NONCE_LEN];

/// The purpose, generation and place of a sealing.
pub(crate) struct Slot<'a> {
    purpose: Purpose,
    generation: u32,
    place: &'a SealedPlace<'a>,
}

impl<'a> Slot<'a> {
    pub(crate) const fn new(purpose: Purpose, generation: u32, place: &'a SealedPlace<'a>) -> Self {
        Self {
            purpose,
            generation,
            place,
        }
    }

    fn header(&self, salt: [u8; 32], commitment: [u8; 32]) -> Header {
        Header {
            purpose: self.purpose.as_u8(),
            generation: self.generation,
            salt,
            commitment,
            ..Header::from(self.place)
        }
    }
}

/// Header ‖ ciphertext ‖ tag, under a fresh salt.
pub(crate) fn seal(key: &[u8; KEY_LEN], slot: &Slot<'_>, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let salt = random::array()?;
    let derived = Derived::new(key, &salt, slot.purpose)?;
    let header = slot.header(salt, *derived.commitment()?).print();
    let associated = AssociatedData::new(&header, slot.place)?;
    // The capacity is exact: growing would leave a copy of the plaintext behind.
    let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(format::OVERHEAD));
    sealed.extend_from_slice(&header);
    sealed.extend_from_slice(plaintext);
    let body = sealed.get_mut(HEADER_LEN..).unwrap_or_default();
    match cipher::encrypt(derived.key()?, &NONCE, associated.as_bytes(), body) {
        Ok(tag) => sealed.extend_from_slice(&tag),
        Err(error) => {
            sealed.zeroize();
            return Err(error);
        }
    }
    Ok(sealed)
}

/// Opens bytes that were sealed under the same key and slot.
pub(crate) fn open(key: &[u8; KEY_LEN], slot: &Slot<'_>, sealed: &[u8]) -> Result<Secret, Error> {
    let sealed = Sealed::parse(sealed)?;
    let mut secret = Secret::init_with_mut(sealed.ciphertext.len(), |_| {});
    open_into(key, slot, &sealed, secret.expose_mut())?;
    Ok(secret)
}

/// Opens a key that was sealed under the same key and slot, straight into its own box.
pub(crate) fn open_key(key: &[u8; KEY_LEN], slot: &Slot<'_>, sealed: &[u8]) -> Result<SecretBox<[u8; KEY_LEN]>, Error> {
    let sealed = Sealed::parse(sealed)?;
    if sealed.ciphertext.len() != KEY_LEN {
        return Err(Error::Open);
    }
    let mut opened = SecretBox::new(Box::new([0; KEY_LEN]));
    open_into(key, slot, &sealed, opened.expose_secret_mut())?;
    Ok(opened)
}

/// Opens bytes into a buffer of the ciphertext's length. On failure the buffer holds nothing of the plaintext.
fn open_into(key: &[u8; KEY_LEN], slot: &Slot<'_>, sealed: &Sealed<'_>, buffer: &mut [u8]) -> Result<(), Error> {
    let expected = slot.header(sealed.header.salt, sealed.header.commitment);
    if sealed.header != expected {
        return Err(Error::Open);
    }
    let derived = Derived::new(key, &sealed.header.salt, slot.purpose)?;
    // AES-GCM does not commit to its key: without this, one ciphertext could be made to open under two keys.
    if !bool::from(derived.commitment()?.ct_eq(&sealed.header.commitment)) {
        return Err(Error::Open);
    }
    let associated = AssociatedData::new(sealed.header_bytes, slot.place)?;
    buffer.copy_from_slice(sealed.ciphertext);
    decrypt_or_wipe(derived.key()?, associated.as_bytes(), buffer, sealed.tag)
}

fn decrypt_or_wipe(
    key: &[u8; KEY_LEN],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), Error> {
    cipher::decrypt(key, &NONCE, associated, buffer, tag).inspect_err(|_| buffer.zeroize())
}

#[cfg(test)]
pub(crate) mod tests;
