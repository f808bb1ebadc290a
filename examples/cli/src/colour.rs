//! Colour on a terminal: which words get one, and whether anything does.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};

/// The meaning of a word for its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Look,
    Bad,
    Hint,
}

impl Tone {
    /// The tone of a word that says how something is; most words have none.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "ok" | "valid" | "current" | "allowed" | "closed" | "created" | "updated" => Tone::Good,
            "medium" | "retiring" | "pending" | "disabled" | "mock" => Tone::Look,
            "OPEN" | "open" | "critical" | "high" | "failed" | "denied" | "refused" | "revoked" | "expired"
            | "destroyed" | "compromised" => Tone::Bad,
            _ => return None,
        })
    }

    /// Text in this tone, with the escapes around it.
    pub(crate) fn paint(self, text: &str) -> String {
        let colour = match self {
            Tone::Good => AnsiColor::Green,
            Tone::Look => AnsiColor::Yellow,
            Tone::Bad => AnsiColor::Red,
            Tone::Hint => AnsiColor::Cyan,
        };
        let style = Style::new().fg_color(Some(colour.into()));
        let style = match self {
            Tone::Bad => style.bold(),
            Tone::Good | Tone::Look | Tone::Hint => style,
        };
        format!("{style}{text}{style:#}")
    }
}

/// Returns true if a stream gets colour, by the rules that <https://no-color.org> and <https://bixense.com/clicolors> ask for, in the order of `anstream`.
pub(crate) fn wanted(environment: &BTreeMap<String, String>, terminal: bool) -> bool {
    let set = |name: &str| {
        environment
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    terminal && set("CLICOLOR") != Some("0") && set("TERM") != Some("dumb")
}

/// A message with the word in colour that begins a line of it.
pub(crate) fn message(text: &str) -> String {
    const BEGINNINGS: [(&str, Tone); 5] = [
        ("error:", Tone::Bad),
        ("warning:", Tone::Look),
        ("hint:", Tone::Hint),
        ("  NOT ", Tone::Bad),
        ("  warning:", Tone::Look),
    ];
    let line = |line: &str| {
        let begins = BEGINNINGS
            .iter()
            .find_map(|(word, tone)| Some((word, tone, line.strip_prefix(word)?)));
        match begins {
            Some((word, tone, rest)) => format!("{}{rest}", tone.paint(word)),
            None => line.to_owned(),
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_unless_somebody_says_otherwise() {
        let wanted = |variables: &[(&str, &str)], terminal| {
            let map = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            wanted(&map.collect(), terminal)
        };
        assert!(wanted(&[], true) && !wanted(&[], false));
        assert!(wanted(&[("NO_COLOR", "")], true), "an empty one says nothing");
        assert!(!wanted(&[("NO_COLOR", "1")], true));
        assert!(!wanted(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true));
        assert!(wanted(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!wanted(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!wanted(&[("CLICOLOR", "0")], true));
        assert!(!wanted(&[("TERM", "dumb")], true));
        assert!(wanted(&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], false));
    }

    #[test]
    fn only_the_word_that_begins_a_line_gets_a_colour() {
        let text = message("error: no such key\nhint: error: x\nplain");
        assert_eq!(text.matches("\u{1b}[0m").count(), 2, "{text}");
        assert!(text.ends_with("error: x\nplain"), "{text}");
        assert_eq!(message("an error: x"), "an error: x");
    }
}
