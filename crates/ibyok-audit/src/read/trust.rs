//! Finds the slots of a place that hold a log for which a key vouches.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::believe::Believer;
use super::segments::{segment_path, segments, slots};
use crate::beside::{log_id, notes, public_key};
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line::LINE_LIMIT;

/// A slot with a log that a key vouches for.
#[derive(Debug, Clone)]
pub(crate) struct Vouched {
    pub(crate) slot: u32,
    pub(crate) directory: PathBuf,
    pub(crate) key: VerifyingKey,
}

/// Returns the newest checkpoint beside each log of a place for which one of the keys vouches, as (log id, signed note).
///
/// The signatures are not checked here.
///
/// # Errors
/// Fails if the place or the files beside a log cannot be read.
pub fn newest_checkpoints(place: &Path, keys: &[VerifyingKey]) -> Result<Vec<(String, String)>, Error> {
    let mut newest = Vec::new();
    for one in vouched(place, keys)? {
        let note = notes(&one.directory)?.pop();
        newest.extend(note.and_then(|note| Some((one.key.log()?.to_owned(), note))));
    }
    Ok(newest)
}

/// Returns the slots that hold a log for which one of the keys vouches, by number.
///
/// A slot that is a symbolic link belongs to another place. If several slots claim the same log, the one with the
/// most signed lines counts. If none has signed lines yet, the one that holds a line with the log's MAC counts. The
/// others are copies.
///
/// Several keys may claim one log: the keys of two environments, one of which copied the other's id. Then each key
/// has its own slot, the one that it signed.
pub(crate) fn vouched(root: &Path, keys: &[VerifyingKey]) -> Result<Vec<Vouched>, Error> {
    let mut found: BTreeMap<String, Vec<Vouched>> = BTreeMap::new();
    for (slot, directory) in slots(root)? {
        let Some(id) = log_id(&directory) else { continue };
        let claims = keys.iter().filter(|key| key.log() == Some(id.as_str()));
        let claims = claims.map(|key| Vouched {
            slot,
            directory: directory.clone(),
            key: key.clone(),
        });
        if let Some(one) = best(claims.collect())? {
            found.entry(one.key.to_string()).or_default().push(one);
        }
    }
    let mut slots = Vec::new();
    for same in found.into_values() {
        slots.extend(best(same)?);
    }
    slots.sort_by_key(|one| one.slot);
    Ok(slots)
}

/// The one of some claims that holds most of what was signed, or a line with the log's MAC; of equal ones the first.
fn best(mut claims: Vec<Vouched>) -> Result<Option<Vouched>, Error> {
    if claims.len() < 2 {
        return Ok(claims.pop());
    }
    let mut best: Option<((u64, bool), Vouched)> = None;
    for one in claims {
        let signed = Believer::signed(&one.directory, &one.key)?;
        let holds = (signed, holds_own_lines(&one.directory, &one.key)?);
        if best.as_ref().is_none_or(|(most, _)| holds > *most) {
            best = Some((holds, one));
        }
    }
    Ok(best.map(|(_, one)| one))
}

/// Returns the ids that the slots of a place give their logs. It does not verify who made the logs.
///
/// # Errors
/// [`Error::Io`] when the place cannot be listed.
pub fn logs_in(place: &Path) -> Result<Vec<String>, Error> {
    let mut logs: Vec<String> = slots(place)?
        .iter()
        .filter_map(|(_, directory)| log_id(directory))
        .collect();
    logs.sort();
    logs.dedup();
    Ok(logs)
}

/// Returns true if a slot of the place holds a log that was begun and is none of these: it has a public key or a segment, also if both say
/// nothing, or its id is none. A slot that a process takes at this moment has neither.
///
/// # Errors
/// [`Error::Io`] when the place cannot be listed.
pub fn has_other_logs(place: &Path, known: &[&str]) -> Result<bool, Error> {
    for (_, directory) in slots(place)? {
        let is_begun = directory.join("log.pub").exists() || !segments(&directory)?.is_empty();
        let is_known = log_id(&directory).is_some_and(|id| known.contains(&id.as_str()));
        if is_begun && !is_known {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the public keys beside the logs of a place, for logs of these ids. They are only each log's own claim.
///
/// # Errors
/// [`Error::Io`] when the place cannot be listed.
pub fn claimed_keys(place: &Path) -> Result<Vec<VerifyingKey>, Error> {
    let mut keys = Vec::new();
    for (_, directory) in slots(place)? {
        let Some(id) = log_id(&directory) else { continue };
        let key = public_key(&directory).ok().flatten();
        keys.extend(key.filter(|key| key.log() == Some(id.as_str())));
    }
    Ok(keys)
}

/// Returns true if the log of a key holds a line that carries its MAC. A holder of the key of the lines wrote that
/// line.
///
/// # Errors
/// [`Error::Io`] when the place cannot be read.
pub fn has_own_lines(place: &Path, key: &VerifyingKey) -> Result<bool, Error> {
    for (_, directory) in slots(place)? {
        let is_meant = log_id(&directory).is_some_and(|id| key.log() == Some(id.as_str()));
        if is_meant && holds_own_lines(&directory, key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns true if a segment of a slot begins with a line that carries the MAC of a key's log.
fn holds_own_lines(directory: &Path, key: &VerifyingKey) -> Result<bool, Error> {
    let Some(lines) = key.lines() else { return Ok(false) };
    let fits = |line: Vec<u8>| lines.fits(&line);
    let mut segments = segments(directory)?.into_iter();
    Ok(segments.any(|segment| first_line(&segment_path(directory, segment)).is_some_and(fits)))
}

/// The first line of a segment without its newline, if it is whole.
fn first_line(path: &Path) -> Option<Vec<u8>> {
    use std::io::BufRead as _;
    let file = std::fs::File::open(path).ok()?;
    let mut line = Vec::new();
    let mut file = std::io::BufReader::new(file.take(LINE_LIMIT as u64 + 1));
    file.read_until(b'\n', &mut line).ok()?;
    (line.pop() == Some(b'\n')).then_some(line)
}
