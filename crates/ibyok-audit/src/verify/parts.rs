//! The parts of one log: its archives, oldest first, and the slot where it goes on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::archived::{self, Point, Said, Statement};
use super::files;
use super::log::Hash;
use super::note::{self, Note};
use crate::error::Error;
use crate::key::VerifyingKey;

/// The form of a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The slot of a log that goes on.
    Log,
    /// The slot of an archive.
    Archive,
}

/// The files of one log, in the order of its lines.
#[derive(Default)]
pub(crate) struct Parts {
    /// The state of the log before the first line of these files; `None` at its beginning.
    pub(super) start: Option<Point>,
    pub(super) segments: Vec<(u32, PathBuf)>,
    /// The checkpoints of the archives, and the ends of their lines.
    pub(super) notes: Vec<Note>,
    /// The directories with files of checkpoints.
    pub(super) directories: Vec<PathBuf>,
    /// The name of a statement that the key did not sign.
    pub(super) unsigned: Option<&'static str>,
    /// The archives that the vault moved lines to which are not among the files.
    pub(super) elsewhere: BTreeSet<PathBuf>,
}

impl Parts {
    /// The parts of a log by its slot, its key, and the slots of archives that may hold its older lines.
    pub(super) fn of(form: Form, slot: &Path, key: Option<&VerifyingKey>, archives: &[PathBuf]) -> Result<Self, Error> {
        let mut parts = Self {
            segments: files::segments(slot)?,
            directories: vec![slot.to_owned()],
            ..Self::default()
        };
        let Some(key) = key else { return Ok(parts) };
        match form {
            Form::Log => parts.with_archives(slot, key, archives)?,
            Form::Archive => match archived::read(slot, archived::IN_ARCHIVE, key)? {
                Said::This(said) => parts.is_archive(*said),
                Said::Nothing | Said::Unsigned => parts.unsigned = Some(archived::IN_ARCHIVE),
            },
        }
        Ok(parts)
    }

    /// An archive holds the segments that its manifest names. Others are left by an interrupted run.
    fn is_archive(&mut self, said: Statement) {
        self.segments
            .retain(|(number, _)| said.segments.iter().any(|(named, _)| named == number));
        self.notes.push(said.end());
        self.start = Some(said.from);
    }

    fn with_archives(&mut self, slot: &Path, key: &VerifyingKey, archives: &[PathBuf]) -> Result<(), Error> {
        let (found, last) = archived_parts(key, archives)?;
        let beside = match archived::read(slot, archived::BESIDE, key)? {
            Said::This(said) => Some(*said),
            Said::Nothing => None,
            Said::Unsigned => {
                self.unsigned = Some(archived::BESIDE);
                None
            }
        };
        let archived = beside.as_ref().map_or(0, Statement::last_segment);
        let first = self.segments.first().map(|(number, _)| *number);
        if let Some(first) = found.start {
            self.segments.retain(|(number, _)| *number > last);
            self.segments.splice(0..0, found.segments);
            (self.start, self.notes) = (Some(first), found.notes);
            self.directories.extend(found.directories);
        } else if let Some(said) = &beside
            && first.is_none_or(|first| first != said.segments.first().map_or(1, |(number, _)| *number))
        {
            // A run that was interrupted may have left some of the archived segments here. They are in the archive, too.
            self.segments.retain(|(number, _)| *number > archived);
            self.start = Some(said.until.clone());
        }
        let there = |number: &u32| self.segments.iter().any(|(held, _)| held == number);
        let gone = beside.into_iter().flat_map(|said| said.segments);
        self.elsewhere = gone
            .filter(|(number, _)| !there(number))
            .map(|(_, path)| path)
            .collect();
        Ok(())
    }

    /// The parts of a log that a proof is made from.
    pub(crate) fn for_proof(slot: &Path, key: &VerifyingKey, archives: &[PathBuf]) -> Result<Provable, Error> {
        let parts = Self::of(Form::Log, slot, Some(key), archives)?;
        Ok(Provable {
            before: parts.start.as_ref().map_or(0, |start| start.size),
            tree: parts.start.map(|start| start.tree.into_hashes()).unwrap_or_default(),
            segments: parts.segments,
            directories: parts.directories,
        })
    }
}

/// The parts of a log that a proof is made from.
pub(crate) struct Provable {
    /// The number of lines before the first that is there, and the hashes of the full subtrees over them, the largest first.
    pub(crate) before: u64,
    pub(crate) tree: Vec<Hash>,
    pub(crate) segments: Vec<(u32, PathBuf)>,
    /// The directories with files of checkpoints.
    pub(crate) directories: Vec<PathBuf>,
}

/// The parts of a log that archives hold, in order, and the number of their last segment.
fn archived_parts(key: &VerifyingKey, archives: &[PathBuf]) -> Result<(Parts, u32), Error> {
    let mut found = Vec::new();
    for slot in archives {
        if let Said::This(said) = archived::read(slot, archived::IN_ARCHIVE, key)? {
            found.push((slot, said));
        }
    }
    // Of two archives with the same first line, the longer one comes first and the other is a copy of its beginning.
    found.sort_by_key(|(_, said)| (said.from.size, std::cmp::Reverse(said.until.size)));
    let (mut parts, mut last, mut reached) = (Parts::default(), 0, 0);
    for (slot, said) in found {
        if said.until.size <= reached {
            continue;
        }
        parts.start.get_or_insert_with(|| said.from.clone());
        let wanted = |number: u32| number > last && said.segments.iter().any(|(named, _)| *named == number);
        let segments = files::segments(slot)?.into_iter();
        parts.segments.extend(segments.filter(|(number, _)| wanted(*number)));
        let text = files::text(&slot.join("checkpoints"))?.unwrap_or_default();
        parts
            .notes
            .extend(note::all(&text, key).into_iter().filter(|note| note.signed));
        parts.notes.push(said.end());
        parts.directories.push(slot.clone());
        (last, reached) = (said.last_segment(), said.until.size);
    }
    Ok((parts, last))
}
