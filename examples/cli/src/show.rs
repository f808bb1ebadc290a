//! Makes text from outside safe to show on a terminal: it cannot move the cursor, recolour, or reorder the text next
//! to it.

/// Returns the text with escapes for everything that a terminal would act on, and for characters that are invisible
/// or reorder: as a scan shows the text of files.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    ibyok_scan::printable(text.as_bytes())
}

/// As [`clean`], but with the line breaks of a message left in place.
#[must_use]
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
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
