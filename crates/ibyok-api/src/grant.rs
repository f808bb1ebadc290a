//! Grants: the rights of a token.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Rate;
use crate::words::words;

words! {
    /// A right that a token may have.
    pub enum Scope {
        /// Retrieve values.
        KeysRead = "keys:read",
        /// See names and settings, never values.
        KeysList = "keys:list",
        /// Create, set, edit, disable and enable keys.
        KeysWrite = "keys:write",
        /// Stage, promote, roll back and retire versions.
        KeysRotate = "keys:rotate",
        /// Remove keys and destroy versions.
        KeysDestroy = "keys:destroy",
        /// See usage.
        UsageRead = "usage:read",
        /// Read the audit log.
        AuditRead = "audit:read",
        /// Issue and rotate tokens within its own rights.
        TokensIssue = "tokens:issue",
        /// Revoke tokens.
        TokensRevoke = "tokens:revoke",
        /// Change settings and modes.
        SettingsWrite = "settings:write",
        /// Open and close incidents.
        IncidentsWrite = "incidents:write",
        /// All rights, including later ones.
        Admin = "admin",
    }
}

/// The rights of a token. Either `environments` or `all_environments` is present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Grant {
    /// The scopes
    pub scopes: Vec<Scope>,
    /// The environments
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub environments: Option<Vec<String>>,
    /// True if the grant covers every environment
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_environments: bool,
    /// Patterns of key names; absent means every key, an empty list none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::schema::KeyPattern>"))]
    pub keys: Option<Vec<String>>,
    /// The networks from which the token is valid; absent means every network
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::schema::Network>"))]
    pub cidrs: Option<Vec<IpNet>>,
    /// The first time at which the token is valid
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub not_before: Option<Timestamp>,
    /// The time from which the token is no longer valid
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub expires_at: Option<Timestamp>,
    /// The rate of retrievals
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Rate"))]
    pub rate: Option<Rate>,
    /// True if the token may read only pending versions
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending_only: bool,
    /// True if the token may replace its own secret
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_rotate: bool,
}

impl Grant {
    /// Makes a grant of scopes in environments, for every key and without an expiry.
    pub fn new<E: Into<String>>(
        scopes: impl IntoIterator<Item = Scope>,
        environments: impl IntoIterator<Item = E>,
    ) -> Self {
        Grant {
            scopes: scopes.into_iter().collect(),
            environments: Some(environments.into_iter().map(Into::into).collect()),
            ..Grant::default()
        }
    }

    /// Makes a grant of scopes in every environment.
    pub fn everywhere(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Grant {
            scopes: scopes.into_iter().collect(),
            all_environments: true,
            ..Grant::default()
        }
    }
}
