use crate::record::RecordId;

/// A position in the change feed. It grows by one with each change, in the order of the commits. The default is the
/// beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeNumber(u64);

impl ChangeNumber {
    /// A place in the feed by number.
    pub const fn new(number: u64) -> Self {
        ChangeNumber(number)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A put or a delete of one record. Its present state must be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends construct it; a number and a record are all there is"
)]
pub struct Change {
    /// Its place in the order of commits.
    pub number: ChangeNumber,
    /// The record that changed.
    pub id: RecordId,
}

impl Change {
    /// The change of one record.
    pub const fn new(number: ChangeNumber, id: RecordId) -> Self {
        Change { number, id }
    }
}

/// A piece of the change feed, from one consistent read of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends construct it; a new field would be a new promise"
)]
pub struct Changes {
    /// The position to ask from the next time. Every change up to here is in [`changes`](Changes::changes), or lost
    /// in the gap.
    pub upto: ChangeNumber,
    /// The changes, in the order of commits. Empty if there is a gap.
    pub changes: Vec<Change>,
    /// The feed does not reach back to where it was asked from, or has never been there (the store was replaced by an older
    /// one): everything may have changed, so forget every cache.
    pub gap: bool,
    /// There was more than one answer holds: ask again from [`upto`](Changes::upto).
    pub more: bool,
}

impl Changes {
    /// The largest number of changes in one answer.
    pub const LIMIT: usize = 1000;

    /// The answer with changes in order, when the newest of all is `newest`.
    pub fn told(changes: Vec<Change>, newest: ChangeNumber) -> Self {
        let upto = changes.last().map_or(newest, |change| change.number);
        Changes {
            upto,
            changes,
            gap: false,
            more: upto < newest,
        }
    }

    /// Returns the answer for a gap: everything may have changed, and the feed is at `upto` now.
    pub const fn lost(upto: ChangeNumber) -> Self {
        Changes {
            upto,
            changes: Vec::new(),
            gap: true,
            more: false,
        }
    }
}
