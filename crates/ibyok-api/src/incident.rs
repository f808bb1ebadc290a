//! Incidents: keys that may have leaked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{KeyWrite, Stamp};

words! {
    /// The state of an incident.
    pub enum IncidentState {
        /// Work remains.
        Open = "open",
        /// The incident has a cause and a prevention.
        Closed = "closed",
    }
}

words! {
    /// The id of a step that remains after a leak.
    pub enum StepId {
        /// Replace the leaked value with a new one.
        Replace = "replace",
        /// Replace the same value of another key.
        Copy = "copy",
        /// Revoke the value at its provider.
        Provider = "provider",
        /// Enable the key.
        Unfreeze = "unfreeze",
        /// Destroy the leaked version.
        Destroy = "destroy",
        /// Review the readers.
        Review = "review",
        /// Close the incident.
        Close = "close",
    }
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Incident {
    /// The public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::IncidentId"))]
    pub id: String,
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id
    pub key_id: String,
    /// The state
    pub state: IncidentState,
    /// The versions that are marked compromised because of the incident
    pub versions: Vec<u32>,
    /// The reason for which somebody opened the incident
    pub reason: String,
    /// The opening
    pub opened: Stamp,
    /// The time from which on others may have had the key
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub since: Option<Timestamp>,
    /// True if the key was disabled because of the incident
    #[serde(default)]
    pub frozen: bool,
    /// The tokens that were revoked because of the incident
    #[serde(default)]
    pub revoked: Vec<String>,
    /// The version that replaced the leaked one when the incident was opened
    #[serde(default)]
    pub replaced: Option<Replacement>,
    /// The notes, oldest first
    #[serde(default)]
    pub notes: Vec<IncidentNote>,
    /// The closing
    #[serde(default)]
    pub closed: Option<Closing>,
}

/// A version that replaced a leaked one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replacement {
    /// The new version's number
    pub version: u32,
    /// The time at which it became current
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The principal that made the version
    pub by: String,
}

/// A note on an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IncidentNote {
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The author
    pub by: String,
    /// The text
    pub text: String,
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Closing {
    /// The time
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// The principal that closed the incident
    pub by: String,
    /// The cause of the leak
    pub cause: String,
    /// The measure that prevents another leak
    pub prevention: String,
}

/// An incident that was just opened or added to, with the work that remains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IncidentOpened {
    /// The incident
    #[serde(flatten)]
    pub incident: Incident,
    /// True if the incident was open before
    #[serde(default)]
    pub was_open: bool,
    /// The reason why the new value did not replace the leaked one
    #[serde(default)]
    pub not_replaced: Option<String>,
    /// Warnings about the new value
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The readers that the request named and that stay valid, each with the reason
    #[serde(default)]
    pub not_revoked: Vec<NotRevoked>,
    /// Gaps that may hide a reader: nodes that do not report, counts that do not open
    #[serde(default)]
    pub unseen: Vec<String>,
    /// Other keys of the environment that hold the same value, as far as the principal may read them
    #[serde(default)]
    pub copies: Vec<LeakedCopy>,
    /// The steps that remain, in order
    #[serde(default)]
    pub remaining: Vec<Step>,
}

/// A token that stays valid although a request asked to revoke it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotRevoked {
    /// The token's id
    pub token: String,
    /// The reason
    pub why: String,
}

/// Another key that holds a leaked value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeakedCopy {
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The versions that hold the value and can be served
    pub versions: Vec<u32>,
    /// True if all of the versions are marked compromised
    pub marked: bool,
    /// The incident that was opened on the key, or added to
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub incident: Option<String>,
    /// The reason why no incident was opened on the key
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub why: Option<String>,
}

/// A step that remains after a leak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The stable word for the step
    pub id: StepId,
    /// The step in a sentence
    pub what: String,
    /// The command or the page for the step
    pub how: String,
}

/// The request to open an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>, F: Deserialize<'de>"))]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "IncidentRequest")
)]
pub struct IncidentRequest<V, F = V> {
    /// The key as `environment/name`, with `?version=N` for a version other than the current one
    #[serde(rename = "ref")]
    pub reference: String,
    /// The reason
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::IncidentText"))]
    pub reason: String,
    /// The time from which on others may have had the key
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub since: Option<Timestamp>,
    /// Disables the key at once
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub freeze: bool,
    /// Revokes the tokens that read the key from this time on
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub revoke_readers: Option<Timestamp>,
    /// The new value, which becomes current once the old version is marked. Excludes `freeze`. It changes nothing but the value. The server
    /// refuses the leaked value (409) before it marks anything. The token needs keys:rotate or keys:write as well
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<KeyWrite<V, F>>,
}

/// The request to close an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IncidentClosing {
    /// The cause of the leak
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::IncidentText"))]
    pub cause: String,
    /// The measure that prevents another leak
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::IncidentText"))]
    pub prevention: String,
    /// Closes the incident even if the server still serves the leaked version of the key
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// The request to add a note to an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IncidentNoteRequest {
    /// The text
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::IncidentText"))]
    pub text: String,
}
