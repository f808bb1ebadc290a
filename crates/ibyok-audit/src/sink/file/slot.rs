//! Slots: which log in a place this process writes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::TryRng as _;
use rand::rngs::SysRng;

use super::copy::Copy;
use super::segment::numbers;
use crate::beside::{is_log_id, log_id, replace, sync_directory};
use crate::error::Error;
use crate::home::{Hold, Home};

/// The largest number of processes that can write in one place at once.
const SLOTS: u32 = 64;

/// A slot that this process holds as long as this value lives. The kernel drops the lock when the process ends, even
/// by a crash.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) number: u32,
    pub(super) directory: PathBuf,
    pub(super) log: String,
    lock: File,
}

impl Slot {
    /// Takes the first free slot of the place, which is made if its parent exists; those of some logs are left alone. With a home the slots
    /// are copies of its logs, and the log of the slot is taken there, too.
    pub(super) fn take(
        root: &Path,
        pass_over: &[String],
        home: Option<&dyn Home>,
    ) -> Result<(Self, Option<Hold>), Error> {
        make_directory(root)?;
        if let Some(home) = home {
            copy_logs(root, home)?;
        }
        for number in 0..SLOTS {
            let directory = root.join(format!("slot-{number}"));
            if log_id(&directory).is_some_and(|log| pass_over.contains(&log)) {
                continue;
            }
            make_directory(&directory)?;
            let Some(lock) = lock(&directory)? else {
                continue;
            };
            let log = own_log_id(&directory)?;
            let hold = match home {
                Some(home) => match home.take(&log)? {
                    Some(hold) => Some(hold),
                    None => continue,
                },
                None => None,
            };
            let slot = Self {
                number,
                directory,
                log,
                lock,
            };
            return Ok((slot, hold));
        }
        Err(Error::NoFreeSlot {
            path: root.to_owned(),
            slots: SLOTS,
        })
    }

    /// The slot of a log of a home: the one that it has, or a new one. Gives none if another process of this machine writes it.
    fn of(root: &Path, log: &str) -> Result<Option<Self>, Error> {
        for number in 0..SLOTS {
            let directory = root.join(format!("slot-{number}"));
            if log_id(&directory).is_none_or(|id| id != log) {
                continue;
            }
            return Ok(lock(&directory)?.map(|lock| Self {
                number,
                directory,
                log: log.to_owned(),
                lock,
            }));
        }
        Self::make_for(root, log).map(Some)
    }

    /// A new slot for a log whose own was removed under it.
    pub(super) fn make_for(root: &Path, log: &str) -> Result<Self, Error> {
        make_directory(root)?;
        for number in 0..SLOTS {
            let directory = root.join(format!("slot-{number}"));
            if directory.exists() {
                continue;
            }
            make_directory(&directory)?;
            let Some(lock) = lock(&directory)? else {
                continue;
            };
            // Another process may have begun a log here before this one took the lock.
            if directory.join("id").exists() {
                continue;
            }
            replace(&directory, "id", format!("{log}\n").as_bytes())?;
            return Ok(Self {
                number,
                directory,
                log: log.to_owned(),
                lock,
            });
        }
        Err(Error::NoFreeSlot {
            path: root.to_owned(),
            slots: SLOTS,
        })
    }

    /// Returns true if the lock that this process holds is still the one at its path.
    pub(super) fn is_still_there(&self) -> bool {
        let there = std::fs::symlink_metadata(self.directory.join("lock"));
        match (self.lock.metadata(), there) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

/// Copies every log of a home into a slot of a directory, which is made if it does not exist. Leaves the logs alone that a process of this
/// machine writes in this directory, this one included: their copies are as new as the home.
///
/// A copy that exists gets only the bytes that it lacks.
///
/// # Errors
/// Returns the errors of the home, [`Error::NoFreeSlot`] and [`Error::Io`].
pub fn copy_logs(root: &Path, home: &dyn Home) -> Result<(), Error> {
    make_directory(root)?;
    for log in home.logs()?.iter().filter(|log| is_log_id(log)) {
        if let Some(slot) = Slot::of(root, log)? {
            Copy::new(home, log, &slot.directory).fetch()?;
        }
    }
    Ok(())
}

/// The ids of the logs in a place that a vault has begun to write: those that have a key.
///
/// # Errors
/// [`Error::Io`] when the place cannot be read.
pub fn begun_logs_in(place: &Path) -> Result<Vec<String>, Error> {
    let mut begun = Vec::new();
    for number in 0..SLOTS {
        let directory = place.join(format!("slot-{number}"));
        let path = directory.join("id");
        match std::fs::read_to_string(&path) {
            Ok(id) if directory.join("log.pub").exists() => begun.push(id.trim_end().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
    }
    Ok(begun)
}

/// Returns true if some process writes this log of a place now.
///
/// # Errors
/// [`Error::Io`] if the place cannot be read.
pub fn is_written(place: &Path, log: &str) -> Result<bool, Error> {
    for number in 0..SLOTS {
        let directory = place.join(format!("slot-{number}"));
        let there = std::fs::read_to_string(directory.join("id"));
        if there.is_ok_and(|id| id.trim_end() == log) {
            return Ok(lock(&directory)?.is_none());
        }
    }
    Ok(false)
}

fn lock(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

/// The id of the slot's log, which is made with it.
fn own_log_id(directory: &Path) -> Result<String, Error> {
    let path = directory.join("id");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim_end();
            if is_log_id(id) {
                Ok(id.to_owned())
            } else {
                Err(damaged(directory, "its `id` is not one"))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Lines without an id belong to a log whose id was removed. A new id would make them another log's.
            if !numbers(directory)?.is_empty() {
                return Err(damaged(directory, "its `id` is missing"));
            }
            let id = random_id()?;
            replace(directory, "id", format!("{id}\n").as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

fn damaged(directory: &Path, why: &str) -> Error {
    Error::Damaged {
        path: directory.to_owned(),
        why: why.to_owned(),
    }
}

/// 22 base62 characters of a random 128-bit number, most significant first.
pub(super) fn random_id() -> Result<String, Error> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| Error::Random)?;
    let mut number = u128::from_be_bytes(bytes);
    let mut digits = Vec::with_capacity(22);
    for _ in 0..22 {
        digits.extend(ALPHABET.get((number % 62) as usize).map(|byte| char::from(*byte)));
        number /= 62;
    }
    Ok(digits.iter().rev().collect())
}

/// Makes a directory with mode 0700 unless it is there.
fn make_directory(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(meta) => {
            let kind = meta.file_type();
            let what = match () {
                () if kind.is_char_device() => "a character device",
                () if kind.is_block_device() => "a block device",
                () if kind.is_fifo() => "a pipe",
                () if kind.is_socket() => "a socket",
                () => "a file",
            };
            return Err(Error::NotADirectory {
                path: path.to_owned(),
                what,
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("look at", path)(error)),
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .map_or(Ok(()), sync_directory),
        // Another process made the directory between the look and this call.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io("create", path)(error)),
    }
}
