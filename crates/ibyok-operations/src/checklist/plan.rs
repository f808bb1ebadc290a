//! A plan for incidents that nobody has filled in does not count.

/// Words that mark a place where text is still to be written.
const TO_WRITE: [&str; 4] = ["TODO", "TBD", "FIXME", "XXX"];

/// The place of a provider's page that `incident plan` does not know.
const FIND_OUT: &str = "(find out, and write it here)";

/// Lists the numbers of the lines of a plan that are still to be filled in. An empty plan is line 1.
#[must_use]
pub fn gaps_in(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return vec!["1".to_owned()];
    }
    let mut in_code = false;
    let mut gaps = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.trim_start();
        if fence.starts_with("```") || fence.starts_with("~~~") {
            in_code = !in_code;
        } else if !in_code && is_gap(&without_code(line)) {
            gaps.push(number.to_string());
        }
    }
    gaps
}

/// Returns a line without the text in backticks: a command to be typed has its own dots.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("")
}

fn is_gap(line: &str) -> bool {
    let answer = line.rsplit_once(": ").map(|(_, answer)| answer.trim());
    let dots = |text: &str| !text.is_empty() && text.chars().all(|c| matches!(c, '…' | '.' | '_' | '?'));
    // A question of a list without an answer, or a cell of a table.
    let asks = line.trim_start().starts_with(['-', '*']) && line.trim_end().ends_with(':');
    let cell = line.trim_start().starts_with('|') && line.split('|').any(|cell| dots(cell.trim()));
    let word = |word: &str| TO_WRITE.contains(&word.trim_matches(|c: char| !c.is_alphanumeric()));
    answer.is_some_and(dots) || asks || cell || line.contains(FIND_OUT) || line.split_whitespace().any(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_to_be_written_is_found() {
        for gap in [
            "- Who decides (and who if they are away): …",
            "- Who decides: ...",
            "Who decides: ____",
            "* Where we talk:",
            "| Acme | `prod/acme` | (find out, and write it here) |",
            "| Acme | … | x |",
            "TODO: ask Ana",
            "Who decides: TBD.",
            "- Who decides: ???",
            "",
            " \n\n",
        ] {
            assert_eq!(gaps_in(gap), ["1"], "{gap:?}");
        }
        assert_eq!(gaps_in("# Plan\n\nWho: Ana\nWhere: …\nX: TBD"), ["4", "5"]);
    }

    #[test]
    fn a_plan_that_is_filled_in_has_no_gaps() {
        for filled in [
            "- Who decides: Ana, else Ben",
            "8. `ibyok incident close REF --cause \"…\" --prevention \"…\"`, in their words.",
            "```\nWho: …\nTODO\n```\ntext",
            "See https://example.com/a: it has all",
            "We talk in #incidents… and call.",
            "In the first ten minutes:\n\n1. go",
            "Todoist keeps our list",
        ] {
            assert_eq!(gaps_in(filled), Vec::<String>::new(), "{filled:?}");
        }
    }
}
