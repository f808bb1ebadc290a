//! Limits as they are shown.

use ibyok_policy::Rate;
use serde::Serialize;

use crate::base::words::words;

/// The scope over which a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "code that shows a limit must handle a new scope")]
pub enum LimitScope {
    /// Each node counts by itself: over `n` nodes as much as `n` times the rate is let through.
    Node,
    /// All nodes on the store count together.
    Shared,
}

words! {
    /// The place where a key's limit is set.
    pub enum LimitSource {
        /// On the key itself.
        Key = "key",
        /// On its environment, for every key without its own limit.
        Environment = "environment",
    }
}

/// The limit that holds for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitInForce {
    /// The rate.
    pub rate: Rate,
    /// `key` if it is the key's own, `environment` if it is the default of its environment.
    pub source: LimitSource,
    /// The scope over which it counts.
    pub scope: LimitScope,
}
