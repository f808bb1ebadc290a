//! The finding that the store is behind: noted, asked for, and handed to the log once.

use std::sync::PoisonError;

use super::Records;
use super::behind::Behind;

impl Records {
    /// Returns the distance by which the store is behind, if it is.
    pub(crate) fn store_is_behind(&self) -> Option<Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner).behind
    }

    /// Notes that the change feed of this running node went back. The numbers that a running node saw hold until an
    /// operator accepts the store.
    pub(crate) fn store_went_back(&self, known: u64, now: u64) {
        self.stated.store_went_back_to(now);
        self.set_behind(Some(Behind { known, now }));
    }

    pub(crate) fn set_behind(&self, behind: Option<Behind>) {
        let mut standing = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        standing.untold = behind.is_some() && (standing.behind.is_none() || standing.untold);
        standing.behind = behind;
    }

    /// Takes the finding, for the caller that puts it on the log: it is handed out once.
    pub(crate) fn behind_untold(&self) -> Option<Behind> {
        let mut standing = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut standing.untold)
            .then_some(standing.behind)
            .flatten()
    }
}
