//! The words of messages: causes told once, lists cut to a length, input quoted without secrets.

use std::error::Error as StdError;

use super::Part;
use super::convert::{MissingKek, OtherHome};
use crate::base::secret_text::{looks_like_a_token, without_secrets};

/// The message for a KEK that does not open. A KEK that is missing for one environment closes no other.
pub(super) fn of_kek(source: &(dyn StdError + Send + Sync + 'static)) -> String {
    match source.is::<MissingKek>() || source.is::<OtherHome>() {
        true => source.to_string(),
        false => format!("the KEK does not open this vault: {}", told(source)),
    }
}

/// The reason why a part is unavailable. The part's own message may begin with the words of this one.
pub(super) fn reason_of(part: Part, source: &(dyn StdError + Send + Sync + 'static)) -> String {
    let told = told(source);
    match told.strip_prefix(&format!("the {part} is unavailable: ")) {
        Some(reason) => reason.to_owned(),
        None => told,
    }
}

/// An error and its causes in one line, each named once: a message may include its cause already.
fn told(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.ends_with(&why) {
            text.push_str(": ");
            text.push_str(&why);
        }
        cause = error.source();
    }
    text
}

/// The number of those that need something which a message names.
const NAMED: usize = 20;

/// Lists those that need something. Names `NAMED` of them at most, and counts the rest.
pub(super) fn needed_by(by: &[String]) -> String {
    let named: Vec<&str> = by.iter().take(NAMED).map(String::as_str).collect();
    match by.len().saturating_sub(NAMED) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

/// Quotes input for a message: in backticks, cut to a length that a person reads, with control characters made visible.
///
/// The quotation does not show an access token or a provider's key that somebody gave in the wrong place.
#[must_use]
pub fn quoted(text: &str) -> String {
    if looks_like_a_token(text) {
        return "`ibyok_…`".to_owned();
    }
    let text = &*without_secrets(text);
    let shown: String = text.chars().take(64).flat_map(char::escape_default).collect();
    // A backtick of the input must not end the quotation.
    let shown = shown.replace('`', "\\u{60}");
    let more = if text.chars().nth(64).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::super::Error;
    use super::*;

    #[test]
    fn input_is_shown_short_and_without_control_characters() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert!(quoted(&"x".repeat(1_000_000)).len() < 80);
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_shown() {
        assert_eq!(quoted("prod/ibyok_24bEqhjG3hVKitVJk3G3iWdMQ9mw4h_05"), "`ibyok_…`");
        assert_eq!(quoted("IBYOK_24BEQHJG3HVKITVJK3G3"), "`ibyok_…`");
        assert_eq!(quoted("IBYOK_URL"), "`IBYOK_URL`");
        assert_eq!(quoted("a`b"), "`a\\u{60}b`");
    }

    #[test]
    fn a_message_says_once_which_part_is_unavailable() {
        let error = Error::unavailable(Part::AuditLog, "the audit log is unavailable: the sink `x` fails");
        assert_eq!(error.to_string(), "the audit log is unavailable: the sink `x` fails");
        let error = Error::unavailable(Part::Store, "no answer");
        assert_eq!(error.to_string(), "the store is unavailable: no answer");
    }
}
