//! The functions that fuzzing calls with any bytes. They run as property tests as well, so that each is tried at every build.

use secrecy::{ExposeSecret, SecretBox};

use crate::{Pattern, Token};

/// Any text as an access token: one that parses has exactly this one form, and no key made it.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = Token::parse(text) else { return };
    assert!(token.expose().expose_secret() == text, "a token with two forms");
    let key = SecretBox::new(Box::new([0x5a; 32]));
    assert!(token.verify(&key).is_err(), "a token that nobody minted");
    for restriction in token.restrictions() {
        // What cannot be added says so, and what can makes another token of the one form.
        if let Ok(narrower) = token.attenuate(restriction) {
            let text = narrower.expose();
            assert!(
                Token::parse(text.expose_secret()).is_ok(),
                "a token that is not read again"
            );
        }
    }
}

/// Any two lines as patterns and a third as a name: a pattern that includes another matches every name that the other matches.
pub fn pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (Ok(wide), Ok(narrow), name) = (next().parse::<Pattern>(), next().parse::<Pattern>(), next()) else {
        return;
    };
    assert!(
        wide.to_string().parse::<Pattern>().as_ref() == Ok(&wide),
        "a pattern with two forms"
    );
    if wide.includes(&narrow) && narrow.matches(name) {
        assert!(wide.matches(name), "{wide} includes {narrow} and does not match {name}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{TokenId, mint};

    fn minted() -> String {
        let key = SecretBox::new(Box::new([7; 32]));
        let id = TokenId::new(*b"abcdefgh", [3; 16]).unwrap();
        mint(&key, id, 1).expose().expose_secret().clone()
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_token_or_an_error(data in prop::collection::vec(any::<u8>(), 0..300)) {
            token(&data);
        }

        #[test]
        fn a_token_with_changed_bytes_is_read_or_refused(at in 0usize..200, byte: u8, cut in 0usize..200) {
            let mut data = minted().into_bytes();
            let length = data.len();
            data[at % length] = byte;
            token(&data);
            token(&data[..cut.min(length)]);
        }

        #[test]
        fn patterns_that_include_others_match_what_those_match(data in "[ab*?]{0,6}\n[ab*?]{0,6}\n[ab]{0,8}") {
            pattern(data.as_bytes());
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(data in ".{0,200}") {
            pattern(data.as_bytes());
        }
    }
}
