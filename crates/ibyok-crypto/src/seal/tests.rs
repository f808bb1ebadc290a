//! The construction's promises.

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::{DataKey, RealmTag, VaultId, random};

const KEY: [u8; 32] = [7; 32];

fn place() -> SealedPlace<'static> {
    let tag = RealmTag::from_bytes(*b"Ab3dEf7h").unwrap();
    SealedPlace::new(VaultId::from_bytes([1; 16]), tag, 3, [2; 16], "acme", "prod")
        .version(4)
        .field("value")
}

fn slot<'a>(place: &'a SealedPlace<'a>) -> Slot<'a> {
    Slot::new(Purpose::Value, 0, place)
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    seal(&KEY, &slot(&place()), plaintext).unwrap()
}

fn opens(bytes: &[u8]) -> bool {
    open(&KEY, &slot(&place()), bytes).is_ok()
}

#[test]
fn what_was_sealed_opens_at_its_place() {
    for plaintext in [&b""[..], b"x", b"sk-123", &[0; 16], &[0xff; 70_000]] {
        let sealed = sealed(plaintext);
        assert_eq!(sealed.len(), plaintext.len() + format::OVERHEAD);
        assert_eq!(open(&KEY, &slot(&place()), &sealed).unwrap().expose_secret(), plaintext);
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let sealed = sealed(b"sk-123456");
    for bit in 0..sealed.len() * 8 {
        let mut bytes = sealed.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = open(&KEY, &slot(&place()), &bytes).unwrap_err();
        match bit / 8 {
            0..4 => assert!(matches!(error, Error::NotSealed), "bit {bit}: {error:?}"),
            4 => assert!(matches!(error, Error::UnsupportedFormat { .. }), "bit {bit}: {error:?}"),
            _ => assert!(matches!(error, Error::Open), "bit {bit}: {error:?}"),
        }
    }
}

#[test]
fn every_length_but_the_right_one_is_refused() {
    let mut sealed = sealed(b"sk-123456");
    for len in 0..sealed.len() {
        let error = open(&KEY, &slot(&place()), &sealed[..len]).unwrap_err();
        let short = len < format::OVERHEAD;
        assert_eq!(matches!(error, Error::Truncated), short, "{len} bytes: {error:?}");
    }
    sealed.push(0);
    assert!(!opens(&sealed));
}

#[test]
fn no_part_of_the_place_can_be_swapped() {
    let sealed = sealed(b"sk-123");
    let right = place();
    let tag = RealmTag::from_bytes(*b"Ab3dEf7i").unwrap();
    let wrong = [
        SealedPlace {
            vault: VaultId::from_bytes([9; 16]),
            ..right
        },
        SealedPlace { realm: tag, ..right },
        SealedPlace { kind: 4, ..right },
        SealedPlace {
            record: [9; 16],
            ..right
        },
        SealedPlace {
            namespace: "acm",
            ..right
        },
        SealedPlace {
            environment: "dev",
            ..right
        },
        SealedPlace {
            namespace: "acmep",
            environment: "rod",
            ..right
        },
        SealedPlace {
            environment: "prodvalue",
            field: "",
            ..right
        },
        right.version(5),
        right.version(0),
        right.field("org_id"),
        right.field(""),
    ];
    for place in wrong {
        assert!(
            matches!(open(&KEY, &slot(&place), &sealed), Err(Error::Open)),
            "{place:?}"
        );
    }
    assert!(opens(&sealed));
}

#[test]
fn neither_purpose_nor_generation_nor_key_can_be_swapped() {
    let sealed = sealed(b"sk-123");
    let place = place();
    for other in [
        Purpose::EnvironmentKey,
        Purpose::RealmKeys,
        Purpose::Record,
        Purpose::DataKey,
    ] {
        assert!(matches!(
            open(&KEY, &Slot::new(other, 0, &place), &sealed),
            Err(Error::Open)
        ));
    }
    assert!(matches!(
        open(&KEY, &Slot::new(Purpose::Value, 1, &place), &sealed),
        Err(Error::Open)
    ));
    assert!(matches!(open(&[8; 32], &slot(&place), &sealed), Err(Error::Open)));
}

#[test]
fn a_zeroed_or_stripped_commitment_is_refused() {
    let mut zeroed = sealed(b"sk-123");
    zeroed[83..HEADER_LEN].fill(0);
    assert!(!opens(&zeroed));
    let mut stripped = sealed(b"sk-123");
    stripped.drain(83..HEADER_LEN);
    assert!(!opens(&stripped));
}

/// "Invisible salamanders" ([CVE-2020-8897](https://nvd.nist.gov/vuln/detail/CVE-2020-8897)): GCM alone lets one ciphertext open under two
/// keys. With the header as associated data fixed, one block of ciphertext is chosen so that both tags agree; the commitment refuses.
#[test]
fn a_ciphertext_made_for_two_keys_opens_under_neither_but_one() {
    let place = place();
    let sealed = for_two_keys(&KEY, &[8; 32], &place);
    assert!(
        open(&KEY, &slot(&place), &sealed).is_ok(),
        "it was made to open under the first key"
    );
    assert!(matches!(open(&[8; 32], &slot(&place), &sealed), Err(Error::Open)));
}

#[test]
fn a_failed_decryption_leaves_zeros() {
    let mut buffer = *b"sixteen bytes...";
    decrypt_or_wipe(&KEY, b"", &mut buffer, &[0; 16]).unwrap_err();
    assert_eq!(buffer, [0; 16]);
}

#[test]
fn without_random_bytes_nothing_is_sealed() {
    let (result, struck) = random::fixture::failing_after(0, || seal(&KEY, &slot(&place()), b"sk-123"));
    assert!(struck && matches!(result, Err(Error::Random)));
    let (result, struck) = random::fixture::failing_after(0, DataKey::generate);
    assert!(struck && matches!(result, Err(Error::Random)));
}

#[test]
fn sealing_twice_shares_no_salt_and_no_ciphertext() {
    let (one, two) = (sealed(b"sk-123456"), sealed(b"sk-123456"));
    assert_eq!(one[..51], two[..51]);
    assert_ne!(one[51..83], two[51..83]);
    assert_ne!(one[83..HEADER_LEN], two[83..HEADER_LEN]);
    assert_ne!(one[HEADER_LEN..], two[HEADER_LEN..]);
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", DataKey::generate().unwrap()), "DataKey(..)");
    assert_eq!(
        format!("{:?}", crate::EnvironmentKey::generate().unwrap()),
        "EnvironmentKey(..)"
    );
    assert_eq!(format!("{:#?}", crate::Secret::copy_of(b"sk-123")), "Secret(..)");
}

proptest! {
    #[test]
    fn any_value_opens_where_it_was_sealed_and_nowhere_else(
        value in proptest::collection::vec(any::<u8>(), 0..200),
        namespace in "[a-z]{0,6}", environment in "[a-z]{0,6}", field in "[a-z]{0,6}",
        other_namespace in "[a-z]{0,6}", other_environment in "[a-z]{0,6}", other_field in "[a-z]{0,6}",
    ) {
        let right = SealedPlace { namespace: &namespace, environment: &environment, field: &field, ..place() };
        let other = SealedPlace {
            namespace: &other_namespace, environment: &other_environment, field: &other_field, ..place()
        };
        let sealed = seal(&KEY, &slot(&right), &value).unwrap();
        let opened = open(&KEY, &slot(&right), &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), &value[..]);
        prop_assert_eq!(open(&KEY, &slot(&other), &sealed).is_ok(), right == other);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open(&KEY, &slot(&place()), &bytes).is_err());
        let with_magic = [&b"IBYK\x01"[..], &bytes].concat();
        prop_assert!(open(&KEY, &slot(&place()), &with_magic).is_err());
    }
}

/// Sealed bytes whose ciphertext AES-256-GCM opens under what both keys derive, with the commitment of the first.
pub(crate) fn for_two_keys(one: &[u8; 32], two: &[u8; 32], place: &SealedPlace<'_>) -> Vec<u8> {
    let salt = [5; 32];
    let first = Derived::new(one, &salt, Purpose::Value).unwrap();
    let second = Derived::new(two, &salt, Purpose::Value).unwrap();
    let header = slot(place).header(salt, *first.commitment().unwrap()).print();
    let associated = AssociatedData::new(&header, place).unwrap().as_bytes().to_vec();
    let (ciphertext, tag) = salamander(first.key().unwrap(), second.key().unwrap(), &associated);
    // The cipher alone is fooled.
    for derived in [&first, &second] {
        let mut buffer = ciphertext.clone();
        cipher::decrypt(derived.key().unwrap(), &NONCE, &associated, &mut buffer, &tag).unwrap();
    }
    [header, ciphertext, tag.to_vec()].concat()
}

/// Two blocks of ciphertext and a tag that AES-256-GCM accepts under both keys with a zero nonce.
///
/// The tag is `E(J0) ⊕ GHASH`, and GHASH of one key is a polynomial in its H over GF(2^128): with the first block free, both polynomials are
/// set equal and solved for it.
fn salamander(one: &[u8; 32], two: &[u8; 32], associated: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let second_block = u128::from_be_bytes(*b"a second block..");
    let (a, b) = (Gcm::new(one), Gcm::new(two));
    let rest = |gcm: &Gcm| gcm.tag_with(associated, &[0, second_block]);
    // Two blocks of ciphertext: the first is multiplied by H^3.
    let (cube_a, cube_b) = (power(a.hash_key, 3), power(b.hash_key, 3));
    let first_block = multiply(rest(&a) ^ rest(&b), inverse(cube_a ^ cube_b));
    let tag = a.tag_with(associated, &[first_block, second_block]);
    assert_eq!(tag, b.tag_with(associated, &[first_block, second_block]));
    (
        [first_block.to_be_bytes(), second_block.to_be_bytes()].concat(),
        tag.to_be_bytes(),
    )
}

/// GHASH key and mask of one key with the zero nonce, found by asking the cipher: empty input tells the mask, and one more block tells H.
struct Gcm {
    hash_key: u128,
    mask: u128,
}

impl Gcm {
    fn new(key: &[u8; 32]) -> Self {
        let tag = |associated: &[u8]| u128::from_be_bytes(cipher::encrypt(key, &NONCE, associated, &mut []).unwrap());
        // GHASH of nothing is 0, so its tag is the mask. GHASH of one zero block is (128 << 64)·H.
        let mask = tag(b"");
        let hash_key = multiply(tag(&[0; 16]) ^ mask, inverse(128 << 64));
        Self { hash_key, mask }
    }

    fn tag_with(&self, associated: &[u8], blocks: &[u128]) -> u128 {
        let padded = associated.chunks(16).map(|chunk| {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            u128::from_be_bytes(block)
        });
        let lengths = ((associated.len() as u128 * 8) << 64) | (blocks.len() as u128 * 128);
        padded
            .chain(blocks.iter().copied())
            .chain([lengths])
            .fold(0, |sum, block| multiply(sum ^ block, self.hash_key))
            ^ self.mask
    }
}

/// GCM's field (SP 800-38D §6.3): the leftmost bit is the constant term.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut v) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= v;
        }
        v = if v & 1 == 1 { v >> 1 ^ (0xe1 << 120) } else { v >> 1 };
    }
    product
}

fn power(x: u128, exponent: u128) -> u128 {
    let (mut result, mut square, mut left) = (1 << 127, x, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = multiply(result, square);
        }
        square = multiply(square, square);
        left >>= 1;
    }
    result
}

/// Fermat: x^(2^128 - 2).
fn inverse(x: u128) -> u128 {
    power(x, u128::MAX - 1)
}
