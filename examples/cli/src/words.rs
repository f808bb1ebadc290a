//! Numbers and the nouns after them, and lists in a sentence.

/// A number with its noun: `1 key`, `2 keys`.
pub(crate) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    // What does not fit is many.
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", plural(count, noun))
}

/// A noun as it stands after a number: `key`, `keys`; `entry`, `entries`; `match`, `matches`.
pub(crate) fn plural(count: impl TryInto<u64>, noun: &str) -> String {
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
pub(crate) fn is_or_are(count: impl TryInto<u64>) -> &'static str {
    match count.try_into() {
        Ok(1) => "is",
        _ => "are",
    }
}

/// Things in a sentence: `1`, `1 and 2`, `1, 2 and 3`.
pub(crate) fn listed(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
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
    }

    #[test]
    fn things_are_listed_as_they_are_said() {
        let things = |n: usize| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(
            [listed(&things(1)), listed(&things(2)), listed(&things(3))],
            ["1", "1 and 2", "1, 2 and 3"]
        );
    }
}
