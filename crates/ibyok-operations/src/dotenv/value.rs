//! Reads the assignments in the statements of a `.env` file.

use std::collections::HashMap;

use ibyok_core::keys::VariableKind;
use zeroize::Zeroizing;

use super::disputed::{Disputed, Parts, Remarks, has_tab, is_unescaped, is_unseen, is_windows, no_lone_returns};
use super::error::{Error, Result};
use super::statement::{Statement, split};

/// One assignment.
#[non_exhaustive]
pub struct Assignment {
    /// The name before the `=`, which need not be one that a variable can have.
    pub variable: String,
    /// The value, without its quotes and escapes.
    pub value: Zeroizing<String>,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Remarks about the value for people.
    pub remarks: Remarks,
    /// The reason why readers disagree about the value.
    disputed: Option<Disputed>,
}

impl Assignment {
    #[cfg(test)]
    pub(super) fn disputed(&self) -> Option<Disputed> {
        self.disputed
    }

    /// Refuses a value about which readers disagree. A value that is not wanted need not be checked.
    ///
    /// # Errors
    /// [`Error`] naming the line and the reason.
    pub fn undisputed(&self) -> Result<()> {
        self.disputed
            .map_or(Ok(()), |disputed| Err(disputed.refused(self.line)))
    }
}

/// A file that was read.
#[non_exhaustive]
pub struct Parsed {
    /// Its assignments, in order.
    pub assignments: Vec<Assignment>,
    /// Lines that name a variable and assign nothing: `export A`, or `A` as `docker --env-file` takes it.
    pub bare: Vec<usize>,
}

/// Reads a `.env` file. Callers check whether its names are those of variables, and whether each is there once.
///
/// # Errors
/// [`Error`] naming the line of text that is no assignment, or whose value has an end about which readers
/// disagree.
pub fn parse(file: &str) -> Result<Parsed> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    no_lone_returns(file)?;
    let windows = is_windows(file);
    let mut parsed = Parsed {
        assignments: Vec::new(),
        bare: Vec::new(),
    };
    for statement in split(file) {
        if is_blank(statement.text) {
            continue;
        }
        match assignment(file, &statement, windows)? {
            Some(assignment) => parsed.assignments.push(assignment),
            None => parsed.bare.push(statement.line),
        }
    }
    Ok(parsed)
}

/// Refuses a variable that is assigned twice.
///
/// # Errors
/// [`Error`] naming both lines.
pub fn each_once<'a>(assignments: impl IntoIterator<Item = (&'a str, usize)>) -> Result<()> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (variable, line) in assignments {
        if let Some(first) = seen.insert(variable, line) {
            return Err(Error::new(
                format!("`{}` is assigned on line {first} and on line {line}", variable),
                "keep only one of the two lines; programs disagree about which one counts",
            ));
        }
    }
    Ok(())
}

/// Returns true if a text without a value is a name at all: `go-version` is one, although not of a variable;
/// `hello world` is not.
pub fn is_one_word(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '#'))
}

fn is_blank(statement: &str) -> bool {
    let text = statement.trim();
    text.is_empty() || text.starts_with('#')
}

fn assignment(file: &str, statement: &Statement<'_>, windows: bool) -> Result<Option<Assignment>> {
    let Some(range) = &statement.value else {
        return bare(statement).map(|()| None);
    };
    let line = statement.line;
    let raw = file.get(range.clone()).unwrap_or("");
    let end = statement.start + statement.text.len();
    let tail = file.get(range.end..end).unwrap_or("");
    let is_quoted = raw.starts_with(['"', '\'', '`']);
    let (value, cut_at_hash) = if is_quoted {
        (quoted(line, raw, tail)?, false)
    } else {
        let comment = tail.trim_start().strip_prefix('#').unwrap_or("");
        // A value without quotes is what it is; the library would cut it at a `#` without a space before it.
        (
            Zeroizing::new(raw.to_owned()),
            comment.starts_with(|c: char| c.is_alphanumeric()),
        )
    };
    let head = file.get(statement.start..range.start).unwrap_or("");
    let (_, gap) = head.split_once('=').unwrap_or((head, ""));
    let parts = Parts {
        gap,
        raw,
        tail,
        windows,
    };
    let remarks = Remarks {
        // python-dotenv expands `${…}` in single quotes as well.
        literal_dollar: value.contains("${") || !raw.starts_with('\'') && value.contains('$'),
        cut_at_hash,
        kept_hash: !is_quoted && value.contains('#'),
        plain_breaks: is_quoted && raw.contains("\r\n"),
        unseen: is_unseen(&parts),
        unescaped: is_unescaped(raw),
        tab: has_tab(&parts),
    };
    Ok(Some(Assignment {
        variable: name(file, statement, range.start)?,
        value,
        line,
        remarks,
        disputed: Disputed::of(&parts),
    }))
}

/// The name before the `=`, without `export`.
fn name(file: &str, statement: &Statement<'_>, value: usize) -> Result<String> {
    let head = file.get(statement.start..value).unwrap_or("");
    let name = head.split('=').next().unwrap_or("").trim();
    let exported = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let name = exported.map_or(name, str::trim);
    if name.is_empty() {
        return Err(Error::new(
            format!(
                "line {}: the name of the variable before the `=` is missing",
                statement.line
            ),
            "write `NAME=value`, a comment, or an empty line",
        ));
    }
    Ok(name.to_owned())
}

/// The value of text in quotes.
fn quoted(line: usize, raw: &str, tail: &str) -> Result<Zeroizing<String>> {
    let is_double = raw.starts_with('"');
    // `'abc\'` ends there in a shell and in Node.js, and continues in python-dotenv.
    if !is_double && raw.len() > 2 && raw.ends_with(['\'', '`']) && raw.trim_end_matches(['\'', '`']).ends_with('\\') {
        return Err(Error::new(
            format!("line {line}: readers disagree whether the backslash before the closing quote escapes it"),
            "write the value in double quotes with `\\\\` for each backslash, or store it with `keys set`",
        ));
    }
    if tail.starts_with('#') {
        return Err(after_the_quote(line));
    }
    if let (Some((_, last)), true) = (raw.rsplit_once('\n'), tail.trim_start().starts_with('#'))
        && opens_a_value(last)
    {
        return Err(Error::new(
            format!("line {line}: the quote of a later line closes a quote on this line"),
            "close the quote on its own line",
        ));
    }
    let unescaped = match is_double {
        true => plain_dollars(raw),
        false => Zeroizing::new(raw.to_owned()),
    };
    let mut one = Zeroizing::new(String::with_capacity(unescaped.len() + tail.len() + 2));
    for part in ["A=", unescaped.as_str(), tail] {
        one.push_str(part);
    }
    entry(line, &one)
}

/// Returns true if the end of a value in quotes is `NAME=` and a quote: then the quote was not meant to close it.
fn opens_a_value(last: &str) -> bool {
    let name = last
        .trim_end_matches(['"', '\'', '`'])
        .trim()
        .strip_suffix('=')
        .map(str::trim);
    let name = name.map(|name| name.strip_prefix("export ").unwrap_or(name).trim());
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)))
}

/// A statement that names a variable and assigns nothing.
fn bare(statement: &Statement<'_>) -> Result<()> {
    let words: Vec<&str> = statement.text.split_whitespace().collect();
    match words.as_slice() {
        ["export", name] | [name] if VariableKind::of(name) != VariableKind::Malformed => Ok(()),
        _ => Err(no_assignment(statement.line)),
    }
}

/// The value that the library reads in one statement.
fn entry(line: usize, statement: &str) -> Result<Zeroizing<String>> {
    let mut entries = dotenvor::parse_str(statement).map_err(|error| refused(line, &error))?;
    let entry = entries
        .pop()
        .filter(|_| entries.is_empty())
        .ok_or_else(|| no_assignment(line))?;
    Ok(Zeroizing::new(entry.value))
}

/// Replaces `\$` by `$`, as in double quotes. The library leaves the backslash, since it leaves expansion to others.
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

fn no_assignment(line: usize) -> Error {
    Error::new(
        format!("line {line} is not an assignment"),
        "write `NAME=value`, a comment, or an empty line",
    )
}

fn refused(line: usize, error: &dotenvor::Error) -> Error {
    use dotenvor::{Error as E, ParseErrorKind as Kind};
    match error {
        E::Parse(error) if error.kind == Kind::UnterminatedQuote => {
            Error::new(format!("line {line}: a quote is not closed"), "add the closing quote")
        }
        _ => after_the_quote(line),
    }
}

fn after_the_quote(line: usize) -> Error {
    Error::new(
        format!("line {line}: text follows the closing quote"),
        "quote the whole value, or begin a comment with a space and `#`",
    )
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
        assert_eq!(one("A=#s3cret"), "#s3cret");
        assert_eq!(one("COLOR=#FF0000 # red"), "#FF0000");
        assert_eq!(one("A= #s3cret"), "");
        assert_eq!(one("A=#"), "#");
        let cut = |file: &str| parse(file).unwrap().assignments[0].remarks.cut_at_hash;
        assert!(cut("A=pass #word") && cut("A= #s3cret") && !cut("A=x # word") && !cut("A=#x"));
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
            ("A='${5}'", "${5}", true),
            ("A=5", "5", false),
        ] {
            let parsed = parse(file).unwrap();
            assert_eq!(parsed.assignments[0].value.as_str(), value, "{file}");
            assert_eq!(parsed.assignments[0].remarks.literal_dollar, said, "{file}");
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
        let parsed = parse("A=1\n\nB=2\nexport A=1\n").unwrap();
        let all = parsed.assignments.iter().map(|a| (a.variable.as_str(), a.line));
        let error = each_once(all).err().unwrap().to_string();
        assert_eq!(error, "`A` is assigned on line 1 and on line 4");
    }

    #[test]
    fn a_name_that_no_variable_can_have_is_read_like_any_other() {
        let file = "go-version=1\nspring.datasource.password='x y'\n9A=2\nexport a.b=3\nA=4\n";
        let names: Vec<String> = read(file).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["go-version", "spring.datasource.password", "9A", "a.b", "A"]);
        assert!(is_one_word("go-version") && !is_one_word("hello world") && !is_one_word(""));
    }

    #[test]
    fn where_readers_disagree_which_quote_ends_a_value_the_line_is_refused() {
        let disagree = "readers disagree whether the backslash before the closing quote escapes it";
        for file in ["A='abc\\'\nCOLOR='#fff'\n", "A='it\\'s'", "A='x\\\\'", "A=`x\\`\n"] {
            assert_eq!(refusal(file), format!("line 1: {disagree}"), "{file}");
        }
        let after = "line 2: text follows the closing quote";
        for file in [
            "B=1\nA=\"abc\nCOLOR=\"#fff\"\n",
            "B=1\nA='abc\nCOLOR='#fff'\n",
            "B=1\nA=\"abc\\\"\nC=\"#fff\"\n",
            "B=1\nA=\"x\"#y",
            "B=1\nA=\"abc\nC=\"x\"\n",
        ] {
            assert_eq!(refusal(file), after, "{file}");
        }
        let later = "line 1: the quote of a later line closes a quote on this line";
        assert_eq!(refusal("A=\"abc\nexport C=\" #x\"\n"), later);
        assert_eq!(one("A=\"abc\nMIIB=\"\n"), "abc\nMIIB=");
    }

    #[test]
    fn what_is_no_assignment_is_refused_with_its_line() {
        assert_eq!(refusal("A=1\nhello world\n"), "line 2 is not an assignment");
        assert_eq!(
            refusal("=1"),
            "line 1: the name of the variable before the `=` is missing"
        );
        assert_eq!(refusal("A=1\nB=\"x\nC=3\n"), "line 2: a quote is not closed");
        assert_eq!(refusal("A=\"x\"y"), "line 1: text follows the closing quote");
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
