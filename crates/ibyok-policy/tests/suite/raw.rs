//! Tokens made byte by byte, right ones and wrong ones, without the code under test.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The parts of a token, each of which can be made wrong.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) id: String,
    pub(crate) version: u8,
    pub(crate) epoch: u32,
    pub(crate) count: u8,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) mac: [u8; 32],
    pub(crate) after: Vec<u8>,
}

impl Raw {
    /// Makes a right token with these entries, which may hold any bytes.
    pub(crate) fn new(key: &[u8; 32], tag: &str, id: [u8; 16], epoch: u32, entries: &[Vec<u8>]) -> Self {
        let root = [b"ibyok/token/1", tag.as_bytes(), &id, &epoch.to_be_bytes()].concat();
        let mac = entries.iter().fold(hmac(key, &root), |mac, entry| hmac(&mac, entry));
        Self {
            id: format!("{tag}{}", number(u128::from_be_bytes(id), 22)),
            version: 1,
            epoch,
            count: u8::try_from(entries.len()).unwrap(),
            entries: entries.to_vec(),
            mac,
            after: Vec::new(),
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = vec![self.version];
        body.extend(self.epoch.to_be_bytes());
        body.push(self.count);
        body.extend(self.entries.concat());
        body.extend(self.mac);
        body.extend(&self.after);
        body
    }

    pub(crate) fn text(&self) -> String {
        with_checksum(&format!("ibyok_{}_{}", self.id, base62(&self.body())))
    }
}

/// A token's text without its checksum, completed.
pub(crate) fn with_checksum(text: &str) -> String {
    let sum = crc32(text.strip_prefix("ibyok_").unwrap().as_bytes());
    format!("{text}{}", number(sum.into(), 6))
}

/// A token's text with a right checksum instead of the one it has.
pub(crate) fn repaired(text: &str) -> String {
    with_checksum(&text[..text.len() - 6])
}

/// An entry of a type.
pub(crate) fn entry(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut entry = vec![kind];
    entry.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    entry.extend(payload);
    entry
}

/// A restriction of these attributes, in this order: an attribute has the form of an entry.
pub(crate) fn restriction(attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let payload: Vec<u8> = attributes
        .iter()
        .flat_map(|(number, value)| entry(*number, value))
        .collect();
    entry(1, &payload)
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

pub(crate) fn base62(bytes: &[u8]) -> String {
    let widths = [0, 2, 3, 5, 6, 7, 9, 10, 11];
    let block = |block: &[u8]| {
        let value = block.iter().fold(0, |value, byte| value * 256 + u128::from(*byte));
        number(value, widths[block.len()])
    };
    bytes.chunks(8).map(block).collect()
}

pub(crate) fn number(mut value: u128, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(value % 62).unwrap()];
        value /= 62;
    }
    String::from_utf8(digits).unwrap()
}

/// CRC-32 bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
