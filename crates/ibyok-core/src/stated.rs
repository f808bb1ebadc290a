//! The statement that lines of the audit log carry: how far the floors and the store had come at least.

use std::sync::{Mutex, PoisonError};

use ibyok_audit::{FloorsStatement, Statement};

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

    /// Says that the store has come at least so far.
    pub(crate) fn store_came_to(&self, change: u64) {
        self.change(|statement| {
            let known = statement.store_change.unwrap_or(0);
            statement.with_store_change(change.max(known))
        });
    }

    /// Says that the store has gone back to this number.
    pub(crate) fn store_went_back_to(&self, change: u64) {
        self.change(|statement| statement.with_store_change(change));
    }

    /// Replaces the part about the floors. They must be on the disk: a crash must never look as if they were set back.
    pub(crate) fn floors(&self, floors: FloorsStatement) {
        self.change(|statement| statement.with_floors(floors));
    }

    fn change(&self, change: impl FnOnce(Statement) -> Statement) {
        let mut statement = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *statement = change(std::mem::take(&mut *statement));
    }
}
