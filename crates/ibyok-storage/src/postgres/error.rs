use super::seal::SEALED;
use crate::error::Error;
use crate::server::DEADLINE;

/// The backend's name in errors and health.
pub(super) const BACKEND: &str = "postgres";

/// An error of the server or of the way to it, in the words of this crate.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostgresError {
    #[error("the connection failed: {0}")]
    Connection(sqlx::Error),
    #[error("it did not answer within {} seconds", DEADLINE.as_secs())]
    Deadline,
    #[error("it is a replica or still recovering; the store needs a primary")]
    Replica,
    #[error("it accepts no writes now: {0}")]
    ReadOnly(sqlx::Error),
    #[error("it has no connection, memory or disk space left: {0}")]
    Full(sqlx::Error),
    #[error("it timed out or somebody cancelled the query: {0}")]
    Cancelled(sqlx::Error),
    #[error("it answered another query than the one that was sent")]
    WrongAnswer,
    #[error("the driver cannot read its answer")]
    Nonsense,
    #[error("the tables of the store are gone")]
    Gone,
    #[error("{0}")]
    Other(sqlx::Error),
}

impl From<PostgresError> for Error {
    fn from(error: PostgresError) -> Self {
        Error::unavailable(BACKEND, error)
    }
}

/// The meaning of an SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>) for this crate.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Login,
    NoDatabase,
    NoPrivilege,
    NoTable,
    ReadOnly,
    Full,
    Cancelled,
    Other,
}

fn meaning(state: &str) -> Meaning {
    match state {
        "28000" | "28P01" => Meaning::Login,
        "3D000" => Meaning::NoDatabase,
        "42501" => Meaning::NoPrivilege,
        "42P01" | "3F000" | "42703" => Meaning::NoTable,
        "25006" => Meaning::ReadOnly,
        _ if state.starts_with("53") => Meaning::Full,
        "57014" | "55P03" | "40P01" | "40001" | "57P01" | "57P02" | "57P03" | "57P05" => Meaning::Cancelled,
        _ => Meaning::Other,
    }
}

/// The public error for an error of `sqlx`. No message of the server holds a password: the server never gets one in clear.
pub(super) fn public(error: sqlx::Error) -> Error {
    if let sqlx::Error::Database(database) = &error
        && database.code().as_deref() == Some(SEALED)
    {
        return Error::sealed(database.message().as_bytes());
    }
    let state = match &error {
        sqlx::Error::Database(database) => database.code().map(|code| meaning(&code)),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            return Error::corrupt("the PostgreSQL store", error);
        }
        sqlx::Error::Configuration(_) => return Error::refused(error.to_string(), "see docs/postgres.md"),
        _ => return PostgresError::Connection(error).into(),
    };
    match state.unwrap_or(Meaning::Other) {
        Meaning::Login => Error::refused(said(&error), "check the user and password in the URL"),
        Meaning::NoDatabase => Error::refused(said(&error), "create the database, or give another one in the URL"),
        Meaning::NoPrivilege => Error::refused(said(&error), "grant the privileges that docs/postgres.md lists"),
        Meaning::NoTable => PostgresError::Gone.into(),
        Meaning::ReadOnly => PostgresError::ReadOnly(error).into(),
        Meaning::Full => PostgresError::Full(error).into(),
        Meaning::Cancelled => PostgresError::Cancelled(error).into(),
        Meaning::Other => PostgresError::Other(error).into(),
    }
}

fn said(error: &sqlx::Error) -> String {
    format!("the PostgreSQL server says: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_new_password_would_mend_is_told_from_what_waiting_would() {
        assert_eq!(meaning("28P01"), Meaning::Login);
        assert_eq!(meaning("53300"), Meaning::Full);
        assert_eq!(meaning("57P01"), Meaning::Cancelled);
        assert_eq!(meaning("25006"), Meaning::ReadOnly);
        assert_eq!(meaning("42P01"), Meaning::NoTable);
        assert_eq!(meaning("XX000"), Meaning::Other);
    }
}
