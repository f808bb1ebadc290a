//! Numbers and the nouns after them, and lists in a sentence.

pub(crate) use ibyok_core::audit::words::{counted, is_or_are, plural};

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
    fn things_are_listed_as_they_are_said() {
        let things = |n: usize| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(
            [listed(&things(1)), listed(&things(2)), listed(&things(3))],
            ["1", "1 and 2", "1, 2 and 3"]
        );
    }
}
