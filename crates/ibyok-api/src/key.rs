//! Keys and their versions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Interval, LastUse, LimitInForce, Mode, ModeSource, Rate};

words! {
    /// The state of a version: `destroyed`, else `disabled`, else its role.
    pub enum VersionState {
        /// Staged to become current.
        Pending = "pending",
        /// Served when a request names no version.
        Current = "current",
        /// Served when a request names it by number.
        Retiring = "retiring",
        /// Not served.
        Retired = "retired",
        /// Not served until somebody enables it.
        Disabled = "disabled",
        /// Without its value.
        Destroyed = "destroyed",
    }
}

words! {
    /// The role of a version.
    pub enum Role {
        /// Staged to become current.
        Pending = "pending",
        /// Served when a request names no version.
        Current = "current",
        /// Served when a request names it by number.
        Retiring = "retiring",
        /// Not served.
        Retired = "retired",
    }
}

words! {
    /// A mark that a version carries beside its role.
    pub enum Mark {
        /// Somebody disabled the version.
        Disabled = "disabled",
        /// The value is destroyed.
        Destroyed = "destroyed",
        /// The value leaked.
        Compromised = "compromised",
    }
}

words! {
    /// The state that a version changed to.
    pub enum StateChangeTo {
        /// It became pending.
        Pending = "pending",
        /// It became current.
        Current = "current",
        /// It became retiring.
        Retiring = "retiring",
        /// It became retired.
        Retired = "retired",
        /// Somebody disabled it.
        Disabled = "disabled",
        /// Somebody enabled it.
        Enabled = "enabled",
        /// Its value was destroyed.
        Destroyed = "destroyed",
        /// An incident marked it.
        Compromised = "compromised",
    }
}

/// A key without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Key"))]
pub struct KeyInfo {
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub id: String,
    /// The namespace
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Namespace"))]
    pub namespace: String,
    /// The environment
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::EnvironmentName"))]
    pub environment: String,
    /// The name
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyName"))]
    pub name: String,
    /// The provider, as given
    pub provider: Option<String>,
    /// The variable that programs read the key from
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Variable"))]
    pub variable: String,
    /// True if an operator chose the variable. A variable that a token chose may steer programs
    #[serde(default)]
    pub variable_named: bool,
    /// The labels
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The current version's number
    pub version: Option<u32>,
    /// The current version's state
    #[serde(default)]
    pub state: Option<VersionState>,
    /// The number of the pending version
    #[serde(default)]
    pub pending: Option<u32>,
    /// True if the whole key is disabled
    pub disabled: bool,
    /// The key's own mode, which overrides its environment's
    #[serde(default)]
    pub mode_override: Option<Mode>,
    /// The mode that the server serves the key in; null where it refuses the key
    #[serde(default)]
    pub mode: Option<Mode>,
    /// The tier that decided the mode
    #[serde(default)]
    pub mode_source: Option<ModeSource>,
    /// The key's own limit; null if its environment's limit applies
    #[serde(default)]
    pub limit: Option<Rate>,
    /// The age at which a current version is due for rotation: `90d`
    #[serde(default)]
    pub rotate_every: Option<Interval>,
    /// The time at which the current version is due for rotation
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub rotation_due: Option<Timestamp>,
    /// The time at which the key expires at its provider
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Option<Timestamp>,
    /// The limit that applies, the key's own or its environment's. Only an answer about one key shows it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "LimitInForce"))]
    pub limit_in_force: Option<LimitInForce>,
    /// The time of the last use on any node; null is never. Only a list shows it, on request (`last_use`), to a token with usage:read or
    /// keys:rotate
    #[serde(default, skip_serializing_if = "LastUse::is_not_shown")]
    pub last_used: LastUse,
    /// The time at which the key was created
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub created: Timestamp,
    /// The principal that created the key
    pub created_by: String,
    /// The number of changes of the key so far; its ETag, without quotes
    #[serde(default)]
    pub revision: u64,
    /// The number of versions
    #[serde(default)]
    pub versions_count: u64,
    /// Every version, oldest first; lists leave it out
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionInfo>,
}

/// A version of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Version"))]
pub struct VersionInfo {
    /// The number, from 1
    pub version: u32,
    /// The state
    pub state: VersionState,
    /// The role
    pub role: Role,
    /// The marks
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// The names of the version's fields
    #[serde(default)]
    pub fields: Vec<String>,
    /// The time at which the version was created
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub created: Timestamp,
    /// The principal that created the version
    #[serde(rename = "by")]
    pub created_by: String,
    /// Each change of the state, oldest first
    #[serde(default)]
    pub changes: Vec<StateChange>,
}

/// A change of a version's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StateChange {
    /// The new state
    pub to: StateChangeTo,
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The principal
    pub by: String,
}

/// A time and the principal that acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stamp {
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The principal: the operator's name or the token's id
    pub by: String,
}

/// The result of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Written {
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub id: String,
    /// The number of the new version
    pub version: u32,
    /// The state of the new version
    pub state: VersionState,
    /// The provider
    #[serde(default)]
    pub provider: Option<String>,
    /// True if the server recognised the provider by the shape of the value
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recognised: bool,
    /// The variable that programs read the key from
    #[serde(default)]
    pub variable: String,
    /// Warnings, for example about a value that does not look like a key of its provider
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
