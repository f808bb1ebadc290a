//! Reads the texts that the next commit would add to the last one.

use std::collections::HashSet;

use crate::engine::Engine;
use crate::error::Error;
use crate::progress::Progress;
use crate::report::ScanReport;

use super::blobs::{Blob, Part, scan};
use super::{Repository, submodules};

/// The mode of a submodule, and of a link.
const SUBMODULE: &[u8] = b"160000";
const LINK: &[u8] = b"120000";

impl Repository {
    /// Scans the staged files: each file whose content in the index is not that of the last commit, as it is in the
    /// index and not in the working tree.
    ///
    /// # Errors
    /// [`Error::Git`] for a repository that git cannot read.
    pub fn scan_staged(&self, engine: &Engine, progress: &Progress) -> Result<ScanReport, Error> {
        let index = self
            .git
            .answer(&["ls-files", "--stage", "-z", "--full-name", "--", &self.everything()?])?;
        let head = self.git.ask(&["ls-tree", "-r", "-z", "--full-tree", "HEAD"])?;
        // Before the first commit there is none.
        let head = head.unwrap_or_default();
        let committed: HashSet<(&[u8], &[u8])> = entries(&head).map(|entry| (entry.path, entry.id)).collect();
        let mut left_out = 0;
        let mut blobs = Vec::new();
        for entry in entries(&index) {
            if entry.mode == SUBMODULE {
                left_out += usize::from(!committed.contains(&(entry.path, entry.id)));
            } else if entry.mode != LINK && !committed.contains(&(entry.path, entry.id)) {
                blobs.push(Blob {
                    id: String::from_utf8_lossy(entry.id).into_owned(),
                    path: entry.path.to_vec(),
                    commit: None,
                    part: Part::Whole,
                });
            }
        }
        let mut report = scan(&self.git, &blobs, engine, progress)?;
        report.notes.extend(submodules(left_out));
        Ok(report)
    }

    /// The pathspec of the whole tree, from wherever we are in it.
    fn everything(&self) -> Result<String, Error> {
        let up = self.git.line(&["rev-parse", "--show-cdup"])?;
        let up = String::from_utf8_lossy(&up).into_owned();
        Ok(if up.is_empty() { ".".to_owned() } else { up })
    }
}

struct Entry<'a> {
    mode: &'a [u8],
    id: &'a [u8],
    path: &'a [u8],
}

/// The entries of `ls-files --stage` (`mode id stage⇥path`) or of `ls-tree` (`mode type id⇥path`).
fn entries(listed: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    listed.split(|byte| *byte == 0).filter_map(|line| {
        let tab = memchr::memchr(b'\t', line)?;
        let (words, path) = (line.get(..tab)?, line.get(tab + 1..)?);
        let mut words = words.split(|byte| *byte == b' ');
        let (mode, second, third) = (words.next()?, words.next()?, words.next()?);
        let id = if third.len() > 1 { third } else { second };
        Some(Entry { mode, id, path })
    })
}
