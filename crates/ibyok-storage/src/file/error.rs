use std::path::Path;

use crate::error::Error;

/// The backend's name in errors and health.
pub(super) const BACKEND: &str = "file";

/// An error of SQLite or the file system, in the words of this crate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("another process has kept it locked for too long: {0}")]
    Busy(sqlx::Error),
    #[error("there is no room left: {0}")]
    Full(sqlx::Error),
    #[error("it can only be read: {0}")]
    ReadOnly(sqlx::Error),
    #[error("reading or writing failed: {0}")]
    InputOutput(sqlx::Error),
    #[error("the disk cannot read it: {0}")]
    Unread(std::io::Error),
    #[error("the file `{0}` is gone or was replaced while it was open")]
    Moved(String),
    #[error("too many others are waiting to write")]
    Queue,
    #[error("the write was interrupted: {0}")]
    Interrupted(tokio::task::JoinError),
    #[error("{0}")]
    Other(sqlx::Error),
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Error::unavailable(BACKEND, error)
    }
}

/// The meaning of an SQLite result code (<https://www.sqlite.org/rescode.html>) for this crate.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Busy,
    Full,
    ReadOnly,
    InputOutput,
    Damaged,
    Other,
}

fn meaning(code: i32) -> Meaning {
    const IOERR_NOMEM: i32 = 10 | 12 << 8;
    const IOERR_SHMSIZE: i32 = 10 | 19 << 8;

    match (code, code & 0xff) {
        (IOERR_NOMEM, _) => Meaning::Other,
        // The index of the log could not grow: nothing was written.
        (IOERR_SHMSIZE, _) => Meaning::Full,
        (_, 5 | 6) => Meaning::Busy,
        (_, 8) => Meaning::ReadOnly,
        (_, 10) => Meaning::InputOutput,
        (_, 11 | 26) => Meaning::Damaged,
        (_, 13) => Meaning::Full,
        _ => Meaning::Other,
    }
}

fn meaning_of(error: &sqlx::Error) -> Meaning {
    match error {
        sqlx::Error::Database(database) => database
            .code()
            .and_then(|code| code.parse().ok())
            .map_or(Meaning::Other, meaning),
        // The table is there and holds what our program never writes.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::TypeNotFound { .. } => {
            Meaning::Damaged
        }
        _ => Meaning::Other,
    }
}

/// Returns true if a write that failed with this error leaves the state of the disk unknown.
pub(crate) fn poisons(error: &sqlx::Error) -> bool {
    meaning_of(error) == Meaning::InputOutput
}

/// Returns true if the file looks damaged, to SQLite or to this crate.
pub(super) fn is_damaged(error: &sqlx::Error) -> bool {
    meaning_of(error) == Meaning::Damaged
}

/// Returns true if waiting a little may help.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    meaning_of(error) == Meaning::Busy
}

/// The public error for an error of `sqlx` about the store at `path`.
pub(crate) fn public(path: &Path, error: sqlx::Error) -> Error {
    match meaning_of(&error) {
        Meaning::Damaged => Error::corrupt(shown(path), error),
        Meaning::Busy => FileError::Busy(error).into(),
        Meaning::Full => FileError::Full(error).into(),
        Meaning::ReadOnly => FileError::ReadOnly(error).into(),
        Meaning::InputOutput => FileError::InputOutput(error).into(),
        Meaning::Other => FileError::Other(error).into(),
    }
}

/// A path in backticks, on one line.
pub(crate) fn shown(path: &Path) -> String {
    format!("`{}`", path.display().to_string().escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_or_sync_poisons_and_a_full_disk_does_not() {
        const IOERR_WRITE: i32 = 778;
        const IOERR_FSYNC: i32 = 1034;
        const IOERR_SHMSIZE: i32 = 4874;
        const FULL: i32 = 13;
        const BUSY_RECOVERY: i32 = 261;
        const NOTADB: i32 = 26;

        assert_eq!(meaning(IOERR_WRITE), Meaning::InputOutput);
        assert_eq!(meaning(IOERR_FSYNC), Meaning::InputOutput);
        assert_eq!(meaning(IOERR_SHMSIZE), Meaning::Full);
        assert_eq!(meaning(FULL), Meaning::Full);
        assert_eq!(meaning(BUSY_RECOVERY), Meaning::Busy);
        assert_eq!(meaning(NOTADB), Meaning::Damaged);
        assert_eq!(meaning(1), Meaning::Other);
    }

    #[test]
    fn a_path_is_shown_on_one_line() {
        assert_eq!(shown(Path::new("a\nb\u{1b}[1m")), "`a\\nb\\u{1b}[1m`");
    }
}
