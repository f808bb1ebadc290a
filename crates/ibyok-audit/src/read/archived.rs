//! The lines that a reading lacks because the vault archived them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Reader;
use super::filter::Filter;
use super::segments::segments;
use crate::archive::{Archived, ArchivedSegment};
use crate::beside::log_id;
use crate::error::Error;
use crate::key::VerifyingKey;

/// Lines that the vault archived, and that no archive among those of a reading holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedLines {
    /// The id of the log.
    pub log: String,
    /// The number of the first line.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// The latest time of these lines.
    pub until: Timestamp,
    /// The archives that the vault moved them into.
    pub directories: Vec<PathBuf>,
}

impl fmt::Display for ArchivedLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directories: Vec<String> = self
            .directories
            .iter()
            .map(|path| format!("`{}`", path.display()))
            .collect();
        let (first, last, directories) = (self.first, self.last, directories.join(", "));
        write!(
            f,
            "lines {first} to {last} of the audit log `{}` are archived in {directories}",
            self.log
        )
    }
}

impl Reader {
    /// Returns the archived lines that a filter may want and that this reader does not read. Only statements under a log's key count.
    ///
    /// # Errors
    /// Fails if the files cannot be read.
    pub fn archived(&self, filter: &Filter) -> Result<Vec<ArchivedLines>, Error> {
        let mut lacking = Vec::new();
        for (_, directory, key) in self.wanted_slots(&self.root, filter)? {
            let Some(key) = key else { continue };
            lacking.extend(self.lacking(&directory, &key, filter)?);
        }
        Ok(lacking)
    }

    fn lacking(&self, directory: &Path, key: &VerifyingKey, filter: &Filter) -> Result<Option<ArchivedLines>, Error> {
        let Some(said) = Archived::beside(directory, key)? else {
            return Ok(None);
        };
        let mut held: BTreeSet<u32> = segments(directory)?.into_iter().collect();
        for archive in &self.archives {
            for (_, slot, _) in self.slots_of(archive)? {
                if log_id(&slot).as_deref() == Some(said.log()) {
                    held.extend(segments(&slot)?);
                }
            }
        }
        let since = filter.since.or(filter.read_from);
        let lacks = |segment: &&ArchivedSegment| {
            let wanted = since.is_none_or(|since| segment.until >= since)
                && filter.until.is_none_or(|until| segment.since < until)
                && filter.from_seq.is_none_or(|first| segment.last() >= first);
            wanted && !held.contains(&segment.number)
        };
        let lacking: Vec<&ArchivedSegment> = said.segments().iter().filter(lacks).collect();
        let (Some(first), Some(last)) = (lacking.first(), lacking.last()) else {
            return Ok(None);
        };
        let directories: BTreeSet<PathBuf> = lacking.iter().map(|segment| segment.directory.clone()).collect();
        Ok(Some(ArchivedLines {
            log: said.log().to_owned(),
            first: first.first,
            last: last.last(),
            until: lacking.iter().map(|segment| segment.until).max().unwrap_or(last.until),
            directories: directories.into_iter().collect(),
        }))
    }
}
