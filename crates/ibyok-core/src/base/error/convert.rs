//! The errors of the parts as errors of the vault.

use super::{Error, Part, RECORD};
use crate::base::damage::Damage;

impl From<ibyok_policy::Reason> for Error {
    fn from(reason: ibyok_policy::Reason) -> Self {
        Error::denied(reason.as_str(), reason.to_string())
    }
}

impl From<ibyok_storage::Error> for Error {
    fn from(error: ibyok_storage::Error) -> Self {
        use ibyok_storage::Error as Storage;
        match error {
            Storage::Exists => Error::Exists {
                what: "the record".to_owned(),
            },
            Storage::Conflict => Error::Conflict {
                what: "another writer changed the record at the same time".to_owned(),
            },
            Storage::TooLarge { limit, .. } => Error::TooLarge { what: RECORD, limit },
            Storage::Invalid { .. } | Storage::Refused { .. } | Storage::Newer { .. } => Error::Invalid {
                what: error.to_string(),
                hint: Some(error.hint().into()),
            },
            Storage::Corrupt { ref what, .. } => Error::damaged(format!("the store {what}"), Damage::Unreadable),
            other => Error::unavailable(Part::Store, other),
        }
    }
}

impl From<ibyok_crypto::Error> for Error {
    fn from(error: ibyok_crypto::Error) -> Self {
        use ibyok_crypto::Error as Crypto;
        match error {
            Crypto::TooLarge { limit } => Error::TooLarge { what: "value", limit },
            Crypto::NotText | Crypto::InvalidName { .. } | Crypto::Cost { .. } => Error::Invalid {
                what: error.to_string(),
                hint: None,
            },
            other => open_failed("the sealed bytes".to_owned(), other),
        }
    }
}

impl From<ibyok_audit::Error> for Error {
    fn from(error: ibyok_audit::Error) -> Self {
        Error::unavailable(Part::AuditLog, error)
    }
}

/// The error of the vault for a failure to open: damage is an integrity error, a KEK that does not answer is
/// unavailable.
pub(crate) fn open_failed(what: String, error: ibyok_crypto::Error) -> Error {
    use ibyok_crypto::Error as Crypto;
    match error {
        Crypto::KekUnavailable { .. } | Crypto::KekAnswer { .. } => Error::unavailable(Part::Kek, error),
        Crypto::UnknownKek { .. }
        | Crypto::NoKek { .. }
        | Crypto::KekDenied { .. }
        | Crypto::KekRefused { .. }
        | Crypto::KekUnusable { .. }
        | Crypto::KekFile { .. }
        | Crypto::KekFileAccess { .. }
        | Crypto::KekSize => Error::Kek { source: error.into() },
        Crypto::Random => Error::unavailable(Part::Kek, error),
        Crypto::UnsupportedFormat { .. } => Error::damaged(what, Damage::UnknownFormat),
        _ => Error::integrity(what),
    }
}

/// The KEK that this node lacks for an environment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("this node has no KEK for environment `{environment}`: its key is wrapped under `{kek}`")]
pub(crate) struct MissingKek {
    /// The environment, with its namespace if that is not the default one.
    pub(crate) environment: String,
    /// The id of the KEK.
    pub(crate) kek: String,
}

/// The KEK of this node opens only single environments, and the directory of logs belongs to the realm that spans them.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "this node's KEK does not open the realm that spans environments, and `{place}` holds a log of that realm: {why}"
)]
pub(crate) struct OtherHome {
    /// The directory of logs.
    pub(crate) place: String,
    /// The refusal of the KEK.
    pub(crate) why: String,
}
