//! Sealed bytes, right ones and ones with a single fault.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{hex, tag, vault, word};
use crate::format::Purpose;
use crate::place::SealedPlace;
use crate::random::fixture;
use crate::seal::{self, Slot};
use crate::{RealmTag, VaultId};

const KEY: [u8; 32] = *b"an example of a key: 32 bytes...";
const PURPOSES: [Purpose; 5] = [
    Purpose::EnvironmentKey,
    Purpose::RealmKeys,
    Purpose::Record,
    Purpose::DataKey,
    Purpose::Value,
];

#[derive(Serialize)]
pub(super) struct Case {
    name: String,
    key: String,
    purpose: u8,
    vault: String,
    realm: String,
    generation: u32,
    kind: u8,
    record: String,
    namespace: String,
    environment: String,
    version: u32,
    field: String,
    sealed: String,
    /// The plaintext; `null` if the envelope must not open.
    plaintext: Option<String>,
    /// Why it must not open; `null` if it opens.
    error: Option<&'static str>,
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = right();
    cases.extend(swapped());
    cases.extend(damaged());
    cases
}

fn place() -> SealedPlace<'static> {
    SealedPlace::new(vault(), tag(), 3, *b"sixteen byte id.", "acme", "prod")
        .version(4)
        .field("value")
}

/// A case as our own code answers it.
fn case(name: &str, key: &[u8; 32], purpose: Purpose, generation: u32, place: &SealedPlace<'_>, sealed: &[u8]) -> Case {
    let opened = seal::open(key, &Slot::new(purpose, generation, place), sealed);
    Case {
        name: name.to_owned(),
        key: hex(key),
        purpose: purpose.as_u8(),
        vault: hex(place.vault.as_bytes()),
        realm: hex(place.realm.as_bytes()),
        generation,
        kind: place.kind,
        record: hex(&place.record),
        namespace: place.namespace.to_owned(),
        environment: place.environment.to_owned(),
        version: place.version,
        field: place.field.to_owned(),
        sealed: hex(sealed),
        plaintext: opened.as_ref().ok().map(|secret| hex(secret.expose_secret())),
        error: opened.as_ref().err().map(word),
    }
}

fn sealed(purpose: Purpose, generation: u32, place: &SealedPlace<'_>, plaintext: &[u8]) -> Vec<u8> {
    let slot = Slot::new(purpose, generation, place);
    fixture::repeatable(u32::from(purpose.as_u8()), || seal::seal(&KEY, &slot, plaintext)).unwrap()
}

fn right() -> Vec<Case> {
    let place = place();
    let whole = SealedPlace {
        environment: "whole",
        version: 0,
        field: "",
        kind: 4,
        ..place
    };
    let unicode = SealedPlace {
        namespace: "größe",
        environment: "環境",
        field: "\u{1f511}",
        ..place
    };
    let of = |name: &str, purpose, generation, place: &SealedPlace<'_>, plaintext: &[u8]| {
        let case = case(
            name,
            &KEY,
            purpose,
            generation,
            place,
            &sealed(purpose, generation, place, plaintext),
        );
        assert_eq!(case.plaintext, Some(hex(plaintext)), "{name}");
        case
    };
    vec![
        of("a value", Purpose::Value, 0, &place, b"sk-example-1234567890"),
        of("an empty value", Purpose::Value, 0, &place, b""),
        of(
            "a value of every byte",
            Purpose::Value,
            0,
            &place,
            &(0..=255).collect::<Vec<u8>>(),
        ),
        of("names that are not ASCII", Purpose::Value, 0, &unicode, b"sk-example"),
        of(
            "a record of the realm that spans environments",
            Purpose::Record,
            7,
            &whole,
            b"{\"rev\":1}",
        ),
        of("a data key", Purpose::DataKey, 0xffff_ffff, &place.field(""), &[7; 32]),
        of(
            "the largest version",
            Purpose::Value,
            0,
            &place.version(u32::MAX),
            b"sk-example",
        ),
    ]
}

/// Intact bytes, opened at another place or with another key.
fn swapped() -> Vec<Case> {
    let right = place();
    let bytes = sealed(Purpose::Value, 0, &right, b"sk-example");
    let places = [
        (
            "another vault",
            SealedPlace {
                vault: VaultId::from_bytes([1; 16]),
                ..right
            },
        ),
        (
            "another realm",
            SealedPlace {
                realm: RealmTag::from_bytes(*b"Ab3dEf7i").unwrap(),
                ..right
            },
        ),
        ("another kind", SealedPlace { kind: 4, ..right }),
        (
            "another record",
            SealedPlace {
                record: *b"sixteen byte id!",
                ..right
            },
        ),
        (
            "another namespace",
            SealedPlace {
                namespace: "acmf",
                ..right
            },
        ),
        (
            "another environment",
            SealedPlace {
                environment: "dev",
                ..right
            },
        ),
        (
            "the same names split elsewhere",
            SealedPlace {
                namespace: "acmep",
                environment: "rod",
                ..right
            },
        ),
        ("another version", right.version(5)),
        ("no version", right.version(0)),
        ("another field", right.field("org_id")),
        ("no field", right.field("")),
    ];
    let mut cases: Vec<Case> = places
        .iter()
        .map(|(name, place)| case(name, &KEY, Purpose::Value, 0, place, &bytes))
        .collect();
    for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != Purpose::Value) {
        cases.push(case(
            &format!("purpose {}", purpose.as_u8()),
            &KEY,
            purpose,
            0,
            &right,
            &bytes,
        ));
    }
    cases.push(case("another generation", &KEY, Purpose::Value, 1, &right, &bytes));
    cases.push(case("another key", &[0; 32], Purpose::Value, 0, &right, &bytes));
    assert!(cases.iter().all(|case| case.error == Some("open")));
    cases
}

/// The right place and key, and bytes with one fault.
fn damaged() -> Vec<Case> {
    let right = place();
    let bytes = sealed(Purpose::Value, 0, &right, b"sk-example");
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let without_commitment = [&bytes[..83], &[0; 32], &bytes[115..]].concat();
    let stripped = [&bytes[..83], &bytes[115..]].concat();
    let longer = [&bytes[..], &[0]].concat();
    let damages = [
        ("changed magic", flipped(0), "not_sealed"),
        ("format version 0", flipped(4), "unsupported_format"),
        ("changed purpose", flipped(5), "open"),
        ("changed vault", flipped(6), "open"),
        ("changed realm tag", flipped(22), "open"),
        ("changed generation", flipped(33), "open"),
        ("changed kind", flipped(34), "open"),
        ("changed record id", flipped(35), "open"),
        ("changed salt", flipped(51), "open"),
        ("changed commitment", flipped(83), "open"),
        ("zeroed commitment", without_commitment, "open"),
        ("stripped commitment", stripped, "truncated"),
        ("changed ciphertext", flipped(115), "open"),
        ("changed tag", flipped(bytes.len() - 1), "open"),
        ("nothing", Vec::new(), "truncated"),
        ("magic and version alone", bytes[..5].to_vec(), "truncated"),
        ("header cut short", bytes[..114].to_vec(), "truncated"),
        ("header alone", bytes[..115].to_vec(), "truncated"),
        ("tag cut short", bytes[..130].to_vec(), "truncated"),
        ("a byte missing", bytes[..bytes.len() - 1].to_vec(), "open"),
        ("a byte more", longer, "open"),
    ];
    let mut cases = Vec::new();
    for (name, bytes, error) in damages {
        let case = case(name, &KEY, Purpose::Value, 0, &right, &bytes);
        assert_eq!(case.error, Some(error), "{name}");
        cases.push(case);
    }
    let (first, second) = (&KEY, b"another example: 32 bytes too...");
    let bytes = seal::tests::for_two_keys(first, second, &right);
    cases.push(case(
        "made for two keys, the first",
        first,
        Purpose::Value,
        0,
        &right,
        &bytes,
    ));
    cases.push(case(
        "made for two keys, the second",
        second,
        Purpose::Value,
        0,
        &right,
        &bytes,
    ));
    assert_eq!(cases.last().and_then(|case| case.error), Some("open"));
    cases
}
