//! Lines that a reader leaves out.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

/// The reason why lines are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOutReason {
    /// The log's key does not vouch for them. A changed line also excludes the lines after it, up to the next place that the key signed.
    NotVouched,
    /// They name something beyond the one environment whose keys vouch for the log.
    Elsewhere,
    /// The log belongs to the vault, and the record of the environment that holds its key is damaged.
    NoKey,
}

/// Lines of one log that are left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The segment of the first of them.
    pub path: PathBuf,
    /// The number of the first of them in its segment, counted from 1.
    pub line: u64,
    /// The number of lines.
    pub lines: u64,
    /// The reason.
    pub why: LeftOutReason,
}

impl LeftOut {
    /// The same as an error about the first of them.
    #[must_use]
    pub fn error(&self) -> Error {
        let why = match self.why {
            LeftOutReason::NotVouched => "the log's key does not vouch for it",
            LeftOutReason::Elsewhere => "it is about another environment than the one whose keys vouch for the log",
            LeftOutReason::NoKey => "the environment that holds the log's key is damaged",
        };
        Error::BadLine {
            path: self.path.clone(),
            line: self.line,
            why: format!("{why}; {} lines are left out from here on", self.lines),
        }
    }
}

/// Names the slot and the segment, and not where the logs are.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, are, them) = match self.lines {
            1 => ("1 line of the audit log".to_owned(), "is", "it"),
            lines => (format!("{lines} lines of the audit log"), "are", "them"),
        };
        let (line, path) = (self.line, short(&self.path));
        write!(f, "{lines} {are} left out, from line {line} of `{path}` on: ")?;
        match self.why {
            LeftOutReason::NotVouched => write!(f, "the log's key does not vouch for {them}"),
            LeftOutReason::Elsewhere => f.write_str(
                "only the keys of one environment vouch for the log, so its lines count for that environment only",
            ),
            LeftOutReason::NoKey => f.write_str("the environment that holds the log's key is damaged"),
        }
    }
}

/// The last two parts of a path: the slot, and the segment in it.
pub(crate) fn short(path: &std::path::Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("/")
}
