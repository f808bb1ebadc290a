//! The statement that lines of the audit log carry: how far the floors and the store had come at least.

use std::sync::{Mutex, PoisonError};

use ibyok_audit::{FloorsStatement, Statement, StoreMark};

/// The newest statement, shared with the thread that writes the log.
#[derive(Debug, Default)]
pub(crate) struct Stated(Mutex<Statement>);

impl Stated {
    /// The statement of a line that is written now.
    pub(crate) fn now(&self) -> Statement {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The store's change number, or a lower one.
    pub(crate) fn store_change(&self) -> u64 {
        self.now().store_change.unwrap_or(0)
    }

    /// Notes that the store is at this change at least.
    pub(crate) fn store_came_to(&self, change: u64) {
        self.change(|statement| {
            let StoreMark {
                epoch, change: known, ..
            } = statement.store_mark().unwrap_or_default();
            statement.with_store_change(epoch, change.max(known))
        });
    }

    /// The mark of the store: its change number, and the number of times that an older one was accepted before.
    pub(crate) fn store_mark(&self) -> StoreMark {
        self.now().store_mark().unwrap_or_default()
    }

    /// The change number that a mark of the log says the store had come to; 0 for a mark from before an older store was accepted.
    pub(crate) fn known_by(&self, mark: StoreMark) -> u64 {
        // Numbers of different epochs cannot be compared: the accepted older store counts on from a lower one.
        if mark.epoch == self.store_mark().epoch {
            mark.change
        } else {
            0
        }
    }

    /// Notes the number of times that an older store was accepted, as some line of the log states it, and the change
    /// that the store is at.
    pub(crate) fn store_epoch_is(&self, epoch: u64, now: u64) {
        self.change(|statement| {
            let known = statement.store_mark().unwrap_or_default();
            if known.epoch < epoch {
                statement.with_store_change(epoch, now)
            } else {
                statement
            }
        });
    }

    /// Notes that an operator accepts an older store, which is at this change.
    pub(crate) fn accepts_store_at(&self, change: u64) {
        self.change(|statement| {
            let epoch = statement.store_mark().unwrap_or_default().epoch;
            statement.with_store_change(epoch.saturating_add(1), change)
        });
    }

    /// Notes that the store has gone back to this change.
    pub(crate) fn store_went_back_to(&self, change: u64) {
        self.change(|statement| {
            let epoch = statement.store_mark().unwrap_or_default().epoch;
            statement.with_store_change(epoch, change)
        });
    }

    /// States nothing of the store from now on: how far it has come is not known.
    pub(crate) fn store_is_unknown(&self) {
        self.change(|mut statement| {
            (statement.store_epoch, statement.store_change) = (None, None);
            statement
        });
    }

    /// Replaces the part about the floors. They must be on the disk: a crash must never look as if they were set back.
    pub(crate) fn floors(&self, floors: FloorsStatement) {
        self.change(|statement| statement.with_floors(floors));
    }

    fn change(&self, change: impl FnOnce(Statement) -> Statement) {
        let mut statement = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The change is a pure function of the statement, so nothing between the two sees the empty one.
        *statement = change(std::mem::take(&mut *statement));
    }
}
