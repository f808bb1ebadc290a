//! A segment that was archived.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A segment that was archived, as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArchivedSegment {
    /// The number of the segment in its log, which is also in the name of its file.
    pub number: u32,
    /// The number of its first line.
    pub first: u64,
    /// The number of its lines.
    pub lines: u64,
    /// The length of its file in bytes.
    pub bytes: u64,
    /// The SHA-256 of its file in hex, as `sha256sum` prints it.
    pub sha256: String,
    /// The earliest time of its lines.
    pub since: Timestamp,
    /// The latest time of its lines.
    pub until: Timestamp,
    /// The archive that the vault moved it into.
    pub directory: PathBuf,
}

impl ArchivedSegment {
    /// The number of the last line.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.first.saturating_add(self.lines).saturating_sub(1)
    }

    /// The path of its file in a slot.
    pub(super) fn path(&self, slot: &Path) -> PathBuf {
        slot.join(file_name(self.number))
    }
}

/// The name of a segment's file.
pub(super) fn file_name(number: u32) -> String {
    format!("audit-{number:08}.log")
}

/// The name of the file with the signed state at a segment's beginning.
pub(super) fn start_name(number: u32) -> String {
    format!("audit-{number:08}.start")
}
