//! The audit log's newest checkpoint, sealed in the store: a log that is cut off or set back on this machine shows by it.
//!
//! Each says where its log is kept, so that a machine is not blamed for the logs of the others. A log is known by its id: a directory
//! that was moved or renamed takes its logs with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ibyok_audit::{Known, LogPlace, VerifyFault, VerifyFinding, VerifyReport, VerifyingKey, logs_in};
use ibyok_storage::{Expect, RecordId};

use super::kept::{AllKept, Checkpoints, Kept, Spot};
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::floor::checkpoint::Said;
use crate::logs::Logs;
use crate::model::name::base62;
use crate::realm::FILE;
use crate::records::Records;
use ibyok_audit::words::counted;

/// The greatest change number of a store that may still count on. No history of changes comes near it.
const CHANGES_MAX: u64 = 1 << 62;

/// The places of the logs of a vault, as far as one node knows.
struct Whereabouts<'a> {
    here: Kept,
    /// True if no other machine has the store.
    alone: bool,
    kept: &'a [(String, Kept)],
    present: &'a BTreeSet<String>,
}

impl Whereabouts<'_> {
    /// Names the place of a log that does not belong here, in words; `None` for one that does.
    fn of(&self, log: &str) -> Option<String> {
        if self.present.contains(log) {
            return None;
        }
        let of_log = |log: &str| self.kept.iter().find(|(of, _)| of == log).map(|(_, kept)| kept);
        let Some(kept) = of_log(log) else {
            return (!self.alone).then(|| "at a place that no checkpoint names".to_owned());
        };
        let elsewhere = || Some(kept.whereabouts());
        if self.alone || kept.is_of(&self.here) {
            return None;
        }
        if kept.still_holds(log, &self.here) {
            return elsewhere();
        }
        // Where a log was that is here now, there this directory was.
        let moved = |other: &&String| {
            let other = of_log(other).filter(|of| of.is_of(kept));
            other.is_some_and(|of| !of.still_holds(log, &self.here))
        };
        if self.present.iter().any(|other| moved(&other)) {
            return None;
        }
        elsewhere()
    }
}

/// The knowledge of a node about the logs in its place, for a verification.
pub(crate) struct KnownLogs {
    pub(crate) known: Known,
    /// The places of logs of this vault that this node cannot read, in words.
    pub(crate) notes: Vec<String>,
    /// The faults of the store's records about logs.
    pub(crate) findings: Vec<VerifyFinding>,
    /// The logs that have a key in the store, and no checkpoint there.
    without_checkpoint: BTreeSet<String>,
}

impl Logs {
    pub(crate) async fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints {
            store: self.records.store.as_ref(),
            home: self.records.home_now().await,
        }
    }

    /// Puts the log's newest checkpoint into the store, unless the one there covers as many lines, and then into the floors. A
    /// checkpoint that does not open is reported and replaced.
    pub(crate) async fn keep_checkpoint(&self, kept: &mut Option<u64>) {
        let Some(checkpoint) = self.recorder.log.last_checkpoint() else {
            return;
        };
        if *kept == Some(checkpoint.size()) {
            return;
        }
        let kept_now = async {
            let checkpoints = self.checkpoints().await;
            let id = checkpoints.record_of(checkpoint.log())?;
            let there = match checkpoints.get(&id).await {
                Err(Error::Integrity { damage, .. }) if !is_of_the_store(damage) => {
                    let fault = damaged_checkpoint(checkpoint.log(), &id, damage);
                    self.find(checkpoint.log(), &fault).await?;
                    None
                }
                Ok(None) if kept.is_some() => {
                    let fault = removed_checkpoint(checkpoint.log(), checkpoint.size());
                    self.find(checkpoint.log(), &fault).await?;
                    None
                }
                there => there?.and_then(|there| Said::parse(&there.note)),
            };
            if there.is_none_or(|there| there.size < checkpoint.size()) {
                let spot = Spot::from(self.recorder.log.status());
                checkpoints.put(&id, &spot, checkpoint.text()).await?;
            }
            self.records.floors.keep_end(checkpoint.log(), checkpoint.text()).await
        };
        match kept_now.await {
            Ok(()) => *kept = Some(checkpoint.size()),
            Err(error) => tracing::warn!(%error, "the audit log's checkpoint was not kept in the store"),
        }
    }

    /// Returns the reason for which the store takes no writes, if it takes none: then nothing can be revoked. Writes the record of this
    /// process's own checkpoint again as it is, which no other record and no reader notices.
    pub(crate) async fn store_refuses_writes(&self) -> Option<String> {
        let store = self.records.store.as_ref();
        let written = async {
            let id = self.checkpoints().await.record_of(self.recorder.log.id())?;
            if let Some(there) = store.get(&id).await? {
                store.put(&id, &there.bytes, Expect::Revision(there.revision)).await?;
            }
            Ok(())
        };
        match written.await {
            // After a conflict, another write of the same record was faster: the store takes writes.
            Ok(()) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Some(format!("it takes no writes: {error}")),
        }
        // Quiet records, such as this one, have no change number.
        let number = self.records.lease.newest_change().await;
        (number > CHANGES_MAX).then(|| {
            format!("its change number is {number}, to which no history of changes led: the store was changed past the vault")
        })
    }

    /// Keeps a fault of a log until an operator acknowledges it, and puts it on this process's own log, unless that was done before.
    pub(crate) async fn find(&self, log: &str, fault: &str) -> Result<()> {
        if self.records.floors.find_in_logs(self.records.now(), fault).await? {
            self.tell_fault(log, fault).await?;
        }
        Ok(())
    }

    /// Returns the keys and checkpoints that this node knows of the logs in its place, with further keys that the
    /// caller trusts. `place` is the directory that is verified: this node's own, or a new copy of its home.
    pub(crate) async fn known_logs(&self, place: &Path, keys: &[VerifyingKey]) -> Result<KnownLogs> {
        let status = self.recorder.log.status();
        let present: BTreeSet<String> = logs_in(place)?.into_iter().collect();
        // Before the store: the floors never know more of a log than the store did by then.
        let ends = self.records.floors.ends().await?;
        let kept = self.checkpoints().await.all().await?;
        let of_home = self.log_keys().await?;
        let mut known = Known::default();
        known.keys = self.vouched_keys().await?;
        for key in of_home.whole.iter().chain(keys) {
            if !known.keys.contains(key) {
                known.keys.push(key.clone());
            }
        }
        let with_key = of_home.whole.iter().filter_map(VerifyingKey::log).map(str::to_owned);
        let with_key: BTreeSet<String> = with_key
            .chain(of_home.damaged.iter().map(|(id, _)| log_of(id)))
            .collect();
        let logs = kept.whole.iter().map(|(log, _)| log.clone());
        let logs: BTreeSet<String> = logs.chain(with_key.iter().cloned()).collect();
        let whereabouts = Whereabouts {
            here: Kept::here(&Spot::from(status), ""),
            // A file belongs to one machine, and its logs are next to it.
            alone: self.records.store_is_a_file().await?,
            kept: &kept.whole,
            present: &present,
        };
        let mut elsewhere = BTreeMap::<String, Vec<String>>::new();
        for log in logs {
            match whereabouts.of(&log) {
                None => drop(known.logs.insert(log)),
                Some(_) if ends.iter().any(|(end, _)| *end == log) && kept.of(&log).next().is_none() => {
                    known.logs.insert(log);
                }
                Some(place) => elsewhere.entry(place).or_default().push(log),
            }
        }
        for (log, note) in &ends {
            if !elsewhere.values().flatten().any(|other| other == log) {
                known.logs.insert(log.clone());
                known.checkpoints.push((log.clone(), note.clone()));
            }
        }
        for (log, kept) in &kept.whole {
            if known.logs.contains(log) {
                known.checkpoints.push((log.clone(), kept.note.clone()));
            }
        }
        let notes = notes(&known, elsewhere);
        let with_checkpoint = |log: &&String| kept.of(log).next().is_none();
        Ok(KnownLogs {
            findings: findings(&kept, &of_home.damaged),
            without_checkpoint: with_key.iter().filter(with_checkpoint).cloned().collect(),
            known,
            notes,
        })
    }

    /// Returns a finding for each log of a report that has a key in the store, and no checkpoint there. The first checkpoint of a log is
    /// there before its key.
    pub(crate) async fn logs_without_checkpoint(
        &self,
        known: &BTreeSet<String>,
        report: &VerifyReport,
    ) -> Result<Vec<VerifyFinding>> {
        let mut findings = Vec::new();
        for log in &report.logs {
            // Opening compared this process's own log with its checkpoint.
            if log.is_foreign() || log.id == self.recorder.log.id() || !known.contains(&log.id) {
                continue;
            }
            // The checkpoint of a log that began in the meantime was not in the store when its checkpoints were read.
            let checkpoints = self.checkpoints().await;
            if let Ok(None) = checkpoints.get(&checkpoints.record_of(&log.id)?).await {
                let detail = "the store holds no checkpoint of the log: the record was deleted, or the store lost it";
                findings.push(VerifyFinding::new(
                    VerifyFault::NoCheckpoint,
                    Some(log.id.clone()),
                    log.slot,
                    detail,
                ));
            }
        }
        Ok(findings)
    }

    /// Updates the place in the checkpoints of the logs that were kept with this process's own, if the directory has
    /// moved. A log that is gone is then still missed.
    pub(crate) async fn follow_the_move(&self, place: &LogPlace) -> Result<()> {
        let (spot, checkpoints) = (Spot::from(place), self.checkpoints().await);
        let here = Kept::here(&spot, "");
        // One that does not open names no place.
        let own = match checkpoints.get(&checkpoints.record_of(place.log())?).await {
            Err(Error::Integrity { .. }) => None,
            own => own?,
        };
        let Some(before) = own.filter(|kept| !kept.is_of(&here) && !kept.still_holds(place.log(), &here)) else {
            return Ok(());
        };
        for (log, kept) in checkpoints.all().await?.whole {
            let id = checkpoints.record_of(&log)?;
            let is_evidence = checkpoints.evidence(&kept.note)? != id && checkpoints.get(&id).await?.is_none();
            if kept.is_of(&before) && !is_evidence {
                checkpoints.put(&id, &spot, &kept.note).await?;
            }
        }
        Ok(())
    }
}

impl KnownLogs {
    /// The logs that have a key in the store, and no checkpoint there.
    pub(crate) fn without_checkpoint(&self) -> &BTreeSet<String> {
        &self.without_checkpoint
    }
}

/// True for damage of the store's files, which a disk that fails for a moment looks like. No finding is kept of it: the next look tells.
pub(crate) fn is_of_the_store(damage: Damage) -> bool {
    match damage {
        Damage::Unreadable => true,
        Damage::DoesNotOpen | Damage::UnknownFormat | Damage::Missing | Damage::Older | Damage::Kek => false,
    }
}

/// The log that a record of the store is about, by the record's id.
pub(crate) fn log_of(id: &RecordId) -> String {
    base62(*id.id())
}

/// Describes the record of a checkpoint that does not open.
pub(crate) fn damaged_checkpoint(log: &str, id: &RecordId, damage: Damage) -> String {
    format!("the checkpoint of the audit log `{log}` in the store ({id}) {damage}; the next one replaces it")
}

/// Says that the store lost the checkpoint of a log that has so many lines.
pub(crate) fn removed_checkpoint(log: &str, lines: u64) -> String {
    format!(
        "the store holds no checkpoint of the audit log `{log}`, which has {}: the record was deleted, or the store lost it",
        counted(lines, "line")
    )
}

/// The findings about records of the store that are about logs and do not open.
fn findings(kept: &AllKept, keys: &[(RecordId, Damage)]) -> Vec<VerifyFinding> {
    let finding =
        |id: &RecordId, detail| VerifyFinding::new(VerifyFault::DamagedRecord, Some(log_of(id)), None, detail);
    let checkpoints = kept
        .damaged
        .iter()
        .map(|(id, damage)| finding(id, format!("the checkpoint in the store ({id}) {damage}")));
    let keys = keys.iter().map(|(id, damage)| {
        finding(
            id,
            format!("the key of the log in the store ({id}) {damage}: no process goes on with this log"),
        )
    });
    checkpoints.chain(keys).collect()
}

fn notes(known: &Known, elsewhere: BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut notes = Vec::new();
    for (place, logs) in elsewhere {
        let logs = logs.join(", ");
        notes.push(format!("kept {place}, and not verified here: {logs}"));
    }
    for (log, about) in known.keys.iter().filter_map(|key| Some((key.log()?, key.about()?))) {
        notes.push(format!(
            "log {log}: only the keys of `{about}` vouch for it, so its lines about other environments are read nowhere"
        ));
    }
    notes
}

impl Records {
    pub(crate) async fn store_is_a_file(&self) -> Result<bool> {
        Ok(self.store.check().await?.backend == FILE)
    }
}
