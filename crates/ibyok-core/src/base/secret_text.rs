//! Secrets in text that is no secret: in names, in reasons, in the headers of a request.
//!
//! Names are shown and text is logged, so that a key that was pasted into the wrong place would be kept in clear. A provider's key
//! is known by the catalogue's shapes that nothing else has, an access token of ours by its prefix.

use std::borrow::Cow;
use std::ops::Range;

use ibyok_providers::Catalogue;

/// The text that replaces a secret.
const MASK: &str = "[masked]";

/// The prefix of an access token.
const TOKEN: &[u8] = b"ibyok_";

/// The least number of letters and digits after the prefix that make a token.
const TOKEN_MIN: usize = 20;

/// True if a text is or holds something that looks like a provider's key or like an access token of ours.
///
/// ```
/// let key = format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0);
/// assert!(ibyok_core::mask::holds_a_secret(&format!("old {key}")));
/// assert!(!ibyok_core::mask::holds_a_secret("prod/openai"));
/// ```
#[must_use]
pub fn holds_a_secret(text: &str) -> bool {
    next(text.as_bytes()).is_some()
}

/// The text with `[masked]` where it holds something that looks like a provider's key or an access token of ours.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !holds_a_secret(text) {
        return Cow::Borrowed(text);
    }
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(range) = next(rest.as_bytes()) {
        clean.push_str(rest.get(..range.start).unwrap_or_default());
        clean.push_str(MASK);
        // Shapes are of ASCII, so that the rest begins with a whole character.
        rest = rest.get(range.end..).unwrap_or_default();
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// True if a text may be, or hold, an access token, even with the case of its letters changed.
pub(crate) fn looks_like_a_token(text: &str) -> bool {
    token(text.as_bytes()).is_some()
}

fn next(text: &[u8]) -> Option<Range<usize>> {
    let key = Catalogue::builtin().find(text);
    [token(text), key].into_iter().flatten().min_by_key(|range| range.start)
}

/// Finds the first access token: its prefix, and at least twenty of its characters.
fn token(text: &[u8]) -> Option<Range<usize>> {
    // By the last byte of the prefix, which few texts have.
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    let mut places = ends.filter_map(|(end, _)| (end + 1).checked_sub(TOKEN.len()));
    places.find_map(|at| {
        if !text.get(at..at + TOKEN.len())?.eq_ignore_ascii_case(TOKEN) {
            return None;
        }
        let body = text.get(at + TOKEN.len()..)?;
        let letters = body.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        // Restrictions that were appended to it belong to it.
        let all = body
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        (letters >= TOKEN_MIN).then(|| at..at + TOKEN.len() + all.count())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCESS: &str = "ibyok_24bEqhjG3hVKitVJk3G3iWdMQ9mw4h_05K1";

    fn github() -> String {
        format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0)
    }

    #[test]
    fn every_secret_in_a_text_is_masked_and_the_rest_stays() {
        let text = format!("rotated {}, then {ACCESS}; grüße {}", github(), github());
        assert_eq!(
            without_secrets(&text),
            "rotated [masked], then [masked]; grüße [masked]"
        );
        assert_eq!(without_secrets(&ACCESS.to_uppercase()), "[masked]");
        assert_eq!(without_secrets("nothing of the kind"), "nothing of the kind");
    }

    proptest! {
        #[test]
        fn what_was_masked_holds_no_secret(before in ".{0,20}", after in "[ -~é]{0,20}") {
            let text = format!("{before} {} {ACCESS} {after}", github());
            let masked = without_secrets(&text);
            prop_assert!(!masked.contains("EXAMPLE0EXAMPLE0") && !masked.contains("24bEqhj"), "{}", masked);
        }
    }
}
