//! A version of a key inside the key's record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Sealed;
use super::name::FieldName;
use crate::base::memory::{allocated, map_of};
use crate::base::version_state::VersionState;
use crate::base::words::words;

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
    /// The name under which Vault's clients see the field `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value_name: Option<FieldName>,
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

impl VersionRecord {
    /// The bytes of its allocations.
    pub(crate) fn memory(&self) -> usize {
        let sealed = self.sealed.iter().flat_map(|sealed| {
            let fields = sealed.fields.iter();
            let fields = fields.flat_map(|(name, value)| [name.as_str().len(), value.0.capacity()]);
            fields.chain([sealed.data_key.0.capacity()])
        });
        let prints = [&self.fingerprint]
            .into_iter()
            .chain(&self.trimmed)
            .map(|print| print.0.capacity());
        let changes = self
            .changes
            .iter()
            .flat_map(|change| [change.to.capacity(), change.by.capacity()]);
        let own = [
            self.value_name.as_ref().map_or(0, |name| name.as_str().len()),
            self.created_by.capacity(),
            self.changes.capacity() * size_of::<StateChange>(),
        ];
        let all = sealed.chain(prints).chain(changes).chain(own);
        let fields = self.sealed.as_ref().map_or(0, |sealed| sealed.fields.len());
        all.map(allocated).sum::<usize>() + map_of(fields)
    }
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

    pub(super) fn marks(&self) -> Vec<VersionMark> {
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
