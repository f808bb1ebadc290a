//! The error of reading and replacing the file of an import.

use std::io;
use std::path::Path;

/// The result of reading or replacing a file.
pub(super) type Result<T, E = FileError> = std::result::Result<T, E>;

/// The reason why a file is not read or replaced. It never shows the file's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The path is wrong, or names no file that can be replaced.
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
