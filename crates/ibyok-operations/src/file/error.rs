//! The error of reading and writing a file.

use std::io;
use std::path::Path;

/// The result of reading or writing a file.
pub type Result<T, E = FileError> = std::result::Result<T, E>;

/// The reason why a file is not read or written. It never shows the file's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The path is wrong, names no file that can be replaced, or the file has another form.
    #[error("{what}")]
    Input {
        /// The fault, with the path in backticks.
        what: String,
        /// The action that mends it.
        hint: String,
    },
    /// The machine refused to read or write the file.
    #[error("{what}")]
    Failed {
        /// The failure, with the path in backticks.
        what: String,
        /// The action that mends it.
        hint: String,
    },
    /// The input is larger than the limit.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// The input: `the value`.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl FileError {
    pub(crate) fn input(what: impl Into<String>, hint: impl Into<String>) -> Self {
        FileError::Input {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn failed(what: impl Into<String>, hint: impl Into<String>) -> Self {
        FileError::Failed {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// A file could not be read: wrong input if it does not exist, else a failure.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let what = format!("cannot read `{}`: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => {
                FileError::input(what, "check the path")
            }
            _ => FileError::failed(what, "check that you may read the file"),
        }
    }

    pub(crate) fn writing(path: &Path, error: &io::Error) -> Self {
        FileError::failed(
            format!("cannot write `{}`: {error}", path.display()),
            "check that the directory exists, that you may write to it, and that it has space",
        )
    }
}
