//! The error of reading and writing `.env` files.

/// The result of reading or writing a `.env` file.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a `.env` file cannot be read or written. It names a line or a variable and never shows a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    what: String,
    hint: String,
}

impl Error {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Returns the action that mends the file.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<Error> for ibyok_core::Error {
    fn from(error: Error) -> Self {
        ibyok_core::Error::invalid(error.what, error.hint)
    }
}
