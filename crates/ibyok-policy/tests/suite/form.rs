use ibyok_policy::{
    Environments, Error, Grant, Malformed, RealmScope, Request, Restriction, Scope, Scopes, Token, TokenId, decide,
    mint,
};
use proptest::prelude::*;
use proptest::{collection, sample};
use secrecy::SecretBox;

use crate::raw::{self, Raw};
use crate::world::{self, instant, keys_restriction, narrowed, raw_with, text, token_key};

/// Numbers and bytes, in this order.
type Attributes<'a> = &'a [(u8, &'a [u8])];

proptest! {
    #[test]
    fn what_is_printed_parses_as_the_same(restrictions in collection::vec(world::restriction(), 0..5)) {
        let token = narrowed(&restrictions);
        let printed = text(&token);
        let parsed = Token::parse(&printed).unwrap();
        prop_assert_eq!(parsed.id(), token.id());
        prop_assert_eq!(parsed.epoch(), token.epoch());
        prop_assert!(parsed.restrictions().eq(token.restrictions()));
        prop_assert_eq!(text(&parsed), printed);
    }

    #[test]
    fn a_second_implementation_makes_the_same_text(
        key in any::<[u8; 32]>(), tag in "[0-9A-Za-z]{8}", bytes in any::<[u8; 16]>(), epoch in any::<u32>(),
    ) {
        let id = TokenId::new(tag.as_bytes().try_into().unwrap(), bytes).unwrap();
        let token = mint(&SecretBox::new(Box::new(key)), id, epoch);
        prop_assert_eq!(text(&token), Raw::new(&key, &tag, bytes, epoch, &[]).text());
    }

    #[test]
    fn a_changed_character_is_refused_even_with_the_checksum_repaired(
        restrictions in collection::vec(world::restriction(), 0..3),
        place in any::<sample::Index>(), new in "[0-9A-Za-z]",
    ) {
        let right = text(&narrowed(&restrictions));
        let place = place.index(right.len());
        let mut wrong = right.clone();
        wrong.replace_range(place..=place, &new);
        prop_assume!(wrong != right);
        prop_assert!(Token::parse(&wrong).is_err(), "the checksum sees it");
        if wrong.starts_with(Token::PREFIX)
            && let Ok(token) = Token::parse(&raw::repaired(&wrong))
            && place < right.len() - 6
        {
            prop_assert!(token.verify(&token_key()).is_err());
        }
    }

    #[test]
    fn there_is_one_text_for_a_token(
        restrictions in collection::vec(world::restriction(), 0..3),
        cut in any::<sample::Index>(), removed in 0_usize..4, put in "[0-9A-Za-z]{0,4}",
    ) {
        let right = text(&narrowed(&restrictions));
        let start = 6 + cut.index(right.len() - 12);
        let end = (start + removed).min(right.len() - 6);
        let mut other = right;
        other.replace_range(start..end, &put);
        let other = raw::repaired(&other);
        if let Ok(parsed) = Token::parse(&other) {
            prop_assert_eq!(text(&parsed), other);
        }
    }

    #[test]
    fn random_attributes_parse_only_if_they_print_as_themselves(
        payload in collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..24),
    ) {
        let raw = raw_with(&[raw::entry(1, &payload)]).text();
        if let Ok(parsed) = Token::parse(&raw) {
            prop_assert_eq!(text(&parsed), raw);
            let restriction = parsed.restrictions().next().unwrap().clone();
            if restriction.is_understood() {
                // Written again, it is the same bytes.
                prop_assert_eq!(text(&narrowed(&[restriction])), text(&parsed));
            }
        }
    }

    #[test]
    fn text_that_is_no_token_is_an_error_and_never_a_panic(
        text in prop_oneof![any::<String>(), "ibyok_[0-9A-Za-z]{28,32}_.{0,80}"],
    ) {
        prop_assert!(Token::parse(&text).is_err());
    }
}

#[test]
fn every_single_change_of_a_character_is_refused() {
    let right = text(&narrowed(&[keys_restriction(&["open*"])]));
    for place in 0..right.len() {
        for new in "09AZaz_-. \0".chars() {
            let mut wrong = right.clone();
            wrong.replace_range(place..=place, new.encode_utf8(&mut [0; 4]));
            assert!(wrong == right || Token::parse(&wrong).is_err(), "{place} {new:?}");
        }
    }
}

#[test]
fn a_cut_token_is_refused_at_every_length() {
    let right = text(&narrowed(&[keys_restriction(&["open*"])]));
    for len in 0..right.len() {
        assert!(Token::parse(&right[..len]).is_err());
        assert!(Token::parse(&right[right.len() - len..]).is_err());
    }
    assert!(Token::parse(&format!("{right}0")).is_err());
    assert!(Token::parse(&format!("{right}\n")).is_err());
    assert!(Token::parse(&format!(" {right}")).is_err());
}

#[test]
fn case_matters() {
    let right = text(&narrowed(&[]));
    assert_eq!(Token::parse(&right.to_lowercase()).err(), Some(Malformed::Checksum));
    assert_eq!(Token::parse(&right.to_uppercase()).err(), Some(Malformed::Prefix));
}

#[test]
fn a_megabyte_is_refused_unread() {
    let long = format!("ibyok_{}", "a".repeat(1 << 20));
    for _ in 0..100_000 {
        assert_eq!(Token::parse(&long).err(), Some(Malformed::TooLong));
    }
}

#[test]
fn each_fault_of_a_text_has_its_name() {
    let right = text(&narrowed(&[]));
    let faults = [
        (String::new(), Malformed::Prefix),
        ("ibyok".to_owned(), Malformed::Prefix),
        ("ibyok_".to_owned(), Malformed::Characters),
        (right.replacen('_', "-", 1), Malformed::Prefix),
        (
            format!("ibyok_{}", right[6..].replacen('_', "0", 1)),
            Malformed::Characters,
        ),
        (right.replacen('7', "é", 1), Malformed::Characters),
        (right[..right.len() - 1].to_owned(), Malformed::Checksum),
        (
            Raw {
                version: 2,
                ..raw_with(&[])
            }
            .text(),
            Malformed::Version,
        ),
        (
            Raw {
                version: 0,
                ..raw_with(&[])
            }
            .text(),
            Malformed::Version,
        ),
        (
            Raw {
                after: vec![0],
                ..raw_with(&[])
            }
            .text(),
            Malformed::Form,
        ),
        (
            Raw {
                count: 1,
                ..raw_with(&[])
            }
            .text(),
            Malformed::Form,
        ),
        (
            raw::with_checksum(&format!("ibyok_{}_", &right[6..36])),
            Malformed::Form,
        ),
        ("a".repeat(Token::MAX_LEN + 1), Malformed::TooLong),
    ];
    for (text, fault) in faults {
        assert_eq!(Token::parse(&text).err(), Some(fault), "{text}");
    }
}

#[test]
fn a_restriction_has_one_encoding() {
    let time = |second: i64, nanosecond: u32| [&second.to_be_bytes()[..], &nanosecond.to_be_bytes()].concat();
    let right: [Attributes<'_>; 5] = [
        &[(1, &[1, 2])],
        &[(1, &[]), (2, b"\x03dev\x04prod"), (3, b"\x01*\x01a")],
        &[(4, &time(0, 0)), (5, &time(-1, 999_999_999))],
        &[(6, &[4, 8, 10, 0, 0, 0])],
        &[(6, &[4, 8, 10, 0, 0, 0, 4, 8, 11, 0, 0, 0])],
    ];
    for attributes in right {
        let token = Token::parse(&raw_with(&[raw::restriction(attributes)]).text()).unwrap();
        assert!(token.restrictions().all(Restriction::is_understood));
    }
    let mapped = [&[6, 104][..], &[0; 10], &[255, 255, 10, 0, 0, 0]].concat();
    let wrong: [(&str, Attributes<'_>); 20] = [
        ("no attribute", &[]),
        ("attributes out of order", &[(2, b"\x03dev"), (1, &[1])]),
        ("an attribute twice", &[(1, &[1]), (1, &[1])]),
        ("scopes out of order", &[(1, &[2, 1])]),
        ("a scope twice", &[(1, &[1, 1])]),
        ("environments out of order", &[(2, b"\x04prod\x03dev")]),
        ("an environment twice", &[(2, b"\x03dev\x03dev")]),
        ("an environment that cannot be", &[(2, b"\x03Dev")]),
        ("an environment without a name", &[(2, b"\x00")]),
        ("an environment cut short", &[(2, b"\x04dev")]),
        ("patterns out of order", &[(3, b"\x01a\x01*")]),
        ("a pattern that cannot be", &[(3, b"\x03[a]")]),
        ("a pattern that is not UTF-8", &[(3, b"\x01\xff")]),
        ("a time of 11 bytes", &[(4, &[0; 11])]),
        (
            "a second of more than 999,999,999 nanoseconds",
            &[(5, &time(0, 1_000_000_000))],
        ),
        ("a time after the year 9999", &[(5, &time(i64::MAX, 0))]),
        ("a network with host bits", &[(6, &[4, 8, 10, 0, 0, 1])]),
        ("a prefix longer than the address", &[(6, &[4, 33, 10, 0, 0, 1])]),
        ("a family that is none", &[(6, &[5, 8, 10, 0, 0, 0])]),
        ("IPv4 written as IPv6", &[(6, &mapped)]),
    ];
    for (fault, attributes) in wrong {
        let parsed = Token::parse(&raw_with(&[raw::restriction(attributes)]).text());
        assert_eq!(parsed.err(), Some(Malformed::Form), "{fault}");
    }
}

#[test]
fn what_is_not_understood_parses_and_verifies_and_then_denies() {
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let unknown = [
        ("an entry of another type", raw::entry(2, b"anything")),
        ("an entry of type 0", raw::entry(0, b"")),
        ("an attribute of another number", raw::restriction(&[(8, b"weekdays")])),
        ("an attribute of number 0", raw::restriction(&[(0, b"")])),
        ("a scope of another number", raw::restriction(&[(1, &[1, 13])])),
    ];
    for (what, entry) in unknown {
        let text = raw_with(&[entry]).text();
        let token = Token::parse(&text).expect(what);
        let verified = token.verify(&token_key()).expect(what);
        assert!(!verified.restrictions()[0].is_understood(), "{what}");
        let asked = Request {
            scope: Scope::KeysRead,
            namespace: "default",
            environment: Some("dev"),
            key: Some("openai"),
            pending: true,
            source: None,
            at: instant(0),
        };
        let realm = RealmScope {
            namespace: "default",
            environment: None,
        };
        assert!(
            !decide(&realm, &grant, verified.restrictions(), &asked).is_allow(),
            "{what}"
        );

        // It can still be narrowed and handed on.
        let narrower = token.attenuate(&keys_restriction(&["a"])).expect(what);
        assert_eq!(narrower.verify(&token_key()).expect(what).restrictions().len(), 2);
        let copied = verified.restrictions()[0].clone();
        assert_eq!(
            token.attenuate(&copied).err(),
            Some(Error::RestrictionUnknown),
            "{what}"
        );
    }
}
