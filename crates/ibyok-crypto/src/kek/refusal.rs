//! Why a key service refuses, as a closed set: each has its own remedy.

use std::fmt;

/// The reason why a key service refused. A retry does not help; its `Display` names the remedy.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KekRefusal {
    /// The identity may not do this with this key, or not for this vault, namespace and environment.
    AccessDenied,
    /// The service does not know the credentials, or their signature is wrong.
    Credentials,
    /// The key is disabled.
    Disabled,
    /// The key waits for its deletion.
    PendingDeletion,
    /// The key is in another state that allows no use: its material is missing, or it is still being made.
    InvalidState,
    /// There is no such key in this account and region.
    NotFound,
    /// The key is not one that wraps: an asymmetric one, or one for signatures.
    KeyUsage,
    /// The endpoint is plain HTTP on another machine, or behind a proxy; nothing was sent.
    PlainHttp,
    /// The client can make no request of its settings, such as an endpoint that is no URL; nothing was sent.
    Settings,
    /// The service does not take the request, for a reason that is none of the others.
    Request,
}

impl KekRefusal {
    /// Returns both halves of the message: the reason, and the remedy.
    const fn text(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "access denied: let this identity use the key for this vault, namespace and environment, in the \
                 key's policy or its own"
            }
            Self::Credentials => "the credentials are not valid: renew them, or see which ones this program finds",
            Self::Disabled => "the key is disabled: enable it",
            Self::PendingDeletion => "the key waits for its deletion: cancel that in time, or what it wrapped is lost",
            Self::InvalidState => "the key's state allows no use: see its state and its material in the console",
            Self::NotFound => "no such key: check its id, account and region",
            Self::KeyUsage => "not a symmetric key for encryption: use one",
            Self::PlainHttp => {
                "the endpoint is plain HTTP on another machine or behind a proxy: use HTTPS, or `NO_PROXY` for a local one"
            }
            Self::Settings => "the settings make no request: give the endpoint as `https://HOST`",
            Self::Request => "the request was not taken",
        }
    }
}

impl fmt::Display for KekRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
