//! Limits of retrievals.

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Change, Rate};

words! {
    /// The place where a limit is set.
    pub enum LimitSource {
        /// The key itself.
        Key = "key",
        /// The key's environment.
        Environment = "environment",
    }
}

words! {
    /// The servers over which a limit counts.
    pub enum LimitScope {
        /// Each server counts separately.
        Node = "node",
        /// All servers share one count.
        Shared = "shared",
    }
}

/// The limit that applies to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitInForce {
    /// The rate
    pub rate: Rate,
    /// The place where the limit is set
    pub source: LimitSource,
    /// The servers over which the limit counts
    pub scope: LimitScope,
}

/// The default limit of the keys of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnvironmentLimit {
    /// The namespace; absent for the home namespace
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The environment
    pub environment: String,
    /// The limit of each key without its own limit; null is no limit
    pub limit: Option<Rate>,
    /// The servers over which the limit counts
    pub scope: LimitScope,
}

/// The request to set the default limit of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("required" = ["environment", "limit"])))]
pub struct EnvironmentLimitChange {
    /// The environment
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::EnvironmentName"))]
    pub environment: String,
    /// The limit of each key without its own limit; `null` removes it
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    pub limit: Change<Rate>,
}
