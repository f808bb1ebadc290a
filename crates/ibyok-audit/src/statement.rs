//! The part of a line that states the vault's store and floors, so that an older copy of either shows.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::event::cut;

/// A statement about the vault's store and its floors. The default states nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Statement {
    /// The floors as the writer held them.
    pub floors: Option<FloorsStatement>,
    /// The store's change number, or a lower one: the store had come at least so far.
    pub store_change: Option<u64>,
    /// The number of times that an older store had been accepted by then. A mark with a lower number counts no more.
    #[serde(default)]
    pub store_epoch: Option<u64>,
    /// Of a line that accepts an older record: the revision below which every other one is refused from then on.
    #[serde(default)]
    pub accepted: Option<u64>,
}

impl Statement {
    /// States the floors.
    #[must_use]
    pub fn with_floors(mut self, floors: FloorsStatement) -> Self {
        self.floors = Some(floors);
        self
    }

    /// States how far the store had come at least, and how often an older one had been accepted before.
    #[must_use]
    pub fn with_store_change(mut self, epoch: u64, change: u64) -> Self {
        (self.store_epoch, self.store_change) = (Some(epoch), Some(change));
        self
    }

    /// States that an older record is accepted, and the revision below which every other one is refused from then on.
    #[must_use]
    pub fn with_accepted(mut self, floor: u64) -> Self {
        self.accepted = Some(floor);
        self
    }

    /// The mark of the store, if the line states one.
    #[must_use]
    pub fn store_mark(&self) -> Option<StoreMark> {
        let epoch = self.store_epoch.unwrap_or(0);
        self.store_change.map(|change| StoreMark { epoch, change })
    }

    /// Returns true if the statement states nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A statement about the floors.
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
            digest: cut(Cow::Owned(digest.into())).into_owned(),
        }
    }
}

/// A mark of the store in the lines of a log: the number of changes that the store had at least.
///
/// Marks have an order that no clock decides: an epoch ends where an operator accepts an older store by name, and a
/// mark of a later epoch counts for more than every mark of an earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreMark {
    /// The number of times that an older store was accepted before.
    pub epoch: u64,
    /// The change number.
    pub change: u64,
}

impl StoreMark {
    /// A mark.
    #[must_use]
    pub fn new(epoch: u64, change: u64) -> Self {
        Self { epoch, change }
    }
}
