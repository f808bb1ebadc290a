//! Lists.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The reason why the server refuses a damaged record.
    pub enum Damage {
        /// The bytes do not open: somebody changed, cut or moved them.
        DoesNotOpen = "does_not_open",
        /// The store has lost the record.
        Missing = "missing",
        /// The record is older than one that the node has seen.
        Older = "older",
        /// The store's own files are damaged.
        Unreadable = "unreadable",
        /// This version does not know the record's format.
        UnknownFormat = "unknown_format",
        /// The KEK that the record names is missing or does not open it.
        Kek = "kek",
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct Page<T> {
    /// The items
    pub items: Vec<T>,
    /// The value of `after` for the next page; null on the last page
    pub next: Option<String>,
    /// The damaged records of this page, as far as the token may know of them
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedRecord>,
    /// True if damaged records may hide items of this page
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::True"))]
    pub incomplete: bool,
}

impl<T> Page<T> {
    /// Makes a page that is the whole list.
    #[must_use]
    pub fn whole(items: Vec<T>) -> Self {
        Page {
            items,
            next: None,
            damaged: Vec::new(),
            incomplete: false,
        }
    }
}

/// A damaged record, which a list cannot show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Damaged"))]
pub struct DamagedRecord {
    /// The kind of record: `key`, `token`, `incident`, `environment`, …
    pub kind: String,
    /// The public id of a key, token or incident; else the id in the store
    pub id: String,
    /// The id in the store, which lines of the audit log name as `record`
    #[serde(default)]
    pub record: String,
    /// The environment; null for a record that spans environments
    #[serde(default)]
    pub environment: Option<String>,
    /// The reason why the server refuses the record
    pub damaged: Damage,
}

/// Describes the record in one line. The text comes from the store: a program that prints it must escape control characters.
impl fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)?;
        if let Some(environment) = &self.environment {
            write!(f, " of {environment}")?;
        }
        write!(f, " is damaged ({})", self.damaged.as_str())
    }
}
