//! Whether a value is the real one.

use serde::{Deserialize, Serialize};

use crate::base::error::Error;

/// Whether a value is the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// The value itself.
    Live,
    /// A stand-in with the provider's shape, that says of itself that it is one.
    Mock,
}

impl Mode {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Mock => "mock",
        }
    }
}

/// Which of the three tiers decided a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModeSource {
    /// A guardrail of this node, whatever the vault says.
    Guardrail,
    /// The key's own mode.
    KeyOverride,
    /// The environment's default; live unless set.
    TenantSetting,
}

impl ModeSource {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ModeSource::Guardrail => "guardrail",
            ModeSource::KeyOverride => "key_override",
            ModeSource::TenantSetting => "tenant_setting",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "live" => Ok(Mode::Live),
            "mock" => Ok(Mode::Mock),
            other => Err(Error::invalid_name("mode", other, "`mock` or `live`")),
        }
    }
}
