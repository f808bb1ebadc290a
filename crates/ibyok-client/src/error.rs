//! The errors of a client.

use std::time::Duration;

use crate::problem::Problem;

/// The result of the client's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a request failed. No variant holds a token or a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused, and says why.
    #[error("{0}")]
    Refused(Problem),
    /// The server cannot be reached, or the connection broke before its answer was complete.
    #[error("cannot reach the server at `{url}`: {reason}")]
    Unreachable {
        /// The server's address.
        url: String,
        /// Why, as the HTTP library says it.
        reason: String,
    },
    /// The answer is not that of an IBYOK server.
    #[error("`{url}` did not answer as an IBYOK server: {reason}")]
    Answer {
        /// The server's address.
        url: String,
        /// The fault in the answer.
        reason: String,
    },
    /// An argument cannot be sent.
    #[error("{what}")]
    Invalid {
        /// The fault in the argument.
        what: String,
        /// The remedy.
        hint: &'static str,
    },
    /// The value is not text.
    #[error("the value is not text; request its bytes")]
    NotText,
}

impl Error {
    /// The stable word that programs act on: the server's own, else `unavailable` or `invalid`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Error::Refused(problem) => problem.code.as_str(),
            Error::Unreachable { .. } | Error::Answer { .. } => "unavailable",
            Error::Invalid { .. } | Error::NotText => "invalid",
        }
    }

    /// Returns the remedy, for a person.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Refused(problem) => problem.hint.as_deref(),
            Error::Unreachable { .. } => Some("check that the server runs, and check the address"),
            Error::Answer { .. } => Some("check that the address is that of an IBYOK server, without a path"),
            Error::Invalid { hint, .. } => Some(hint),
            Error::NotText => None,
        }
    }

    /// Returns the server's problem document, if the server refused the request.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Error::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// Returns the time to wait before the next try, if the server gave one: with `limited` and `unavailable`. The
    /// client itself does not retry a `limited` request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.problem().and_then(|problem| problem.retry_after)
    }

    pub(crate) fn invalid(what: impl Into<String>, hint: &'static str) -> Self {
        Error::Invalid {
            what: what.into(),
            hint,
        }
    }
}
