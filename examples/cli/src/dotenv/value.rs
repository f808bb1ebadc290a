//! What the statements of a `.env` file say.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::statement::{Statement, split};
use crate::error::{Error, Result};

/// One assignment.
pub(crate) struct Assignment {
    /// The variable.
    pub(crate) variable: String,
    /// The value that it stands for.
    pub(crate) value: Zeroizing<String>,
    /// The line that it begins on, from 1.
    pub(crate) line: usize,
    /// Whether the value holds a `$` that some readers would expand; here it stands for itself.
    pub(crate) literal_dollar: bool,
}

/// A file that was read.
pub(crate) struct Parsed {
    /// Its assignments, in order, each variable once.
    pub(crate) assignments: Vec<Assignment>,
    /// Lines that name a variable and assign nothing: `export A`, or `A` as `docker --env-file` takes it.
    pub(crate) bare: Vec<usize>,
}

/// Reads a `.env` file.
///
/// # Errors
/// [`Error::Usage`] naming the line of what is no assignment, and both lines of a variable that is assigned twice.
pub(crate) fn parse(file: &str) -> Result<Parsed> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let mut parsed = Parsed {
        assignments: Vec::new(),
        bare: Vec::new(),
    };
    let mut seen: HashMap<String, usize> = HashMap::new();
    for statement in split(file) {
        if is_blank(statement.text) {
            continue;
        }
        let Some(assignment) = assignment(file, &statement)? else {
            parsed.bare.push(statement.line);
            continue;
        };
        if let Some(first) = seen.insert(assignment.variable.clone(), assignment.line) {
            return Err(Error::usage(
                format!(
                    "`{}` is assigned on line {first} and on line {}",
                    assignment.variable, assignment.line
                ),
                "keep the one that is meant; programs disagree about which one counts",
            ));
        }
        parsed.assignments.push(assignment);
    }
    Ok(parsed)
}

fn is_blank(statement: &str) -> bool {
    let text = statement.trim();
    text.is_empty() || text.starts_with('#')
}

fn assignment(file: &str, statement: &Statement<'_>) -> Result<Option<Assignment>> {
    let Some(range) = &statement.value else {
        return bare(statement).map(|()| None);
    };
    let raw = file.get(range.clone()).unwrap_or("");
    let unescaped = match raw.starts_with('"') {
        true => plain_dollars(raw),
        false => Zeroizing::new(raw.to_owned()),
    };
    let head = file.get(statement.start..range.start).unwrap_or("");
    let end = statement.start + statement.text.len();
    let tail = file.get(range.end..end).unwrap_or("");
    let quoted = raw.starts_with(['"', '\'', '`']);
    // A value without quotes is what it is, and the library would cut it at a `#` without a space before it.
    let (value, tail) = if quoted { (unescaped.as_str(), tail) } else { ("", "") };
    let entry = entry(statement.line, &Zeroizing::new(format!("{head}{value}{tail}")))?;
    let value = if quoted { Zeroizing::new(entry.value) } else { unescaped };
    let literal_dollar = !raw.starts_with('\'') && value.contains('$');
    Ok(Some(Assignment {
        variable: entry.key,
        value,
        line: statement.line,
        literal_dollar,
    }))
}

/// A statement that names a variable and assigns nothing.
fn bare(statement: &Statement<'_>) -> Result<()> {
    let words: Vec<&str> = statement.text.split_whitespace().collect();
    match words.as_slice() {
        ["export", name] | [name] if is_variable(name) => Ok(()),
        _ => Err(no_assignment(statement.line)),
    }
}

/// What the library reads in one statement. It is asked about one at a time: it folds duplicates, and we name them.
fn entry(line: usize, statement: &str) -> Result<dotenvor::Entry> {
    let mut entries = dotenvor::parse_str(statement).map_err(|error| refused(line, &error))?;
    let entry = entries
        .pop()
        .filter(|_| entries.is_empty())
        .ok_or_else(|| no_assignment(line))?;
    if is_variable(&entry.key) {
        return Ok(entry);
    }
    Err(Error::usage(
        format!(
            "line {line}: `{}` is no name of a variable",
            crate::show::clean(&entry.key)
        ),
        "a variable has letters, digits and `_`, and begins with no digit",
    ))
}

/// In double quotes `\$` stands for `$`; the library leaves the backslash, since it leaves expansion to others.
fn plain_dollars(raw: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(raw.len()));
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('$')) => {}
            ('\\', Some(_)) => {
                plain.push(c);
                plain.extend(chars.next());
            }
            _ => plain.push(c),
        }
    }
    plain
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn no_assignment(line: usize) -> Error {
    Error::usage(
        format!("line {line} is no assignment"),
        "a line is `NAME=value`, a comment, or empty",
    )
}

fn refused(line: usize, error: &dotenvor::Error) -> Error {
    use dotenvor::{Error as E, ParseErrorKind as Kind};
    let (what, hint) = match error {
        E::Parse(error) if error.kind == Kind::UnterminatedQuote => ("a quote is not closed", "close it"),
        E::Parse(error) if matches!(error.kind, Kind::InvalidKey | Kind::MissingKey) => (
            "there is no name of a variable before the `=`",
            "a variable has letters, digits and `_`",
        ),
        _ => (
            "there is something after the closing quote",
            "quote the whole value, or begin a comment with `#`",
        ),
    };
    Error::usage(format!("line {line}: {what}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Vec<(String, String)> {
        let parsed = parse(file).unwrap();
        parsed
            .assignments
            .iter()
            .map(|a| (a.variable.clone(), a.value.as_str().to_owned()))
            .collect()
    }

    fn one(file: &str) -> String {
        let read = read(file);
        assert_eq!(read.len(), 1, "{file:?}");
        read[0].1.clone()
    }

    fn refusal(file: &str) -> String {
        parse(file).err().unwrap().to_string()
    }

    #[test]
    fn plain_values_lose_their_comment_and_the_space_around_them() {
        assert_eq!(one("A=1"), "1");
        assert_eq!(one("export A=1\n"), "1");
        assert_eq!(one("  export   A = sk-x  # mine\n"), "sk-x");
        assert_eq!(one("A=two words\t\n"), "two words");
        assert_eq!(one("A=postgres://u:p@h/d?a=b&c=d=="), "postgres://u:p@h/d?a=b&c=d==");
        assert_eq!(one("A=\n"), "");
        assert_eq!(one("A="), "");
        assert_eq!(one("A= # nothing"), "");
        assert_eq!(one("A=C:\\temp\\n"), "C:\\temp\\n");
    }

    #[test]
    fn a_hash_without_a_space_before_it_belongs_to_the_value() {
        assert_eq!(one("A=pass#word # comment"), "pass#word");
    }

    #[test]
    fn quotes_keep_what_is_inside() {
        assert_eq!(one("A='x # y'"), "x # y");
        assert_eq!(one("A=\"x # y\" # z"), "x # y");
        assert_eq!(one("A='a\\nb'"), "a\\nb");
        assert_eq!(one("A=\"a\\nb\\t\\\\ \\\"q\\\"\""), "a\nb\t\\ \"q\"");
        assert_eq!(one("A=\"\""), "");
        assert_eq!(one("A=\" x \""), " x ");
        assert_eq!(one("A=`it's \"both\"`"), "it's \"both\"");
    }

    #[test]
    fn expansion_is_literal_and_an_escaped_dollar_is_a_dollar() {
        for (file, value, said) in [
            ("A=$HOME/x", "$HOME/x", true),
            ("A=\"${B:-c}\"", "${B:-c}", true),
            ("A=\"\\$5\"", "$5", true),
            ("A=\"\\\\$5\"", "\\$5", true),
            ("A='$5'", "$5", false),
            ("A=5", "5", false),
        ] {
            let parsed = parse(file).unwrap();
            assert_eq!(parsed.assignments[0].value.as_str(), value, "{file}");
            assert_eq!(parsed.assignments[0].literal_dollar, said, "{file}");
        }
    }

    #[test]
    fn pem_keys_keep_their_lines() {
        let file = "A=\"-----BEGIN KEY-----\nMII=\n-----END KEY-----\n\"\nB=1\n";
        assert_eq!(
            read(file),
            [
                (
                    "A".to_owned(),
                    "-----BEGIN KEY-----\nMII=\n-----END KEY-----\n".to_owned()
                ),
                ("B".to_owned(), "1".to_owned()),
            ]
        );
    }

    #[test]
    fn windows_files_are_read_alike() {
        assert_eq!(
            read("\u{feff}A=1\r\nB=\"x\r\ny\"\r\n"),
            [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x\ny".to_owned()),]
        );
    }

    #[test]
    fn unicode_is_kept() {
        assert_eq!(one("A=grüße-東京-🔑"), "grüße-東京-🔑");
    }

    #[test]
    fn a_variable_assigned_twice_is_refused_with_both_lines() {
        assert_eq!(
            refusal("A=1\n\nB=2\nexport A=1\n"),
            "`A` is assigned on line 1 and on line 4"
        );
    }

    #[test]
    fn what_is_no_assignment_is_refused_with_its_line() {
        assert_eq!(refusal("A=1\nhello world\n"), "line 2 is no assignment");
        assert_eq!(refusal("=1"), "line 1: there is no name of a variable before the `=`");
        assert_eq!(refusal("A=1\nB=\"x\nC=3\n"), "line 2: a quote is not closed");
        assert_eq!(
            refusal("A=\"x\"y"),
            "line 1: there is something after the closing quote"
        );
        assert_eq!(refusal("9A=x"), "line 1: `9A` is no name of a variable");
    }

    #[test]
    fn a_name_without_a_value_is_told_and_not_refused() {
        let parsed = parse("export A\nB\nC=1\n").unwrap();
        assert_eq!(parsed.bare, [1, 2]);
        assert_eq!(parsed.assignments.len(), 1);
    }

    #[test]
    fn ten_thousand_lines_take_well_under_a_second() {
        let file: String = (0..10_000)
            .map(|n| format!("VARIABLE_{n}=\"value {n} # \\$x\" # c\n"))
            .collect();
        let begun = std::time::Instant::now();
        assert_eq!(parse(&file).unwrap().assignments.len(), 10_000);
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
    }
}
