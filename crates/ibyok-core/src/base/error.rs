//! The errors of the vault, sorted by their remedy.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::base::damage::{Affected, Damage};
use crate::base::remedy::Remedy;
use crate::base::secret_text::{looks_like_a_token, without_secrets};
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

/// The stable word of an error, the same on the command line, over HTTP and in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// `invalid`
    Invalid,
    /// `unauthenticated`
    Unauthenticated,
    /// `denied`
    Denied,
    /// `not_found`
    NotFound,
    /// `key_disabled`
    KeyDisabled,
    /// `version_disabled`
    VersionDisabled,
    /// `version_destroyed`
    VersionDestroyed,
    /// `exists`
    Exists,
    /// `conflict`
    Conflict,
    /// `precondition`
    Precondition,
    /// `in_use`
    InUse,
    /// `too_large`
    TooLarge,
    /// `limited`
    Limited,
    /// `integrity`
    Integrity,
    /// `unavailable`
    Unavailable,
    /// The KEK at hand does not open the vault; `unavailable`, too, where programs answer with words.
    Kek,
    /// The vault was closed by its own program; `unavailable`, too, where programs answer with words.
    Closed,
}

impl Code {
    /// The word itself, as it appears in `error.code` and in a problem document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Invalid => "invalid",
            Code::Unauthenticated => "unauthenticated",
            Code::Denied => "denied",
            Code::NotFound => "not_found",
            Code::KeyDisabled => "key_disabled",
            Code::VersionDisabled => "version_disabled",
            Code::VersionDestroyed => "version_destroyed",
            Code::Exists => "exists",
            Code::Conflict => "conflict",
            Code::Precondition => "precondition",
            Code::InUse => "in_use",
            Code::TooLarge => "too_large",
            Code::Limited => "limited",
            Code::Integrity => "integrity",
            // A caller of a server can do the same about all three: wait for its operator.
            Code::Unavailable | Code::Kek | Code::Closed => "unavailable",
        }
    }

    /// Returns the HTTP status with which `ibyok-server` answers, 400 to 503 (RFC 9110, and RFC 6585 for 429).
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Code::Invalid => 400,
            Code::Unauthenticated => 401,
            Code::Denied => 403,
            Code::NotFound | Code::KeyDisabled | Code::VersionDisabled | Code::VersionDestroyed => 404,
            Code::Exists | Code::Conflict | Code::InUse => 409,
            Code::Precondition => 412,
            Code::TooLarge => 413,
            Code::Limited => 429,
            Code::Integrity => 500,
            Code::Unavailable | Code::Kek | Code::Closed => 503,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of the part of a key that is too large when its record is: values are bounded one by one.
const RECORD: &str = "the record with all its versions";

/// The limit that a reference to another namespace breaks; the policy uses the same word for tokens.
const NAMESPACE: &str = "namespace";

/// The time to wait before asking again while a part is unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The time to wait where the KEK refuses: a person has to do something first.
const RETRY_AFTER_KEK: Duration = Duration::from_secs(60);

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

    /// The step that a person can take next, where there is one to name beyond the message, in words that name no command.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.remedy().map(|remedy| remedy.to_string())
    }

    /// Returns the step that a person can take next as data, for a program that words it for its own readers.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        let text = match self {
            Error::Invalid { hint, .. } | Error::NotFound { hint, .. } => return hint.clone(),
            Error::Limited { retry_after, .. } => return Some(format!("try again in {}", spoken(*retry_after)).into()),
            Error::Unauthenticated => "check that you copied the whole token, or get a new token",
            Error::Denied { limit: NAMESPACE, .. } => return Some(Remedy::ActInNamespace),
            Error::Denied { .. } => "use a token whose grant covers this",
            Error::KeyDisabled { .. } => return Some(Remedy::EnableKey),
            Error::VersionDisabled {
                state: VersionState::Retired,
                ..
            } => "request the current version; the vault does not serve a retired version again",
            Error::VersionDisabled { .. } => "request the current version, or enable this version",
            Error::VersionDestroyed { .. } => "request another version; nobody can restore this one",
            Error::Exists { .. } => "choose another name, or change the existing one",
            Error::Conflict { .. } => "check the present state, then try again",
            Error::Precondition { .. } => "read the key again, and decide whether the change is still right",
            Error::InUse { hint, .. } => return Some(hint.clone()),
            Error::TooLarge { what: RECORD, .. } => return Some(Remedy::DestroyVersions),
            Error::TooLarge { .. } => "store the large data elsewhere, and store a reference to it here",
            Error::Integrity { damage, affected, .. } => {
                return Some(Remedy::Damaged {
                    damage: *damage,
                    affected: *affected,
                });
            }
            Error::Floors { .. } => return Some(Remedy::RebuildFloors),
            Error::Unavailable { .. } if self.is_moved() => {
                "restart this program with the store to which the vault was moved"
            }
            Error::Unavailable { part: Part::Store, .. } => {
                "check that the store is reachable and has space, then try again"
            }
            Error::Unavailable { part: Part::Kek, .. } => "check that the KMS or KEK file is reachable, then try again",
            Error::Unavailable {
                part: Part::AuditLog, ..
            } => {
                "the vault releases nothing without a line on the log: check that the log's disk has space, that its files are in place, and that every required sink answers"
            }
            Error::Unavailable { part: Part::Clock, .. } => "set the machine's clock, then try again",
            Error::Unavailable { part: Part::Backup, .. } => {
                "check that the directory exists, that you may write to it, and that its disk has space"
            }
            Error::Unavailable { part: Part::GeoIp, .. } => "replace the database, or unset `geoip`",
            // The message of a KMS about a refusal has its remedy with it.
            Error::Kek { source } if source.is::<MissingKek>() => return Some(Remedy::GiveKekOfEnvironment),
            Error::Kek { source } if source.is::<OtherHome>() => return Some(Remedy::OwnLogOrKek),
            Error::Kek { source } if !is_another_kek(source.as_ref()) => return None,
            Error::Kek { .. } => "give the KEK of this vault; without it nobody can open the keys",
        };
        Some(text.into())
    }

    /// Returns true if the vault was moved to another store. The store of this program then refuses every request for good.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        let Error::Unavailable { source, .. } = self else {
            return false;
        };
        matches!(source.downcast_ref(), Some(ibyok_storage::Error::Sealed { .. }))
    }

    /// The time to wait before another try, where another try may succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Unavailable { .. } => Some(RETRY_AFTER),
            Error::Limited { retry_after, .. } => Some(*retry_after),
            Error::Kek { .. } => Some(RETRY_AFTER_KEK),
            _ => None,
        }
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

/// The message for a KEK that does not open. A KEK that is missing for one environment closes no other.
fn of_kek(source: &(dyn StdError + Send + Sync + 'static)) -> String {
    match source.is::<MissingKek>() || source.is::<OtherHome>() {
        true => source.to_string(),
        false => format!("the KEK does not open this vault: {}", told(source)),
    }
}

/// The reason why a part is unavailable. The part's own message may begin with the words of this one.
fn reason_of(part: Part, source: &(dyn StdError + Send + Sync + 'static)) -> String {
    let told = told(source);
    match told.strip_prefix(&format!("the {part} is unavailable: ")) {
        Some(reason) => reason.to_owned(),
        None => told,
    }
}

/// An error and its causes in one line, each named once: a message may include its cause already.
fn told(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.ends_with(&why) {
            text.push_str(": ");
            text.push_str(&why);
        }
        cause = error.source();
    }
    text
}

/// A time to wait, for people: rounded up, so that trying again then is not too early.
fn spoken(wait: Duration) -> String {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    match seconds {
        0..=120 => format!("{seconds} s"),
        121..=7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// The number of those that need something which a message names.
const NAMED: usize = 20;

/// Lists those that need something. Names `NAMED` of them at most, and counts the rest.
fn needed_by(by: &[String]) -> String {
    let named: Vec<&str> = by.iter().take(NAMED).map(String::as_str).collect();
    match by.len().saturating_sub(NAMED) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

/// True if a part failed because the program closed the vault.
fn is_closed_log(source: &(dyn StdError + Send + Sync + 'static)) -> bool {
    matches!(source.downcast_ref(), Some(ibyok_audit::Error::Closed))
}

/// True if the KEK at hand is simply not the one of this vault.
fn is_another_kek(source: &(dyn StdError + Send + Sync + 'static)) -> bool {
    use ibyok_crypto::Error as Crypto;
    matches!(
        source.downcast_ref(),
        Some(
            Crypto::UnknownKek { .. } | Crypto::NoKek { .. } | Crypto::KekDenied { .. } | Crypto::KekFileAccess { .. }
        )
    )
}

/// Quotes input for a message: in backticks, cut to a length that a person reads, with control characters made visible.
///
/// The quotation does not show an access token or a provider's key that somebody gave in the wrong place.
#[must_use]
pub fn quoted(text: &str) -> String {
    if looks_like_a_token(text) {
        return "`ibyok_…`".to_owned();
    }
    let text = &*without_secrets(text);
    let shown: String = text.chars().take(64).flat_map(char::escape_default).collect();
    // A backtick of the input must not end the quotation.
    let shown = shown.replace('`', "\\u{60}");
    let more = if text.chars().nth(64).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_shown_short_and_without_control_characters() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert!(quoted(&"x".repeat(1_000_000)).len() < 80);
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_shown() {
        assert_eq!(quoted("prod/ibyok_24bEqhjG3hVKitVJk3G3iWdMQ9mw4h_05"), "`ibyok_…`");
        assert_eq!(quoted("IBYOK_24BEQHJG3HVKITVJK3G3"), "`ibyok_…`");
        assert_eq!(quoted("IBYOK_URL"), "`IBYOK_URL`");
        assert_eq!(quoted("a`b"), "`a\\u{60}b`");
    }

    #[test]
    fn a_message_says_once_which_part_is_unavailable() {
        let error = Error::unavailable(Part::AuditLog, "the audit log is unavailable: the sink `x` fails");
        assert_eq!(error.to_string(), "the audit log is unavailable: the sink `x` fails");
        let error = Error::unavailable(Part::Store, "no answer");
        assert_eq!(error.to_string(), "the store is unavailable: no answer");
    }

    #[test]
    fn only_what_may_pass_says_when_to_try_again() {
        let refused = Error::Kek {
            source: "denied".into(),
        };
        assert!(refused.retry_after() > Error::unavailable(Part::Store, "down").retry_after());
        assert!(Error::unavailable(Part::Store, "down").retry_after().is_some());
        assert!(Error::Unauthenticated.retry_after().is_none());
    }

    #[test]
    fn a_time_to_wait_is_never_said_too_short() {
        let spoken = |millis| spoken(Duration::from_millis(millis));
        assert_eq!([spoken(1), spoken(1000), spoken(1001)], ["1 s", "1 s", "2 s"]);
        assert_eq!([spoken(120_001), spoken(7_200_001)], ["3 min", "3 h"]);
    }
}
