//! Whether a log is as it was written: needs the files and public keys, and shares no code with the writer.

pub(crate) mod files;
mod judge;
mod log;
mod note;
mod proof;
mod report;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;
use crate::key::VerifyingKey;

pub(crate) use proof::root_of;
pub use proof::{Proven, verify_proof};
pub use report::{Bad, LogReport, Report, What};

/// Verifies every log of a place.
///
/// `keys` are those that the caller trusts; a log without one among them is checked with the key beside it, which whoever
/// can write to the directory could have replaced together with the log. `known` are checkpoints from elsewhere, as
/// (log id, signed note): with them a tail that was cut off together with its checkpoints, or a whole log, is missed.
///
/// Reads every line once, in bounded memory. A log may be written to meanwhile.
///
/// # Errors
/// When the place cannot be read. What is wrong with a log is no error but in the [`Report`].
pub fn verify(place: &Path, keys: &[VerifyingKey], known: &[(String, String)]) -> Result<Report, Error> {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (log, note) in known {
        wanted.entry(log.as_str()).or_default().push(note.as_str());
    }
    let mut logs = Vec::new();
    for (slot, directory) in files::slots(place)? {
        let Some(id) = files::log_id(&directory)? else {
            continue;
        };
        let known = wanted.remove(id.as_str()).unwrap_or_default();
        let trusted = keys.iter().find(|key| key.log() == Some(id.as_str()));
        logs.push(log::verify(slot, &directory, id, trusted, &known)?);
    }
    for (log, notes) in wanted {
        let key = keys.iter().find(|key| key.log() == Some(log));
        logs.push(log::missing(log, key, &notes));
    }
    Ok(Report::new(logs))
}
