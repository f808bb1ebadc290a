//! Patterns over key names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// A pattern over key names: the characters that a name may hold (`A-Z a-z 0-9 . _ -`), `*` for any
/// number of any characters, and `?` for exactly one. At most 128 characters, never empty.
///
/// Nothing else has a meaning, so everything else is refused: no classes, no alternatives, no escapes,
/// no separators. Upper and lower case differ.
///
/// ```
/// # use ibyok_policy::Pattern;
/// let pattern: Pattern = "open*".parse()?;
/// assert!(pattern.matches("openai"));
/// assert!(!pattern.matches("OpenAI"));
/// assert!("open[ai]".parse::<Pattern>().is_err());
/// # Ok::<(), ibyok_policy::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The longest pattern, in characters.
    pub const MAX_LEN: usize = 128;

    /// Returns true if the pattern matches the whole name.
    ///
    /// Takes time of at most (length of pattern) × (length of name), for any pattern and name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        covers(self.0.as_bytes(), name.as_bytes())
    }

    /// Returns true if this pattern provably matches every name that `narrower` matches.
    ///
    /// Sound and not complete: `false` may also mean that the walk did not find a proof (`?*` and `*?` match the same
    /// names, and neither includes the other).
    #[must_use]
    pub fn includes(&self, narrower: &Self) -> bool {
        covers(self.0.as_bytes(), narrower.0.as_bytes())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns true if `pattern` matches every name that `text` matches. `text` is a name or itself a pattern.
///
/// A name is a pattern without wildcards, so one walk answers both questions: a `*` of the text can be taken
/// only by a `*` of the pattern, a `?` of the text by `*` or `?`. After a `*`, the shortest stretch that fits is
/// taken first and lengthened when the rest does not fit; earlier `*` need not be tried again.
fn covers(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&symbol) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') if symbol != b'*' => {
                p += 1;
                t += 1;
            }
            Some(&literal) if literal == symbol && literal != b'?' => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, start)) = retry else {
                    return false;
                };
                retry = Some((after_star, start + 1));
                p = after_star;
                t = start + 1;
            }
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|symbol| *symbol == b'*'))
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::PatternEmpty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(Error::PatternTooLong);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '?');
        match text.chars().find(|c| !allowed(*c)) {
            Some(found) => Err(Error::PatternCharacter {
                pattern: crate::error::excerpt(text),
                found,
            }),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, by recursion.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if naive(rest, name) => true,
            (Some((b'*', _)), Some((_, shorter))) => naive(pattern, shorter),
            (Some((b'?', rest)), Some((_, shorter))) => naive(rest, shorter),
            (Some((p, rest)), Some((n, shorter))) => p == n && naive(rest, shorter),
            _ => false,
        }
    }

    fn pattern() -> impl Strategy<Value = Pattern> {
        "[ab*?]{1,7}".prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn matching_is_what_the_definition_and_globset_say(pattern in pattern(), name in "[ab.]{0,9}") {
            let ours = pattern.matches(&name);
            prop_assert_eq!(ours, naive(pattern.as_str().as_bytes(), name.as_bytes()));
            let glob = globset::Glob::new(pattern.as_str()).unwrap().compile_matcher();
            prop_assert_eq!(ours, glob.is_match(&name));
        }

        #[test]
        fn what_an_included_pattern_matches_the_including_one_matches(
            wide in pattern(), narrow in pattern(), name in "[ab]{0,8}",
        ) {
            prop_assert!(!(wide.includes(&narrow) && narrow.matches(&name)) || wide.matches(&name));
        }

        #[test]
        fn a_pattern_includes_itself_and_the_names_it_matches(pattern in pattern(), name in "[ab]{1,8}") {
            prop_assert!(pattern.includes(&pattern));
            let literal: Pattern = name.parse().unwrap();
            prop_assert_eq!(pattern.includes(&literal), pattern.matches(&name));
        }

        #[test]
        fn text_that_is_no_pattern_is_an_error_and_never_a_panic(text in any::<String>()) {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(pattern.as_str(), text);
            }
        }
    }

    #[test]
    fn only_characters_of_names_and_the_two_wildcards_are_taken() {
        for bad in [
            "",
            "a/b",
            "a\\b",
            "[ab]",
            "{a,b}",
            "a b",
            "é",
            "a\0",
            "a\n",
            "!a",
            &"a".repeat(129),
        ] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
        }
        for good in ["*", "?", "A-b.c_9*", &"a".repeat(128)] {
            assert!(good.parse::<Pattern>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn inclusion_on_examples() {
        let includes = |wide: &str, narrow: &str| wide.parse::<Pattern>().unwrap().includes(&narrow.parse().unwrap());
        assert!(includes("*", "open*"));
        assert!(includes("o*", "open*ai"));
        assert!(includes("a?c", "abc"));
        assert!(includes("a?c", "a?c"));
        assert!(!includes("abc", "a?c"));
        assert!(!includes("open*", "*"));
        assert!(!includes("?", "*"));
        assert!(!includes("openai", "openai*"));
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern: Pattern = "*a".repeat(64).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(63)));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(100_000))));
    }
}
