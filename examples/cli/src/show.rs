//! Makes text from outside safe to show on a terminal.

pub(crate) use ibyok_reports::clean;

/// As [`clean`], but with the line breaks of a message left in place.
#[must_use]
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}
