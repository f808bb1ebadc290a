use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ibyok_scan::{Engine, KnownKey, Matcher, ScanFinding, ScanPlace};
use proptest::prelude::*;

use super::leak;

#[derive(Debug)]
struct One(Vec<u8>);

impl Matcher for One {
    fn find(&self, candidate: &[u8]) -> Option<KnownKey> {
        (candidate == self.0).then(|| KnownKey::new("prod/one", Some(3)))
    }

    fn shortest(&self) -> usize {
        8
    }
}

fn scan(value: &str, text: &str) -> Vec<ScanFinding> {
    let engine = Engine::new().with_matcher(Arc::new(One(value.as_bytes().to_vec())));
    engine
        .scanner()
        .scan(&mut text.as_bytes(), &ScanPlace::new("a.py"))
        .unwrap()
        .findings
}

fn is_known(value: &str, text: &str) -> bool {
    scan(value, text)
        .iter()
        .any(|finding| finding.known_key.as_deref() == Some("prod/one"))
}

#[test]
fn a_value_that_no_shape_gives_away_is_found() {
    let found = scan("plainword", "a = plainword");
    assert_eq!(
        (
            found[0].rule.as_str(),
            found[0].known_key.as_deref(),
            found[0].known_version,
            found[0].column
        ),
        ("known-key", Some("prod/one"), Some(3), 5)
    );
    assert_eq!(found[0].excerpt, "…");
    assert!(!is_known("plainword", "a = plainwords"));
}

#[test]
fn it_is_found_wherever_and_however_it_is_written() {
    let value = "s3cr3t-Val/ue+x==";
    let basic = BASE64.encode(format!("user:{value}").as_bytes());
    for text in [
        value.to_owned(),
        format!("A={value}"),
        format!("https://host/path?key={value}&x=1"),
        format!("postgres://user:{value}@host/db"),
        format!("key: '{value}'"),
        format!("x {}", BASE64.encode(value.as_bytes())),
        format!("password: {}", BASE64.encode(format!("{value}\n").as_bytes())),
        format!("\"{}\"", BASE64URL_NOPAD.encode(value.as_bytes())),
        "k=s3cr3t-Val%2Fue%2Bx%3D%3D".to_owned(),
        format!("Authorization: Basic {basic}"),
    ] {
        assert!(is_known(value, &text), "{text}");
    }
}

#[test]
fn a_value_with_blanks_is_found_in_quotes() {
    assert!(is_known("correct horse; battery", "p = \"correct horse; battery\""));
}

#[test]
fn a_finding_of_a_shape_says_which_key_it_is_and_cannot_be_excused() {
    let leak = leak();
    let found = scan(&leak, &format!("x = '{leak}' # ibyok:allow it is only a test"));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].rule.as_str(), found[0].known_key.as_deref()),
        ("openrouter-key", Some("prod/one"))
    );
    assert!(found[0].note.as_ref().unwrap().contains("key of the vault"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_value_of_one_word_is_found_quoted_and_encoded(value in "[!-~&&[^\"'`,;()<>\\[\\]{}|\\\\%]]{8,60}", before in "[a-z =]{0,9}") {
        let quoted = format!("{before}\"{value}\"\n");
        prop_assert!(is_known(&value, &quoted));
        let encoded = format!("{before}\"{}\"\n", BASE64.encode(value.as_bytes()));
        prop_assert!(is_known(&value, &encoded));
        let escaped: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let escaped = format!("{before}\"{escaped}\"\n");
        prop_assert!(is_known(&value, &escaped));
    }
}
