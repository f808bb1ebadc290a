//! Lines of the audit log that cannot be read or believed, as answers name them.

use std::path::Path;

use ibyok_audit::Lines;

/// The number of places that are named. Further ones are counted.
const NAMED_MAX: usize = 20;

/// The lines that an answer lacks which was made from the log.
#[derive(Debug, Default)]
pub(crate) struct UnreadLines {
    named: Vec<String>,
    more: u64,
}

impl UnreadLines {
    /// Adds a line that cannot be read.
    pub(crate) fn failed(&mut self, error: &ibyok_audit::Error) {
        let what = unread_line(error).unwrap_or_else(|| "a part of the audit log cannot be read".to_owned());
        self.add(what);
    }

    /// Adds the lines that no key vouches for, once all were read.
    pub(crate) fn left_out(&mut self, lines: &Lines) {
        for left_out in lines.left_out() {
            self.add(left_out.to_string());
        }
        for archived in lines.archived() {
            self.add(archived.to_string());
        }
    }

    fn add(&mut self, what: String) {
        match self.named.len() < NAMED_MAX {
            true => self.named.push(what),
            false => self.more = self.more.saturating_add(1),
        }
    }

    /// Describes the lines in words, for the gaps of an answer.
    pub(crate) fn in_words(self) -> Vec<String> {
        let more = match self.more {
            0 => None,
            1 => Some("1 more line of the audit log cannot be read".to_owned()),
            more => Some(format!("{more} more lines of the audit log cannot be read")),
        };
        self.named.into_iter().chain(more).collect()
    }
}

/// Names the line that an error of reading the log is about; `None` for an error about no single line.
///
/// The directory of the logs is not named: the reader of an answer may be on another machine.
#[must_use]
pub fn unread_line(error: &ibyok_audit::Error) -> Option<String> {
    match error {
        ibyok_audit::Error::BadLine { path, line, why } => Some(format!(
            "line {line} of `{}` in the audit log cannot be read: {why}",
            short(path)
        )),
        _ => None,
    }
}

/// The last two parts of a path: the slot, and the segment in it.
fn short(path: &Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("/")
}
