use ibyok_policy::{Error, Malformed, Restriction, Token, TokenId, Unauthenticated};

use crate::raw;
use crate::world::{keys_restriction, narrowed, networks, raw_with, text, token_key};

#[test]
fn a_ninth_restriction_is_refused() {
    let mut token = narrowed(&[]);
    for _ in 0..8 {
        token = token.attenuate(&keys_restriction(&["a*"])).unwrap();
    }
    assert!(Token::parse(&text(&token)).is_ok());
    assert_eq!(
        token.attenuate(&keys_restriction(&["a*"])).err(),
        Some(Error::TooManyRestrictions)
    );
    let nine = vec![raw::restriction(&[(3, b"\x01a")]); 9];
    assert_eq!(Token::parse(&raw_with(&nine).text()).err(), Some(Malformed::Form));
}

#[test]
fn restrictions_take_at_most_512_bytes() {
    // An entry of 3 bytes, an attribute of 3, and three patterns of 1 + 128 bytes: 393. Then 119 are left.
    let pattern = |len: usize, first: char| format!("{first}{}", "a".repeat(len - 1));
    let big = ["x", "y", "z"].map(|first| pattern(128, first.chars().next().unwrap()));
    let token = narrowed(&[keys_restriction(&big.each_ref().map(String::as_str))]);
    assert_eq!(token.restrictions().len(), 1);
    let full = token.attenuate(&keys_restriction(&[&pattern(112, 'a')])).unwrap();
    assert_eq!(
        token.attenuate(&keys_restriction(&[&pattern(113, 'a')])).err(),
        Some(Error::RestrictionsTooLong { bytes: 513 })
    );
    let printed = text(&full);
    assert!(printed.len() <= Token::MAX_LEN);
    assert!(Token::parse(&printed).is_ok());

    let entry = |len: usize| raw::entry(9, &vec![0; len - 3]);
    assert!(Token::parse(&raw_with(&[entry(512)]).text()).is_ok());
    assert_eq!(raw_with(&[entry(512)]).text().len(), 800, "the longest token there is");
    assert!(Token::parse(&raw_with(&[entry(513)]).text()).is_err());
    assert!(Token::parse(&raw_with(&[entry(256), entry(257)]).text()).is_err());
}

#[test]
fn a_restriction_that_says_nothing_or_cannot_be_said_is_refused() {
    let token = narrowed(&[]);
    assert_eq!(
        token.attenuate(&Restriction::default()).err(),
        Some(Error::RestrictionEmpty)
    );
    for name in ["", "Prod", "a/b", "-a", "\u{0}", &"a".repeat(64)] {
        let mut restriction = Restriction::default();
        restriction.environments = Some([name.to_owned()].into());
        assert_eq!(
            token.attenuate(&restriction).err(),
            Some(Error::EnvironmentName(name.to_owned()))
        );
    }
    let huge: Vec<String> = (0..2000).map(|n| format!("{n:0>40}")).collect();
    let huge: Vec<&str> = huge.iter().map(String::as_str).collect();
    assert!(matches!(
        token.attenuate(&keys_restriction(&huge)),
        Err(Error::RestrictionsTooLong { .. })
    ));
}

#[test]
fn the_same_restriction_said_differently_is_the_same_token() {
    let said = |key_texts: &[&str], nets: &[&str]| {
        let mut restriction = keys_restriction(key_texts);
        restriction.networks = Some(networks(nets));
        text(&narrowed(&[restriction]))
    };
    assert_eq!(
        said(&["a", "b"], &["10.0.0.0/8", "::/0"]),
        said(&["b", "a", "b"], &["::1/0", "::ffff:10.1.2.3/104", "10.0.0.0/8"])
    );
}

#[test]
fn debug_shows_no_secret() {
    let token = narrowed(&[keys_restriction(&["open*"])]);
    assert_eq!(
        format!("{token:?}"),
        "Token { id: TokenId(Ab3dEf9h0DG9mkOv2l6AkSp3WsPxY7), epoch: 3, restrictions: 1, .. }"
    );
    assert!(!format!("{:?}", token.expose()).contains(Token::PREFIX));
    let printed = text(&token);
    let verified = format!("{:?}", token.verify(&token_key()).unwrap());
    let body = &printed[37..];
    for window in body.as_bytes().windows(8) {
        assert!(!verified.contains(std::str::from_utf8(window).unwrap()));
    }
    for fault in [Malformed::Checksum.to_string(), Unauthenticated.to_string()] {
        assert!(!fault.contains(&printed[37..45]));
    }
    let misplaced = printed.parse::<TokenId>().unwrap_err().to_string();
    assert!(
        !misplaced.contains(&printed[6..14]),
        "a token given as an id is not repeated"
    );
}
