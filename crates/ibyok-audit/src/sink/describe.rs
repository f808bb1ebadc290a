//! The description of a sink, with the promise that it makes.

use serde::Serialize;

/// The promise of a sink about a line that it acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkDurability {
    /// It survives a loss of power.
    Synced,
    /// It is with the kernel: it survives the end of the process, and not a loss of power.
    Written,
    /// Nothing.
    BestEffort,
}

/// A description of a sink, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SinkDescription {
    /// Its kind and place, such as `file /var/log/ibyok`.
    pub name: String,
    /// The durability that the sink promises.
    pub durability: SinkDurability,
}

impl SinkDescription {
    /// A description of these two.
    #[must_use]
    pub fn new(name: impl Into<String>, durability: SinkDurability) -> Self {
        Self {
            name: name.into(),
            durability,
        }
    }
}
