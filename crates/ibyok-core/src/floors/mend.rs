//! A file that failed, was damaged or was moved away while the vault is open.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use ibyok_storage::{Error as StorageError, MapDurability, MapVerdict};

use super::opening::{ITEMS, Old, READ_AT_OPEN, bring_up};
use super::{Floors, unavailable};
use crate::error::{Error, Part, Result};

/// How long a file that could not be mended is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// When mending last failed, and why.
#[derive(Debug, Default)]
pub(super) struct Mended(Option<(Instant, String)>);

impl Floors {
    /// Whether the file failed, or is not where it was.
    pub(crate) fn is_broken(&self) -> bool {
        self.failure().is_some() || !self.map().is_in_place()
    }

    /// Why floors cannot be written, if they cannot: writes to the file to know.
    pub(crate) async fn cannot_write(&self) -> Option<String> {
        match self.map().probe().await {
            Ok(summary) => {
                self.applied(&summary, MapDurability::Kernel);
                None
            }
            Err(error) => {
                self.failed(&error);
                Some(format!("the file of floors: {error}"))
            }
        }
    }

    /// Why the last write failed, if it did and was not mended.
    pub(crate) fn failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|failure| failure.why.clone())
    }

    /// Opens the file again, or makes it again from what is known and from the log.
    pub(crate) async fn mend(&self) -> Result<()> {
        let mut mended = self.mending.lock().await;
        if let Some((at, why)) = &mended.0
            && at.elapsed() < PAUSE
        {
            return Err(Error::unavailable(Part::AuditLog, why.clone()));
        }
        let done = self.mend_now(None).await;
        mended.0 = done.as_ref().err().map(|error| (Instant::now(), error.to_string()));
        done
    }

    /// Reads a large file as a whole, which opening left out, and makes it again if items of it do not fit.
    pub(crate) async fn look_through(&self) -> Result<()> {
        let summary = self.map().summary().await.map_err(unavailable)?;
        if summary.numbers.saturating_add(summary.texts) <= READ_AT_OPEN {
            return Ok(());
        }
        self.verify_items().await.map(drop)
    }

    /// Whether every item is as it was written. If not, the file is made again from the log.
    pub(super) async fn verify_items(&self) -> Result<bool> {
        let why = match self.map().verify().await {
            Ok(MapVerdict::Whole(_)) => return Ok(true),
            Ok(_) => ITEMS.to_owned(),
            Err(StorageError::Corrupt { source, .. }) => format!("the file of floors was damaged ({source})"),
            Err(error) => return Err(unavailable(error)),
        };
        let _one = self.mending.lock().await;
        self.mend_now(Some(why)).await.map(|()| false)
    }

    async fn mend_now(&self, damaged: Option<String>) -> Result<()> {
        let map = self.map();
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // After a failed sync a later one that succeeds would prove nothing: the file is made again.
        let mut distrusted = damaged.is_some() || failure.is_some_and(|failure| failure.poisoned);
        let mut damaged = damaged;
        if !distrusted && map.is_in_place() {
            match map.probe().await {
                Ok(summary) => {
                    self.applied(&summary, MapDurability::Kernel);
                    return Ok(());
                }
                Err(StorageError::Corrupt { source, .. }) => {
                    damaged = Some(format!("the file of floors was damaged ({source})"));
                    distrusted = true;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        let old = Old {
            distrusted: distrusted && map.is_in_place(),
            map,
            damaged,
        };
        let (map, found, summary) = bring_up(&self.setup, Some(&old)).await?;
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.applied(&summary, MapDurability::Disk);
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.extend(found.wrong);
        Ok(())
    }

    /// Takes the findings that are not on the log yet.
    pub(crate) fn untold(&self) -> Vec<String> {
        std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
