//! Which slots of a place hold a log that a key vouches for.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::believe::Believer;
use super::stream::slots;
use crate::error::Error;
use crate::key::VerifyingKey;

/// An id is 22 characters and a newline; what is longer is none.
const ID_MAX: u64 = 64;

/// A slot with a log that a key vouches for.
#[derive(Debug, Clone)]
pub(crate) struct Vouched {
    pub(crate) slot: u32,
    pub(crate) directory: PathBuf,
    pub(crate) key: VerifyingKey,
}

/// The slots of a place that hold a log that one of the keys vouches for, by number.
///
/// A slot that is a symbolic link is another place's. Of several slots that say that they are the same log, the one counts that holds
/// most of what was signed: the others are copies.
pub(crate) fn vouched(root: &Path, keys: &[VerifyingKey]) -> Result<Vec<Vouched>, Error> {
    let mut found: BTreeMap<String, Vec<Vouched>> = BTreeMap::new();
    for (slot, directory) in slots(root)? {
        let Some(id) = log_id(&directory) else { continue };
        if let Some(key) = keys.iter().find(|key| key.log() == Some(id.as_str())) {
            let key = key.clone();
            found.entry(id).or_default().push(Vouched { slot, directory, key });
        }
    }
    let mut slots = Vec::new();
    for mut same in found.into_values() {
        if same.len() > 1 {
            let mut best: Option<(u64, Vouched)> = None;
            for one in same.drain(..) {
                let signed = Believer::signed(&one.directory, &one.key)?;
                if best.as_ref().is_none_or(|(most, _)| signed > *most) {
                    best = Some((signed, one));
                }
            }
            slots.extend(best.map(|(_, one)| one));
        } else {
            slots.append(&mut same);
        }
    }
    slots.sort_by_key(|one| one.slot);
    Ok(slots)
}

/// The id that a slot gives its log: a small plain file in a directory.
pub(crate) fn log_id(directory: &Path) -> Option<String> {
    let path = directory.join("id");
    let is_directory = std::fs::symlink_metadata(directory).is_ok_and(|meta| meta.is_dir());
    let is_file = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
    if !is_directory || !is_file {
        return None;
    }
    let mut text = String::new();
    let file = std::fs::File::open(&path).ok()?;
    file.take(ID_MAX).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

/// The ids that the slots of a place give their logs, whoever made them.
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
