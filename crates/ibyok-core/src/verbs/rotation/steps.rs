//! The effect of each step on a key's record. In any order of steps, a key that had a current version has one, and
//! one only.

use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::model::key::VersionState;
use crate::model::key::{KeyRecord, Role, Stamp, StateChange, VersionRecord};
use crate::model::which_version::WhichVersion;

impl VersionRecord {
    /// Gives the version a role, and notes the time and the principal.
    pub(crate) fn becomes(&mut self, role: Role, stamp: &Stamp) {
        self.role = role;
        self.changes.push(StateChange::new(role.as_str(), stamp));
    }

    /// Returns the time at which it last stopped being the current one.
    fn retiring_since(&self) -> Option<jiff::Timestamp> {
        let was = self
            .changes
            .iter()
            .rev()
            .find(|change| change.to == Role::Retiring.as_str());
        was.map(|change| change.at)
    }
}

impl KeyRecord {
    /// Pending becomes current, and current retiring; older ones stay as they are. Gives the new current version.
    pub(crate) fn promote(&mut self, key: &str, stamp: &Stamp, force: bool) -> Result<u32> {
        let pending = self.version(key, WhichVersion::Pending).map_err(|_| Error::NotFound {
            what: format!("pending version of key `{key}`"),
            hint: Some(Remedy::StageVersion),
        })?;
        let number = usable(key, pending, force)?;
        self.exchange(number, stamp);
        Ok(number)
    }

    /// The version that was current before is so again, and the current one retiring. Gives the new current version.
    pub(crate) fn roll_back(&mut self, key: &str, stamp: &Stamp, force: bool) -> Result<u32> {
        let retiring = self.versions.iter().filter(|version| version.role == Role::Retiring);
        let before = retiring.max_by_key(|version| (version.retiring_since(), version.number));
        let before = before.ok_or_else(|| Error::NotFound {
            what: format!("retiring version of key `{key}` to roll back to"),
            hint: Some(Remedy::PromoteAnother),
        })?;
        let number = usable(key, before, force)?;
        self.exchange(number, stamp);
        Ok(number)
    }

    /// Makes a version current, and the current one step down.
    fn exchange(&mut self, number: u32, stamp: &Stamp) {
        for version in &mut self.versions {
            match version.role {
                _ if version.number == number => version.becomes(Role::Current, stamp),
                Role::Current => version.step_down(stamp),
                Role::Pending | Role::Retiring | Role::Retired => {}
            }
        }
    }
}

/// Refuses a version that could not be served as the current one, or must not.
fn usable(key: &str, version: &VersionRecord, force: bool) -> Result<u32> {
    let number = version.number;
    if version.sealed.is_none() {
        return Err(Error::VersionDestroyed {
            key: key.to_owned(),
            version: number,
        });
    }
    if version.disabled {
        return Err(Error::VersionDisabled {
            key: key.to_owned(),
            version: number,
            state: VersionState::Disabled,
        });
    }
    if version.compromised && !force {
        return Err(Error::Conflict {
            what: format!("version {number} of key `{key}` is compromised; only force with a reason makes it current"),
        });
    }
    Ok(number)
}
