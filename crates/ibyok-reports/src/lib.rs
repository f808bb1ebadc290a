//! Reports of an IBYOK vault for people: reviews of the audit log, incidents, rotations, tokens and usage, in words and as pages for a
//! browser.
//!
//! ```
//! use ibyok_api::KeyInfo;
//! use ibyok_reports::incident;
//!
//! let plan = incident::plan(Vec::<KeyInfo>::new());
//! assert!(plan.starts_with("# When a key leaks"));
//! ```
//!
//! - [`incident`] writes the report of an incident as text and as a page, describes its steps, and writes a plan for incidents.
//! - [`review`] writes a review of the log as a page, and describes its findings.
//! - [`keys`], [`rotation`], [`tokens`] and [`usage`] describe due tasks, revoked tokens and counts of use; [`event`] describes an entry of the log,
//!   and [`verification`] the result of verifying it.
//! - [`cell`] shows one member of a document.
//!
//! The documents are those of `ibyok-api`, so a report can be of a vault in this process or of a server. The words name the commands of the
//! program `ibyok`.
//!
//! # Safety of the output
//! A page holds no script and loads nothing, and no text in it becomes markup. [`incident::text`] and [`tokens::issue_command`] escape
//! control characters. Other texts can hold characters of names from the vault: a program that prints them must escape control characters
//! with [`clean`].
//!
//! # Out of scope
//! It prints nothing, and reads neither a vault nor the environment.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cell;
pub mod event;
pub mod incident;
pub mod keys;
mod page;
pub mod review;
pub mod rotation;
pub mod tokens;
pub mod usage;
pub mod verification;

/// Returns text with escapes for everything that a terminal would act on, and for characters that are invisible or change the order of text.
#[must_use]
pub fn clean(text: &str) -> String {
    ibyok_scan::printable(text.as_bytes())
}

/// Lists things in a sentence: `1`, `1 and 2`, `1, 2 and 3`.
#[must_use]
pub fn listed(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn things_are_listed_as_they_are_said() {
        let things = |n: usize| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(
            [listed(&things(1)), listed(&things(2)), listed(&things(3))],
            ["1", "1 and 2", "1, 2 and 3"]
        );
    }

    #[test]
    fn escape_sequences_and_reordering_are_made_visible() {
        assert_eq!(clean("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(clean("x\u{202e}y\r\n"), "x\\u{202e}y\\u{d}\\u{a}");
        assert_eq!(clean("Grüße, 東京"), "Grüße, 東京");
    }

    proptest! {
        #[test]
        fn no_control_character_is_ever_left(text in ".*") {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
