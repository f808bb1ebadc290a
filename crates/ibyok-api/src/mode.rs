//! Modes: live and mock.

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The mode of a value.
    pub enum Mode {
        /// The value itself.
        Live = "live",
        /// A stand-in that has the shape of the provider's keys.
        Mock = "mock",
    }
}

words! {
    /// The tier that decided a mode.
    pub enum ModeSource {
        /// A guardrail of the server.
        Guardrail = "guardrail",
        /// The key's own mode.
        KeyOverride = "key_override",
        /// The environment's default.
        TenantSetting = "tenant_setting",
    }
}

words! {
    /// The mode that a request sets on a key.
    pub enum ModeOverride {
        /// Always a stand-in.
        Mock = "mock",
        /// Always the value itself.
        Live = "live",
        /// The environment's mode.
        Inherit = "inherit",
    }
}

words! {
    /// The class of an environment, which guardrails bind.
    pub enum EnvironmentClass {
        /// Development.
        Dev = "dev",
        /// Staging.
        Staging = "staging",
        /// Production.
        Prod = "prod",
    }
}

/// The mode in which the server serves the values of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnvironmentMode {
    /// The namespace; absent for the home namespace
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The environment
    pub environment: String,
    /// The class; null if the server cannot open the environment
    pub class: Option<EnvironmentClass>,
    /// The one mode that the server allows for this class
    pub guardrail: Option<Mode>,
    /// True if the server allows `mock` as the default
    pub mock_allowed: bool,
    /// The default that somebody set
    pub default: Option<Mode>,
    /// The mode of keys without a mode of their own; null where the server refuses them
    pub mode: Option<Mode>,
    /// The tier that decided the mode
    pub mode_source: Option<ModeSource>,
    /// The reason why the server refuses the environment's keys
    pub problem: Option<String>,
}

/// The request to set the default mode of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetMode {
    /// The environment
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::EnvironmentName"))]
    pub environment: String,
    /// The mode
    pub mode: Mode,
}

/// The request to set the mode of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyMode {
    /// The mode, or `inherit` for the environment's
    pub mode: ModeOverride,
}
