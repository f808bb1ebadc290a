//! Lines that a reader leaves out, since no key vouches for them.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

/// Lines of one log that are left out: the log's key does not vouch for them. One changed line takes those behind it with it, up to
/// the next place that the key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The segment of the first of them.
    pub path: PathBuf,
    /// The number of the first of them in its segment, counted from 1.
    pub line: u64,
    /// The number of lines.
    pub lines: u64,
}

impl LeftOut {
    /// The same as an error about the first of them.
    #[must_use]
    pub fn error(&self) -> Error {
        Error::BadLine {
            path: self.path.clone(),
            line: self.line,
            why: format!(
                "the log's key does not vouch for it; {} lines are left out from here on",
                self.lines
            ),
        }
    }
}

/// Names the slot and the segment, and not where the logs are.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, are) = match self.lines {
            1 => ("1 line of the audit log".to_owned(), "is"),
            lines => (format!("{lines} lines of the audit log"), "are"),
        };
        write!(
            f,
            "{lines} {are} left out, from line {} of `{}` on: the log's key does not vouch for {}",
            self.line,
            short(&self.path),
            if self.lines == 1 { "it" } else { "them" }
        )
    }
}

/// The last two parts of a path: the slot, and the segment in it.
pub(crate) fn short(path: &std::path::Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("/")
}
