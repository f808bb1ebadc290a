//! The file of a journal: its lock, its end, and its compaction.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::BACKEND;
use super::items::Items;
use super::record::{Mac, Next, NoHeader, header, record, take_header, take_record};
use crate::error::{Error, Result};
use crate::map::{MapChange, MapKey, MapSummary, MapVerdict};

/// A journal is compacted when it is this many bytes longer than twice the length of its items.
const SLACK: u64 = 1 << 20;

/// The journals that this process has open. Its handles on one file share one, because a lock of the file is the process's.
static OPEN: Mutex<Vec<Weak<Mutex<Journal>>>> = Mutex::new(Vec::new());

/// An open journal.
pub(super) struct Journal {
    pub(super) items: Items,
    key: Arc<dyn MapKey>,
    file: File,
    path: PathBuf,
    identity: (u64, u64),
    mac: Mac,
    end: u64,
    /// A write failed, so that the end of the file is not known.
    poisoned: bool,
}

impl Journal {
    /// Opens the file, or returns the journal that this process has open on it. Returns `None` for no file, or an empty one that is not to be
    /// made.
    pub(super) fn shared(path: &Path, key: Arc<dyn MapKey>, create: bool) -> Result<Option<Arc<Mutex<Self>>>> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|journal| journal.strong_count() > 0);
        for journal in open.iter().filter_map(Weak::upgrade) {
            let is_same = {
                let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                journal.is_at(path) && journal.key.owner() == key.owner() && !journal.poisoned
            };
            if is_same {
                return Ok(Some(journal));
            }
        }
        let Some(journal) = Self::open(path, key, create)? else {
            return Ok(None);
        };
        let journal = Arc::new(Mutex::new(journal));
        open.push(Arc::downgrade(&journal));
        Ok(Some(journal))
    }

    fn open(path: &Path, key: Arc<dyn MapKey>, create: bool) -> Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let file = match options.create(create).truncate(false).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        lock(&file)?;
        let mut bytes = Vec::new();
        (&file).read_to_end(&mut bytes).map_err(unavailable)?;
        if bytes.is_empty() && !create {
            return Ok(None);
        }
        if bytes.is_empty() {
            bytes = header(key.as_ref()).0;
            file.write_all_at(&bytes, 0)
                .and_then(|()| file.sync_all())
                .map_err(unavailable)?;
            sync_directory(path)?;
        }
        let (items, mac, end) = read(path, key.as_ref(), &bytes)?;
        let identity = identity(&file.metadata().map_err(unavailable)?);
        let mut journal = Self {
            items,
            key,
            file,
            path: path.to_owned(),
            identity,
            mac,
            end,
            poisoned: false,
        };
        // A part of a record that a crash left stands in the way of the next one.
        if end < bytes.len() as u64 {
            journal.file.set_len(end).map_err(unavailable)?;
        }
        journal.compact_if_long()?;
        Ok(Some(journal))
    }

    /// Returns true if the file at the path is this one.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|there| identity(&there) == self.identity)
    }

    pub(super) fn apply(&mut self, changes: &[MapChange], disk: bool) -> Result<MapSummary> {
        let Some((entries, generation)) = self.items.entries_of(changes)? else {
            return Ok(self.items.summary());
        };
        let tag = self.items.tag_after(self.key.as_ref(), &entries);
        self.append(generation, tag, &entries)?;
        if disk {
            self.sync()?;
        }
        self.compact_if_long()?;
        Ok(MapSummary {
            changed: true,
            ..self.items.summary()
        })
    }

    pub(super) fn sync(&mut self) -> Result<MapSummary> {
        self.check()?;
        let synced = self.file.sync_data();
        self.poisoned = synced.is_err();
        synced.map_err(unavailable)?;
        Ok(self.items.summary())
    }

    /// Appends a record without entries.
    pub(super) fn probe(&mut self) -> Result<MapSummary> {
        self.append(self.items.generation, self.items.tag, &[])?;
        Ok(self.items.summary())
    }

    pub(super) fn verify(&mut self) -> Result<MapVerdict> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0)).map_err(unavailable)?;
        self.file.read_to_end(&mut bytes).map_err(unavailable)?;
        match read(&self.path, self.key.as_ref(), &bytes) {
            Ok((items, ..)) if items == self.items => Ok(MapVerdict::Whole(items.summary())),
            Ok(_) | Err(Error::Corrupt { .. } | Error::Refused { .. }) => Ok(MapVerdict::Damaged),
            Err(error) => Err(error),
        }
    }

    fn append(&mut self, generation: u64, tag: Mac, entries: &[u8]) -> Result<()> {
        self.check()?;
        let (bytes, mac) = record(self.key.as_ref(), &self.mac, generation, &tag, entries);
        let written = self.file.write_all_at(&bytes, self.end);
        // Half a record may be there: only opening the file again finds its end.
        self.poisoned = written.is_err();
        written.map_err(unavailable)?;
        self.end = self.end.saturating_add(bytes.len() as u64);
        self.mac = mac;
        self.take_in(generation, tag, entries)
    }

    fn take_in(&mut self, generation: u64, tag: Mac, entries: &[u8]) -> Result<()> {
        let taken = self.items.take_in(entries);
        (self.items.generation, self.items.tag) = (generation, tag);
        taken.ok_or_else(|| Error::corrupt(self.path.display().to_string(), "a record is malformed"))
    }

    fn check(&self) -> Result<()> {
        if self.poisoned {
            return Err(Error::poisoned(BACKEND));
        }
        Ok(())
    }

    /// Writes all items as one record into a new file, and puts that in the place of this one.
    fn compact_if_long(&mut self) -> Result<()> {
        let entries = self.items.all();
        if self.end <= (entries.len() as u64).saturating_mul(2).saturating_add(SLACK) {
            return Ok(());
        }
        let (mut bytes, first) = header(self.key.as_ref());
        let (all, mac) = record(
            self.key.as_ref(),
            &first,
            self.items.generation,
            &self.items.tag,
            &entries,
        );
        bytes.extend_from_slice(&all);
        let new = self.path.with_extension("compact");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = file.open(&new).map_err(unavailable)?;
        // Locked before it is in its place: no other process may have it in between.
        lock(&file)?;
        file.write_all_at(&bytes, 0)
            .and_then(|()| file.sync_all())
            .map_err(unavailable)?;
        let identity = identity(&file.metadata().map_err(unavailable)?);
        std::fs::rename(&new, &self.path).map_err(unavailable)?;
        (self.file, self.identity, self.mac, self.end) = (file, identity, mac, bytes.len() as u64);
        sync_directory(&self.path)
    }
}

/// Reads a whole file: its items, the MAC of its last record, and where that ends.
fn read(path: &Path, key: &dyn MapKey, bytes: &[u8]) -> Result<(Items, Mac, u64)> {
    let damaged = |why: &str| Error::corrupt(path.display().to_string(), why);
    let mut rest = bytes;
    let mut mac = take_header(key, &mut rest).map_err(|wrong| match wrong {
        NoHeader::Foreign => Error::refused(
            format!("`{}` belongs to another vault or namespace", path.display()),
            "use a separate directory for each",
        ),
        NoHeader::Damaged => damaged("it does not begin as a map of this key"),
    })?;
    let mut items = Items::default();
    loop {
        match take_record(key, &mac, &mut rest) {
            Next::Record(record) => {
                items
                    .take_in(record.entries)
                    .ok_or_else(|| damaged("a record is malformed"))?;
                (items.generation, items.tag, mac) = (record.generation, record.tag, record.mac);
            }
            Next::End => return Ok((items, mac, (bytes.len() - rest.len()) as u64)),
            Next::Damaged => return Err(damaged("a record was changed after it was written")),
        }
    }
}

fn lock(file: &File) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::unavailable(
            BACKEND,
            "another process has the file open; programs that share it need the feature `file`",
        )),
        Err(TryLockError::Error(error)) => Err(unavailable(error)),
    }
}

fn identity(meta: &std::fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let synced = File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all());
    synced.map_err(unavailable)
}

fn unavailable(error: io::Error) -> Error {
    Error::unavailable(BACKEND, error)
}
