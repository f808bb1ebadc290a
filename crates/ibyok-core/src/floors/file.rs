//! The file itself: appended to under a lock, read on by everybody, and made anew after it failed.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::{Content, Entry, NoteId};
use crate::error::{Error, Part, Result};

/// The file's name in the place of the logs.
const FILE: &str = "floors";

/// How often a file that is made anew under us is followed.
const TRIES: usize = 8;

/// The largest file that is read, in bytes: some hundred thousand floors.
const SIZE_MAX: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct FloorFile {
    place: PathBuf,
    file: File,
    /// How far it has been taken in, in whole lines.
    read: u64,
    broken: bool,
}

impl FloorFile {
    pub(super) fn open(place: &Path, content: &mut Content) -> Result<Self> {
        let path = place.join(FILE);
        let mut file = FloorFile {
            place: place.to_owned(),
            file: open(&path)?,
            read: 0,
            broken: false,
        };
        sync_directory(place)?;
        file.take_in(content)?;
        Ok(file)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken || self.is_elsewhere()
    }

    /// Takes in what others have appended. A file that was moved away leaves what is known as it is.
    pub(super) fn catch_up(&mut self, content: &mut Content) -> Result<()> {
        if self.broken {
            return Ok(());
        }
        let length = self.file.metadata().map_err(unavailable)?.len();
        if length != self.read {
            self.take_in(content)
        } else {
            self.follow(content)
        }
    }

    /// Goes over to the file that now has the name, if another process made it anew.
    fn follow(&mut self, content: &mut Content) -> Result<()> {
        if !self.is_elsewhere() || !self.path().exists() {
            return Ok(());
        }
        let mut renewed = Content::new(Arc::clone(content.realm()));
        let file = FloorFile::open(&self.place, &mut renewed)?;
        renewed.merge(content);
        *content = renewed;
        *self = file;
        Ok(())
    }

    /// Appends an entry; durable when it returns, and taken in only then.
    pub(super) fn append(&mut self, content: &mut Content, entry: &Entry) -> Result<NoteId> {
        // Another process may make the file anew while this one waits for the lock of the old one.
        for _ in 0..TRIES {
            self.follow(content)?;
            if self.is_broken() {
                break;
            }
            self.file.lock().map_err(unavailable)?;
            let appended = (!self.is_elsewhere()).then(|| self.append_locked(content, entry));
            self.file.unlock().map_err(unavailable)?;
            if let Some(appended) = appended {
                return appended;
            }
        }
        Err(unavailable(io::Error::other(
            "the file of floors failed or was moved, and is not mended yet",
        )))
    }

    fn append_locked(&mut self, content: &mut Content, entry: &Entry) -> Result<NoteId> {
        self.take_in(content)?;
        // Half a line that a crash left: nobody else is writing now.
        self.file.set_len(self.read).map_err(unavailable)?;
        let line = content.line(entry);
        let written = self
            .file
            .write_all_at(line.as_bytes(), self.read)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // A later sync that succeeds would prove nothing.
            self.broken = true;
            return Err(unavailable(error));
        }
        self.read += u64::try_from(line.len()).unwrap_or(0);
        content.take(line.trim_end()).ok_or_else(|| self.damaged())
    }

    /// Makes the file anew from what is known, with what the file that has the name knows beside it.
    pub(super) fn rewrite(&mut self, content: &mut Content) -> Result<()> {
        let mut known = Content::new(Arc::clone(content.realm()));
        let there = open(&self.path())?;
        there.lock().map_err(unavailable)?;
        let mut old = FloorFile {
            place: self.place.clone(),
            file: there,
            read: 0,
            broken: false,
        };
        old.take_in(&mut known)?;
        known.merge(content);
        known.merge_notes(content);
        let (text, renewed) = known.renewed().ok_or_else(|| self.damaged())?;
        let temporary = self.place.join("floors.new");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(unavailable)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(unavailable)?;
        std::fs::rename(&temporary, self.path()).map_err(unavailable)?;
        sync_directory(&self.place)?;
        let read = u64::try_from(text.len()).unwrap_or(0);
        *self = FloorFile {
            place: self.place.clone(),
            file: open(&self.path())?,
            read,
            broken: false,
        };
        *content = renewed;
        Ok(())
    }

    fn take_in(&mut self, content: &mut Content) -> Result<()> {
        let length = self.file.metadata().map_err(unavailable)?.len();
        if length < self.read || length > SIZE_MAX {
            return Err(self.damaged());
        }
        let mut bytes = vec![0; usize::try_from(length - self.read).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, self.read).map_err(unavailable)?;
        for line in bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
        {
            let text = std::str::from_utf8(line).map_err(|_| self.damaged())?;
            content.take(text.trim_end()).ok_or_else(|| self.damaged())?;
            self.read += u64::try_from(line.len()).unwrap_or(0);
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.place.join(FILE)
    }

    fn is_elsewhere(&self) -> bool {
        let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        match (self.file.metadata(), std::fs::symlink_metadata(self.path())) {
            (Ok(ours), Ok(there)) => !same(&ours, &there),
            _ => true,
        }
    }

    fn damaged(&self) -> Error {
        Error::integrity(format!("the file of floors `{}`", self.path().display()))
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(unavailable)
}

fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(unavailable)
}

fn unavailable(error: io::Error) -> Error {
    Error::unavailable(Part::AuditLog, error)
}
