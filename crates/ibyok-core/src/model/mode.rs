//! Whether a value is the real one.

use serde::{Deserialize, Serialize};

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
