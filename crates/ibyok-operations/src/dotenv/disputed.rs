//! The values that readers of `.env` files read in different ways.
//!
//! The readers are python-dotenv, Node's dotenv, `node --env-file`, Docker and POSIX shells. A value is refused if one of them reads
//! a different one. Four cases get a note instead, since ordinary files have them and all other readers agree: a `$`, which some
//! readers expand; a `#` without a space before it, at which Node.js ends the value; `\"` and `\\` in double quotes, which Node.js keeps
//! as they are; and a tab at an end of the value, which `node --env-file` keeps. The same is true for characters that only a shell interprets in text without quotes, such as `;` or a backslash:
//! a `.env` file is no script. `tests/system/readers.rs` compares with the readers themselves.

use super::error::{Error, Result};

/// Something about a value that a person should know, although the value was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remarks {
    /// True if the value holds a `$` that some readers would expand; here it is kept as it is.
    pub literal_dollar: bool,
    /// True if a `#` directly before text, such as `#2`, ended the value: some readers take that for a part of it.
    pub cut_at_hash: bool,
    /// True if the value holds a `#` without a space before it, at which Node.js ends the value.
    pub kept_hash: bool,
    /// True if line breaks of the value are CRLF in the file and LF in the value.
    pub plain_breaks: bool,
    /// True if white space beyond ASCII, such as a no-break space, is at an end of the value.
    pub unseen: bool,
    /// True if a backslash before `"` or `\` is no part of the value: Node.js keeps it.
    pub unescaped: bool,
    /// True if a tab at an end of the value is no part of it: `node --env-file` keeps it.
    pub tab: bool,
}

/// A remark in words, with the function that finds it.
pub type Said = (fn(&Remarks) -> bool, &'static str);

/// The remarks in words: each with the function that returns true if a value has the remark.
pub const WORDS: [Said; 7] = [
    (
        |r| r.literal_dollar,
        "the import keeps a `$` unchanged and does not expand it",
    ),
    (
        |r| r.cut_at_hash,
        "the `#` begins a comment here; if it belongs to the value, quote the whole value",
    ),
    (
        |r| r.kept_hash,
        "a `#` without a space before it belongs to the value; Node.js ends the value there unless it is quoted",
    ),
    (
        |r| r.plain_breaks,
        "line breaks inside the value are line feeds, although the file has CRLF",
    ),
    (
        |r| r.unseen,
        "the value begins or ends with a character that looks like a space, and some readers drop it",
    ),
    (
        |r| r.unescaped,
        "`\\\"` and `\\\\` stand for `\"` and `\\` in double quotes; Node.js keeps the backslashes",
    ),
    (
        |r| r.tab,
        "the import drops a tab at the beginning or end of the value; `node --env-file` keeps it",
    ),
];

/// The reason why readers disagree about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disputed {
    /// Backticks outside of single quotes.
    Backticks,
    /// A ` #` between quotes that are inside of a value without quotes.
    HashInQuotes,
    /// White space of ASCII other than spaces and tabs at an end of the value, or any but these before a `#`.
    WhiteSpace,
    /// A backslash at the end of a line.
    Continued,
    /// A backslash before this character.
    Escape(char),
    /// A line break of another kind than the file's.
    LineBreak,
}

/// The parts of a statement that assigns a value.
pub(super) struct Parts<'a> {
    /// The text between the `=` and the value.
    pub(super) gap: &'a str,
    /// The value, quotes included.
    pub(super) raw: &'a str,
    /// The text behind the value.
    pub(super) tail: &'a str,
    /// True if every line of the file ends in CRLF.
    pub(super) windows: bool,
}

impl Disputed {
    /// The reason why readers disagree about a value; `None` if they agree.
    pub(super) fn of(parts: &Parts<'_>) -> Option<Self> {
        let behind = parts.tail.split('#').next().unwrap_or("");
        if parts.gap.contains(is_odd) || behind.contains(is_odd) {
            return Some(Disputed::WhiteSpace);
        }
        if parts.raw.contains('`') && !parts.raw.starts_with('\'') {
            return Some(Disputed::Backticks);
        }
        match parts.raw.chars().next() {
            Some('"') => escape(parts.raw).or_else(|| line_break(parts)),
            Some('\'') if parts.raw.contains("\\\\") => Some(Disputed::Escape('\\')),
            Some('\'') => line_break(parts),
            _ => unquoted(parts),
        }
    }

    /// The error that refuses the value on a line.
    pub(crate) fn refused(self, line: usize) -> Error {
        let (why, hint) = match self {
            Disputed::Backticks => (
                "some readers take backticks for quotes, others for a part of the value, and a shell runs a command"
                    .to_owned(),
                "write the value in single quotes",
            ),
            Disputed::HashInQuotes => (
                "the ` #` is between quotes inside the value, and some readers begin a comment there".to_owned(),
                "quote the whole value",
            ),
            Disputed::WhiteSpace => (
                "white space other than a space or a tab is at the beginning or end of the value, and some readers keep it"
                    .to_owned(),
                "remove it, or quote the whole value",
            ),
            Disputed::Continued => (
                "a shell drops the backslash at the end, and continues on the next line".to_owned(),
                "write the value in single quotes",
            ),
            Disputed::Escape(escaped) => (
                format!(
                    "some readers keep the backslash of `\\{}` in quotes",
                    escaped.escape_debug()
                ),
                "write the value in single quotes where it holds neither `'` nor two backslashes",
            ),
            Disputed::LineBreak => (
                "a line break inside the value is CRLF, other line breaks of the file are not, and some readers keep the CR"
                    .to_owned(),
                "save the file with one kind of line break",
            ),
        };
        Error::new(
            format!("line {line}: readers of `.env` files disagree about the value: {why}"),
            format!("{hint}, or store it with `keys set`"),
        )
    }
}

/// Refuses a carriage return that ends no line.
///
/// # Errors
/// [`Error`] naming the line.
pub(super) fn no_lone_returns(file: &str) -> Result<()> {
    let mut line = 1;
    let mut bytes = file.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            // One at the end of the file ends its last line for every reader but a shell.
            (b'\r', Some(next)) if *next != b'\n' => {
                return Err(Error::new(
                    format!(
                        "line {line}: a carriage return has no line feed after it, and readers disagree whether it ends the line"
                    ),
                    "save the file with line feeds",
                ));
            }
            (b'\n', _) => line += 1,
            _ => {}
        }
    }
    Ok(())
}

/// Returns true if every line of a file ends in CRLF, and there is one that does.
pub(super) fn is_windows(file: &str) -> bool {
    let breaks = file.bytes().filter(|byte| *byte == b'\n').count();
    breaks > 0 && file.matches("\r\n").count() == breaks
}

/// Returns true for a character that any reader treats as white space at the end of a value.
fn is_white(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}' | '\u{feff}')
}

/// Returns true for white space of ASCII that is neither a space nor a tab.
fn is_odd(c: char) -> bool {
    is_white(c) && c.is_ascii() && !matches!(c, ' ' | '\t')
}

/// Returns true if white space beyond ASCII is at an end of the value.
pub(super) fn is_unseen(parts: &Parts<'_>) -> bool {
    let unseen = |c: char| is_white(c) && !c.is_ascii();
    let behind = parts.tail.split('#').next().unwrap_or("");
    let raw = parts.raw;
    raw.starts_with(unseen) || raw.ends_with(unseen) || behind.contains(unseen)
}

/// Returns true if a tab is at an end of a value without quotes.
pub(super) fn has_tab(parts: &Parts<'_>) -> bool {
    let behind = parts.tail.split('#').next().unwrap_or("");
    !parts.raw.starts_with(['"', '\'', '`']) && (parts.gap.contains('\t') || behind.contains('\t'))
}

/// Returns true if a backslash escapes `"` or a backslash in double quotes.
pub(super) fn is_unescaped(raw: &str) -> bool {
    let mut chars = raw.chars();
    let mut found = false;
    while let Some(c) = chars.next() {
        found |= c == '\\' && matches!(chars.next(), Some('"' | '\\'));
    }
    found && raw.starts_with('"')
}

/// The first escape in double quotes that readers disagree about. They agree about `\n`; `\$`, `\"` and `\\` are said.
fn escape(raw: &str) -> Option<Disputed> {
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some(escaped @ ('\'' | '`' | 'a' | 'b' | 'f' | 'r' | 't' | 'v')) => {
                return Some(Disputed::Escape(escaped));
            }
            Some('\n' | '\r') => return Some(Disputed::Continued),
            _ => {}
        }
    }
    None
}

fn line_break(parts: &Parts<'_>) -> Option<Disputed> {
    (!parts.windows && parts.raw.contains('\r')).then_some(Disputed::LineBreak)
}

fn unquoted(parts: &Parts<'_>) -> Option<Disputed> {
    let raw = parts.raw;
    if raw.starts_with(is_odd) || raw.ends_with(is_odd) || hash_after_white_space(raw) {
        return Some(Disputed::WhiteSpace);
    }
    if raw.ends_with('\\') {
        return Some(Disputed::Continued);
    }
    let comment = parts.tail.split_once('#').map_or("", |(_, comment)| comment);
    open_quote(raw)
        .is_some_and(|quote| comment.contains(quote))
        .then_some(Disputed::HashInQuotes)
}

fn hash_after_white_space(raw: &str) -> bool {
    raw.char_indices()
        .any(|(at, c)| c == '#' && raw.get(..at).is_some_and(|before| before.ends_with(is_white)))
}

/// The quote that is open at the end of a text.
fn open_quote(text: &str) -> Option<char> {
    text.chars().fold(None, |open, c| match open {
        None if matches!(c, '"' | '\'' | '`') => Some(c),
        Some(quote) if quote == c => None,
        open => open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_open_until_its_like() {
        for (text, open) in [
            ("", None),
            ("it's", Some('\'')),
            ("{\"a\": \"b", Some('"')),
            ("{\"a\": \"b\"", None),
            ("a \"it's\"", None),
            ("`a 'b' ", Some('`')),
        ] {
            assert_eq!(open_quote(text), open, "{text}");
        }
    }

    fn of(file: &str) -> Option<Disputed> {
        let parsed = crate::dotenv::parse(file).unwrap();
        parsed.assignments.iter().find_map(|assignment| assignment.disputed())
    }

    #[test]
    fn a_value_that_readers_read_in_different_ways_is_disputed() {
        use Disputed::{Backticks, Continued, Escape, HashInQuotes, LineBreak, WhiteSpace};
        for (file, why) in [
            ("A={\"a\": \"b # c\"}", HashInQuotes),
            ("A={'a': 'b # c'}", HashInQuotes),
            ("A=[1, \"a # b\", 2] # c", HashInQuotes),
            ("A=a`b # c`", Backticks),
            ("A=\"a`b`\"", Backticks),
            ("A=a`b`", Backticks),
            ("A=`a`", Backticks),
            ("A=``", Backticks),
            ("A=`a\nb`", Backticks),
            ("A=\"a\r\nb\"\nB=1\n", LineBreak),
            ("A='a\r\nb'\nB=1\n", LineBreak),
            ("B=1\nA='a\r\nb'\r\n", LineBreak),
            ("A=a\u{b}", WhiteSpace),
            ("A=a\u{c}", WhiteSpace),
            ("A=a\u{a0}# b", WhiteSpace),
            ("A=a\\\nB=1", Continued),
            ("A=a\\ # b", Continued),
            ("A=\"a\\\nb\"", Continued),
            ("A=\"a\\tb\"", Escape('t')),
            ("A='a\\\\b'", Escape('\\')),
        ] {
            assert_eq!(of(file), Some(why), "{file:?}");
        }
        for file in [
            "A=a # b",
            "A=a   # it's",
            "A=it's # b",
            "A={\"a\": \"b\"} # c",
            "A={\"a\":\"b#c\"}",
            "A=\"a\r\nb\"\r\nB=1\r\n",
            "A=\"a\\nb\"",
            "A=\"a\\d\"",
            "A='a\\nb'",
            "A='a`b`'",
            "A=\"a\"\t# b",
            "A=a\t# b",
            "A=a\t",
            "A=\ta",
            "A=\"a\\\"b\"",
            "A=\"a\\\\b\"",
            "export A = a",
            "\tA=a",
            "A=a\u{a0}",
        ] {
            assert_eq!(of(file), None, "{file:?}");
        }
    }

    #[test]
    fn a_windows_file_has_crlf_alone() {
        for (file, windows) in [
            ("", false),
            ("A=1", false),
            ("A=1\r\n", true),
            ("A=1\r\nB=2\n", false),
            ("A=1\n", false),
        ] {
            assert_eq!(is_windows(file), windows, "{file:?}");
        }
    }

    #[test]
    fn a_carriage_return_that_ends_no_line_is_refused() {
        for file in ["A=1\rB=2\n", "A=\"a\rb\"", "# a\r\r\n"] {
            assert!(no_lone_returns(file).is_err(), "{file:?}");
        }
        for file in ["A=1\r\nB=2\r\n", "A=1\r", "", "A=1\n"] {
            assert!(no_lone_returns(file).is_ok(), "{file:?}");
        }
        let error = no_lone_returns("A=1\n\nB=2\rC=3\n").err().unwrap().to_string();
        assert!(error.starts_with("line 3: "), "{error}");
    }
}
