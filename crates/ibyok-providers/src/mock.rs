//! Mocks: replacements for keys that nobody can mistake for real ones.

use crate::{catalogue::Catalogue, provider::Provider};

/// The prefix of a mock of no particular provider.
pub(crate) const GENERIC_PREFIX: &str = "mock-key-";

/// The number of characters after the prefix.
pub(crate) const BODY_LEN: usize = 32;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A mock of a key of `provider` (or of none in particular): its [prefix](Provider::mock_prefix) and 32 characters of
/// base62.
///
/// The same provider and seed give the same mock. The seed can be read back from it in part: derive it for this
/// purpose alone, and never from a value. A mock always holds the word `mock`, fits no shape that is recognised, and
/// is known to [`is_mock`].
pub fn mock(provider: Option<&Provider>, seed: &[u8; 32]) -> String {
    let prefix = provider.map_or(GENERIC_PREFIX, Provider::mock_prefix);
    let body = seed
        .iter()
        .filter_map(|byte| BASE62.get(usize::from(*byte) % BASE62.len()))
        .map(|c| char::from(*c));
    prefix.chars().chain(body).collect()
}

/// Returns true if `value` is a mock of the built-in catalogue: [`Catalogue::is_mock`] of [`Catalogue::builtin`].
pub fn is_mock(value: &[u8]) -> bool {
    Catalogue::builtin().is_mock(value)
}

/// Returns true if `value`, but for white space around it, begins with `prefix`.
pub(crate) fn has_prefix(value: &[u8], prefix: &str) -> bool {
    !prefix.is_empty() && value.trim_ascii().starts_with(prefix.as_bytes())
}

/// Returns true if `value` has the form of every mock, for any provider: a prefix with the word `mock`, then the
/// body. So mocks of a catalogue that this program does not have, or of an older one, are known too.
pub(crate) fn has_form(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let Some((prefix, body)) = value
        .len()
        .checked_sub(BODY_LEN)
        .and_then(|at| value.split_at_checked(at))
    else {
        return false;
    };
    prefix.len() <= MAX_PREFIX_LEN && is_prefix(prefix) && body.iter().all(u8::is_ascii_alphanumeric)
}

/// The most characters that a mock's prefix has.
pub(crate) const MAX_PREFIX_LEN: usize = 64;

/// Returns true if `prefix` may begin mocks: printable ASCII without blanks, one part of which ends in `mock`, and a
/// separator (`-`, `_` or `.`) at the end.
pub(crate) fn is_prefix(prefix: &[u8]) -> bool {
    let separates = |byte: &u8| matches!(byte, b'-' | b'_' | b'.');
    let Some((last, parts)) = prefix.split_last() else {
        return false;
    };
    let mut parts = parts.split(separates);
    let says_mock = parts.any(|part| part.to_ascii_lowercase().ends_with(b"mock"));
    separates(last) && says_mock && prefix.iter().all(u8::is_ascii_graphic)
}
