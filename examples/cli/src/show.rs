//! What may be shown on a terminal: text from outside cannot move the cursor, recolour, or reorder what stands beside it.

/// The text with everything that a terminal would act on, and what is invisible or reorders, written as an escape.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

/// As [`clean`], but with the line breaks of a message left in place.
#[must_use]
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn harmless(c: char) -> bool {
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
    fn escape_sequences_and_reordering_are_made_visible() {
        assert_eq!(clean("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(clean("x\u{202e}y\r\n"), "x\\u{202e}y\\u{d}\\u{a}");
        assert_eq!(clean("Grüße, 東京"), "Grüße, 東京");
        assert_eq!(clean_lines("a\nb\tc"), "a\nb\\u{9}c");
    }

    proptest! {
        #[test]
        fn no_control_character_is_ever_left(text in ".*") {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
