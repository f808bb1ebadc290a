//! Released values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Mode, ModeSource};

/// A released value.
///
/// `T` is the type of a value as text or Base64, and `F` is the type of a field, which is text or `{"base64":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>, F: Deserialize<'de>"))]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Value", description = "A released value.")
)]
pub struct Value<T, F> {
    /// The key as `environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::KeyId"))]
    pub id: String,
    /// The version's number
    pub version: u32,
    /// The mode
    pub mode: Mode,
    /// The tier that decided the mode
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ModeSource"))]
    pub mode_source: Option<ModeSource>,
    /// The provider, as given
    #[serde(default)]
    pub provider: Option<String>,
    /// The variable that programs read the key from
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub variable: Option<String>,
    /// The value, as text
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub value: Option<T>,
    /// The value in Base64, where it is not UTF-8
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Base64"))]
    pub value_base64: Option<T>,
    /// Every field, where the version has other fields than `value` and the request named none
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, F>,
}
