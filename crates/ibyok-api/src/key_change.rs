//! Requests that change keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::map::{unique, unique_or_empty};
use crate::{Change, FieldName, Interval, Rate};

/// A new version of a key, with the settings to change.
///
/// The value comes in exactly one way: as `value`, as `value_base64`, or as `fields`. `V` is the type of a value as text or Base64, and `F` is
/// the type of a field, which is text or `{"base64":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "V: Deserialize<'de>, F: Deserialize<'de>"))]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(
        rename = "KeyWrite",
        description = "A new version of a key, with the settings to change. The value comes in exactly one way: as `value`, as \
            `value_base64`, or as `fields`.",
        extend("oneOf" = [{"required": ["value"]}, {"required": ["value_base64"]}, {"required": ["fields"]}])
    )
)]
pub struct KeyWrite<V, F = V> {
    /// The key itself, as text
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<V>,
    /// The key itself, in Base64 (the standard alphabet, padded)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Base64>"))]
    pub value_base64: Option<V>,
    /// Every field of the version; `value` is the key itself
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<FieldName, F>>"))]
    pub fields: Option<BTreeMap<FieldName, F>>,
    /// The provider; unchanged if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The variable that programs read the key from; unchanged if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Variable>"))]
    pub variable: Option<String>,
    /// The labels; unchanged if absent
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<BTreeMap<crate::schema::LabelName, crate::schema::LabelValue>>")
    )]
    pub labels: Option<BTreeMap<String, String>>,
    /// The key's own limit; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub limit: Change<Rate>,
    /// The age at which a current version is due for rotation; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub rotate_every: Change<Interval>,
    /// The time at which the key expires at its provider; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Change<Timestamp>,
    /// Stores a leaked value; needs a reason. The server marks the version compromised, and an incident is open on the key
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The reason to force it, for the audit log
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl<V, F> Default for KeyWrite<V, F> {
    fn default() -> Self {
        KeyWrite {
            value: None,
            value_base64: None,
            fields: None,
            provider: None,
            variable: None,
            labels: None,
            limit: Change::Keep,
            rotate_every: Change::Keep,
            expires_at: Change::Keep,
            force: false,
            reason: None,
        }
    }
}

/// Changes of a key's settings. An absent member keeps its setting, and `null` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyEdit {
    /// The provider
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub provider: Change<String>,
    /// The variable that programs read the key from
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Variable>"))]
    pub variable: Option<String>,
    /// The labels to set; `null` removes a label
    #[serde(
        default,
        deserialize_with = "unique_or_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<BTreeMap<crate::schema::LabelName, Option<crate::schema::LabelValue>>>")
    )]
    pub labels: BTreeMap<String, Option<String>>,
    /// The key's own limit; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub limit: Change<Rate>,
    /// The age at which a current version is due for rotation; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub rotate_every: Change<Interval>,
    /// The time at which the key expires at its provider; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Change<Timestamp>,
}

/// The version that a request is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhichVersion {
    /// The version's number; the whole key if absent
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::VersionNumber>"))]
    pub version: Option<u32>,
}

/// The request to enable a key or a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enabling {
    /// The version's number; the whole key if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::VersionNumber>"))]
    pub version: Option<u32>,
    /// Enables it even if the version is compromised or its value leaked; needs a reason
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The reason to force it, for the audit log
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The request to promote or roll back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Forcing {
    /// Makes the version current even if it is compromised or its value leaked; needs a reason
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The reason to force it, for the audit log
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The request to copy a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyCopy {
    /// The reference of the copy: `environment/name`
    pub to: String,
    /// Makes the copy a new current version of a key that exists
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}
