//! The errors of the vault, sorted by their remedy.

mod advice;
mod code;
mod convert;
mod message;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use self::code::Code;
pub(crate) use self::convert::{MissingKek, OtherHome, open_failed};
pub use self::message::quoted;
use self::message::{needed_by, of_kek, reason_of};
use crate::base::damage::{Affected, Damage};
use crate::base::remedy::Remedy;
use crate::base::version_state::VersionState;

/// The result of the vault's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why the vault did not fulfil a request.
///
/// No variant ever carries a secret. Programs act on [`Error::code`], which is stable. [`Error::hint`] names the next
/// step for a person.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input does not have the form that is needed.
    #[error("{what}")]
    Invalid {
        /// The fault, with the offending input in backticks.
        what: String,
        /// The input to give instead.
        hint: Option<Remedy>,
    },
    /// No valid access token: absent, malformed, unknown, revoked or expired. Only the audit log records which of
    /// them.
    #[error("the access token is not valid")]
    Unauthenticated,
    /// The token does not permit this, whether or not the thing exists.
    #[error("not allowed: {reason}")]
    Denied {
        /// The limit that refused, in one word that stays the same: `scope`, `environment`, `key`, `network`, …
        limit: &'static str,
        /// The reason, for people.
        reason: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    NotFound {
        /// The thing that was not found.
        what: String,
        /// A near name, or the next step.
        hint: Option<Remedy>,
    },
    /// The key is disabled.
    #[error("key `{key}` is disabled")]
    KeyDisabled {
        /// The key.
        key: String,
    },
    /// The version is disabled, or retired and no longer served.
    #[error("version {version} of key `{key}` is {state}")]
    VersionDisabled {
        /// The key.
        key: String,
        /// The version.
        version: u32,
        /// The state it is in.
        state: VersionState,
    },
    /// The version's bytes are destroyed.
    #[error("version {version} of key `{key}` is destroyed")]
    VersionDestroyed {
        /// The key.
        key: String,
        /// The version.
        version: u32,
    },
    /// The thing exists and was not to be replaced.
    #[error("{what} exists")]
    Exists {
        /// The thing that exists.
        what: String,
    },
    /// Another writer changed the same record at the same time, or a name fits several things.
    #[error("{what}")]
    Conflict {
        /// The collision, in words.
        what: String,
    },
    /// The condition on which the change was asked for does not hold: nothing was done.
    #[error("{what}")]
    Precondition {
        /// The condition, and the state that does not meet it.
        what: String,
    },
    /// A consumer still needs it.
    #[error("{what} is still needed: {}", needed_by(by))]
    InUse {
        /// The thing that is still needed.
        what: String,
        /// Those that need it, each with its reason.
        by: Vec<String>,
        /// The way to take it away anyway.
        hint: Remedy,
    },
    /// A value is over its limit.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The thing that is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A limit is reached: nothing was released, and it passes by itself.
    #[error("{what}")]
    Limited {
        /// The limit, in words.
        what: String,
        /// The time after which the next use is available. Other callers may use it first, so the wait may become
        /// longer.
        retry_after: Duration,
    },
    /// A record is damaged, missing, or older than this node has seen.
    #[error("{what} {damage}")]
    Integrity {
        /// The record.
        what: String,
        /// The fault.
        damage: Damage,
        /// The sort of record, by which the hint names the way out.
        affected: Affected,
    },
    /// The floors cannot be rebuilt without an operator, so the vault is not opened.
    #[error("{what}")]
    Floors {
        /// The reason.
        what: String,
    },
    /// A part that the vault needs does not answer; nothing was released.
    #[error("the {part} is unavailable: {}", reason_of(*part, source.as_ref()))]
    Unavailable {
        /// The part that does not answer.
        part: Part,
        /// The error of the part, to be downcast. The message includes it, so [`StdError::source`] skips it.
        r#source: Box<dyn StdError + Send + Sync>,
    },
    /// The KEK at hand does not open this vault, or this node has no KEK for one of its environments.
    #[error("{}", of_kek(source.as_ref()))]
    Kek {
        /// The error of the part, to be downcast. The message includes it, so [`StdError::source`] skips it.
        r#source: Box<dyn StdError + Send + Sync>,
    },
}

/// A part of the vault that can be unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The store of records.
    Store,
    /// The key-encryption key, local or a KMS.
    Kek,
    /// The audit log.
    AuditLog,
    /// The database of countries.
    GeoIp,
    /// The machine's clock.
    Clock,
    /// The file of a backup.
    Backup,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Store => "store",
            Part::Kek => "KEK",
            Part::AuditLog => "audit log",
            Part::GeoIp => "GeoIP database",
            Part::Clock => "machine's clock",
            Part::Backup => "backup",
        })
    }
}

/// The name of the part of a key that is too large when its record is: values are bounded one by one.
const RECORD: &str = "the record with all its versions";

/// The limit that a reference to another namespace breaks; the policy uses the same word for tokens.
const NAMESPACE: &str = "namespace";

impl Error {
    /// Returns the code of this error, which is stable.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Error::Invalid { .. } => Code::Invalid,
            Error::Unauthenticated => Code::Unauthenticated,
            Error::Denied { .. } => Code::Denied,
            Error::NotFound { .. } => Code::NotFound,
            Error::KeyDisabled { .. } => Code::KeyDisabled,
            Error::VersionDisabled { .. } => Code::VersionDisabled,
            Error::VersionDestroyed { .. } => Code::VersionDestroyed,
            Error::Exists { .. } => Code::Exists,
            Error::Conflict { .. } => Code::Conflict,
            Error::Precondition { .. } => Code::Precondition,
            Error::InUse { .. } => Code::InUse,
            Error::TooLarge { .. } => Code::TooLarge,
            Error::Limited { .. } => Code::Limited,
            Error::Integrity { .. } | Error::Floors { .. } => Code::Integrity,
            Error::Unavailable { source, .. } if is_closed_log(source.as_ref()) => Code::Closed,
            Error::Unavailable { .. } => Code::Unavailable,
            Error::Kek { .. } => Code::Kek,
        }
    }

    /// Returns the HTTP status with which `ibyok-server` answers: [`Code::http_status`] of [`Error::code`].
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.code().http_status()
    }

    /// Makes an [`Error::Invalid`] with a hint about the input to give instead.
    pub fn invalid(what: impl Into<String>, hint: impl Into<Remedy>) -> Self {
        Error::Invalid {
            what: what.into(),
            hint: Some(hint.into()),
        }
    }

    /// An [`Error::Invalid`] for a `given` text that is not of the `form` that its `kind` needs. The text is shown cut, and masked if it
    /// looks like a token.
    #[must_use]
    pub fn invalid_name(kind: &str, given: &str, form: &str) -> Self {
        Error::Invalid {
            what: format!("{kind} {} is not valid", quoted(given)),
            hint: Some(format!("use {form}").into()),
        }
    }

    pub(crate) fn too_many_versions(limit: usize) -> Self {
        Error::TooLarge { what: RECORD, limit }
    }

    pub(crate) fn denied(limit: &'static str, reason: impl Into<String>) -> Self {
        Error::Denied {
            limit,
            reason: reason.into(),
        }
    }

    /// The refusal of a name of another namespace than `own`. It is the same whether or not the named thing exists.
    pub(crate) fn other_namespace(own: &impl fmt::Display) -> Self {
        Error::denied(NAMESPACE, format!("this session acts only in the namespace `{own}`"))
    }

    pub(crate) fn integrity(what: impl Into<String>) -> Self {
        Error::damaged(what, Damage::DoesNotOpen)
    }

    pub(crate) fn damaged(what: impl Into<String>, damage: Damage) -> Self {
        Error::Integrity {
            what: what.into(),
            damage,
            affected: Affected::Other,
        }
    }

    /// Adds the sort of record that the error is about, if it is about one.
    pub(crate) fn about(mut self, sort: Affected) -> Self {
        if let Error::Integrity { affected, .. } = &mut self {
            *affected = sort;
        }
        self
    }

    /// Returns the error for a part that does not answer, such as one that an embedder wrote.
    pub fn unavailable(part: Part, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::Unavailable {
            part,
            source: source.into(),
        }
    }
}

/// True if a part failed because the program closed the vault.
fn is_closed_log(source: &(dyn StdError + Send + Sync + 'static)) -> bool {
    matches!(source.downcast_ref(), Some(ibyok_audit::Error::Closed))
}
