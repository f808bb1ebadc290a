//! Verifies that a log is as its writer left it. Needs only the files and public keys, and shares no code with the
//! writer.

pub(crate) mod files;
mod judge;
mod log;
mod note;
mod progress;
mod proof;
mod report;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

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
}

impl Known {
    /// Returns the knowledge that these keys give: each of their logs belongs in the place, and no other log does.
    #[must_use]
    pub fn by_keys(keys: &[VerifyingKey]) -> Self {
        let logs = keys.iter().filter_map(VerifyingKey::log).map(str::to_owned).collect();
        Self {
            keys: keys.to_vec(),
            checkpoints: Vec::new(),
            logs,
            progress: Arc::default(),
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
        progress: Arc::default(),
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

fn every_log(place: &Path, known: &Known, strict: bool) -> Result<VerifyReport, Error> {
    let notes_of = |log: &str| -> Vec<&str> {
        let notes = known.checkpoints.iter().filter(|(of, _)| of == log);
        notes.map(|(_, note)| note.as_str()).collect()
    };
    let key_of = |log: &str| known.keys.iter().find(|key| key.log() == Some(log));
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
        let place = (slot, directory.as_path());
        let report = match key_of(&id) {
            // A process that ended before its log had a key leaves an id and no line.
            None if strict && files::is_blank(&directory)? => continue,
            None if strict => log::foreign(slot, &directory, id, progress)?,
            None => log::verify(place, &id, None, &notes_of(&id), progress)?,
            Some(_) => {
                let keys = known.keys.iter().filter(|key| key.log() == Some(id.as_str()));
                let reports = keys.map(|key| log::verify(place, &id, Some(key), &notes_of(&id), progress));
                match best(reports)? {
                    Some(report) => report,
                    None => continue,
                }
            }
        };
        logs.push(report);
    }
    if strict {
        copies(&mut logs);
    }
    let there = |log: &str| logs.iter().any(|report| report.id == *log && !report.is_foreign());
    let missing: Vec<&String> = known.logs.iter().filter(|log| !there(log)).collect();
    let missing = missing
        .into_iter()
        .map(|log| log::missing(log, key_of(log), &notes_of(log)));
    let missing: Vec<LogReport> = missing.collect();
    logs.extend(missing);
    Ok(VerifyReport::new(logs))
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
