//! What a line says about the vault's store and about its floors, so that an older one of either shows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::event::cut;

/// What a line says about the vault's store and about its floors. The default says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Statement {
    /// The floors as the writer held them.
    pub floors: Option<FloorsStatement>,
    /// The store's change number, or a lower one: the store had come at least so far.
    pub store_change: Option<u64>,
}

impl Statement {
    /// States the floors.
    #[must_use]
    pub fn with_floors(mut self, floors: FloorsStatement) -> Self {
        self.floors = Some(floors);
        self
    }

    /// States how far the store had come at least.
    #[must_use]
    pub fn with_store_change(mut self, change: u64) -> Self {
        self.store_change = Some(change);
        self
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { floors, store_change } = self;
        floors.is_none() && store_change.is_none()
    }
}

/// What a line says about the floors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FloorsStatement {
    /// The generation of the floors: it grows with every change of them.
    pub generation: u64,
    /// The number of floors.
    pub count: u64,
    /// A digest over all of them, in lower-case hex.
    pub digest: String,
}

impl FloorsStatement {
    /// A statement about floors. The digest is cut to [`TEXT_LIMIT`](crate::TEXT_LIMIT) characters.
    pub fn new(generation: u64, count: u64, digest: impl Into<String>) -> Self {
        Self {
            generation,
            count,
            digest: cut(digest.into()),
        }
    }
}

/// How far the lines of a log say that the store had come, since an older one was last accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreMark {
    /// The highest change number that a line states.
    pub change: u64,
    /// When it was last stated.
    pub at: Option<Timestamp>,
    /// When an older store was last accepted.
    pub accepted: Option<Timestamp>,
}

impl StoreMark {
    /// Takes in what the next line states.
    pub fn take(&mut self, action: &str, at: Timestamp, change: u64) {
        if action == Action::VaultRollbackAccepted.as_str() {
            (self.change, self.at, self.accepted) = (change, Some(at), Some(at));
        } else if change >= self.change {
            (self.change, self.at) = (change, Some(at));
        }
    }
}
