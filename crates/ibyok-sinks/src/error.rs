//! The error of a sink that cannot be made.

/// A setting of a sink that is not valid. No message holds a URL's password, path or query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
#[non_exhaustive]
pub struct Error {
    /// The fault.
    pub what: String,
    /// The remedy.
    pub hint: String,
}

impl Error {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }
}
