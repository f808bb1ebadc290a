//! Looking at every record of the store.

use std::time::Duration;

use crate::base::error::Result;
use crate::records::survey::{Pace, RecordsStatus};
use crate::vault::Vault;

impl Vault {
    /// Looks at the records of the store for at most `limit`, and says which are damaged.
    ///
    /// Realms that this node's KEK does not open are left out: nothing can be said about their records.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store does not answer.
    pub async fn records_status(&self, limit: Duration) -> Result<RecordsStatus> {
        self.inner.records.survey(Pace::Within(limit)).await
    }

    /// Looks at every record of the store, slowly, and remembers which are damaged: [`Vault::damaged_count`] then counts them.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store does not answer.
    pub async fn survey(&self) -> Result<RecordsStatus> {
        self.inner.records.survey(Pace::Slowly).await
    }

    /// Returns the number of records that this process knows to be damaged, without looking for others.
    #[must_use]
    pub fn damaged_count(&self) -> u64 {
        self.inner.records.damaged_count()
    }
}
