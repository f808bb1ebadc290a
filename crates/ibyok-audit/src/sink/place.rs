//! The state of a log in the place that keeps it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::gap::Gap;
use crate::beside::Beside;
use crate::chain::Head;
use crate::home::Home;
use crate::key::VerifyingKey;
use crate::statement::StoreMark;

/// The state of a log in the place that keeps it.
#[derive(Debug, Clone)]
pub struct LogPlace {
    pub(crate) log: String,
    pub(crate) head: Head,
    pub(crate) root: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) slot: u32,
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) public_key: Option<VerifyingKey>,
    pub(crate) last_time: Option<Timestamp>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) signed: u64,
    pub(crate) mark: StoreMark,
    pub(crate) home: Option<Arc<dyn Home>>,
    pub(crate) temporary: bool,
}

impl LogPlace {
    /// The log's id: 22 base62 characters.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The `seq` that the next line gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.head.size() + 1
    }

    /// The hash that the next line carries as `prev`.
    #[must_use]
    pub fn prev(&self) -> &[u8; 32] {
        self.head.prev()
    }

    /// The root of the tree over its lines.
    #[must_use]
    pub fn tree_root(&self) -> [u8; 32] {
        self.head.tree().root()
    }

    /// The name of the place for people: its directory, or the description of its home.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.home {
            Some(home) => home.describe().name,
            None => self.root.display().to_string(),
        }
    }

    /// Returns the description of the home, if the directory is a copy of one.
    #[must_use]
    pub fn home_name(&self) -> Option<String> {
        self.home.as_ref().map(|home| home.describe().name)
    }

    /// Returns true if the directory is removed with the log. What a node keeps there besides the home's files is new at each start.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// The place's directory, which holds the slots.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The slot's directory, which holds this log.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of the slot.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// The public half of the log's key; `None` for a log that was just made.
    #[must_use]
    pub fn public_key(&self) -> Option<&VerifyingKey> {
        self.public_key.as_ref()
    }

    /// The time of the last line.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// Returns the number of lines that were there at open and that the log's key had signed.
    #[must_use]
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// Returns the newest state of the store that the lines state.
    #[must_use]
    pub fn store_mark(&self) -> StoreMark {
        self.mark
    }

    /// Returns the gaps that opening found: missing or torn lines. The log records them in its first lines.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Returns the files next to the lines.
    pub(crate) fn beside(&self) -> Beside {
        Beside::new(self.directory.clone(), self.log.clone(), self.home.clone())
    }
}
