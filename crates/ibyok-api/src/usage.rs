//! Reports of usage.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{ConsumerKind, DamagedRecord};

words! {
    /// The unit that groups the counts of a report.
    pub enum UsageBy {
        /// Each key.
        Key = "key",
        /// Each token and each operator.
        Token = "token",
        /// Each environment.
        Env = "env",
        /// Each day, in UTC.
        Day = "day",
        /// Each version of each key.
        Version = "version",
    }
}

/// A report of usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Usage"))]
pub struct UsageReport {
    /// The unit that groups the counts
    pub by: UsageBy,
    /// The first day in the report
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Day"))]
    pub since: Date,
    /// The last day in the report
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Day"))]
    pub until: Date,
    /// The items, the most used first; days in their order
    pub items: Vec<UsageItem>,
    /// The number of damaged records of counts. Their counts are missing
    pub damaged: u64,
    /// The environments that do not open. Their usage is missing
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged_environments: Vec<DamagedRecord>,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageItem {
    /// The key as `environment/name`; `environment/id` if no record names the key
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub reference: Option<String>,
    /// The key's public id
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub key_id: Option<String>,
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
    /// True if there were more networks than the server counts apart
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_networks: bool,
}
