//! The record of a key with its versions, and the descriptions made from it.

use std::collections::BTreeMap;

use ibyok_policy::Rate;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Sealed;
use super::interval::Interval;
use super::mode::{Mode, ModeSource};
use super::name::{EnvironmentName, FieldName, KeyId, KeyName, Namespace};
use super::which_version::WhichVersion;
use super::write::check_variable_of_a_token;
use crate::base::error::Error;
use crate::base::json::json_length;
use crate::base::remedy::Remedy;
pub use crate::base::version_state::VersionState;
use crate::base::words::words;
use crate::model::limit::LimitInForce;

/// The length up to which the versions of a record may fill it, in bytes of JSON: a megabyte below what every store
/// takes.
const FULL: usize = ibyok_storage::MAX_RECORD - (1 << 20);

/// The role of a version. Marks are separate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Staged, to become current.
    Pending,
    /// Served when no version is named.
    Current,
    /// Served when asked for by number.
    Retiring,
    /// No longer served.
    Retired,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Pending => "pending",
            Role::Current => "current",
            Role::Retiring => "retiring",
            Role::Retired => "retired",
        }
    }
}

words! {
    /// A mark of a version, in addition to its role.
    pub enum VersionMark {
        /// The version is not served until it is enabled.
        Disabled = "disabled",
        /// The bytes are gone.
        Destroyed = "destroyed",
        /// The value may have leaked.
        Compromised = "compromised",
    }
}

/// The sealed body of a key's record. Values inside it are sealed once more, each version under its own data key.
///
/// A field that is not known is an error and never dropped: it may say that the key must not be served.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRecord {
    pub(crate) rev: u64,
    pub(crate) name: KeyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    pub(crate) variable: String,
    /// True if an operator chose the variable. A token's choice is handed out by `run --env` and `export` only where
    /// it is evident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) variable_named: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    #[serde(default)]
    pub(crate) disabled: bool,
    /// The key's own mode, which overrides its environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<Mode>,
    /// The limit on its retrievals; the environment's default unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Rate>,
    /// The age at which a current version is due to be rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotate_every: Option<SignedDuration>,
    /// The time at which the key ends at its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    /// Set once the key is removed: the record stays as a tombstone, without its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Stamp>,
    /// The highest version number ever given; never given again, also after a removal.
    pub(crate) last_version: u32,
    #[serde(default)]
    pub(crate) versions: Vec<VersionRecord>,
}

/// The principal that changed something, and the time of the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Stamp {
    /// The time of the change.
    pub at: Timestamp,
    /// The principal: the operator's name or the token's id.
    pub by: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    pub(crate) number: u32,
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) disabled: bool,
    #[serde(default)]
    pub(crate) compromised: bool,
    /// The wrapped data key and the sealed fields; `None` once destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<SealedFields>,
    /// Keyed fingerprint of `value`, so that equal values are known without opening.
    pub(crate) fingerprint: Sealed,
    /// The fingerprint of the value without white space around it, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trimmed: Option<Sealed>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<StateChange>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedFields {
    pub(crate) data_key: Sealed,
    pub(crate) fields: BTreeMap<FieldName, Sealed>,
}

/// A change of a version's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StateChange {
    /// The new state: a role, `disabled` or `enabled`, `destroyed`.
    pub to: String,
    /// The time of the change.
    pub at: Timestamp,
    /// The principal that made it.
    pub by: String,
}

impl StateChange {
    pub(crate) fn new(to: &str, stamp: &Stamp) -> Self {
        StateChange {
            to: to.to_owned(),
            at: stamp.at,
            by: stamp.by.clone(),
        }
    }
}

impl VersionRecord {
    /// Marks it as leaked. A retiring version is then no longer served. Returns `false` if it was marked already.
    pub(crate) fn compromise(&mut self, stamp: &Stamp) -> bool {
        if std::mem::replace(&mut self.compromised, true) {
            return false;
        }
        self.changes.push(StateChange::new("compromised", stamp));
        if self.role == Role::Retiring {
            self.step_down(stamp);
        }
        true
    }

    /// Makes way for another current version: still served by number, unless it has leaked.
    pub(crate) fn step_down(&mut self, stamp: &Stamp) {
        self.role = if self.compromised {
            Role::Retired
        } else {
            Role::Retiring
        };
        self.changes.push(StateChange::new(self.role.as_str(), stamp));
    }

    /// The one word for the state: `destroyed`, else `disabled`, else the role.
    pub(crate) fn state(&self) -> VersionState {
        if self.sealed.is_none() {
            return VersionState::Destroyed;
        }
        if self.disabled {
            return VersionState::Disabled;
        }
        match self.role {
            Role::Pending => VersionState::Pending,
            Role::Current => VersionState::Current,
            Role::Retiring => VersionState::Retiring,
            Role::Retired => VersionState::Retired,
        }
    }

    fn marks(&self) -> Vec<VersionMark> {
        let marks = [
            (self.disabled, VersionMark::Disabled),
            (self.sealed.is_none(), VersionMark::Destroyed),
            (self.compromised, VersionMark::Compromised),
        ];
        marks
            .into_iter()
            .filter(|(set, _)| *set)
            .map(|(_, mark)| mark)
            .collect()
    }
}

impl KeyRecord {
    /// Gives it the variable that the caller named.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that a token may not choose.
    pub(crate) fn name_variable(&mut self, variable: &str, by_token: bool) -> Result<(), Error> {
        if by_token {
            check_variable_of_a_token(variable)?;
        }
        variable.clone_into(&mut self.variable);
        self.variable_named = !by_token;
        Ok(())
    }

    /// Returns false for a tombstone.
    pub(crate) fn is_live(&self) -> bool {
        self.removed.is_none()
    }

    pub(crate) fn current(&self) -> Option<&VersionRecord> {
        self.versions.iter().find(|v| v.role == Role::Current)
    }

    /// Returns the time at which the current version, by the age of its value, is due to be rotated.
    fn rotation_due(&self) -> Option<Timestamp> {
        let every = self.rotate_every.and_then(Interval::of)?;
        Some(every.after(self.current()?.created))
    }

    /// The version that is staged.
    pub(crate) fn pending(&self) -> Option<&VersionRecord> {
        self.versions.iter().find(|v| v.role == Role::Pending)
    }

    /// Returns the version that is meant, in any state.
    pub(crate) fn version(&self, key: &str, which: WhichVersion) -> Result<&VersionRecord, Error> {
        let found = match which {
            WhichVersion::Current => self.current(),
            WhichVersion::Pending => self.pending(),
            WhichVersion::Number(number) => self.versions.iter().find(|v| v.number == number),
        };
        found.ok_or_else(|| Error::NotFound {
            what: match which {
                WhichVersion::Number(number) => format!("version {number} of key `{key}`"),
                which => format!("{which} version of key `{key}`"),
            },
            hint: Some(Remedy::ListVersions),
        })
    }

    /// The version that is meant, if it may be served.
    pub(crate) fn served(&self, key: &str, which: WhichVersion) -> Result<&VersionRecord, Error> {
        if self.disabled {
            return Err(Error::KeyDisabled { key: key.to_owned() });
        }
        let found = self.version(key, which)?;
        match found.state() {
            VersionState::Destroyed => Err(Error::VersionDestroyed {
                key: key.to_owned(),
                version: found.number,
            }),
            state @ (VersionState::Disabled | VersionState::Retired) => Err(Error::VersionDisabled {
                key: key.to_owned(),
                version: found.number,
                state,
            }),
            VersionState::Pending | VersionState::Current | VersionState::Retiring => Ok(found),
        }
    }

    /// Refuses a record that one more version made too large. Later changes of state must always fit: a version that leaked
    /// must be stopped even if the record is full.
    pub(crate) fn has_room(&self) -> Result<(), Error> {
        if json_length(self) <= FULL {
            return Ok(());
        }
        Err(Error::too_many_versions(FULL))
    }

    /// Everything but the value.
    pub(crate) fn info(&self, at: &KeyAt<'_>) -> KeyInfo {
        KeyInfo {
            versions: self.versions.iter().map(VersionInfo::of).collect(),
            ..self.summary(at)
        }
    }

    /// Describes the key without its versions, so that the length of a list depends on the number of keys and not on
    /// their rotations.
    pub(crate) fn summary(&self, at: &KeyAt<'_>) -> KeyInfo {
        KeyInfo {
            reference: at.reference.clone(),
            id: at.id,
            namespace: at.namespace.clone(),
            environment: at.environment.clone(),
            name: self.name.clone(),
            provider: self.provider.clone(),
            variable: self.variable.clone(),
            variable_named: self.variable_named,
            labels: self.labels.clone(),
            version: self.current().map(|v| v.number),
            state: self.current().map(VersionRecord::state),
            pending: self.pending().map(|v| v.number),
            disabled: self.disabled,
            mode_override: self.mode,
            mode: None,
            mode_source: None,
            limit: self.limit,
            rotate_every: self.rotate_every.and_then(Interval::of),
            rotation_due: self.rotation_due(),
            expires_at: self.expires,
            limit_in_force: None,
            last_used: None,
            created: self.created,
            created_by: self.created_by.clone(),
            revision: self.rev,
            versions_count: self.versions.len(),
            versions: Vec::new(),
        }
    }
}

/// The place of a key, which its record does not hold.
#[derive(Debug)]
pub(crate) struct KeyAt<'a> {
    pub(crate) reference: String,
    pub(crate) id: KeyId,
    pub(crate) namespace: &'a Namespace,
    pub(crate) environment: &'a EnvironmentName,
}

/// A key, as `keys show` shows it: everything but the value. Lists leave `versions` out.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KeyInfo {
    /// `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The public id.
    pub id: KeyId,
    /// The namespace.
    pub namespace: Namespace,
    /// The environment.
    pub environment: EnvironmentName,
    /// The name.
    pub name: KeyName,
    /// The provider, as given.
    pub provider: Option<String>,
    /// The variable that programs read it from.
    pub variable: String,
    /// True if an operator chose the variable. A variable that a token chose is handed out unasked only where it is
    /// [evident](crate::keys::VariableKind::Evident) that it holds a credential.
    pub variable_named: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The current version's number.
    pub version: Option<u32>,
    /// The current version's state: `current`, `disabled` or `destroyed`.
    pub state: Option<VersionState>,
    /// The number of the version that is staged, if one is.
    pub pending: Option<u32>,
    /// True if the whole key is disabled.
    pub disabled: bool,
    /// The mode of the key's own, which overrides the mode of its environment, if it has one.
    pub mode_override: Option<Mode>,
    /// The mode that it is served in on this node; `None` where it is refused, since settings cannot be read.
    pub mode: Option<Mode>,
    /// The tier that decided the mode.
    pub mode_source: Option<ModeSource>,
    /// The limit on its retrievals; `None` if only the limit of its environment holds.
    pub limit: Option<Rate>,
    /// The age at which a current version is due to be rotated.
    pub rotate_every: Option<Interval>,
    /// The time at which the current version is due to be rotated.
    pub rotation_due: Option<Timestamp>,
    /// The time at which the key ends at its provider.
    pub expires_at: Option<Timestamp>,
    /// The limit that holds for it, if there is one: only where one key is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_in_force: Option<LimitInForce>,
    /// The time of the last use, on any node, as far back as counts are kept; `Some(None)` is never. Only in a list
    /// that was asked for it by a caller who may see the uses of the key (`usage:read` or `keys:rotate`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Option<Timestamp>>,
    /// The time at which the key was made.
    pub created: Timestamp,
    /// The principal that made it: an operator's name or a token's id.
    pub created_by: String,
    /// Number of changes of the key so far. A change can be made on the condition that it is still this one
    /// ([`Condition::Revision`](crate::keys::Condition::Revision)).
    pub revision: u64,
    /// The number of versions.
    pub versions_count: usize,
    /// Every version, oldest first; none in a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionInfo>,
}

impl KeyInfo {
    /// Returns the key as it is once the change is stored that it was read for.
    pub(crate) fn once_changed(mut self) -> Self {
        self.revision = self.revision.saturating_add(1);
        self
    }
}

/// A version, as `keys show` shows it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VersionInfo {
    /// The number, from 1.
    pub version: u32,
    /// `destroyed`, else `disabled`, else the role.
    pub state: VersionState,
    /// The role.
    pub role: Role,
    /// `disabled`, `destroyed`, `compromised`, as far as they apply.
    pub marks: Vec<VersionMark>,
    /// The names of its fields.
    pub fields: Vec<FieldName>,
    /// The time at which it was made.
    pub created: Timestamp,
    /// The principal that made it: an operator's name or a token's id.
    #[serde(rename = "by")]
    pub created_by: String,
    /// Each change of its state.
    pub changes: Vec<StateChange>,
}

impl VersionInfo {
    fn of(version: &VersionRecord) -> Self {
        VersionInfo {
            version: version.number,
            state: version.state(),
            role: version.role,
            marks: version.marks(),
            fields: version.sealed.iter().flat_map(|s| s.fields.keys().cloned()).collect(),
            created: version.created,
            created_by: version.created_by.clone(),
            changes: version.changes.clone(),
        }
    }
}
