//! Changes that take something away: those that must not come back, and that are applied again after a crash.

use std::fmt;
use std::str::FromStr;

use crate::model::key::{KeyRecord, Role, Stamp, StateChange, VersionRecord};
use crate::model::mode::Mode;
use crate::model::settings::SettingsRecord;
use crate::model::token::{Revocation, TokenRecord};

/// The thing that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeAway {
    DisableKey,
    DisableVersion(u32),
    RetireVersion(u32),
    DestroyVersion(u32),
    RemoveKey,
    /// Live values of one key: the key was set to mock, or its own mode was removed.
    LiveOfKey(Option<Mode>),
    /// Live values of those keys of an environment that have no mode of their own.
    LiveOfEnvironment,
    RevokeToken {
        keep_children: bool,
    },
    /// Takes away the secret of every epoch before this one, at once or after a grace.
    SupersedeToken {
        epoch: u32,
        at_once: bool,
    },
    /// Marks a version that may have leaked, and with `freeze` disables the key.
    Compromise {
        version: u32,
        freeze: bool,
    },
}

impl TakeAway {
    /// The version that it is about, if it is about one.
    pub(crate) fn version(self) -> Option<u32> {
        match self {
            TakeAway::DisableVersion(number) | TakeAway::RetireVersion(number) | TakeAway::DestroyVersion(number) => {
                Some(number)
            }
            TakeAway::Compromise { version, .. } => Some(version),
            TakeAway::DisableKey
            | TakeAway::RemoveKey
            | TakeAway::LiveOfKey(_)
            | TakeAway::LiveOfEnvironment
            | TakeAway::RevokeToken { .. }
            | TakeAway::SupersedeToken { .. } => None,
        }
    }

    /// True if sealed values go with it, which then must not stay behind in the store's files either.
    pub(crate) fn destroys(self) -> bool {
        matches!(self, TakeAway::DestroyVersion(_) | TakeAway::RemoveKey)
    }
}

impl fmt::Display for TakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TakeAway::DisableKey => f.write_str("disable-key"),
            TakeAway::DisableVersion(number) => write!(f, "disable-version:{number}"),
            TakeAway::RetireVersion(number) => write!(f, "retire-version:{number}"),
            TakeAway::DestroyVersion(number) => write!(f, "destroy-version:{number}"),
            TakeAway::RemoveKey => f.write_str("remove-key"),
            TakeAway::LiveOfKey(mode) => write!(f, "live-of-key:{}", mode.map_or("inherit", Mode::as_str)),
            TakeAway::LiveOfEnvironment => f.write_str("live-of-environment"),
            TakeAway::RevokeToken { keep_children: false } => f.write_str("revoke-token"),
            TakeAway::RevokeToken { keep_children: true } => f.write_str("revoke-token:keep-children"),
            TakeAway::SupersedeToken { epoch, at_once: true } => write!(f, "supersede-token:{epoch}"),
            TakeAway::SupersedeToken { epoch, at_once: false } => write!(f, "supersede-token-later:{epoch}"),
            TakeAway::Compromise { version, freeze: false } => write!(f, "compromise:{version}"),
            TakeAway::Compromise { version, freeze: true } => write!(f, "freeze:{version}"),
        }
    }
}

impl FromStr for TakeAway {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "disable-key" => Ok(TakeAway::DisableKey),
            "remove-key" => Ok(TakeAway::RemoveKey),
            "live-of-key:mock" => Ok(TakeAway::LiveOfKey(Some(Mode::Mock))),
            "live-of-key:inherit" => Ok(TakeAway::LiveOfKey(None)),
            "live-of-environment" => Ok(TakeAway::LiveOfEnvironment),
            "revoke-token" => Ok(TakeAway::RevokeToken { keep_children: false }),
            "revoke-token:keep-children" => Ok(TakeAway::RevokeToken { keep_children: true }),
            other => {
                let (word, number) = other.split_once(':').ok_or(())?;
                let version = number.parse().map_err(|_| ())?;
                let supersede = |at_once| TakeAway::SupersedeToken {
                    epoch: version,
                    at_once,
                };
                match word {
                    "supersede-token" => Ok(supersede(true)),
                    "supersede-token-later" => Ok(supersede(false)),
                    "disable-version" => Ok(TakeAway::DisableVersion(version)),
                    "compromise" => Ok(TakeAway::Compromise { version, freeze: false }),
                    "freeze" => Ok(TakeAway::Compromise { version, freeze: true }),
                    "retire-version" => Ok(TakeAway::RetireVersion(version)),
                    "destroy-version" => Ok(TakeAway::DestroyVersion(version)),
                    _ => Err(()),
                }
            }
        }
    }
}

impl KeyRecord {
    /// Takes something away; `false` if it is away already.
    pub(crate) fn take_away(&mut self, what: TakeAway, stamp: &Stamp) -> bool {
        if self.removed.is_some() {
            return false;
        }
        match what {
            TakeAway::DisableKey => !std::mem::replace(&mut self.disabled, true),
            TakeAway::DisableVersion(number) => {
                let version = self
                    .versions
                    .iter_mut()
                    .find(|version| version.number == number && !version.disabled);
                let Some(version) = version else { return false };
                version.disabled = true;
                version.changes.push(StateChange::new("disabled", stamp));
                true
            }
            TakeAway::RetireVersion(number) => {
                let is_it = |version: &&mut VersionRecord| version.number == number && version.role == Role::Retiring;
                let Some(version) = self.versions.iter_mut().find(is_it) else {
                    return false;
                };
                version.becomes(Role::Retired, stamp);
                true
            }
            // Never the current one: a key that had a current version has one.
            TakeAway::DestroyVersion(number) => {
                let is_it = |version: &&mut VersionRecord| {
                    version.number == number && version.role != Role::Current && version.sealed.is_some()
                };
                let Some(version) = self.versions.iter_mut().find(is_it) else {
                    return false;
                };
                version.sealed = None;
                version.role = Role::Retired;
                version.changes.push(StateChange::new("destroyed", stamp));
                true
            }
            TakeAway::RemoveKey => {
                self.removed = Some(stamp.clone());
                self.versions.clear();
                true
            }
            TakeAway::Compromise { version, freeze } => {
                let frozen = freeze && !std::mem::replace(&mut self.disabled, true);
                let mut versions = self.versions.iter_mut();
                let marked = versions
                    .find(|v| v.number == version)
                    .is_some_and(|v| v.compromise(stamp));
                frozen || marked
            }
            TakeAway::LiveOfKey(mode) => std::mem::replace(&mut self.mode, mode) != mode,
            TakeAway::LiveOfEnvironment | TakeAway::RevokeToken { .. } | TakeAway::SupersedeToken { .. } => false,
        }
    }
}

impl SettingsRecord {
    /// Takes something away; `false` if it is away already.
    pub(crate) fn take_away(&mut self, what: TakeAway) -> bool {
        let mock = Some(Mode::Mock);
        what == TakeAway::LiveOfEnvironment && std::mem::replace(&mut self.mode, mock) != mock
    }
}

impl TokenRecord {
    /// Takes something away; `false` if it is away already.
    pub(crate) fn take_away(&mut self, what: TakeAway, stamp: &Stamp) -> bool {
        let keep_children = match what {
            TakeAway::RevokeToken { keep_children } => keep_children,
            TakeAway::SupersedeToken { epoch, at_once } => return self.supersede(epoch, at_once),
            _ => return false,
        };
        if self
            .revoked
            .as_ref()
            .is_some_and(|revoked| keep_children || !revoked.keep_children)
        {
            return false;
        }
        self.revoked = Some(Revocation {
            stamp: stamp.clone(),
            keep_children,
        });
        true
    }

    /// After a crash in the middle of a rotation nobody has the new secret. If the old secret was to end at once, it
    /// ends anyway. If it had a grace, the rotation is not made, so that programs with the token continue until
    /// it is rotated again.
    fn supersede(&mut self, epoch: u32, at_once: bool) -> bool {
        if !at_once || self.epoch >= epoch {
            return false;
        }
        (self.epoch, self.older, self.through) = (epoch, None, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prints_and_parses_back() {
        for what in [
            TakeAway::DisableKey,
            TakeAway::DisableVersion(7),
            TakeAway::RetireVersion(8),
            TakeAway::DestroyVersion(u32::MAX),
            TakeAway::RemoveKey,
            TakeAway::LiveOfKey(Some(Mode::Mock)),
            TakeAway::LiveOfKey(None),
            TakeAway::LiveOfEnvironment,
            TakeAway::RevokeToken { keep_children: true },
            TakeAway::RevokeToken { keep_children: false },
            TakeAway::SupersedeToken {
                epoch: 4,
                at_once: true,
            },
            TakeAway::SupersedeToken {
                epoch: 5,
                at_once: false,
            },
            TakeAway::Compromise {
                version: 3,
                freeze: false,
            },
            TakeAway::Compromise {
                version: 3,
                freeze: true,
            },
        ] {
            assert_eq!(what.to_string().parse(), Ok(what));
        }
        for bad in [
            "disable-version:x",
            "destroy-version",
            "destroy-version:",
            "retire-version:-1",
            "x:1",
        ] {
            assert_eq!(bad.parse::<TakeAway>(), Err(()), "{bad}");
        }
    }
}
