//! The audit log's newest checkpoint, sealed in the store: a log that is cut off or set back on this machine shows by it.
//!
//! Each says where its log is kept, so that a machine is not blamed for the logs of the others.

use std::path::Path;

use ibyok_audit::{Action, Event, Outcome, Place, logs_in};
use ibyok_storage::{Expect, RecordId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::{PAGE, open_failed};
use crate::vault::Inner;

/// How the first line of a checkpoint begins: before the log's id (C2SP tlog-checkpoint; docs/audit.md).
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
}

/// What a signed note says: which log had how many lines.
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

impl Inner {
    /// Compares the log as it was found with the checkpoint in the store. One that speaks of more lines than there are is kept as
    /// evidence, beside those to come, on the log itself and in `status`.
    pub(crate) async fn compare_checkpoint(&self, place: &Place) -> Result<()> {
        let Some(Kept { note, .. }) = self.checkpoint(&self.checkpoint_record(place.log())?).await? else {
            return Ok(());
        };
        let said = Said::parse(&note).ok_or_else(|| Error::integrity("a checkpoint"))?;
        let lines = place.next_seq().saturating_sub(1);
        if said.size <= lines {
            return Ok(());
        }
        self.put_checkpoint(&self.evidence_record(&note)?, &note).await?;
        let what = format!(
            "the audit log has {lines} lines, and a checkpoint in the store was signed for {}",
            said.size
        );
        let event = Event::new(Action::LogGap, Outcome::Failed, self.now())
            .target("log", place.log())
            .reason(&what);
        self.record(event).await?;
        self.warn(format!(
            "{what}: it was cut off or set back; `ibyok audit verify` shows where"
        ));
        Ok(())
    }

    /// Puts the log's newest checkpoint into the store, unless the one there speaks of as many lines.
    pub(crate) async fn keep_checkpoint(&self, kept: &mut Option<u64>) {
        let Some(checkpoint) = self.log.last_checkpoint() else {
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

    /// The checkpoints in the store of the logs that are in this place, or were once: the log's id, and the signed note.
    pub(crate) async fn kept_checkpoints(&self) -> Result<Vec<(String, String)>> {
        let place = self.log.status().place;
        let (here, present) = (Kept::here(&place, ""), logs_in(&place)?);
        let collection = self.home.collection(kind::CHECKPOINT)?;
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.list(&collection, after.as_ref(), PAGE).await?;
            for id in &page {
                let Some(kept) = self.checkpoint(id).await? else {
                    continue;
                };
                let said = Said::parse(&kept.note).ok_or_else(|| Error::integrity("a checkpoint"))?;
                if present.contains(&said.log) || kept.is_of(&here) {
                    found.push((said.log, kept.note));
                }
            }
            after = page.last().copied();
            if page.len() < PAGE {
                return Ok(found);
            }
        }
    }

    async fn checkpoint(&self, id: &RecordId) -> Result<Option<Kept>> {
        let Some(stored) = self.store.get(id).await? else {
            return Ok(None);
        };
        let what = || "a checkpoint".to_owned();
        let body = self.home.keys.open_record(&self.home.place(id), &stored.bytes);
        let body = body.map_err(|error| open_failed(what(), error))?;
        serde_json::from_slice(body.expose_secret())
            .map(Some)
            .map_err(|_| Error::integrity(what()))
    }

    async fn put_checkpoint(&self, id: &RecordId, note: &str) -> Result<()> {
        let body = serde_json::to_vec(&Kept::here(&self.log.status().place, note));
        let body = body.map_err(|_| Error::integrity("a checkpoint"))?;
        let sealed = self.home.keys.seal_record(&self.home.place(id), &body);
        let sealed = sealed.map_err(|error| open_failed("a checkpoint".to_owned(), error))?;
        let there = self.store.get(id).await?;
        let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
        self.store.put(id, &sealed, expect).await?;
        Ok(())
    }

    fn checkpoint_record(&self, log: &str) -> Result<RecordId> {
        let id = from_base62(log).ok_or_else(|| Error::integrity("the audit log's id"))?;
        self.home.record(kind::CHECKPOINT, id)
    }

    /// Where a checkpoint stays that the log does not fit: named by what it says, so that nothing replaces it.
    fn evidence_record(&self, note: &str) -> Result<RecordId> {
        let digest = Sha256::digest(note.as_bytes());
        self.home
            .record(kind::CHECKPOINT, digest.first_chunk().copied().unwrap_or_default())
    }
}
