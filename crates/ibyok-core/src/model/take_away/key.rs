//! Changes that take something of a key away.

use std::fmt;
use std::str::FromStr;

use super::numbered;
use crate::model::key::{KeyRecord, Role, Stamp, StateChange, VersionRecord};
use crate::model::mode::Mode;

/// A change that takes something of a key away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyTakeAway {
    Disable,
    DisableVersion(u32),
    RetireVersion(u32),
    DestroyVersion(u32),
    Remove,
    /// Live values: the key was set to mock, or its own mode was removed.
    Live(Option<Mode>),
    /// Marks a version that may have leaked, and with `freeze` disables the key.
    Compromise {
        version: u32,
        freeze: bool,
    },
}

impl KeyTakeAway {
    /// Returns the version that the change is about.
    pub(super) fn version(self) -> Option<u32> {
        match self {
            KeyTakeAway::DisableVersion(number)
            | KeyTakeAway::RetireVersion(number)
            | KeyTakeAway::DestroyVersion(number)
            | KeyTakeAway::Compromise { version: number, .. } => Some(number),
            KeyTakeAway::Disable | KeyTakeAway::Remove | KeyTakeAway::Live(_) => None,
        }
    }

    pub(super) fn destroys(self) -> bool {
        matches!(self, KeyTakeAway::DestroyVersion(_) | KeyTakeAway::Remove)
    }
}

impl fmt::Display for KeyTakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyTakeAway::Disable => f.write_str("disable-key"),
            KeyTakeAway::DisableVersion(number) => write!(f, "disable-version:{number}"),
            KeyTakeAway::RetireVersion(number) => write!(f, "retire-version:{number}"),
            KeyTakeAway::DestroyVersion(number) => write!(f, "destroy-version:{number}"),
            KeyTakeAway::Remove => f.write_str("remove-key"),
            KeyTakeAway::Live(mode) => write!(f, "live-of-key:{}", mode.map_or("inherit", Mode::as_str)),
            KeyTakeAway::Compromise { version, freeze: false } => write!(f, "compromise:{version}"),
            KeyTakeAway::Compromise { version, freeze: true } => write!(f, "freeze:{version}"),
        }
    }
}

impl FromStr for KeyTakeAway {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "disable-key" => return Ok(KeyTakeAway::Disable),
            "remove-key" => return Ok(KeyTakeAway::Remove),
            "live-of-key:mock" => return Ok(KeyTakeAway::Live(Some(Mode::Mock))),
            "live-of-key:inherit" => return Ok(KeyTakeAway::Live(None)),
            _ => {}
        }
        let (word, version) = numbered(text)?;
        match word {
            "disable-version" => Ok(KeyTakeAway::DisableVersion(version)),
            "retire-version" => Ok(KeyTakeAway::RetireVersion(version)),
            "destroy-version" => Ok(KeyTakeAway::DestroyVersion(version)),
            "compromise" => Ok(KeyTakeAway::Compromise { version, freeze: false }),
            "freeze" => Ok(KeyTakeAway::Compromise { version, freeze: true }),
            _ => Err(()),
        }
    }
}

impl KeyRecord {
    /// Takes something away. Returns false if it is away already.
    pub(crate) fn take_away(&mut self, what: KeyTakeAway, stamp: &Stamp) -> bool {
        if !self.is_live() {
            return false;
        }
        match what {
            KeyTakeAway::Disable => !std::mem::replace(&mut self.disabled, true),
            KeyTakeAway::DisableVersion(number) => self.take_version(
                |version| version.number == number && !version.disabled,
                |version| {
                    version.disabled = true;
                    version.changes.push(StateChange::new("disabled", stamp));
                },
            ),
            KeyTakeAway::RetireVersion(number) => self.take_version(
                |version| version.number == number && version.role == Role::Retiring,
                |version| version.becomes(Role::Retired, stamp),
            ),
            // Never the current version: a key that had a current version keeps one.
            KeyTakeAway::DestroyVersion(number) => self.take_version(
                |version| version.number == number && version.role != Role::Current && version.sealed.is_some(),
                |version| {
                    version.sealed = None;
                    version.role = Role::Retired;
                    version.changes.push(StateChange::new("destroyed", stamp));
                },
            ),
            KeyTakeAway::Remove => {
                self.removed = Some(stamp.clone());
                self.versions.clear();
                true
            }
            KeyTakeAway::Compromise { version, freeze } => {
                let frozen = freeze && !std::mem::replace(&mut self.disabled, true);
                let mut versions = self.versions.iter_mut();
                let marked = versions
                    .find(|v| v.number == version)
                    .is_some_and(|v| v.compromise(stamp));
                frozen || marked
            }
            KeyTakeAway::Live(mode) => std::mem::replace(&mut self.mode, mode) != mode,
        }
    }

    /// Changes the version that a condition finds. Returns false if there is none.
    fn take_version(
        &mut self,
        is_meant: impl Fn(&VersionRecord) -> bool,
        change: impl FnOnce(&mut VersionRecord),
    ) -> bool {
        let found = self.versions.iter_mut().find(|version| is_meant(version));
        found.map(change).is_some()
    }
}
