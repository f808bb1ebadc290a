//! Environment key records.

use std::sync::Arc;

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{hex, tag, vault, word};
use crate::conformance::block_on;
use crate::random::fixture;
use crate::{Error, GenerationState, Keyring, LocalKek, OpenedRealm, RealmIdentity, RealmKeys, RealmRecord};

const KEK: [u8; 32] = *b"an example of a local KEK file..";

#[derive(Serialize)]
pub(super) struct Case {
    name: String,
    kek: String,
    record: String,
    opened: Option<Opened>,
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Opened {
    kek_id: String,
    vault: String,
    tag: String,
    namespace: String,
    environment: Option<String>,
    rev: u64,
    attributes: String,
    token_key: String,
    name_key: String,
    fingerprint_key: String,
    generations: Vec<Held>,
}

#[derive(Serialize)]
struct Held {
    number: u32,
    current: bool,
    key: String,
}

impl From<OpenedRealm> for Opened {
    fn from(realm: OpenedRealm) -> Self {
        let (keys, identity) = (&realm.keys, realm.keys.identity());
        let held = keys.generations.iter().map(|held| Held {
            number: held.generation.number,
            current: held.generation.state == GenerationState::Current,
            key: hex(held.key.expose_secret()),
        });
        Self {
            kek_id: realm.kek.to_string(),
            vault: identity.vault().to_string(),
            tag: identity.tag().to_string(),
            namespace: identity.namespace().to_owned(),
            environment: identity.environment().map(str::to_owned),
            rev: realm.rev,
            attributes: hex(&realm.attributes),
            token_key: hex(keys.token_key.expose_secret()),
            name_key: hex(keys.name_key.expose_secret()),
            fingerprint_key: hex(keys.fingerprint_key.expose_secret()),
            generations: held.collect(),
        }
    }
}

fn case(name: &str, kek: &[u8; 32], record: &[u8]) -> Case {
    let ring = Keyring::new(Arc::new(LocalKek::copy_of(kek)));
    let opened: Result<OpenedRealm, Error> = RealmRecord::parse(record).and_then(|parsed| block_on(parsed.open(&ring)));
    let error = opened.as_ref().err().map(word);
    Case {
        name: name.to_owned(),
        kek: hex(kek),
        record: hex(record),
        opened: opened.ok().map(Opened::from),
        error,
    }
}

fn made(environment: Option<&str>) -> (RealmKeys, Vec<u8>) {
    let identity = RealmIdentity::new(vault(), tag(), "acme", environment).unwrap();
    let kek = LocalKek::copy_of(&KEK);
    let make = || block_on(RealmKeys::create(identity, b"{\"class\":\"prod\"}", 1, &kek));
    fixture::repeatable(100, make).unwrap()
}

pub(super) fn cases() -> Vec<Case> {
    let (keys, first) = made(Some("prod"));
    let second = fixture::repeatable(200, || {
        let keys = keys.with_new_generation().unwrap();
        block_on(keys.record(b"", 2, &LocalKek::copy_of(&KEK))).unwrap()
    });
    let flipped = |at: usize| {
        let mut bytes = first.clone();
        bytes[at] ^= 1;
        bytes
    };
    // vault 5, tag 21, namespace 33, environment 41, count 45, number 46, state 50, KEK id 55, wrapped from 87, body from 250.
    let body = first.len() - (115 + 8 + 96 + 1 + 41 + 32 + 4 + 16 + 16);
    let mut two_faced = second.clone();
    two_faced[50] = 1;
    let mut cut = first.clone();
    cut.truncate(body + 20);
    let cases = vec![
        case("a new realm", &KEK, &first),
        case("a realm that spans environments", &KEK, &made(None).1),
        case("a retiring generation", &KEK, &second),
        case("another KEK", &[0; 32], &first),
        case("changed magic", &KEK, &flipped(0)),
        case("another format version", &KEK, &flipped(4)),
        case("changed vault", &KEK, &flipped(5)),
        case("changed tag", &KEK, &flipped(22)),
        case("a tag that is none", &KEK, &flipped(21)),
        case("changed namespace", &KEK, &flipped(33)),
        case("changed environment", &KEK, &flipped(41)),
        case("changed number of the generation", &KEK, &flipped(49)),
        case("changed name of the KEK", &KEK, &flipped(61)),
        case("changed wrapped key", &KEK, &flipped(249)),
        case("changed body", &KEK, &flipped(first.len() - 1)),
        case("two current generations", &KEK, &two_faced),
        case("body cut short", &KEK, &cut),
        case(
            "another record's body",
            &KEK,
            &[&first[..body], &second[second.len() - 322..]].concat(),
        ),
    ];
    assert_eq!(cases.iter().filter(|case| case.opened.is_some()).count(), 3);
    cases
}
