//! The description of a key, made from its record.

use std::collections::BTreeMap;

use ibyok_policy::Rate;
use jiff::Timestamp;
use serde::Serialize;

use super::interval::Interval;
use super::key::KeyRecord;
use super::limit::LimitInForce;
use super::mode::{Mode, ModeSource};
use super::name::{EnvironmentName, FieldName, KeyId, KeyName, Namespace};
use super::version::{Role, StateChange, VersionMark, VersionRecord};
use crate::base::version_state::VersionState;

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
    /// The name under which Vault's clients see the field `value`, if they gave it another name.
    #[serde(skip)]
    pub value_name: Option<FieldName>,
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
            value_name: version.value_name.clone(),
            created: version.created,
            created_by: version.created_by.clone(),
            changes: version.changes.clone(),
        }
    }
}

impl KeyRecord {
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

    /// Returns the time at which the current version, by the age of its value, is due to be rotated.
    fn rotation_due(&self) -> Option<Timestamp> {
        let every = self.rotate_every.and_then(Interval::of)?;
        Some(every.after(self.current()?.created))
    }
}
