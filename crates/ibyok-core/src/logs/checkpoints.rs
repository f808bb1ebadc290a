//! The audit log's newest checkpoint, sealed in the store: a log that is cut off or set back on this machine shows by it.
//!
//! Each says where its log is kept, so that a machine is not blamed for the logs of the others. A log is known by its id: a directory
//! that was moved or renamed takes its logs with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ibyok_audit::{Action, Event, Known, LogPlace, Outcome, VerifyingKey, logs_in, verify_against};
use ibyok_storage::{Expect, RecordId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::error::{Error, Part, Result};
use crate::logs::Logs;
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::{FILE, PAGE, open_failed};
use crate::records::Records;
use ibyok_audit::words::counted;

/// The prefix of the first line of a checkpoint: before the log's id (C2SP tlog-checkpoint; docs/audit.md).
const ORIGIN: &str = "ibyok-audit/";

/// The sealed body of a checkpoint's record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    host: String,
    place: String,
    note: String,
}

impl Kept {
    fn here(place: &Path, note: &str) -> Self {
        let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Kept {
            host,
            place: place.display().to_string(),
            note: note.to_owned(),
        }
    }

    fn is_of(&self, other: &Kept) -> bool {
        (&self.host, &self.place) == (&other.host, &other.place)
    }

    /// True if the log is at the place that this names, on the machine that looks.
    fn still_holds(&self, log: &str, here: &Kept) -> bool {
        self.host == here.host && logs_in(Path::new(&self.place)).is_ok_and(|logs| logs.iter().any(|id| id == log))
    }
}

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
        let elsewhere = || Some(format!("in `{}` on `{}`", kept.place, kept.host));
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

/// A signed note: the log that it is about, and the number of lines that the log had.
struct Said {
    log: String,
    size: u64,
}

impl Said {
    fn parse(note: &str) -> Option<Self> {
        let mut lines = note.lines();
        let log = lines.next()?.strip_prefix(ORIGIN)?.to_owned();
        Some(Said {
            log,
            size: lines.next()?.parse().ok()?,
        })
    }
}

impl Logs {
    /// Compares the log as it was found with the checkpoint in the store. A checkpoint of more lines than the log has
    /// is kept as evidence, apart from later checkpoints, and reported on the log itself and in `status`.
    pub(crate) async fn compare_checkpoint(&self, place: &LogPlace) -> Result<()> {
        let Some(Kept { note, .. }) = self.checkpoint(&self.checkpoint_record(place.log())?).await? else {
            return Ok(());
        };
        self.follow_the_move(place).await?;
        let said = Said::parse(&note).ok_or_else(|| Error::integrity("a checkpoint"))?;
        let lines = place.next_seq().saturating_sub(1);
        let what = if said.size > lines {
            format!(
                "the audit log has {}, and a checkpoint in the store was signed for {}",
                counted(lines, "line"),
                said.size
            )
        } else if said.size > place.signed() && !self.holds(place, &note).await? {
            format!(
                "the audit log has other lines than the {} that a checkpoint in the store was signed for",
                said.size
            )
        } else {
            return Ok(());
        };
        self.put_checkpoint(&self.evidence_record(&note)?, &note).await?;
        let event = Event::new(Action::LogGap, Outcome::Failed, self.records.now())
            .target("log", place.log())
            .reason(&what);
        self.recorder.record(event).await?;
        self.recorder.warn(format!(
            "{what}: it was cut off or set back; `ibyok audit verify` shows where"
        ));
        Ok(())
    }

    /// True if the log agrees with a checkpoint from the store. Called only where no file next to the log confirms it.
    async fn holds(&self, place: &LogPlace, note: &str) -> Result<bool> {
        let keys = self.keys_of_log(place.log()).await?;
        if keys.is_empty() {
            return Ok(false);
        }
        let (root, log) = (place.root().to_owned(), place.log().to_owned());
        let mut known = Known::by_keys(&keys);
        known.checkpoints.push((log.clone(), note.to_owned()));
        let report = tokio::task::spawn_blocking(move || verify_against(&root, &known)).await;
        let report = report.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))??;
        Ok(report.logs.iter().any(|of| of.id == log && of.first_bad.is_none()))
    }

    /// Puts the log's newest checkpoint into the store, unless the one there covers as many lines.
    pub(crate) async fn keep_checkpoint(&self, kept: &mut Option<u64>) {
        let Some(checkpoint) = self.recorder.log.last_checkpoint() else {
            return;
        };
        if *kept == Some(checkpoint.size()) {
            return;
        }
        let kept_now = async {
            let id = self.checkpoint_record(checkpoint.log())?;
            let there = self.checkpoint(&id).await?.and_then(|kept| Said::parse(&kept.note));
            if there.is_none_or(|there| there.size < checkpoint.size()) {
                self.put_checkpoint(&id, checkpoint.text()).await?;
            }
            Ok::<_, Error>(())
        };
        match kept_now.await {
            Ok(()) => *kept = Some(checkpoint.size()),
            Err(error) => tracing::warn!(%error, "the audit log's checkpoint was not kept in the store"),
        }
    }

    /// Returns the keys and checkpoints that this node knows of the logs in its place, with further keys that the
    /// caller trusts. Also returns, in words, the places of logs of this vault that it cannot read.
    pub(crate) async fn known_logs(&self, keys: &[VerifyingKey]) -> Result<(Known, Vec<String>)> {
        let place = self.recorder.log.status().place;
        let present: BTreeSet<String> = logs_in(&place)?.into_iter().collect();
        let kept = self.kept_checkpoints().await?;
        let of_home = self.log_keys().await?;
        let mut known = Known::default();
        known.keys = self.vouched_keys().await?;
        for key in of_home.iter().chain(keys) {
            if !known.keys.contains(key) {
                known.keys.push(key.clone());
            }
        }
        let mut logs: BTreeSet<String> = kept.iter().map(|(log, _)| log.clone()).collect();
        logs.extend(of_home.iter().filter_map(VerifyingKey::log).map(str::to_owned));
        let whereabouts = Whereabouts {
            here: Kept::here(&place, ""),
            // A file belongs to one machine, and its logs are next to it.
            alone: self.records.store_is_a_file().await?,
            kept: &kept,
            present: &present,
        };
        let mut elsewhere = BTreeMap::<String, Vec<String>>::new();
        for log in logs {
            match whereabouts.of(&log) {
                None => drop(known.logs.insert(log)),
                Some(place) => elsewhere.entry(place).or_default().push(log),
            }
        }
        for (log, kept) in &kept {
            if known.logs.contains(log) {
                known.checkpoints.push((log.clone(), kept.note.clone()));
            }
        }
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
        Ok((known, notes))
    }

    /// The checkpoints in the store, with the id of the log that each is about.
    async fn kept_checkpoints(&self) -> Result<Vec<(String, Kept)>> {
        let collection = self.records.home.collection(kind::CHECKPOINT)?;
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.records.store.list(&collection, after.as_ref(), PAGE).await?;
            for id in &page {
                let Some(kept) = self.checkpoint(id).await? else {
                    continue;
                };
                let said = Said::parse(&kept.note).ok_or_else(|| Error::integrity("a checkpoint"))?;
                found.push((said.log, kept));
            }
            after = page.last().copied();
            if page.len() < PAGE {
                return Ok(found);
            }
        }
    }

    /// Updates the place in the checkpoints of the logs that were kept with this process's own, if the directory has
    /// moved. A log that is gone is then still missed.
    async fn follow_the_move(&self, place: &LogPlace) -> Result<()> {
        let here = Kept::here(place.root(), "");
        let own = self.checkpoint(&self.checkpoint_record(place.log())?).await?;
        let Some(before) = own.filter(|kept| !kept.is_of(&here) && !kept.still_holds(place.log(), &here)) else {
            return Ok(());
        };
        for (log, _) in self.kept_checkpoints().await? {
            let id = self.checkpoint_record(&log)?;
            if let Some(kept) = self.checkpoint(&id).await?.filter(|kept| kept.is_of(&before)) {
                self.put_checkpoint(&id, &kept.note).await?;
            }
        }
        Ok(())
    }

    async fn checkpoint(&self, id: &RecordId) -> Result<Option<Kept>> {
        let Some(stored) = self.records.store.get(id).await? else {
            return Ok(None);
        };
        let what = || "a checkpoint".to_owned();
        let body = self
            .records
            .home
            .keys
            .open_record(&self.records.home.place(id), &stored.bytes);
        let body = body.map_err(|error| open_failed(what(), error))?;
        serde_json::from_slice(body.expose_secret())
            .map(Some)
            .map_err(|_| Error::integrity(what()))
    }

    async fn put_checkpoint(&self, id: &RecordId, note: &str) -> Result<()> {
        let body = serde_json::to_vec(&Kept::here(&self.recorder.log.status().place, note));
        let body = body.map_err(|_| Error::integrity("a checkpoint"))?;
        let sealed = self.records.home.keys.seal_record(&self.records.home.place(id), &body);
        let sealed = sealed.map_err(|error| open_failed("a checkpoint".to_owned(), error))?;
        let there = self.records.store.get(id).await?;
        let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
        self.records.store.put(id, &sealed, expect).await?;
        Ok(())
    }

    fn checkpoint_record(&self, log: &str) -> Result<RecordId> {
        let id = from_base62(log).ok_or_else(|| Error::integrity("the audit log's id"))?;
        self.records.home.record(kind::CHECKPOINT, id)
    }

    /// The record of a checkpoint that the log does not fit. It is named by a hash of the note, so that nothing
    /// replaces it.
    fn evidence_record(&self, note: &str) -> Result<RecordId> {
        let digest = Sha256::digest(note.as_bytes());
        self.records
            .home
            .record(kind::CHECKPOINT, digest.first_chunk().copied().unwrap_or_default())
    }
}

impl Records {
    pub(crate) async fn store_is_a_file(&self) -> Result<bool> {
        Ok(self.store.check().await?.backend == FILE)
    }
}
