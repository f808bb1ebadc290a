//! Errors that prevent a scan. The report lists the files that a scan could not read.

use std::io;

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path at which the scan was to begin cannot be read.
    #[error("cannot scan `{path}`: {source}")]
    Root {
        /// The path, printable.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is no program `git`.
    #[error("cannot find `git` in the directories of PATH")]
    NoGit,
    /// Git refused, or found no repository.
    #[error("git: {what}")]
    Git {
        /// The message of git, printable.
        what: String,
    },
    /// The file of excuses, `.ibyokignore`, is not as it must be.
    #[error("cannot use `{path}`: {why}")]
    Excuses {
        /// The file, printable.
        path: String,
        /// Why.
        why: String,
    },
    /// The hook was not installed.
    #[error("did not install `{path}`: {why}")]
    Hook {
        /// The hook's file, printable.
        path: String,
        /// Why.
        why: String,
    },
}
