//! Texts of people on the record: reasons, notes, causes. They are kept for good, so no secret may be in one.

use ibyok_policy::Token;
use ibyok_providers::Catalogue;

use crate::base::error::{Error, Result};

/// The longest reason, cause or prevention, in bytes.
pub const ACCOUNT_MAX: usize = 4096;

/// The shortest word that is a secret by its looks.
const RANDOM_MIN: usize = 40;

/// Checks a reason, note or cause: 1 to [`ACCOUNT_MAX`] bytes, without control characters other than line ends, and
/// without a text that looks like a key of a provider or is an access token.
pub(crate) fn check_account(what: &str, text: &str) -> Result<()> {
    let fine = text.chars().all(|c| c == '\n' || !c.is_control());
    if text.trim().is_empty() || text.len() > ACCOUNT_MAX || !fine {
        return Err(Error::invalid(
            format!("the {what} is empty, longer than {ACCOUNT_MAX} bytes, or holds control characters"),
            format!("write the {what} as one sentence"),
        ));
    }
    check_no_secret(what, text)
}

/// Checks that nothing in a text looks like a key of a provider or is an access token.
pub(crate) fn check_no_secret(what: &str, text: &str) -> Result<()> {
    let catalogue = Catalogue::builtin();
    let secret = |word: &str| {
        let known = catalogue.recognise(word.as_bytes()).is_some() && !catalogue.is_mock(word.as_bytes());
        known || looks_random(word) || Token::parse(word).is_ok()
    };
    if words(text).any(secret) {
        return Err(holds_secret(what));
    }
    Ok(())
}

pub(crate) fn holds_secret(what: &str) -> Error {
    Error::invalid(
        format!("the {what} contains a secret, and the vault keeps it permanently"),
        "name the place of the secret, without its value",
    )
}

/// True if a word is longer than any id of ours and made as keys are: of small and capital letters and digits. Hashes
/// in hexadecimal digits and addresses of pages are not.
fn looks_random(word: &str) -> bool {
    let mut bytes = word.bytes();
    let has = |of: fn(&u8) -> bool| word.as_bytes().iter().any(of);
    word.len() >= RANDOM_MIN
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}

/// Returns every part of a text that may be a value: each word between spaces, and the same without the signs around
/// it and between its parts.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_mark = |c: char| c.is_ascii_punctuation();
    let between = |c: char| {
        matches!(
            c,
            '"' | '\'' | '`' | '=' | ':' | ',' | ';' | '(' | ')' | '<' | '>' | '[' | ']'
        )
    };
    text.split_whitespace().flat_map(move |word| {
        let whole = [word, word.trim_matches(is_mark), word.trim_end_matches(is_mark)];
        whole
            .into_iter()
            .chain(word.split(between))
            .filter(|word| !word.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_an_account_and_a_secret_in_it_is_not() {
        for fine in [
            "pasted into a gist: see https://gist.github.com/x/0123",
            "key ended in …A1b2",
            "sk-ant is the prefix",
            "see 6f0a7a372c5852d29234c21958db03395c3daf35 and Sh3ZHOdw1y8DpithdJ1GOtCSOmIKMp",
        ] {
            assert!(check_account("reason", fine).is_ok(), "{fine}");
        }
        let key = Catalogue::builtin().get("anthropic").and_then(|provider| {
            let shape = provider.shapes().iter().find(|shape| !shape.is_context_only())?;
            Some(shape.example().to_owned())
        });
        let key = key.unwrap();
        for text in [
            key.clone(),
            format!("pasted `{key}` in a gist."),
            format!("KEY={key}, in a log"),
            format!("x \"{key}\""),
        ] {
            let refused = check_account("reason", &text).unwrap_err();
            assert!(!refused.to_string().contains(&key));
        }
        assert!(check_account("note", "sk-proj-VpNwLSYa3GwyJMTB8W81yBtey0T2I9GplA4HLE5s").is_err());
        assert!(check_account("note", "a\u{1b}[31m").is_err());
        assert!(check_account("note", &"x".repeat(ACCOUNT_MAX + 1)).is_err());
    }
}
