//! Numbers and the nouns after them, for texts of every layer: findings, warnings and lines of the log.

/// A number with its noun: `1 key`, `2 keys`.
///
/// ```
/// assert_eq!(ibyok_audit::words::counted(1u64, "line"), "1 line");
/// assert_eq!(ibyok_audit::words::counted(0u64, "entry"), "0 entries");
/// ```
#[must_use]
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    // What does not fit is many.
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", plural(count, noun))
}

/// Returns a noun in the form that follows a number: `key`, `keys`; `entry`, `entries`; `match`, `matches`.
#[must_use]
pub fn plural(count: impl TryInto<u64>, noun: &str) -> String {
    if count.try_into().is_ok_and(|count| count == 1) {
        return noun.to_owned();
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with(['s', 'x', 'z']) || noun.ends_with("ch") || noun.ends_with("sh") => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// `is` or `are`, as the number before wants it.
#[must_use]
pub fn is_or_are(count: impl TryInto<u64>) -> &'static str {
    match count.try_into() {
        Ok(1) => "is",
        _ => "are",
    }
}

/// `was` or `were`, as the number before wants it.
#[must_use]
pub fn was_or_were(count: impl TryInto<u64>) -> &'static str {
    match count.try_into() {
        Ok(1) => "was",
        _ => "were",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_agrees_with_its_number() {
        for (count, noun, said) in [
            (0, "key", "0 keys"),
            (1, "key", "1 key"),
            (2, "key", "2 keys"),
            (1, "directory", "1 directory"),
            (3, "directory", "3 directories"),
            (2, "match", "2 matches"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(count, noun), said);
        }
        assert_eq!([is_or_are(1), is_or_are(0), is_or_are(2)], ["is", "are", "are"]);
        assert_eq!(
            [was_or_were(1), was_or_were(0), was_or_were(2)],
            ["was", "were", "were"]
        );
    }
}
