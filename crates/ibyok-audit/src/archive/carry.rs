//! Carrying out a plan: copy, sync, state, compare, and only then remove.
//!
//! A crash at any step leaves each line in at least one place, and both places verifiable. The next run goes on from there.

use std::io;
use std::path::{Path, PathBuf};

use super::copy;
use super::place::lock;
use super::plan::Plan;
use super::segment::{ArchivedSegment, start_name};
use super::statement::{ARCHIVED, Archived, MANIFEST};
use crate::beside::{log_id, notes, replace, sync_directory};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::SigningKey;
use crate::verify::{Known, verify_against};

/// The largest number of logs in one archive.
const SLOTS: u32 = 1024;

impl Plan {
    /// Moves the segments into an archive, and states that in both places under the log's key. The archive is made if its parent exists.
    ///
    /// Copies each segment and syncs it, verifies the archive, and only then removes the segments from the log's place. Also removes
    /// segments that an interrupted run left there. Returns the new statement; `None` if nothing was ever archived.
    ///
    /// # Errors
    /// [`Error::WrongKey`], [`Error::CannotArchive`] if the archive cannot take the segments or does not verify, [`Error::Io`]. The log
    /// then still has each segment that the archive lacks.
    pub fn carry_out(self, to: &Path, key: &SigningKey) -> Result<Option<Archived>, Error> {
        let log = self.key.log().unwrap_or_default().to_owned();
        if key.public(&log) != self.key {
            return Err(Error::WrongKey { log });
        }
        let said = match self.segments.is_empty() {
            true => self.before.clone(),
            false => Some(self.store(to, &log, key)?),
        };
        if let Some(said) = &said {
            self.remove(said)?;
        }
        Ok(said)
    }

    /// Fills the archive, verifies it, and puts the statement beside the log.
    fn store(&self, to: &Path, log: &str, key: &SigningKey) -> Result<Archived, Error> {
        let to = self.archive(to)?;
        let _lock = lock(&to)?;
        let slot = self.slot_in(&to, log)?;
        let there = Archived::manifest(&slot, &self.key)?;
        let earlier = self.earlier(&slot, there.as_ref())?;
        let named = |segment: &ArchivedSegment| ArchivedSegment {
            directory: to.clone(),
            ..segment.clone()
        };
        let new: Vec<ArchivedSegment> = self.segments.iter().map(named).collect();
        for segment in &new {
            copy::segment(&self.directory, &slot, segment)?;
        }
        self.put_checkpoints(&slot, log, key)?;
        let from = there
            .filter(|_| !earlier.is_empty())
            .map_or(self.from.clone(), |there| there.from);
        let in_archive = earlier.into_iter().chain(new.clone()).collect();
        let manifest = Archived::new(log, from, self.until.clone(), in_archive);
        replace(&slot, MANIFEST, manifest.sign(key)?.as_bytes())?;
        self.check(&to, log)?;
        let before = self.before.as_ref();
        let all = before.map(|said| said.segments.clone()).unwrap_or_default();
        let from = before.map_or(self.from.clone(), |said| said.from.clone());
        let said = Archived::new(log, from, self.until.clone(), all.into_iter().chain(new).collect());
        replace(&self.directory, ARCHIVED, said.sign(key)?.as_bytes())?;
        Ok(said)
    }

    /// Makes the archive's directory, and refuses the place of the log itself.
    fn archive(&self, to: &Path) -> Result<PathBuf, Error> {
        copy::make_directory(to)?;
        let whole = |path: &Path| path.canonicalize().map_err(Error::io("look at", path));
        let (to, place) = (whole(to)?, whole(&self.place)?);
        if to.starts_with(&place) || place.starts_with(&to) {
            return Err(cannot(
                &to,
                "the archive and the directory of the logs must not contain each other",
            ));
        }
        Ok(to)
    }

    /// The slot of the log in the archive: its own, or else a new one, with the log's number if that is free.
    fn slot_in(&self, to: &Path, log: &str) -> Result<PathBuf, Error> {
        let slot = |number: u32| to.join(format!("slot-{number}"));
        let candidates = || std::iter::once(self.slot).chain(0..SLOTS).map(slot);
        if let Some(own) = candidates().find(|path| log_id(path).is_some_and(|id| id == log)) {
            // Only a log that is written has a lock.
            return match own.join("lock").exists() {
                true => Err(cannot(to, "it is a directory that logs are written to")),
                false => Ok(own),
            };
        }
        let free = candidates().find(|path| std::fs::symlink_metadata(path).is_err());
        let free = free.ok_or_else(|| cannot(to, "it holds too many logs"))?;
        copy::make_directory(&free)?;
        replace(&free, "id", format!("{log}\n").as_bytes())?;
        Ok(free)
    }

    /// The segments before these that the archive holds. They must end where these begin.
    fn earlier(&self, slot: &Path, there: Option<&Archived>) -> Result<Vec<ArchivedSegment>, Error> {
        let Some(there) = there else {
            return match slot.join(MANIFEST).exists() {
                true => Err(cannot(slot, "its manifest was changed; give another directory")),
                false => Ok(Vec::new()),
            };
        };
        let kept = there
            .segments
            .iter()
            .filter(|segment| segment.last() <= self.from.lines);
        let kept: Vec<ArchivedSegment> = kept.cloned().collect();
        let ends = kept.last().map_or(there.from.lines, ArchivedSegment::last);
        match ends == self.from.lines {
            true => Ok(kept),
            false => Err(cannot(
                slot,
                "it holds earlier lines of the log that do not reach the next ones; give another directory",
            )),
        }
    }

    /// Puts the checkpoints of the archived lines into the archive, with the log's public key.
    fn put_checkpoints(&self, slot: &Path, log: &str, key: &SigningKey) -> Result<(), Error> {
        copy::small(&self.directory, slot, "log.pub")?;
        let here = notes(&self.directory)?;
        let there = notes(slot)?;
        let mut all: Vec<Checkpoint> = there
            .iter()
            .chain(&here)
            .filter_map(|note| Checkpoint::open(note, &self.key))
            .filter(|checkpoint| checkpoint.size() <= self.until.lines)
            .collect();
        // Readers believe only lines under a checkpoint, and the log may have thinned out the one of the last archived line.
        let end = self
            .until
            .head()
            .ok_or_else(|| cannot(slot, "the state of the log is damaged"))?;
        all.push(Checkpoint::sign(key, log, end.size(), end.tree().root()));
        all.sort_by_key(Checkpoint::size);
        all.dedup();
        let text: String = all
            .iter()
            .map(|checkpoint| format!("{}\n", checkpoint.text()))
            .collect();
        replace(slot, "checkpoints", text.as_bytes())
    }

    /// Verifies the log in the archive as an outsider does.
    fn check(&self, to: &Path, log: &str) -> Result<(), Error> {
        let known = Known::of_archive(std::slice::from_ref(&self.key));
        let report = verify_against(to, &known)?;
        let good = report.logs.iter().any(|of| {
            let whole = of.archived.saturating_add(of.events) == self.until.lines;
            of.id == log && of.first_bad.is_none() && whole
        });
        match good {
            true => Ok(()),
            false => Err(cannot(
                to,
                "the lines in it do not verify; nothing was removed from the log",
            )),
        }
    }

    /// Removes the archived segments from the log's place, oldest first. A file that differs from its statement stays.
    fn remove(&self, said: &Archived) -> Result<(), Error> {
        for segment in &said.segments {
            let path = segment.path(&self.directory);
            if copy::is_copy(&path, segment)? {
                remove(&path)?;
            }
            // Without its segment, the signed beginning of a segment says nothing. It goes last, so that readers can begin there.
            if !path.exists() {
                remove(&self.directory.join(start_name(segment.number)))?;
            }
        }
        sync_directory(&self.directory)
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn cannot(path: &Path, why: &str) -> Error {
    Error::CannotArchive {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}
