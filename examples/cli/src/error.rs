//! The errors of the command line.

use std::io;
use std::path::Path;

use ibyok_operations::file::FileError;

use crate::show::clean;

/// The result of a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a command failed. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] ibyok_core::Error),
    /// The server refused, or could not be reached.
    #[error(transparent)]
    Server(#[from] ibyok_client::Error),
    /// An input on the command line, in a variable or in a file is not valid.
    #[error("{what}")]
    Usage {
        /// The fault, with the offending input in backticks.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// A variable announces an access token, or the command needs one, and there is no usable token.
    #[error("{what}")]
    NoToken {
        /// The fault in the source of the token.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// An operation of this machine failed, such as reading a file or starting a process.
    #[error("{what}")]
    Failed {
        /// The operation that failed, and the reason.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// Standard output could not be written.
    #[error("cannot write standard output: {0}")]
    Output(io::Error),
    /// `run`: nothing was started, for this reason.
    #[error(transparent)]
    NotStarted(Box<Error>),
    /// `run`: the program is there and cannot be executed.
    #[error("cannot execute `{program}`: {source}")]
    NotExecutable {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// `run`: there is no such program.
    #[error("there is no program `{program}`")]
    NoProgram {
        /// The program.
        program: String,
    },
}

impl Error {
    /// Wrong usage or input.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Something of this machine failed.
    pub(crate) fn failed(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Failed {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// No usable token.
    pub(crate) fn no_token(what: impl Into<String>) -> Self {
        Error::NoToken {
            what: what.into(),
            hint: "give a whole token, or unset the variable; with a local vault, `--operator` ignores the variable"
                .to_owned(),
        }
    }

    /// A file could not be read: wrong input where it is not there, else a failure.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let what = format!("cannot read `{}`: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => {
                Error::usage(what, "check the path")
            }
            _ => Error::failed(what, "check that you may read the file"),
        }
    }

    /// A file could not be written.
    pub(crate) fn writing(path: &Path, error: &io::Error) -> Self {
        Error::failed(
            format!("cannot write `{}`: {error}", path.display()),
            "check that the directory exists, that you may write to it, and that it has space",
        )
    }

    /// The stable word that programs act on.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Error::Vault(error) => error.code().as_str(),
            Error::Server(error) => error.code(),
            Error::Usage { .. } => "invalid",
            Error::NoToken { .. } => "unauthenticated",
            Error::Failed { .. } | Error::Output(_) => "failed",
            Error::NotStarted(error) => error.code(),
            Error::NotExecutable { .. } => "not_executable",
            Error::NoProgram { .. } => "not_found",
        }
    }

    /// The error as a part of a JSON document: code, message and hint.
    pub(crate) fn document(&self) -> serde_json::Value {
        let (message, hint) = (clean(&self.to_string()), clean(&self.hint()));
        serde_json::json!({ "code": self.code(), "message": message, "hint": hint })
    }

    /// Returns the remedy, for a person.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Error::Vault(error) => error
                .remedy()
                .map(|remedy| crate::remedy::worded(&remedy))
                .unwrap_or_else(|| "`ibyok status` shows the vault's health".to_owned()),
            Error::Server(error) => error.hint().unwrap_or("read the server's log").to_owned(),
            Error::Usage { hint, .. } | Error::NoToken { hint, .. } | Error::Failed { hint, .. } => hint.clone(),
            Error::Output(_) => "check the file or program that standard output goes to".to_owned(),
            Error::NotStarted(error) => error.hint(),
            Error::NotExecutable { .. } => {
                "check that it is a program for this machine, and that its mode allows execution".to_owned()
            }
            Error::NoProgram { .. } => "check that it is installed and on the PATH".to_owned(),
        }
    }
}

impl From<ibyok_access::Error> for Error {
    fn from(error: ibyok_access::Error) -> Self {
        use ibyok_access::Error as Access;
        match error {
            Access::Vault(error) => Error::Vault(error),
            Access::Server(error) => Error::Server(error),
            Access::Invalid { what, hint } => Error::Usage { what, hint },
            Access::Failed { what, hint } => Error::Failed { what, hint },
            other => Error::failed(other.to_string(), "this is a bug"),
        }
    }
}

impl From<ibyok_operations::scan::CodeError> for Error {
    fn from(error: ibyok_operations::scan::CodeError) -> Self {
        use ibyok_operations::scan::CodeError;
        match error {
            CodeError::Vault(error) => Error::Vault(error),
            CodeError::Scan(error) => error.into(),
            other => Error::failed(other.to_string(), "this is a bug"),
        }
    }
}

impl From<ibyok_settings::NoToken> for Error {
    fn from(error: ibyok_settings::NoToken) -> Self {
        Error::NoToken {
            what: error.what,
            hint: error.hint,
        }
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Input { what, hint } => Error::usage(what, hint),
            FileError::Failed { what, hint } => Error::failed(what, hint),
            FileError::TooLarge { what, limit } => Error::Vault(ibyok_core::Error::TooLarge { what, limit }),
            other => Error::failed(other.to_string(), "check that you own the file"),
        }
    }
}

impl From<ibyok_operations::kek_copy::KekCopyError> for Error {
    fn from(error: ibyok_operations::kek_copy::KekCopyError) -> Self {
        Error::usage(error.to_string(), error.hint())
    }
}

impl From<ibyok_operations::dotenv::Error> for Error {
    fn from(error: ibyok_operations::dotenv::Error) -> Self {
        Error::usage(error.to_string(), error.hint())
    }
}

impl From<ibyok_server::Error> for Error {
    fn from(error: ibyok_server::Error) -> Self {
        use ibyok_server::Error as Server;
        let hint = error
            .hint()
            .unwrap_or_else(|| "check the limits of this machine".to_owned());
        match error {
            Server::Vault(error) => Error::Vault(error),
            Server::Insecure { .. } => Error::usage(error.to_string(), hint),
            other => Error::failed(other.to_string(), hint),
        }
    }
}
