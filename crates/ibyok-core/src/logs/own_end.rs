//! The end of this process's own log, compared with what the store and the floors know of it.
//!
//! The comparison is made before the log's first new line: lines that a session adds must not make up for lines that were cut off.

use ibyok_audit::{Action, Event, Known, LogPlace, Outcome, VerifyingKey, verify_against};
use jiff::Timestamp;

use super::Logs;
use super::checkpoints::{damaged_checkpoint, is_of_the_store, removed_checkpoint};
use super::kept::{Checkpoints, Kept, Spot};
use crate::base::error::{Error, Part, Result};
use crate::floor::Floors;
use crate::floor::checkpoint::Said;

/// The faults of this process's own log, and of its checkpoint in the store.
#[derive(Debug, Default)]
pub(crate) struct OwnEnd {
    /// The faults that are not on the log yet.
    untold: Vec<String>,
    /// True if the next checkpoint replaces the one in the store, whatever that covers.
    replaces: bool,
}

/// The log that this process is about to write.
pub(crate) struct Own<'a> {
    pub(crate) kept: Checkpoints<'a>,
    pub(crate) floors: &'a Floors,
    pub(crate) place: &'a LogPlace,
    pub(crate) key: VerifyingKey,
    pub(crate) now: Timestamp,
}

impl Own<'_> {
    /// Compares the log as it was found with its checkpoints. Keeps a checkpoint that the log does not fit as evidence, apart from later
    /// ones, and each fault in the file of floors.
    pub(crate) async fn end(&self) -> Result<OwnEnd> {
        let (log, mut faults, mut replaces) = (self.place.log(), Vec::new(), false);
        let known = self.floors.end_of(log).await?;
        let record = self.kept.record_of(log)?;
        let stored = match self.kept.get(&record).await {
            Ok(stored) => {
                faults.extend(self.removed(stored.as_ref()));
                stored
            }
            Err(error @ Error::Integrity { damage, .. }) if is_of_the_store(damage) => {
                tracing::warn!(%error, "the checkpoint of the audit log in the store cannot be read now");
                None
            }
            Err(Error::Integrity { damage, .. }) => {
                replaces = true;
                faults.push(damaged_checkpoint(log, &record, damage));
                None
            }
            Err(error) => return Err(error),
        };
        let stored = stored.map(|kept| kept.note);
        let notes = known
            .iter()
            .chain(stored.iter().filter(|stored| known.as_ref() != Some(*stored)));
        for note in notes {
            if let Some(fault) = self.unfit(note).await? {
                let spot = Spot::from(self.place);
                self.kept.put(&self.kept.evidence(note)?, &spot, note).await?;
                replaces = true;
                faults.push(fault);
            }
        }
        // The fault of the log itself first: the one line on the log has it.
        faults.reverse();
        let mut untold = Vec::new();
        for fault in faults {
            if self.floors.find_in_logs(self.now, &fault).await? {
                untold.push(fault);
            }
        }
        Ok(OwnEnd { untold, replaces })
    }

    /// The fault of a log that has no checkpoint in the store. The first one is there before the log's key.
    fn removed(&self, stored: Option<&Kept>) -> Option<String> {
        let lines = self.place.next_seq().saturating_sub(1);
        stored.is_none().then(|| removed_checkpoint(self.place.log(), lines))
    }

    /// Returns in words why the log does not fit a checkpoint of it; `None` if it fits.
    async fn unfit(&self, note: &str) -> Result<Option<String>> {
        let (log, lines) = (self.place.log(), self.place.next_seq().saturating_sub(1));
        let said = Said::parse(note).ok_or_else(|| Error::integrity("a checkpoint"))?;
        if said.size > lines {
            return Ok(Some(ends_early(log, said.size, lines)));
        }
        let fits = said.size <= self.place.signed() || self.holds(note).await?;
        Ok((!fits).then(|| {
            format!(
                "the audit log `{log}` has other lines than the {} that a checkpoint was signed for: it was set back, and lines were added",
                said.size
            )
        }))
    }

    /// Returns true if the log agrees with a checkpoint. Called only where nothing beside the log confirms it.
    async fn holds(&self, note: &str) -> Result<bool> {
        let (root, log) = (self.place.root().to_owned(), self.place.log().to_owned());
        let mut known = Known::by_keys(std::slice::from_ref(&self.key));
        known.checkpoints.push((log.clone(), note.to_owned()));
        let report = tokio::task::spawn_blocking(move || verify_against(&root, &known)).await;
        let report = report.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))??;
        Ok(report.logs.iter().any(|of| of.id == log && of.first_bad.is_none()))
    }
}

/// Says that a log ends before the line that it had come to.
pub(crate) fn ends_early(log: &str, known: u64, found: u64) -> String {
    format!(
        "the audit log `{log}` ends at line {found}, and had come to line {known}: its last lines were removed, or it was set back"
    )
}

impl Logs {
    /// Puts the faults of this process's own log on the log, and replaces the checkpoints that it does not fit.
    pub(crate) async fn tell_end(&self, end: OwnEnd, place: &LogPlace) -> Result<()> {
        let log = self.recorder.log.id();
        for fault in &end.untold {
            tracing::warn!("{fault}");
        }
        // One line for all, so that the log grows little beyond the lines that it lost: the file of floors has each of them.
        if let Some(first) = end.untold.first() {
            let count = u64::try_from(end.untold.len()).unwrap_or(u64::MAX);
            self.recorder.record(self.fault(log, first).count(count)).await?;
        }
        let newest = self.recorder.log.last_checkpoint();
        if let Some(newest) = newest.filter(|_| end.replaces) {
            let kept = self.checkpoints().await;
            kept.put(&kept.record_of(log)?, &Spot::from(place), newest.text())
                .await?;
            self.records.floors.forget_end(log).await?;
            self.records.floors.keep_end(log, newest.text()).await?;
        }
        Ok(())
    }

    /// Puts a fault of a log on this process's own.
    pub(crate) async fn tell_fault(&self, log: &str, fault: &str) -> Result<()> {
        tracing::warn!("{fault}");
        self.recorder.record(self.fault(log, fault)).await
    }

    fn fault<'e>(&self, log: &'e str, fault: &'e str) -> Event<'e> {
        Event::new(Action::LogGap, Outcome::Failed, self.records.now())
            .target("log", log)
            .reason(fault)
    }
}
