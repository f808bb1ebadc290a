//! One file of lines.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::beside::sync_directory;
use crate::error::Error;
use crate::read::Start;
use crate::sink::contract::LaterSync;

/// The number of bytes of zeros that a segment holds ahead of its lines.
const FILL: usize = 1 << 18;

static ZEROS: [u8; FILL] = [0; FILL];

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    number: u32,
    end: u64,
    filled: u64,
    zero_fill: bool,
    identity: (u64, u64),
    /// The time of its first line, or of its creation; `None` if its first line has none.
    born: Option<Timestamp>,
}

impl Segment {
    /// A new, empty one, durable in its directory.
    pub(super) fn create(directory: &Path, number: u32, zero_fill: bool) -> Result<Self, Error> {
        let path = path(directory, number);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        let mut segment = Self::new(file.map_err(Error::io("create", &path))?, path, number, 0, zero_fill)?;
        segment.born = Some(Timestamp::now());
        sync_directory(directory)?;
        Ok(segment)
    }

    /// Opens a segment that exists, to be continued at `end`. The bytes behind `end` must be NULs.
    pub(super) fn open(directory: &Path, number: u32, end: u64, zero_fill: bool) -> Result<Self, Error> {
        let path = path(directory, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        Self::new(file, path, number, end, zero_fill)
    }

    fn new(file: File, path: PathBuf, number: u32, end: u64, zero_fill: bool) -> Result<Self, Error> {
        let meta = file.metadata().map_err(Error::io("look at", &path))?;
        let identity = (meta.dev(), meta.ino());
        let born = Start::of(&path).time;
        Ok(Self {
            file,
            path,
            number,
            end,
            filled: meta.len(),
            zero_fill,
            identity,
            born,
        })
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Returns true if the first line is this much older than now. A segment whose lines are later than now, by a clock that was set
    /// back, is as old.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        self.born
            .is_some_and(|born| Timestamp::now().duration_since(born).abs() >= age)
    }

    /// Returns the offset at which the next line goes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Checks that the file is still the one at its path, and as long as the sink left it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let poisoned = |what: &str| Error::Poisoned {
            reason: format!("`{}` {what}", self.path.display()),
        };
        let ours = self.file.metadata().map_err(Error::io("look at", &self.path))?;
        let there = match std::fs::symlink_metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(poisoned("was removed or renamed"));
            }
            Err(error) => return Err(Error::io("look at", &self.path)(error)),
        };
        // A file with the same name is another file. Lines written to the old handle would be gone with it.
        if (there.dev(), there.ino()) != self.identity {
            return Err(poisoned("was replaced"));
        }
        if ours.len() < self.end {
            return Err(poisoned("was cut"));
        }
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.end + bytes.len() as u64;
        if self.zero_fill && end > self.filled {
            self.fill(end);
        }
        self.file
            .write_all_at(bytes, self.end)
            .map_err(Error::io("write to", &self.path))?;
        self.end = end;
        self.filled = self.filled.max(end);
        Ok(())
    }

    /// Fills the file ahead of the lines. If that fails, for example for want of space, the lines themselves may
    /// still fit, and writing them will show.
    fn fill(&mut self, end: u64) {
        while self.filled < end {
            match self.file.write_all_at(&ZEROS, self.filled) {
                Ok(()) => self.filled += FILL as u64,
                Err(_) => return,
            }
        }
    }

    pub(super) fn sync(&self) -> Result<(), Error> {
        // Data only: the zeros ahead have set the length already, so the file's metadata does not change with each batch.
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }

    /// Returns the same sync on another descriptor of the file.
    pub(super) fn later_sync(&self) -> Option<LaterSync> {
        let (file, path) = (self.file.try_clone().ok()?, self.path.clone());
        Some(Box::new(move || file.sync_data().map_err(Error::io("sync", &path))))
    }

    /// Cuts the zeros off and syncs: a segment that is done is exact.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.file.set_len(self.end).map_err(Error::io("cut", &self.path))?;
        self.filled = self.end;
        self.file.sync_all().map_err(Error::io("sync", &self.path))
    }

    /// Writes the bytes from `from` to the end once more, and syncs them.
    pub(super) fn rewrite(&self, from: u64) -> Result<(), Error> {
        let mut buffer = vec![0; 64 * 1024];
        let mut at = from;
        while at < self.end {
            let length = buffer.len().min(usize::try_from(self.end - at).unwrap_or(usize::MAX));
            let Some(part) = buffer.get_mut(..length) else {
                break;
            };
            self.file
                .read_exact_at(part, at)
                .map_err(Error::io("read", &self.path))?;
            self.file
                .write_all_at(part, at)
                .map_err(Error::io("write to", &self.path))?;
            at += length as u64;
        }
        self.file.sync_all().map_err(Error::io("sync", &self.path))
    }
}

pub(super) fn path(directory: &Path, number: u32) -> PathBuf {
    directory.join(name(number))
}

/// The name of a segment's file.
pub(super) fn name(number: u32) -> String {
    format!("audit-{number:08}.log")
}

/// The numbers of the segments in a slot, in order.
pub(crate) fn numbers(directory: &Path) -> Result<Vec<u32>, Error> {
    let mut numbers: Vec<u32> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let name = entry.map_err(Error::io("list", directory))?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".log"));
        // Eight digits, and room for a next one.
        let number: Option<u32> = digits
            .filter(|digits| digits.len() == 8)
            .and_then(|digits| digits.parse().ok());
        let number = number.filter(|number| *number < 99_999_999);
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}
