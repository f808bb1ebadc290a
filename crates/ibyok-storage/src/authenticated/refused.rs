//! The reasons why a file is refused, and the errors of callers for them.

use std::path::Path;

use crate::error::Error;
use crate::file::{public, shown};

/// Why the content of a file, or a change of it, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Damaged(&'static str),
    /// The file has an older generation than this handle has seen.
    SetBack {
        found: u64,
        seen: u64,
    },
    Foreign,
    TooLarge,
}

/// A failure of SQLite, after which the connection is not used again, or a refusal.
#[derive(Debug)]
pub(super) enum Trouble {
    Sql(sqlx::Error),
    Refused(Refused),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Trouble::Sql(error)
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Trouble::Refused(refused)
    }
}

impl Trouble {
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Trouble::Sql(error) if is_of_tables(&error) => Error::corrupt(shown(path), error),
            Trouble::Sql(error) => public(path, error),
            Trouble::Refused(refused) => refused.into_error(path),
        }
    }
}

impl Refused {
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Refused::Damaged(why) => Error::corrupt(shown(path), why),
            Refused::SetBack { found, seen } => {
                let why =
                    format!("it was set back: it has generation {found}, and this process has seen generation {seen}");
                Error::corrupt(shown(path), why)
            }
            Refused::Foreign => Error::refused(
                format!("{} belongs to another vault or namespace", shown(path)),
                "use a separate directory for each",
            ),
            Refused::TooLarge => Error::invalid("a key, number or text of the map", "use a smaller one"),
        }
    }
}

/// Returns true if SQLite cannot make sense of a statement: the statements are always the same, so the tables are other ones than were made.
fn is_of_tables(error: &sqlx::Error) -> bool {
    const SQLITE_ERROR: &str = "1";
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(SQLITE_ERROR)
}
