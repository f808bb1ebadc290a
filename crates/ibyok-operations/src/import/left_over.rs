//! A check of a rewritten file for secrets that it still holds.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::plan::Plan;
use crate::dotenv::{self, Result};

/// The shortest value to search for in the rest of a file, and the shortest line of a longer one, in bytes: shorter text is
/// found everywhere.
const VALUE_MIN: usize = 6;
const LINE_MIN: usize = 16;

/// The lines of a rewritten file that still hold something.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOver {
    /// Assignments whose values were not imported.
    pub values: Vec<String>,
    /// Lines that hold a value that was imported, in a comment for example.
    pub copies: Vec<String>,
}

/// Looks through a rewritten file for values that a plan did not store, and for copies of those that it did. `original` is the text before
/// it was rewritten.
///
/// # Errors
/// [`dotenv::Error`] if one of the texts cannot be read.
pub fn left_over(original: &str, written: &str, plan: &Plan) -> Result<LeftOver> {
    let stored: HashSet<&str> = plan.stored().map(|entry| entry.variable.as_str()).collect();
    let imported = dotenv::parse(original)?.assignments.into_iter();
    let imported: Vec<(String, Zeroizing<String>)> = imported
        .filter(|assignment| stored.contains(assignment.variable.as_str()))
        .map(|assignment| (assignment.variable, assignment.value))
        .collect();
    look(written, &imported)
}

/// Looks through a rewritten file for values, and for those that were imported from it.
///
/// # Errors
/// As [`dotenv::parse`].
fn look(written: &str, imported: &[(String, Zeroizing<String>)]) -> Result<LeftOver> {
    let mut left = LeftOver::default();
    for assignment in dotenv::parse(written)?.assignments {
        if !assignment.value.is_empty() && !assignment.value.starts_with("ibyok://") {
            left.values
                .push(format!("line {} ({})", assignment.line, assignment.variable));
        }
    }
    for (line, text) in (1..).zip(written.lines()) {
        let holds = imported.iter().find(|(_, value)| holds(text, value));
        left.copies
            .extend(holds.map(|(variable, _)| format!("line {line} (the value of {})", variable)));
    }
    Ok(left)
}

fn holds(line: &str, value: &str) -> bool {
    if value.contains('\n') {
        let mut parts = value.lines().map(str::trim).filter(|part| part.len() >= LINE_MIN);
        return parts.any(|part| line.contains(part));
    }
    let value = value.trim();
    value.len() >= VALUE_MIN && line.contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_still_holds_something_is_named() {
        let imported = [
            ("A".to_owned(), Zeroizing::new("sk-12345".to_owned())),
            (
                "PEM".to_owned(),
                Zeroizing::new("-----BEGIN KEY-----\nMIIBMIIBMIIBMIIB\n-----END KEY-----\n".to_owned()),
            ),
            ("SHORT".to_owned(), Zeroizing::new("1".to_owned())),
        ];
        let written = "A=\"ibyok://dev/A\"\n# was sk-12345\nB=1\nC=\nD=x-sk-12345\n#MIIBMIIBMIIBMIIB\ngo-version=2\n";
        let left = look(written, &imported).unwrap();
        assert_eq!(left.values, ["line 3 (B)", "line 5 (D)", "line 7 (go-version)"]);
        assert_eq!(
            left.copies,
            [
                "line 2 (the value of A)",
                "line 5 (the value of A)",
                "line 6 (the value of PEM)"
            ]
        );
        assert_eq!(
            look("A=\"ibyok://dev/A\" # mine\n", &imported).unwrap(),
            LeftOver::default()
        );
    }
}
