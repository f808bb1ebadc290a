//! The errors that keep the server from starting, or stop it.

use std::net::SocketAddr;

/// The result of starting and running the server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why the server does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings are wrong or the vault does not open.
    #[error(transparent)]
    Vault(#[from] ibyok_core::Error),
    /// The address is reachable from other machines, and the server would speak plain HTTP there.
    #[error("other machines can reach `{address}`, and tokens would travel unencrypted")]
    Insecure {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The process cannot be set up as it should be.
    #[error("{what}: {source}")]
    Process {
        /// The operation that failed.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns the remedy, for a person.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Vault(error) => error.hint(),
            Error::Insecure { .. } => Some(
                "give a certificate with `--tls-cert` and `--tls-key`; or put a proxy that terminates TLS in front of the server, and give its network with `--trusted-proxy`; or give `--insecure-http`"
                    .to_owned(),
            ),
            Error::Listen { .. } => {
                Some("choose another address with `--listen`, or stop the program that uses this address".to_owned())
            }
            Error::Process { .. } => None,
        }
    }

    /// The exit code: 2 for wrong usage or settings, 4 for a missing vault, 5 for a vault that cannot serve, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        use ibyok_core::Code;
        match self {
            Error::Vault(error) => match error.code() {
                Code::Invalid => 2,
                Code::Unauthenticated | Code::Denied => 3,
                Code::NotFound => 4,
                Code::Integrity | Code::Unavailable | Code::Kek | Code::Closed | Code::Limited => 5,
                _ => 1,
            },
            Error::Insecure { .. } => 2,
            Error::Listen { .. } | Error::Process { .. } => 1,
        }
    }
}
