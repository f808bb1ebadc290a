//! The mark up to which a log's lines are counted: a small file in the log's directory. A start reads from it which
//! lines to count.
//!
//! The file may be older than the truth, or missing. Then more lines are read, and their records show which of them
//! are in the store already.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::private_file;

/// The file's name in the log's directory.
const FILE: &str = "usage";

/// The content of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The line up to which everything is counted and in the store.
    pub(super) seq: u64,
    /// True if the process that wrote it had finished.
    pub(super) closed: bool,
}

impl Mark {
    /// Reads the file. A file that cannot be read counts as the default.
    pub(super) fn read(directory: &Path) -> Self {
        let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
        Mark::parse(&text).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let (seq, state) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Mark {
            seq: seq.parse().ok()?,
            closed: match state {
                "closed" => true,
                "open" => false,
                _ => return None,
            },
        })
    }

    /// Replaces the mark. Not synced: an older mark costs time and nothing else.
    pub(super) fn write(self, directory: &Path) -> io::Result<()> {
        // A rename replaces the file whole. A crash in the middle of a write would leave half a number.
        let new: PathBuf = directory.join(format!("{FILE}.new"));
        let state = if self.closed { "closed" } else { "open" };
        let mut file = private_file::create(&new)?;
        file.write_all(format!("{} {state}\n", self.seq).as_bytes())?;
        fs::rename(new, directory.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_says_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(Mark::read(scratch.path()), Mark::default());
        for closed in [true, false] {
            let mark = Mark { seq: 41, closed };
            mark.write(scratch.path()).unwrap();
            assert_eq!(Mark::read(scratch.path()), mark);
        }
        for bad in [
            "",
            "\n",
            "41",
            "41 closed",
            "-1 closed\n",
            "x open\n",
            "41  open\n",
            "99999999999999999999 open\n",
        ] {
            assert_eq!(Mark::parse(bad), None, "{bad:?}");
        }
    }
}
