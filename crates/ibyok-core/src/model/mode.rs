//! The two modes of a value: the real one, or a mock.

use serde::{Deserialize, Serialize};

use crate::base::error::Error;

/// The mode of a value: the real one, or a mock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// The value itself.
    Live,
    /// A substitute with the provider's shape, which names itself as a mock.
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

/// The tier that decided a mode, one of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModeSource {
    /// A guardrail of this node, which overrides the vault.
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
