//! Looking at every record of the store.

use std::time::Duration;

use crate::base::error::Result;
use crate::records::survey::{Pace, RecordsStatus};
use crate::vault::Vault;

impl Vault {
    /// Checks the records of the store for at most `limit`, and names the damaged ones.
    ///
    /// Realms that this node's KEK does not open are left out: nothing can be said about their records.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the store does not answer.
    pub async fn records_status(&self, limit: Duration) -> Result<RecordsStatus> {
        self.inner.records.survey(Pace::Within(limit)).await
    }

    /// Checks every record of the store, slowly, and remembers the damaged ones: [`Vault::damaged_count`] then counts
    /// them.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the store does not answer.
    pub async fn survey(&self) -> Result<RecordsStatus> {
        self.inner.records.survey(Pace::Slowly).await
    }

    /// Returns the number of records that this process knows to be damaged, without looking for others.
    #[must_use]
    pub fn damaged_count(&self) -> u64 {
        self.inner.records.damaged_count()
    }
}
