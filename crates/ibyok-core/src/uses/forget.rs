//! Counts that are older than 400 days are forgotten: a little at a time, so that a clock that was wrong for an hour costs little.

use std::time::Duration;

use ibyok_crypto::RealmTag;
use ibyok_storage::{Collection, Error as StorageError, Kind, RecordId, StoreExt};

use super::replay::KEPT;
use super::rollup::RollupId;
use super::{Usage, day_of};
use crate::base::error::Result;
use crate::model::kind;

/// The number of records that are forgotten at a time, at most.
const AT_ONCE: usize = 2000;

/// The time until the next look: a day, or an hour if there was more to forget.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The time between the start and the first look.
pub(super) const FIRST: Duration = HOUR;

impl Usage {
    /// Forgets old counts, and returns the time until the next look. A count that cannot be forgotten now is
    /// forgotten then.
    pub(super) async fn forget_old_counts(&self) -> Duration {
        match self.forget_some().await {
            Ok(AT_ONCE..) => HOUR,
            Ok(_) => DAY,
            Err(error) => {
                tracing::warn!(%error, "cannot delete old records of usage");
                HOUR
            }
        }
    }

    /// Forgets some, and says how many. It needs no key of the realms.
    pub(super) async fn forget_some(&self) -> Result<usize> {
        let oldest = self.records.now().checked_sub(KEPT).map_or(0, day_of);
        let mut forgotten = 0;
        let tags: Vec<RealmTag> = self.records.tags().await?.iter().map(|(tag, _)| tag).collect();
        for tag in tags {
            for kind in [kind::KEY_USE, kind::TOKEN_USE] {
                let collection = Collection::new(Kind::new(kind), *tag.as_bytes())?;
                forgotten += self.forget_in(&collection, oldest, AT_ONCE - forgotten).await?;
            }
        }
        Ok(forgotten)
    }

    async fn forget_in(&self, collection: &Collection, oldest: u16, most: usize) -> Result<usize> {
        let mut forgotten = 0;
        let mut pages = self.records.store.pages(collection);
        while forgotten < most
            && let Some(page) = pages.next_page().await?
        {
            let old = |id: &&RecordId| RollupId::parse(id.id()).is_some_and(|id| id.day < oldest);
            for id in page.iter().filter(old).take(most - forgotten) {
                // The delete names the revision, so that a count which another node just added is not lost with it.
                let Some(stored) = self.records.store.get(id).await? else {
                    continue;
                };
                match self.records.store.delete(id, stored.revision).await {
                    // Another node was faster.
                    Ok(()) | Err(StorageError::Conflict) => forgotten += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(forgotten)
    }
}
