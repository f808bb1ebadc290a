//! The promises of a realm and its record.

use std::sync::Arc;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::conformance::block_on;
use crate::format::Purpose;
use crate::seal::{self, Slot};
use crate::{DataKey, Error, Kek, Keyring, LocalKek, RealmTag, Secret, VaultId, random};

fn kek() -> Arc<dyn Kek> {
    Arc::new(LocalKek::copy_of(&[7; 32]))
}

fn identity(environment: Option<&str>) -> RealmIdentity {
    let tag = RealmTag::from_bytes(*b"Ab3dEf7h").unwrap();
    RealmIdentity::new(VaultId::from_bytes([1; 16]), tag, "acme", environment).unwrap()
}

fn realm(environment: Option<&str>) -> (RealmKeys, Vec<u8>) {
    block_on(RealmKeys::create(
        identity(environment),
        b"class=prod",
        1,
        kek().as_ref(),
    ))
    .unwrap()
}

fn open(record: &[u8]) -> Result<OpenedRealm, Error> {
    block_on(RealmRecord::parse(record)?.open(&Keyring::new(kek())))
}

fn record_of(keys: &RealmKeys) -> Vec<u8> {
    block_on(keys.record(b"class=prod", 2, kek().as_ref())).unwrap()
}

#[test]
fn a_realm_opens_with_all_that_it_was_made_with() {
    for environment in [Some("prod"), None] {
        let (keys, record) = realm(environment);
        let opened = open(&record).unwrap();
        assert_eq!(opened.keys.identity(), &identity(environment));
        assert_eq!((opened.rev, &opened.attributes[..]), (1, &b"class=prod"[..]));
        assert_eq!(Some(&opened.kek), kek().describe().id());
        assert_eq!(opened.keys.record_id("openai"), keys.record_id("openai"));
        assert_eq!(
            opened.keys.token_key().expose_secret(),
            keys.token_key().expose_secret()
        );
        let value = Secret::copy_of(b"sk-123");
        assert_eq!(opened.keys.fingerprint(&value), keys.fingerprint(&value));
        let sealed = keys.seal_record(&keys.identity().place(3, [2; 16]), b"body").unwrap();
        let body = opened
            .keys
            .open_record(&opened.keys.identity().place(3, [2; 16]), &sealed)
            .unwrap();
        assert_eq!(body.expose_secret(), b"body");
    }
}

#[test]
fn the_clear_part_tells_whose_it_is() {
    let (_, record) = realm(Some("prod"));
    let parsed = RealmRecord::parse(&record).unwrap();
    assert_eq!(parsed.vault(), VaultId::from_bytes([1; 16]));
    assert_eq!((parsed.tag().as_str(), parsed.namespace()), ("Ab3dEf7h", "acme"));
    assert_eq!(parsed.environment(), Some("prod"));
    assert_eq!(parsed.kek_ids(), [kek().describe().id().unwrap()]);
    assert_eq!(RealmRecord::parse(&realm(None).1).unwrap().environment(), None);
}

#[test]
fn every_flipped_bit_of_a_record_is_refused() {
    let keys = realm(Some("prod")).0.with_new_generation().unwrap();
    let record = record_of(&keys);
    for bit in 0..record.len() * 8 {
        let mut bytes = record.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&bytes).is_err(), "bit {bit} of byte {}", bit / 8);
    }
}

#[test]
fn every_length_but_the_right_one_of_a_record_is_refused() {
    let (_, mut record) = realm(Some("prod"));
    for len in 0..record.len() {
        assert!(open(&record[..len]).is_err(), "{len} bytes");
    }
    record.push(0);
    assert!(open(&record).is_err());
}

#[test]
fn another_generations_key_in_the_stead_of_a_retiring_one_is_noticed() {
    let keys = realm(Some("prod"))
        .0
        .with_new_generation()
        .unwrap()
        .with_new_generation()
        .unwrap();
    let record = record_of(&keys);
    // Three generations; the first two change places, as wrapped, and nothing else does.
    let header = 4 + 1 + 16 + 8 + 4 + 4 + 4 + 4 + 1;
    let entry = 4 + 1 + 4 + kek().describe().id().unwrap().as_str().len() + 4 + 163;
    let wrapped = |index: usize| header + (index + 1) * entry - 163..header + (index + 1) * entry;
    let mut swapped = record.clone();
    swapped[wrapped(0)].copy_from_slice(&record[wrapped(1)]);
    swapped[wrapped(1)].copy_from_slice(&record[wrapped(0)]);
    assert!(open(&record).is_ok());
    assert!(matches!(open(&swapped), Err(Error::Open)));
}

#[test]
fn a_body_that_says_more_than_it_should_is_refused() {
    let (keys, record) = realm(Some("prod"));
    let (place, wrapped) = (body::place(keys.identity()), record.len() - 131);
    let current = keys.current().unwrap();
    let slot = Slot::new(Purpose::RealmKeys, 1, &place);
    let plain_len = 8 + 96 + 1 + 4 + 1 + 4 + kek().describe().to_string().len() + 32 + 4 + 10;
    let (clear, sealed) = record.split_at(wrapped - plain_len);
    let plain = seal::open(current.key.expose_secret(), &slot, sealed).unwrap();
    for (suffix, opens) in [(&b""[..], true), (b"\0", false)] {
        let plain = [plain.expose_secret(), suffix].concat();
        let sealed = seal::seal(current.key.expose_secret(), &slot, &plain).unwrap();
        assert_eq!(open(&[clear, &sealed].concat()).is_ok(), opens);
    }
}

#[test]
fn a_retiring_generation_opens_and_never_seals() {
    let (old, _) = realm(Some("prod"));
    let place = old.identity().place(3, [2; 16]);
    let before = old.seal_record(&place, b"before").unwrap();
    let new = open(&record_of(&old.with_new_generation().unwrap())).unwrap().keys;

    assert_eq!((old.current_generation(), new.current_generation()), (1, 2));
    assert_eq!(
        new.generations().iter().map(|one| one.number).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(new.generations()[0].state, GenerationState::Retiring);
    assert_eq!(new.open_record(&place, &before).unwrap().expose_secret(), b"before");
    let after = new.seal_record(&place, b"after").unwrap();
    assert_eq!(RealmKeys::generation_of(&after).unwrap(), 2);
    assert!(matches!(old.open_record(&place, &after), Err(Error::Open)));
}

#[test]
fn a_dropped_generation_opens_nothing_any_more() {
    let (old, _) = realm(Some("prod"));
    let place = old.identity().place(3, [2; 16]);
    let before = old.seal_record(&place, b"before").unwrap();
    let new = old.with_new_generation().unwrap();
    assert!(matches!(
        new.without_generation(2),
        Err(Error::CurrentGeneration { number: 2 })
    ));
    assert!(matches!(
        new.without_generation(3),
        Err(Error::NoSuchGeneration { number: 3 })
    ));
    let dropped = open(&record_of(&new.without_generation(1).unwrap())).unwrap().keys;
    assert!(matches!(dropped.open_record(&place, &before), Err(Error::Open)));
    assert_eq!(dropped.with_new_generation().unwrap().current_generation(), 3);
}

#[test]
fn ids_hashes_and_tokens_outlive_a_generation_and_tokens_alone_can_be_rekeyed() {
    let (old, _) = realm(Some("prod"));
    let new = old.with_new_generation().unwrap();
    assert_eq!(old.record_id("openai"), new.record_id("openai"));
    assert_eq!(old.keyed_hash("floors", b"x"), new.keyed_hash("floors", b"x"));
    assert_eq!(old.token_key().expose_secret(), new.token_key().expose_secret());
    let rekeyed = new.with_new_token_key().unwrap();
    assert_ne!(old.token_key().expose_secret(), rekeyed.token_key().expose_secret());
    assert_eq!(old.record_id("openai"), rekeyed.record_id("openai"));
}

#[test]
fn generations_are_bounded() {
    let mut keys = realm(None).0;
    for _ in 1..32 {
        keys = keys.with_new_generation().unwrap();
    }
    assert!(matches!(keys.with_new_generation(), Err(Error::TooLarge { limit: 32 })));
    assert_eq!(open(&record_of(&keys)).unwrap().keys.generations().len(), 32);
}

#[test]
fn attributes_are_bounded() {
    let (keys, _) = realm(None);
    let record = |len| block_on(keys.record(&vec![7; len], 1, kek().as_ref()));
    assert_eq!(open(&record(65_536).unwrap()).unwrap().attributes.len(), 65_536);
    assert!(matches!(record(65_537), Err(Error::TooLarge { limit: 65_536 })));
}

#[test]
fn a_place_of_another_realm_is_neither_sealed_nor_opened() {
    let (prod, _) = realm(Some("prod"));
    let dev = identity(Some("dev"));
    let theirs = dev.place(3, [2; 16]);
    assert!(matches!(prod.seal_record(&theirs, b"body"), Err(Error::OtherRealm)));
    assert!(matches!(
        prod.wrap_data_key(&theirs, &DataKey::generate().unwrap()),
        Err(Error::OtherRealm)
    ));
    let sealed = prod.seal_record(&prod.identity().place(3, [2; 16]), b"body").unwrap();
    assert!(matches!(prod.open_record(&theirs, &sealed), Err(Error::Open)));
}

#[test]
fn a_record_is_no_data_key_and_a_data_key_no_record() {
    let (keys, _) = realm(Some("prod"));
    let place = keys.identity().place(3, [2; 16]);
    let record = keys.seal_record(&place, &[7; 32]).unwrap();
    assert!(matches!(keys.unwrap_data_key(&place, &record), Err(Error::Open)));
    let wrapped = keys.wrap_data_key(&place, &DataKey::generate().unwrap()).unwrap();
    assert!(matches!(keys.open_record(&place, &wrapped), Err(Error::Open)));
}

#[test]
fn a_data_key_comes_back_for_its_own_version() {
    let (keys, _) = realm(Some("prod"));
    let place = keys.identity().place(3, [2; 16]).version(4);
    let key = DataKey::generate().unwrap();
    let wrapped = keys.wrap_data_key(&place, &key).unwrap();
    let sealed = key.seal(&place.field("value"), &Secret::copy_of(b"sk-123")).unwrap();
    let again = keys.unwrap_data_key(&place, &wrapped).unwrap();
    assert_eq!(
        again.open(&place.field("value"), &sealed).unwrap().text().unwrap(),
        "sk-123"
    );
    assert!(matches!(
        keys.unwrap_data_key(&place.version(5), &wrapped),
        Err(Error::Open)
    ));
}

#[test]
fn a_kek_that_was_not_given_is_named_and_not_called() {
    let (_, record) = realm(Some("prod"));
    let other = Keyring::new(Arc::new(LocalKek::copy_of(&[8; 32])));
    let parsed = RealmRecord::parse(&record).unwrap();
    let named = kek().describe().to_string();
    match block_on(parsed.open(&other)) {
        Err(Error::UnknownKek { named: found }) => assert_eq!(found, named),
        other => panic!("{other:?}"),
    }
    assert!(block_on(parsed.open(&other.with(kek()))).is_ok());
}

#[test]
fn without_random_bytes_no_record_is_made() {
    let (keys, _) = realm(Some("prod"));
    let make: [&dyn Fn() -> Result<(), Error>; 3] = [
        &|| block_on(RealmKeys::create(identity(None), b"", 1, kek().as_ref())).map(|_| ()),
        &|| block_on(keys.record(b"", 2, kek().as_ref())).map(|_| ()),
        &|| keys.with_new_generation().map(|_| ()),
    ];
    for make in make {
        let mut points = 0;
        loop {
            let (result, struck) = random::fixture::failing_after(points, make);
            if !struck {
                assert!(result.is_ok());
                break;
            }
            assert!(matches!(result, Err(Error::Random)), "draw {points}: {result:?}");
            points += 1;
        }
        assert!(points > 0);
    }
}

#[test]
fn a_realm_has_sound_names() {
    let (vault, tag) = (
        VaultId::from_bytes([1; 16]),
        RealmTag::from_bytes(*b"Ab3dEf7h").unwrap(),
    );
    let long = "x".repeat(256);
    for (namespace, environment) in [
        ("", None),
        (&long, None),
        ("a", Some("")),
        ("a", Some("whole")),
        ("a", Some(&long)),
    ] {
        let identity = RealmIdentity::new(vault, tag, namespace, environment);
        assert!(
            matches!(identity, Err(Error::InvalidName { .. })),
            "{namespace} {environment:?}"
        );
    }
}

#[test]
fn debug_shows_no_key() {
    let (keys, record) = realm(Some("prod"));
    let shown = "RealmKeys { identity: RealmIdentity { vault: VaultId(0271Mr4k8mvGUgxrHkc2wP), tag: RealmTag(Ab3dEf7h), \
                 namespace: \"acme\", environment: Some(\"prod\") }, generations: [Generation { number: 1, state: Current }], .. }";
    let vault = VaultId::from_bytes([1; 16]).to_string();
    let shown = shown.replace("0271Mr4k8mvGUgxrHkc2wP", &vault);
    assert_eq!(format!("{keys:?}"), shown);
    assert!(format!("{:?}", RealmRecord::parse(&record).unwrap()).ends_with(".. }"));
}

proptest! {
    #[test]
    fn no_bytes_make_parsing_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at: prop::sample::Index) {
        prop_assert!(RealmRecord::parse(&bytes).is_err());
        let (_, mut record) = realm(Some("prod"));
        let at = at.index(record.len());
        record.splice(at.., bytes);
        prop_assert!(open(&record).is_err());
    }
}

#[test]
fn an_announced_generation_opens_and_seals_nothing_until_it_is_made_current() {
    let (old, _) = realm(Some("prod"));
    let place = old.identity().place(3, [2; 16]);
    let (announced, number) = old.with_announced_generation().unwrap();
    assert_eq!((number, announced.announced_generation()), (2, Some(2)));
    let announced = open(&record_of(&announced)).unwrap().keys;
    let sealed = announced.seal_record(&place, b"by the old one").unwrap();
    assert_eq!(RealmKeys::generation_of(&sealed).unwrap(), 1);
    let new = announced.with_current(2).unwrap();
    assert_eq!((new.announced_generation(), new.current_generation()), (None, 2));
    let sealed = new.seal_record(&place, b"by the new one").unwrap();
    // A node that still holds the record of before opens it.
    assert_eq!(
        announced.open_record(&place, &sealed).unwrap().expose_secret(),
        b"by the new one"
    );
    assert!(matches!(old.open_record(&place, &sealed), Err(Error::Open)));
    assert!(matches!(
        new.with_current(3),
        Err(Error::NoSuchGeneration { number: 3 })
    ));
}
