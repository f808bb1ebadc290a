//! The step after an error: for a person, and for a program that may try again.

use std::error::Error as StdError;
use std::time::Duration;

use super::convert::{MissingKek, OtherHome};
use super::{Error, NAMESPACE, Part, RECORD};
use crate::base::remedy::Remedy;
use crate::base::version_state::VersionState;

/// The time to wait before asking again while a part is unavailable.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The time to wait where the KEK refuses: a person has to do something first.
const RETRY_AFTER_KEK: Duration = Duration::from_secs(60);

impl Error {
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

#[cfg(test)]
mod tests {
    use super::*;

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
