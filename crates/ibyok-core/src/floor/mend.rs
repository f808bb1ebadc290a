//! A file that failed, was damaged or was moved away while the vault is open.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ibyok_storage::{AuthenticatedMap, Error as StorageError, MapDurability, MapVerdict, RecordId};
use jiff::Timestamp;

use super::entry::{raise, unavailable};
use super::file::Floors;
use super::opening::{ITEMS, Old, Setup, bring_up};
use crate::base::error::{Error, Part, Result};

/// The time for which a file that could not be mended is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// The number of floors that are raised in one transaction.
const BATCH: usize = 1000;

impl Floors {
    /// Returns true if the file failed, is not where it was, or is older than this process has seen.
    pub(crate) async fn is_broken(&self) -> bool {
        if let Err(error) = self.map().summary().await {
            self.failed(&error);
        }
        self.failure().is_some() || !self.map().is_in_place()
    }

    /// Returns the reason for which floors cannot be written, if they cannot. Writes to the file to find out.
    pub(crate) async fn cannot_write(&self) -> Option<String> {
        match self.map().probe().await {
            Ok(summary) => {
                self.applied(&summary, MapDurability::Kernel);
                self.failure().map(|why| format!("the file of floors: {why}"))
            }
            Err(error) => {
                self.failed(&error);
                Some(format!("the file of floors: {error}"))
            }
        }
    }

    /// Returns the failure of the last write, if it failed and was not mended.
    pub(crate) fn failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|failure| failure.why.clone())
    }

    /// Opens the file again, or makes it again from this process's memory and from the log.
    pub(crate) async fn mend(&self) -> Result<()> {
        self.mend_after(&self.map()).await
    }

    /// Mends after a failure of this handle, unless another task has put a new one in its place by now.
    pub(super) async fn mend_after(&self, failed: &AuthenticatedMap) -> Result<()> {
        let mut mended = self.mending.lock().await;
        // Another task has mended the file while this one waited for the lock.
        if !self.map().is_same(failed) {
            return Ok(());
        }
        // Every request meets the failure: without a pause each of them would try to make the file again.
        if let Some((at, why)) = &mended.0
            && at.elapsed() < PAUSE
        {
            return Err(Error::unavailable(Part::AuditLog, why.clone()));
        }
        let done = self.mend_now(None).await;
        // Kept for the callers within the pause: they get the same reason without another try.
        mended.0 = done.as_ref().err().map(|error| (Instant::now(), error.to_string()));
        done
    }

    /// Returns true if every item is as it was written. If not, makes the file again from the log and returns false.
    pub(crate) async fn verify_items(&self) -> Result<bool> {
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
        let of_failure = failure
            .as_ref()
            .filter(|failure| failure.damaged)
            .map(|failure| failure.why.clone());
        let mut damaged = damaged.or(of_failure.map(|why| format!("the file of floors was damaged ({why})")));
        // After a failed sync a later one that succeeds would prove nothing: the file is made again.
        let mut distrusted = damaged.is_some() || failure.is_some_and(|failure| failure.poisoned);
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
        let setup = Setup {
            now: Timestamp::now(),
            // Logs that began after this process opened have changes too, and a rebuild without them would lose floors.
            logs: self.setup.logs_now().await?,
            ..self.setup.clone()
        };
        let (map, found, summary) = bring_up(&setup, Some(&old)).await?;
        // The handle goes first: a request that finds no failure must not find the broken handle.
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.seen.was_replaced(summary.generation);
        self.applied(&summary, MapDurability::Disk);
        found.wrong.iter().for_each(|wrong| self.untell(wrong));
        // The log lacks the records that were only read, and this process still knows them.
        self.raise_remembered().await
    }

    /// Raises the floors that this process has seen, in a file that was made again.
    async fn raise_remembered(&self) -> Result<()> {
        let map = self.map();
        let floors: Vec<(RecordId, u64)> = self.remembered.all();
        for batch in floors.chunks(BATCH) {
            let changes = batch.iter().map(|(record, rev)| raise(record, *rev)).collect();
            let summary = map.apply(changes, MapDurability::Disk).await.map_err(unavailable)?;
            self.applied(&summary, MapDurability::Disk);
        }
        Ok(())
    }

    /// The file has a lower floor than it had before, in a newer generation: an older file was put back, and another process went
    /// on with it. The floor holds in this process, and is raised again.
    pub(super) async fn fell(&self, record: &RecordId, rev: u64) {
        // Pending again, so that the next flush writes it back into the file.
        self.seen.add(record, rev);
        // Once for each process: every later record of the file would repeat the same finding.
        if self.fell.swap(true, Ordering::AcqRel) {
            return;
        }
        let what = "the file of floors had lower floors than this process has seen; this process keeps the higher floors and writes them again";
        if let Err(error) = self.find(Timestamp::now(), what).await {
            tracing::warn!(%error, "the file of floors does not have a finding about it yet");
        }
    }

    /// Keeps a finding that is to be put on the log.
    pub(super) fn untell(&self, what: &str) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.push(what.to_owned());
    }

    /// Takes the findings that are not on the log yet.
    pub(crate) fn untold(&self) -> Vec<String> {
        std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
