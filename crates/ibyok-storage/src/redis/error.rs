use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::Error;
use crate::server::DEADLINE;

/// The backend's name in errors and health.
pub(super) const BACKEND: &str = "redis";

/// An error of the server or of the way to it, in the words of this crate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the connection failed: {0}")]
    Connection(RedisError),
    #[error("it did not answer within {} seconds", DEADLINE.as_secs())]
    Deadline,
    #[error("connecting failed a moment ago")]
    Again,
    #[error("it is a replica; the store needs a primary")]
    Replica,
    #[error("it accepts no writes now: {0}")]
    ReadOnly(RedisError),
    #[error("it has no memory left: {0}")]
    Full(RedisError),
    #[error("it is still loading its data: {0}")]
    Loading(RedisError),
    #[error("it is a cluster, and another of its nodes has this store (give that node in the URL): {0}")]
    Moved(RedisError),
    #[error("it answered another query than the one that was sent, or in another form")]
    WrongAnswer,
    #[error("{0}")]
    Other(RedisError),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::unavailable(BACKEND, failure)
    }
}

/// The meaning of an error for this crate.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Connection,
    Login,
    NoPermission,
    WrongType,
    ReadOnly,
    Full,
    Loading,
    Moved,
    TooOld,
    Other,
}

fn meaning(kind: ErrorKind, code: Option<&str>) -> Meaning {
    match (kind, code) {
        (ErrorKind::Io | ErrorKind::Parse, _) => Meaning::Connection,
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => Meaning::Login,
        (ErrorKind::RESP3NotSupported, _) => Meaning::TooOld,
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => Meaning::NoPermission,
        (ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown), _) => Meaning::ReadOnly,
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => Meaning::Loading,
        (ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask), _) => Meaning::Moved,
        (_, Some("NOREPLICAS" | "MISCONF")) => Meaning::ReadOnly,
        (_, Some("OOM")) => Meaning::Full,
        (_, Some("WRONGTYPE")) => Meaning::WrongType,
        _ => Meaning::Other,
    }
}

/// The message of Redis about a command within a script that the user may not run. It has no separate code.
const NOT_IN_A_SCRIPT: &str = "user executing the script can't";

/// The public error for an error of the driver. No message holds a password.
pub(super) fn public(error: RedisError) -> Error {
    if error.detail().is_some_and(|detail| detail.contains(NOT_IN_A_SCRIPT)) {
        return no_permission(&error);
    }
    if error.code() == Some("SEALED") {
        return Error::sealed(error.detail().unwrap_or_default().as_bytes());
    }
    match meaning(error.kind(), error.code()) {
        Meaning::Connection => Failure::Connection(error).into(),
        Meaning::Login => Error::refused(said(&error), "check the user and password in the URL"),
        Meaning::NoPermission => no_permission(&error),
        Meaning::TooOld => Error::refused("a Redis without RESP3", "use Redis 6 or newer"),
        Meaning::WrongType => Error::corrupt("the Redis store", error),
        Meaning::ReadOnly => Failure::ReadOnly(error).into(),
        Meaning::Full => Failure::Full(error).into(),
        Meaning::Loading => Failure::Loading(error).into(),
        Meaning::Moved => Failure::Moved(error).into(),
        Meaning::Other => Failure::Other(error).into(),
    }
}

/// Returns true if the server answered and refused the command. False if the server did not answer.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

fn no_permission(error: &RedisError) -> Error {
    Error::refused(said(error), "grant the permissions that docs/redis.md lists")
}

fn said(error: &RedisError) -> String {
    format!("the Redis server says: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_new_password_would_mend_is_told_from_what_waiting_would() {
        assert_eq!(meaning(ErrorKind::Extension, Some("WRONGPASS")), Meaning::Login);
        assert_eq!(meaning(ErrorKind::Extension, Some("OOM")), Meaning::Full);
        assert_eq!(meaning(ErrorKind::Extension, Some("NOREPLICAS")), Meaning::ReadOnly);
        assert_eq!(meaning(ErrorKind::Io, None), Meaning::Connection);
        let loading = ErrorKind::Server(ServerErrorKind::BusyLoading);
        assert_eq!(meaning(loading, Some("LOADING")), Meaning::Loading);
        assert_eq!(meaning(ErrorKind::Extension, Some("X")), Meaning::Other);
    }
}
