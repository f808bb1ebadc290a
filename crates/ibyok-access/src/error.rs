//! The errors of this crate.

/// The result of a verb.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a verb failed. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] ibyok_core::Error),
    /// The server refused, or could not be reached.
    #[error(transparent)]
    Server(#[from] ibyok_client::Error),
    /// The request or a file that it names is not valid.
    #[error("{what}")]
    Invalid {
        /// The fault, with the offending input in backticks.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// An operation of this machine failed, such as reading a file.
    #[error("{what}")]
    Failed {
        /// The operation that failed, and the reason.
        what: String,
        /// The remedy.
        hint: String,
    },
}

impl Error {
    pub(crate) fn invalid(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Invalid {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Returns the stable word that programs act on.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Error::Vault(error) => error.code().as_str(),
            Error::Server(error) => error.code(),
            Error::Invalid { .. } => "invalid",
            Error::Failed { .. } => "failed",
        }
    }
}

impl From<ibyok_operations::file::FileError> for Error {
    fn from(error: ibyok_operations::file::FileError) -> Self {
        use ibyok_operations::file::FileError;
        match error {
            FileError::Input { what, hint } => Error::Invalid { what, hint },
            FileError::Failed { what, hint } => Error::Failed { what, hint },
            FileError::TooLarge { what, limit } => Error::Vault(ibyok_core::Error::TooLarge { what, limit }),
            other => Error::Failed {
                what: other.to_string(),
                hint: "check that you own the file".to_owned(),
            },
        }
    }
}

impl From<ibyok_operations::dotenv::Error> for Error {
    fn from(error: ibyok_operations::dotenv::Error) -> Self {
        Error::invalid(error.to_string(), error.hint())
    }
}
