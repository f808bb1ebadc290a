//! Passwords in addresses (`postgres://app:…@db/app`), and those that are given to `curl -u`.

use std::ops::Range;

use memchr::memmem;

use super::passwords::is_password_of;
use super::{By, Hit};
use crate::stream::Window;

/// The number of bytes of an address, and of a command, to check.
const ADDRESS_MAX: usize = 300;
const COMMAND_MAX: usize = 1000;

/// The longest user and scheme.
const USER_MAX: usize = 80;
const SCHEME_MAX: usize = 24;

/// Every password of an address or of an argument of `curl` that begins in the window.
pub(crate) fn passwords(window: &Window<'_>, hits: &mut Vec<Hit>) {
    let own = window.get(window.own.clone());
    for found in memmem::find_iter(own, b"://") {
        hits.extend(in_address(window, window.own.start + found));
    }
    for found in memmem::find_iter(own, b"curl") {
        in_command(window, window.own.start + found, hits);
    }
}

fn hit(span: Range<usize>) -> Hit {
    Hit {
        span,
        name: None,
        prefix: 0,
        by: By::Password,
    }
}

/// The password of the address whose `://` is at a place.
fn in_address(window: &Window<'_>, at: usize) -> Option<Hit> {
    let start = at + 3;
    let text = window.get(start..start + ADDRESS_MAX);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\');
    let text = text.get(..text.iter().position(ends).unwrap_or(text.len()))?;
    let colon = text.iter().take(USER_MAX).position(|byte| !is_of_user(*byte))?;
    if text.get(colon) != Some(&b':') {
        return None;
    }
    let end = end_of_password(text, colon + 1)?;
    let (user, password) = (text.get(..colon)?, text.get(colon + 1..end)?);
    let of_database = !scheme(window, at).starts_with(b"http");
    let slash = memchr::memchr(b'/', password).is_some();
    if is_port(password) || slash && !of_database {
        return None;
    }
    let decoded = decoded(password)?;
    is_password_of(user, &decoded).then(|| hit(start + colon + 1..start + end))
}

/// Returns the end of the password: the last `@` that a host follows.
fn end_of_password(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    // A password may hold `@`, `/` and `#` although it should not; what follows a host may hold an `@` too.
    let path = rest
        .iter()
        .position(|byte| *byte == b'@')
        .and_then(|first| Some(first + memchr::memchr2(b'/', b'?', rest.get(first..)?)?));
    let within = rest.get(..path.unwrap_or(rest.len()))?;
    let at = memchr::memrchr(b'@', within)?;
    let host = within.get(at + 1..)?;
    let of_host = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'.' | b'-' | b'_' | b':' | b'[' | b']' | b',' | b'(' | b')' | b'$' | b'{' | b'}' | b'%'
            )
    };
    let is_host = host.iter().take_while(|byte| of_host(byte)).count() > 0;
    is_host.then_some(from + at)
}

fn is_of_user(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'_' | b'-' | b'.' | b'+' | b'%' | b'~' | b'!' | b'$' | b'&' | b'='
        )
}

/// Returns true if the text after the colon is a port, so that the `@` is in a path.
fn is_port(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=5).contains(&digits) && matches!(text.get(digits), None | Some(b'/' | b'?' | b'#'))
}

/// The letters before `://`.
fn scheme<'w>(window: &'w Window<'_>, at: usize) -> &'w [u8] {
    let before = window.get(at.saturating_sub(SCHEME_MAX)..at);
    let of_scheme = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let length = before.iter().rev().take_while(of_scheme).count();
    before.get(before.len() - length..).unwrap_or_default()
}

/// Decodes `%40` and the like; `None` for a placeholder that is filled in later (`%s`).
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (hex, tail) = after.split_first_chunk::<2>()?;
            decoded.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()?);
            rest = tail;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    Some(decoded)
}

/// The passwords that the `curl` at a place is given.
fn in_command(window: &Window<'_>, at: usize, hits: &mut Vec<Hit>) {
    let text = window.get(at..at + COMMAND_MAX);
    let mut ends = memchr::memchr_iter(b'\n', text);
    let end = ends.find(|end| !text.get(..*end).unwrap_or_default().trim_ascii_end().ends_with(b"\\"));
    let text = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    for option in [b"-u".as_slice(), b"--user", b"-U", b"--proxy-user"] {
        for found in memmem::find_iter(text, option) {
            let begins = found > 0
                && text
                    .get(found - 1)
                    .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
            if begins {
                hits.extend(
                    argument(text, found + option.len(), option.len() == 2)
                        .map(|span| hit(at + span.start..at + span.end)),
                );
            }
        }
    }
}

/// The password in the argument `user:password` that follows an option.
fn argument(text: &[u8], at: usize, short: bool) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    // A short option may have its argument right behind it; in a list of arguments a quote, a comma and a quote stand between.
    let between = |byte: &&u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'"' | b'\'' | b',' | b'\\');
    let blanks = rest.iter().take(8).take_while(between).count();
    if blanks == 0 && !short {
        return None;
    }
    let start = at + blanks;
    let rest = text.get(start..)?;
    let quote = blanks
        .checked_sub(1)
        .and_then(|last| text.get(at + last))
        .filter(|byte| matches!(byte, b'"' | b'\''));
    let ends = |byte: &u8| {
        quote.map_or_else(
            || byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''),
            |quote| byte == quote,
        )
    };
    let whole = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
    let colon = memchr::memchr(b':', whole)?;
    let (user, password) = (whole.get(..colon)?, whole.get(colon + 1..)?);
    is_password_of(user, password).then_some(start + colon + 1..start + whole.len())
}
