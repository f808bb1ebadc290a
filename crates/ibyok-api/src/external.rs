//! The published interface `/external`, whose words are in camel case.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::usage::UsageBy;
use crate::{ConsumerKind, Mode, ModeSource};

/// A released value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ExternalValue"))]
pub struct ExternalValue<T> {
    /// The key's public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub key_id: String,
    /// The key's name
    pub name: String,
    /// The provider; `custom` if nobody named one
    pub llm_type: String,
    /// The value, as text
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub value: Option<T>,
    /// The value in Base64, where it is not UTF-8
    #[serde(rename = "value_base64", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Base64"))]
    pub value_base64: Option<T>,
    /// The version's number
    pub version: u32,
    /// The mode and its source
    pub mode_info: ExternalMode,
}

/// The mode of a released value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalMode {
    /// The environment in its long form: development, staging, production
    pub environment: String,
    /// The mode
    pub effective_mode: Mode,
    /// The tier that decided the mode
    pub source: ModeSource,
}

/// A key, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalKey {
    /// The key's public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub key_id: String,
    /// The key's name
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyName"))]
    pub name: String,
    /// The provider; `custom` if nobody named one
    pub llm_type: String,
    /// The environment
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::EnvironmentName"))]
    pub environment: String,
    /// The current version's number
    pub version: Option<u32>,
    /// True if the whole key is disabled
    pub disabled: bool,
}

/// A report of usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalUsage {
    /// The unit that groups the counts
    pub by: UsageBy,
    /// The first day in the report
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Day"))]
    pub since: Date,
    /// The last day in the report
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Day"))]
    pub until: Date,
    /// The items, the most used first; days in their order
    pub items: Vec<ExternalUsageItem>,
    /// The number of damaged records of counts. Their counts are missing
    pub damaged: u64,
    /// True if damaged records of environments may hide usage
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::True"))]
    pub incomplete: bool,
    /// Always null: the report is one page
    #[cfg_attr(feature = "schema", schemars(with = "()"))]
    pub next: Option<String>,
}

/// The usage of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExternalUsageItem {
    /// The key's public id
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub key_id: Option<String>,
    /// The key as `environment/name`
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub reference: Option<String>,
    /// The version's number
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub version: Option<u32>,
    /// The kind of consumer
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ConsumerKind"))]
    pub kind: Option<ConsumerKind>,
    /// The token's id, or the operator's name
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: Option<String>,
    /// The token's name
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: Option<String>,
    /// The environment
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub environment: Option<String>,
    /// The day
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Day"))]
    pub day: Option<Date>,
    /// The number of retrievals that released a value, mocks included
    pub allowed: u64,
    /// The number of retrievals that released a mock
    pub mocked: u64,
    /// The number of retrievals that policy refused
    pub denied: u64,
    /// The number of retrievals that were permitted and released nothing
    pub failed: u64,
    /// The time of the last release
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub last_used: Option<Timestamp>,
    /// The number of tokens and operators that received a value
    pub consumers: u64,
    /// The number of networks (/24, /48) that values went to
    pub networks: u64,
}
