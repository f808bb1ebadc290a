//! The part of a vault that a log's lines are believed about.

use std::fmt;

/// The one environment that the lines of a log are believed about.
///
/// An attacker with the keys of one environment can begin a log of their own, and give its lines valid MACs and
/// signatures. Such a log proves nothing about any other environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub(crate) namespace: String,
    pub(crate) environment: String,
    pub(crate) tag: String,
}

impl About {
    /// The environment of a name in a namespace, and the tag that its tokens and records carry.
    pub fn new(namespace: impl Into<String>, environment: impl Into<String>, tag: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            environment: environment.into(),
            tag: tag.into(),
        }
    }
}

/// Prints the environment as `namespace/environment`.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.environment)
    }
}
