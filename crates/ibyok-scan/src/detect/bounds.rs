//! Finds the beginning and the end of keys in a text.

use std::ops::Range;

/// Returns true if a word begins at a place: after a character that is no part of a word, after an escape (` `,
/// `%3D`), or after the `bot` of Telegram's addresses.
pub(super) fn begins_word(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(4)..at).unwrap_or_default();
    match before {
        [] => true,
        [.., last] if !(last.is_ascii_alphanumeric() || *last == b'_') => true,
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., b'/', b'b', b'o', b't'] => true,
        _ => false,
    }
}

pub(super) fn in_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/' | b'~' | b'=' | b'+')
}

pub(super) fn run(text: &[u8]) -> usize {
    text.iter().position(|byte| !in_run(*byte)).unwrap_or(text.len())
}

/// Returns true if the text is the host of an address, which has dots and dashes as some keys have: it follows `//`,
/// and is no user before `@`.
pub(super) fn is_host(text: &[u8], span: Range<usize>) -> bool {
    let before = text.get(..span.start).unwrap_or_default();
    let value = text.get(span.clone()).unwrap_or_default();
    before.ends_with(b"//") && value.contains(&b'.') && text.get(span.end) != Some(&b'@')
}
