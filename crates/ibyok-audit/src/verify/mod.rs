//! Verifies that a log is as its writer left it. Needs only the files and public keys, and shares no code with the
//! writer.

mod archived;
pub(crate) mod files;
mod judge;
mod log;
mod note;
pub(crate) mod parts;
mod progress;
mod proof;
mod report;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::log::Spot;
use self::parts::Form;
use crate::error::Error;
use crate::key::VerifyingKey;

pub use progress::VerifyProgress;
pub(crate) use proof::root_of;
pub use proof::{Proven, verify_proof};
pub use report::{BadLine, LogReport, VerifyFault, VerifyFinding, VerifyReport};

/// The caller's knowledge of the logs of a place, for [`verify_against`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Known {
    /// The keys that the caller trusts. A log for which none of them vouches is [`VerifyFault::Foreign`].
    pub keys: Vec<VerifyingKey>,
    /// Checkpoints from elsewhere, as (log id, signed note): with them a tail that was cut off together with its checkpoints shows.
    pub checkpoints: Vec<(String, String)>,
    /// The logs that must be there. One that is absent is [`VerifyFault::Missing`].
    pub logs: BTreeSet<String>,
    /// The counter of the bytes that were read, for a program that shows progress.
    pub progress: Arc<VerifyProgress>,
    /// Archives of the same logs: their lines are verified together with those of the place.
    pub archives: Vec<PathBuf>,
    /// True if the place is itself an archive: each of its logs begins and ends where its signed manifest says.
    pub is_archive: bool,
}

impl Known {
    /// Returns the knowledge that these keys give: each of their logs belongs in the place, and no other log does.
    #[must_use]
    pub fn by_keys(keys: &[VerifyingKey]) -> Self {
        let logs = keys.iter().filter_map(VerifyingKey::log).map(str::to_owned).collect();
        Self {
            keys: keys.to_vec(),
            logs,
            ..Self::default()
        }
    }

    /// Returns the knowledge for an archive, which holds some lines of some logs.
    #[must_use]
    pub fn of_archive(keys: &[VerifyingKey]) -> Self {
        Self {
            keys: keys.to_vec(),
            is_archive: true,
            ..Self::default()
        }
    }
}

/// Verifies every log of a place with the key next to it, or with the one of `keys` that belongs to the log.
///
/// An attacker who can write to the directory can replace a log together with the key next to it. A caller that knows
/// the keys calls [`verify_against`] instead. `known` are checkpoints from elsewhere, as (log id, signed note).
///
/// Reads every line once, in bounded memory. A log may be written to meanwhile.
///
/// # Errors
/// Fails if the place cannot be read. A fault in a log is no error: the [`VerifyReport`] lists it.
pub fn verify(place: &Path, keys: &[VerifyingKey], known: &[(String, String)]) -> Result<VerifyReport, Error> {
    let known = Known {
        keys: keys.to_vec(),
        checkpoints: known.to_vec(),
        logs: known.iter().map(|(log, _)| log.clone()).collect(),
        ..Known::default()
    };
    every_log(place, &known, false)
}

/// Verifies every log of a place against the knowledge of the caller: a log that none of the keys vouches for is a finding, and so is a
/// missing log that must be there.
///
/// # Errors
/// As [`verify`].
pub fn verify_against(place: &Path, known: &Known) -> Result<VerifyReport, Error> {
    every_log(place, known, true)
}

/// Returns true if a directory is an archive: some slot of it has a manifest.
///
/// # Errors
/// [`Error::Io`] if the directory cannot be listed.
pub fn is_archive(place: &Path) -> Result<bool, Error> {
    let mut slots = files::slots(place)?.into_iter();
    Ok(slots.any(|(_, directory)| directory.join(archived::IN_ARCHIVE).exists()))
}

fn every_log(place: &Path, known: &Known, strict: bool) -> Result<VerifyReport, Error> {
    let archives = archive_slots(&known.archives)?;
    let form = match known.is_archive {
        true => Form::Archive,
        false => Form::Log,
    };
    let mut logs = place_logs(place, form, &archives, known, strict)?;
    if strict {
        copies(&mut logs);
    }
    let there: BTreeSet<String> = logs
        .iter()
        .filter(|log| !log.is_foreign())
        .map(|log| log.id.clone())
        .collect();
    let missing = known.logs.difference(&there);
    let missing = missing.map(|log| log::missing(log, known.key_of(log), &known.notes_of(log)));
    let missing: Vec<LogReport> = missing.collect();
    let mut notes: Vec<String> = logs.iter().filter_map(LogReport::archived_in_words).collect();
    // The older lines of a log that is here were verified with it.
    for archive in &known.archives {
        let alone = place_logs(archive, Form::Archive, &[], known, strict)?;
        let alone: Vec<LogReport> = alone.into_iter().filter(|report| !there.contains(&report.id)).collect();
        notes.extend(
            alone
                .iter()
                .map(|report| format!("log {}: only its archive `{}` is there", report.id, archive.display())),
        );
        logs.extend(alone);
    }
    logs.extend(missing);
    let mut report = VerifyReport::new(logs);
    report.notes.append(&mut notes);
    if known.is_archive {
        report
            .notes
            .push("this directory is an archive: its logs go on elsewhere".to_owned());
    }
    Ok(report)
}

/// The slots of archives. A slot that is a symbolic link belongs to another place.
fn archive_slots(archives: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut slots = Vec::new();
    for archive in archives {
        let all = files::slots(archive)?.into_iter().map(|(_, directory)| directory);
        slots.extend(all.filter(|directory| !files::is_link(directory)));
    }
    Ok(slots)
}

impl Known {
    fn notes_of(&self, log: &str) -> Vec<&str> {
        let notes = self.checkpoints.iter().filter(|(of, _)| of == log && !self.is_archive);
        notes.map(|(_, note)| note.as_str()).collect()
    }

    fn key_of(&self, log: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.log() == Some(log))
    }
}

/// Verifies the log of each slot of a place.
fn place_logs(
    place: &Path,
    form: Form,
    archives: &[PathBuf],
    known: &Known,
    strict: bool,
) -> Result<Vec<LogReport>, Error> {
    let (mut logs, progress) = (Vec::new(), &known.progress);
    for (_, directory) in files::slots(place)? {
        progress.expect(files::size(&directory)?);
    }
    for (slot, directory) in files::slots(place)? {
        if strict && files::is_link(&directory) {
            logs.push(log::foreign(slot, &directory, String::new(), progress)?);
            continue;
        }
        let Some(id) = files::log_id(&directory)? else {
            continue;
        };
        let notes = match form {
            Form::Log => known.notes_of(&id),
            // A checkpoint of the log may be about later lines than those in an archive.
            Form::Archive => Vec::new(),
        };
        let spot = Spot {
            slot,
            directory: &directory,
            form,
            archives,
        };
        let report = match known.key_of(&id) {
            // A process that ended before its log had a key leaves an id and no line.
            None if strict && files::is_blank(&directory)? => continue,
            None if strict => log::foreign(slot, &directory, id, progress)?,
            None => log::verify(spot, &id, None, &notes, progress)?,
            Some(_) => {
                let keys = known.keys.iter().filter(|key| key.log() == Some(id.as_str()));
                let reports = keys.map(|key| log::verify(spot, &id, Some(key), &notes, progress));
                match best(reports)? {
                    Some(report) => report,
                    None => continue,
                }
            }
        };
        logs.push(report);
    }
    Ok(logs)
}

/// The report by the key that fits best: several keys may claim one log.
fn best(reports: impl Iterator<Item = Result<LogReport, Error>>) -> Result<Option<LogReport>, Error> {
    let mut best: Option<LogReport> = None;
    for report in reports {
        let report = report?;
        if best.as_ref().is_none_or(|best| worth(&report) > worth(best)) {
            best = Some(report);
        }
    }
    Ok(best)
}

/// Ranks a log by how much of it is as it was signed.
fn worth(log: &LogReport) -> (bool, u64, std::cmp::Reverse<Option<u32>>) {
    let signed = log.events.saturating_sub(log.chained_only);
    (log.first_bad.is_none(), signed, std::cmp::Reverse(log.slot))
}

/// If several slots claim to be the same log, the one with the signed lines is the log: the others are copies.
fn copies(logs: &mut [LogReport]) {
    let mut best: BTreeMap<String, (bool, u64, std::cmp::Reverse<Option<u32>>)> = BTreeMap::new();
    for log in logs.iter().filter(|log| !log.is_foreign()) {
        let best = best.entry(log.id.clone()).or_insert_with(|| worth(log));
        *best = (*best).max(worth(log));
    }
    for log in logs {
        if !log.is_foreign() && best.get(&log.id) != Some(&worth(log)) {
            log::disown(log);
        }
    }
}
