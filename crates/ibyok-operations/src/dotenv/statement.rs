//! Finds the beginning and the end of each statement of a `.env` file.

use std::ops::Range;

/// A statement: the text between two line breaks that are not inside quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// The line that it begins on, from 1.
    pub(crate) line: usize,
    /// The offset of the statement in the file.
    pub(crate) start: usize,
    /// The statement without its line break.
    pub(crate) text: &'a str,
    /// The range of its value in the file, quotes included and comment excluded; `None` if it assigns nothing.
    pub(crate) value: Option<Range<usize>>,
}

/// Splits a file into statements, blank lines and comments among them. Nothing is lost: the texts and the line breaks between
/// them are the file.
pub(crate) fn split(file: &str) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let (mut line, mut start) = (1, 0);
    while start < file.len() {
        let rest = file.get(start..).unwrap_or("");
        let (length, value) = statement(rest);
        let text = rest.get(..length).unwrap_or(rest);
        let value = value.map(|value| start + value.start..start + value.end);
        statements.push(Statement {
            line,
            start,
            text,
            value,
        });
        let gap = line_break(rest.as_bytes(), length);
        line += breaks(text) + usize::from(gap > 0);
        start += length + gap;
    }
    statements
}

/// Returns the length of the first statement, and the range of its value in it.
fn statement(rest: &str) -> (usize, Option<Range<usize>>) {
    let bytes = rest.as_bytes();
    let end_of_line = |from: usize| find(bytes, from, |b| matches!(b, b'\n' | b'\r'));
    let first_line = end_of_line(0);
    if rest.trim_start_matches([' ', '\t']).starts_with('#') {
        return (first_line, None);
    }
    let Some(equals) = bytes.iter().take(first_line).position(|b| *b == b'=') else {
        return (first_line, None);
    };
    let begin = find(bytes, equals + 1, |b| !matches!(b, b' ' | b'\t')).min(first_line);
    match bytes.get(begin) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let close = closing(bytes, begin, *quote);
            let end = end_of_line(close);
            (end, Some(begin..close.min(end)))
        }
        _ => {
            let line = bytes.get(begin..first_line).unwrap_or(&[]);
            let value = unquoted(line, begin > equals + 1);
            (first_line, Some(begin..begin + value))
        }
    }
}

/// The index after the closing quote; the end of the file if there is none. In double quotes a backslash keeps the
/// quote that follows it open; in the others it is kept as it is, as in a shell.
fn closing(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut index = open + 1;
    while let Some(byte) = bytes.get(index) {
        match *byte {
            b'\\' if quote == b'"' => index += 2,
            b if b == quote => return index + 1,
            _ => index += 1,
        }
    }
    bytes.len()
}

/// Returns the length of a value without quotes: up to a `#` that follows white space, and without white space at its
/// end.
///
/// Readers disagree about `secret#1` and `#secret`: Node.js cuts both at the `#`, a shell, python-dotenv and Docker keep them.
/// Keeping loses nothing.
fn unquoted(line: &[u8], spaced: bool) -> usize {
    let comment = line.iter().enumerate().position(|(at, byte)| {
        let before = at.checked_sub(1).and_then(|before| line.get(before));
        *byte == b'#' && before.map_or(spaced, |before| matches!(before, b' ' | b'\t'))
    });
    let value = line.get(..comment.unwrap_or(line.len())).unwrap_or(line);
    value.trim_ascii_end().len()
}

fn find(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let found = bytes.iter().skip(from).position(|byte| wanted(*byte));
    found.map_or(bytes.len(), |at| from + at)
}

/// Returns the number of bytes of the line break at an index: 2 for CRLF, 1 for LF or CR, 0 at the end of the file.
fn line_break(bytes: &[u8], at: usize) -> usize {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => 2,
        (Some(b'\r' | b'\n'), _) => 1,
        _ => 0,
    }
}

fn breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let carriage = bytes
        .iter()
        .enumerate()
        .filter(|(at, b)| **b == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
        .count();
    carriage + bytes.iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(file: &str) -> Vec<(usize, &str)> {
        let statements = split(file);
        statements
            .iter()
            .filter_map(|s| s.value.clone().map(|v| (s.line, file.get(v).unwrap())))
            .collect()
    }

    #[test]
    fn a_value_is_found_with_its_quotes_and_without_its_comment() {
        assert_eq!(
            values("A=1 # c\nB = \"x # y\" # z\n#C=3\nD='#'\nE=\n"),
            [(1, "1"), (2, "\"x # y\""), (4, "'#'"), (5, ""),]
        );
        assert_eq!(
            values("A=a#b\nB=#c\nC=x=y==\nD= #c\nE=\t# c\nF=#FF0000 # red"),
            [(1, "a#b"), (2, "#c"), (3, "x=y=="), (4, ""), (5, ""), (6, "#FF0000")]
        );
    }

    #[test]
    fn a_quoted_value_runs_over_lines_and_the_lines_are_counted() {
        let file = "K=\"-----BEGIN\r\nA=b\r\n-----END\"\r\nL=1\rM=2\nN='it\\s\nx'\nO=3";
        let lines: Vec<usize> = split(file).iter().map(|s| s.line).collect();
        assert_eq!(lines, [1, 4, 5, 6, 8]);
        assert_eq!(values(file)[0].1, "\"-----BEGIN\r\nA=b\r\n-----END\"");
    }

    #[test]
    fn a_backslash_keeps_a_quote_open_in_double_quotes_alone() {
        assert_eq!(
            values("A='abc\\'\nB='#fff'\nC=\"x\\\"y\"\n"),
            [(1, "'abc\\'"), (2, "'#fff'"), (3, "\"x\\\"y\"")]
        );
    }

    proptest! {
        #[test]
        fn statements_and_line_breaks_are_the_whole_file(file in "[A-Z=#'\"`\\\\ \t\r\na-z€]{0,200}") {
            let statements = split(&file);
            let texts: usize = statements.iter().map(|s| s.text.len()).sum();
            prop_assert!(texts <= file.len());
            let mut at = 0;
            for statement in &statements {
                let found = file.get(at..).unwrap().find(statement.text).map(|f| f + at);
                prop_assert!(found.is_some_and(|f| file.get(at..f).unwrap().chars().all(|c| c == '\r' || c == '\n')));
                at = found.unwrap_or(0) + statement.text.len();
            }
            for value in statements.into_iter().filter_map(|s| s.value) {
                prop_assert!(file.get(value).is_some());
            }
        }
    }
}
