//! Text from files that may be shown: on a terminal, in a log, in a report.

/// Returns the bytes as text in which nothing moves a cursor, recolours, reorders or hides. Control and invisible
/// characters are written as `\u{…}`, bytes that are not UTF-8 as `\x…`, and a backslash stays one.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_harmless(c) {
                shown.push(c);
            } else {
                shown.extend(c.escape_unicode());
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

fn is_harmless(c: char) -> bool {
    let bidirectional =
        matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    let invisible =
        matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{00ad}' | '\u{e0000}'..='\u{e007f}');
    !(c.is_control() || bidirectional || breaks || invisible)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        assert_eq!(printable(b"a\x1b[31m\xff\nb"), "a\\u{1b}[31m\\xff\\u{a}b");
        assert_eq!(printable("x\u{202e}y Grüße".as_bytes()), "x\\u{202e}y Grüße");
    }

    proptest! {
        #[test]
        fn no_control_character_is_ever_left(bytes: Vec<u8>) {
            prop_assert!(!printable(&bytes).chars().any(char::is_control));
        }
    }
}
