//! The text of a checkpoint: which log it is about, and the number of lines that it covers.

use ibyok_storage::{AuthenticatedMap, Error as StorageError};

use super::key;

/// The prefix of the first line of a checkpoint: before the log's id (C2SP tlog-checkpoint; docs/audit.md).
const ORIGIN: &str = "ibyok-audit/";

/// A signed note: the log that it is about, and the number of lines that the log had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) log: String,
    pub(crate) size: u64,
}

impl Said {
    pub(crate) fn parse(note: &str) -> Option<Self> {
        let mut lines = note.lines();
        let log = lines.next()?.strip_prefix(ORIGIN)?.to_owned();
        Some(Said {
            log,
            size: lines.next()?.parse().ok()?,
        })
    }
}

/// The number of lines that a checkpoint covers; 0 for a text that is none.
pub(super) fn size(note: &str) -> u64 {
    Said::parse(note).map_or(0, |said| said.size)
}

/// Returns true if a text of another file is the checkpoint of a log, and this file has one of as many lines.
pub(super) async fn is_outdated(map: &AuthenticatedMap, name: &[u8], text: &str) -> Result<bool, StorageError> {
    if !name.starts_with(key::ENDS) {
        return Ok(false);
    }
    let there = map.text(name).await?;
    Ok(there.is_some_and(|there| size(&there) >= size(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_names_its_log_and_its_size() {
        let note = "ibyok-audit/abc\n12\nroot\n\n— ibyok-audit/abc sig\n";
        let said = Said::parse(note).unwrap();
        assert_eq!((said.log.as_str(), said.size), ("abc", 12));
        for bad in ["", "other/abc\n12\n", "ibyok-audit/abc\n", "ibyok-audit/abc\nx\n"] {
            assert_eq!(Said::parse(bad), None, "{bad}");
            assert_eq!(size(bad), 0);
        }
    }
}
