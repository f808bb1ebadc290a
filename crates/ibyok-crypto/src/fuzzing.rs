//! The functions that fuzzing calls with any bytes. They run as property tests as well, so that each is tried at every build.

use crate::format::{Purpose, Sealed};
use crate::place::SealedPlace;
use crate::realm::RealmRecord;
use crate::seal::{self, Slot};
use crate::{RealmTag, VaultId};

/// Any bytes as a sealed envelope and as an environment key record: they are taken apart or refused, and nothing opens.
pub fn envelope(data: &[u8]) {
    if let Ok(sealed) = Sealed::parse(data) {
        assert!(sealed.header.print() == sealed.header_bytes, "a header with two forms");
        assert!(
            sealed.header_bytes.len() + sealed.ciphertext.len() + sealed.tag.len() == data.len(),
            "bytes that belong to no part"
        );
    }
    let Ok(tag) = RealmTag::from_bytes(*b"abcdefgh") else {
        return;
    };
    let place = SealedPlace::new(VaultId::from_bytes([1; 16]), tag, 3, [2; 16], "default", "prod");
    for purpose in [Purpose::Record, Purpose::Value] {
        let opened = seal::open(&[0x5a; 32], &Slot::new(purpose, 1, &place), data);
        assert!(opened.is_err(), "bytes that nobody sealed opened");
    }
    if let Ok(record) = RealmRecord::parse(data) {
        assert!(!record.namespace().is_empty(), "a realm without a namespace");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed() -> Vec<u8> {
        let tag = RealmTag::from_bytes(*b"abcdefgh").unwrap();
        let place = SealedPlace::new(VaultId::from_bytes([1; 16]), tag, 3, [2; 16], "default", "prod");
        seal::seal(&[9; 32], &Slot::new(Purpose::Record, 1, &place), b"a record").unwrap()
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(data in prop::collection::vec(any::<u8>(), 0..400)) {
            envelope(&data);
        }

        #[test]
        fn an_envelope_with_changed_bytes_is_refused(at: usize, byte: u8, cut: usize) {
            let mut data = sealed();
            let length = data.len();
            data[at % length] = byte;
            envelope(&data);
            envelope(&data[..cut % (length + 1)]);
        }

        #[test]
        fn bytes_behind_a_record_of_an_environment_are_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
            envelope(&[b"IBYE\x01".as_slice(), &data].concat());
        }
    }
}
