//! Rotations of keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{KeyInfo, VersionState};

words! {
    /// The kind of a consumer of a key.
    pub enum ConsumerKind {
        /// An access token.
        Token = "token",
        /// An operator.
        Operator = "operator",
        /// Consumers beyond the number that the server counts apart.
        Others = "others",
    }
}

words! {
    /// The reason why an older version is kept for a consumer.
    pub enum WaitingWhy {
        /// The consumer has not read the current version.
        NotYet = "not_yet",
        /// The consumer has read the current version, and an older one since.
        ReadSince = "read_since",
    }
}

words! {
    /// The kind of something that is due.
    pub enum DueKind {
        /// A current version is due for rotation.
        Rotation = "rotation",
        /// A key expires at its provider.
        KeyExpiry = "key_expiry",
        /// A token expires.
        TokenExpiry = "token_expiry",
        /// The record of a key is damaged, so its due tasks are unknown.
        DamagedKey = "damaged_key",
        /// The record of a token is damaged, so its due tasks are unknown.
        DamagedToken = "damaged_token",
        /// The record of an environment is damaged, so its due tasks are unknown.
        DamagedEnvironment = "damaged_environment",
    }
}

/// The state of a key's rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Rotation"))]
pub struct RotationStatus {
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub id: String,
    /// The current version's number
    pub version: Option<u32>,
    /// Every version, oldest first, with the consumers that read it within 90 days
    pub versions: Vec<VersionUse>,
    /// The valid consumers that have not read the current version, or have read an older one since
    pub waiting_for: Vec<Waiting>,
    /// Gaps that may hide a consumer: nodes that do not report, counts that do not open
    #[serde(default)]
    pub unseen: Vec<String>,
    /// True if the answer shows consumers. The token needs `usage:read` or `keys:rotate` for the key; without, the lists are empty
    #[serde(default)]
    pub consumers_shown: bool,
}

/// A version with its consumers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VersionUse {
    /// The number
    pub version: u32,
    /// The state
    pub state: VersionState,
    /// The consumers, the last reader first
    pub consumers: Vec<Consumer>,
}

/// A consumer of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Consumer {
    /// The token's id, or the operator's name
    pub token: String,
    /// The kind of consumer
    pub kind: ConsumerKind,
    /// The token's name
    pub name: Option<String>,
    /// The time of the last read
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
    /// The number of reads
    pub count: u64,
    /// The network of the last read
    pub network: Option<String>,
    /// True if the consumer can still read: a valid token, or an operator
    pub active: bool,
}

/// A consumer for which an older version is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// The token's id
    pub token: String,
    /// The token's name
    pub name: Option<String>,
    /// The version that the token read last
    pub version: Option<u32>,
    /// The time of that read
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub last: Option<Timestamp>,
    /// The reason
    pub why: WaitingWhy,
}

/// Something that is due, or will be soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Due {
    /// The kind
    pub kind: DueKind,
    /// The key as `environment/name`; null for a token
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The token's id; null for a key
    pub token: Option<String>,
    /// The key's or the token's name
    pub name: String,
    /// The key's provider; null for a token
    #[serde(default)]
    pub provider: Option<String>,
    /// The time at which it is or was due
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub at: Timestamp,
    /// True if that time is past
    pub overdue: bool,
    /// The warning that applies: within 30, 7 or 1 days; 0 once the time is past
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::WithinDays"))]
    pub within_days: i64,
}

/// A key with a version whose value was just destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Destroyed {
    /// The key after the change
    #[serde(flatten)]
    pub key: KeyInfo,
    /// The places that may still hold the sealed value, and the time until which they may; null if the store keeps nothing
    pub remains: Option<String>,
}

/// The name of a version in a request's body: a number, or a word such as `pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "a version has a number or a word")]
pub enum VersionName {
    /// The version's number.
    Number(u32),
    /// A number in digits, or `pending`.
    Word(String),
}

/// The request to retire or destroy a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Drain {
    /// The version: a number, or `pending`. A request to retire without one means every retiring version
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::VersionInBody>"))]
    pub version: Option<VersionName>,
    /// The time since the last read of the version that must have passed: `7d`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// Retires or destroys the version even if consumers still use it; needs a reason
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The reason to force it, for the audit log
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
