//! The logs of the place that other processes write, compared with what the floors know of them; and what an operator acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ibyok_audit::{Reader, logs_in, newest_checkpoints};

use super::Logs;
use super::checkpoints::{is_of_the_store, log_of};
use super::kept::{AllKept, Kept, Spot};
use super::own_end::ends_early;
use crate::base::damage::Damage;
use crate::base::error::{Error, Part, Result};
use crate::floor::checkpoint::Said;

/// A log that ends before its newest checkpoint.
struct Short {
    log: String,
    known: u64,
    found: u64,
}

impl Logs {
    /// Compares the length of each other log of the place with its newest checkpoint in the floors. A log that is gone is reported by a
    /// verification.
    pub(crate) async fn compare_other_ends(&self) -> Result<()> {
        for short in self.short_logs().await? {
            let fault = ends_early(&short.log, short.known, short.found);
            self.find(&short.log, &fault).await?;
        }
        Ok(())
    }

    /// Reports the logs of this node whose key in the store does not open or is gone: this process began a log of its own instead of going
    /// on with one of them.
    pub(crate) async fn tell_lost_keys(&self) -> Result<()> {
        let (sealed, own) = (self.log_keys().await?, self.recorder.log.id());
        let mut faults = Vec::new();
        for (id, damage) in sealed.damaged.iter().filter(|(_, damage)| !is_of_the_store(*damage)) {
            let what = format!("the key of the audit log `{}` in the store ({id}) {damage}", log_of(id));
            faults.push((log_of(id), what));
        }
        let kept = self.checkpoints().await.all().await?;
        let known: BTreeSet<String> = self
            .records
            .floors
            .ends()
            .await?
            .into_iter()
            .map(|(log, _)| log)
            .collect();
        let lost = self.records.floors.lost_keys().await?;
        for log in logs_in(&self.recorder.log.status().place)? {
            // A store that is older than the log has neither its key nor its checkpoint. The checkpoint of a log that just begins is in the
            // store before its key.
            let has_lines = |kept: &Kept| Said::parse(&kept.note).is_some_and(|said| said.size > 0);
            let is_known = kept.of(&log).any(has_lines) || known.contains(&log);
            if is_known && !sealed.knows(&log) && !lost.contains(&log) {
                let what = format!("the store holds no key of the audit log `{log}`: the record was deleted");
                faults.push((log, what));
            }
        }
        for (log, what) in faults {
            self.find(&log, &format!("{what}; this node goes on with the log `{own}`"))
                .await?;
        }
        Ok(())
    }

    /// Returns the other logs of the place that end before their newest checkpoint in the floors.
    async fn short_logs(&self) -> Result<Vec<Short>> {
        let ends = self.records.floors.ends().await?;
        let (place, own) = (self.recorder.log.status().place, self.recorder.log.id().to_owned());
        let looking = tokio::task::spawn_blocking(move || {
            let (present, mut short) = (logs_in(&place)?, Vec::new());
            for (log, note) in ends.iter().filter(|(log, _)| *log != own && present.contains(log)) {
                short.extend(shortened(&place, log, note)?);
            }
            Ok(short)
        });
        looking
            .await
            .map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))?
    }

    /// Lets the floors know the checkpoints that the store holds of the logs of this place, after their file was made again.
    pub(crate) async fn learn_ends(&self) -> Result<()> {
        let present = logs_in(&self.recorder.log.status().place)?;
        for (log, kept) in self.checkpoints().await.all().await?.whole {
            if present.contains(&log) {
                self.records.floors.keep_end(&log, &kept.note).await?;
            }
        }
        Ok(())
    }

    /// Takes the logs for whole as they are from now on: an operator acknowledged the findings. Drops the checkpoints that they do not
    /// fit, and replaces or deletes the records about logs that do not open. Returns in words what it did.
    pub(crate) async fn accept_ends(&self) -> Result<Vec<String>> {
        let (checkpoints, mut done) = (self.checkpoints().await, Vec::new());
        let kept = checkpoints.all().await?;
        for (log, evidence) in &kept.whole {
            let id = checkpoints.evidence(&evidence.note)?;
            if checkpoints.get(&id).await.is_ok_and(|there| there.is_some()) {
                checkpoints.delete(&id).await?;
                done.push(format!(
                    "the audit log `{log}` does not fit an earlier checkpoint ({id})"
                ));
            }
        }
        for (id, damage) in kept.damaged.iter().filter(|(_, damage)| may_go(*damage)) {
            checkpoints.delete(id).await?;
            done.push(format!("the checkpoint of an audit log ({id}) {damage}"));
        }
        for (id, damage) in self.log_keys().await?.damaged {
            if may_go(damage) {
                checkpoints.delete(&id).await?;
                done.push(format!("the key of the audit log `{}` ({id}) {damage}", log_of(&id)));
            }
        }
        self.restore_checkpoints(&kept).await?;
        Ok(done)
    }

    /// Puts a checkpoint of each log that has lost its own into the store: the one that the floors know, or for a log that ends before it
    /// the newest one beside the log. For a log whose key is gone, the floors alone keep it.
    async fn restore_checkpoints(&self, kept: &AllKept) -> Result<()> {
        let (checkpoints, floors, status) = (
            self.checkpoints().await,
            &self.records.floors,
            self.recorder.log.status(),
        );
        let (place, spot) = (status.place.clone(), Spot::from(status));
        let short: BTreeSet<String> = self.short_logs().await?.into_iter().map(|short| short.log).collect();
        let known: BTreeMap<String, String> = floors.ends().await?.into_iter().collect();
        let sealed = self.log_keys().await?;
        let beside: BTreeMap<String, String> = newest_checkpoints(&place, &self.home_keys().await?)?
            .into_iter()
            .collect();
        for log in logs_in(&place)? {
            let (is_short, is_kept) = (short.contains(&log), kept.of(&log).next().is_some());
            let note = known.get(&log).filter(|_| !is_short).or(beside.get(&log));
            if !sealed.knows(&log) {
                if is_kept || known.contains_key(&log) || note.is_some() {
                    // Nobody goes on with the log. Its end stays in the floors, so that it is missed if it is cut or taken away later.
                    floors.keep_lost_key(&log, note.map(String::as_str)).await?;
                    checkpoints.delete(&checkpoints.record_of(&log)?).await?;
                }
                continue;
            }
            let Some(note) = note.filter(|_| log != self.recorder.log.id() && (is_short || !is_kept)) else {
                continue;
            };
            checkpoints.put(&checkpoints.record_of(&log)?, &spot, note).await?;
            floors.forget_end(&log).await?;
            floors.keep_end(&log, note).await?;
        }
        Ok(())
    }
}

/// Returns true for damage after which a record is of no use to anybody.
fn may_go(damage: Damage) -> bool {
    match damage {
        Damage::DoesNotOpen | Damage::UnknownFormat => true,
        Damage::Missing | Damage::Older | Damage::Unreadable | Damage::Kek => false,
    }
}

/// Returns the ends of a log that does not have the last line of its newest checkpoint.
fn shortened(place: &Path, log: &str, note: &str) -> Result<Option<Short>> {
    let Some(known) = Said::parse(note).map(|said| said.size).filter(|size| *size > 0) else {
        return Ok(None);
    };
    let reader = Reader::open(place)?;
    let behind = reader.changes_unchecked(log, known - 1, &mut |_| {})?.last_seq;
    if behind >= known {
        return Ok(None);
    }
    let found = reader.changes_unchecked(log, 0, &mut |_| {})?.last_seq;
    // A writer may have gone on between the two looks.
    Ok((found < known).then(|| Short {
        log: log.to_owned(),
        known,
        found,
    }))
}
