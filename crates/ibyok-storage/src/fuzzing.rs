//! The functions that fuzzing calls with any bytes. They run as property tests as well, so that each is tried at every build.

use crate::url::parse;

/// Any text as a store's URL: it names a store or is refused, and a refusal repeats no part that may be a password.
pub fn store_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Err(error) = parse(text) else { return };
    let said = format!("{error} {error:?} {}", error.hint());
    for secret in secrets(text) {
        assert!(!said.contains(secret), "a refusal repeats a part of the URL");
    }
}

/// The parts of a text that would be a password in a URL, if they are long enough to differ from our own words.
fn secrets(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split([':', '@', '/', '?', '=', '&', '#']);
    parts.filter(|part| part.len() >= 8 && part.bytes().any(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_store_or_an_error(data in ".{0,200}") {
            store_url(data.as_bytes());
        }

        #[test]
        fn no_refusal_repeats_a_password(
            scheme in "(postgres|postgresql|redis|rediss|file|memory|mysql|x)?",
            rest in "(://|:|//)?[a-z0-9]{0,4}(:[a-z0-9]{8,12}[0-9])?@?[a-z0-9.:]{0,12}(/[a-z0-9]{0,9})?([?&][a-z_]{1,12}=[a-z0-9]{0,12}[0-9]?)*(#[a-z0-9]*)?",
        ) {
            store_url(format!("{scheme}{rest}").as_bytes());
        }
    }
}
