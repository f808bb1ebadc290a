//! The place of a log that is archived: its slot, its lock, and the state at its first line.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::statement::Archived;
use crate::chain::Head;
use crate::error::Error;
use crate::key::VerifyingKey;

/// The file that one archiving process locks.
const LOCK: &str = "archive.lock";

/// Returns the head of the log in a slot at its first segment that is not archived, and that segment's number. `None` if no line is
/// archived.
pub(crate) fn base(slot: &Path, key: &VerifyingKey) -> Result<Option<(Head, u32)>, Error> {
    let said = Archived::beside(slot, key)?;
    Ok(said.and_then(|said| Some((said.head()?, said.next_segment()))))
}

/// Locks a directory for archiving, until the file is dropped.
///
/// # Errors
/// [`Error::Io`], and [`Error::CannotArchive`] while another process archives there.
pub(super) fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::CannotArchive {
            path: directory.to_owned(),
            why: "another process archives there now".to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}
