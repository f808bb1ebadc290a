/// The worst event that a written record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "readers decide by it which store to trust, and must handle every new case"
)]
pub enum Durability {
    /// Nothing: it is gone when the process ends.
    None,
    /// The end of the process, also by `kill -9`, but not a loss of power.
    ProcessExit,
    /// A loss of power.
    PowerLoss,
}

/// The health of a store, as [`Store::check`](crate::Store::check) found it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The worst event that a returned `put` survives, as far as the backend can know.
    pub durability: Durability,
    /// The backend in one word, such as `file`.
    pub backend: String,
    /// Further details for an operator, as name and value. Never a secret or a password.
    pub detail: Vec<(String, String)>,
}

impl Health {
    /// A healthy store.
    pub fn new(backend: impl Into<String>, durability: Durability) -> Self {
        Health {
            durability,
            backend: backend.into(),
            detail: Vec::new(),
        }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.detail.push((name.into(), value.into()));
        self
    }
}
