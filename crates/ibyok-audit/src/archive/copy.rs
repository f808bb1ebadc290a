//! Copying the files of a log into an archive, durably, and comparing the copies.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::segment::{ArchivedSegment, file_name, start_name};
use crate::beside::{replace, sync_directory};
use crate::error::Error;

/// The number of bytes that are copied at once.
const CHUNK: usize = 256 * 1024;

/// Makes a directory of mode 0700 unless it is there.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => sync_directory(parent),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(Error::io("create", path)(error)),
    }
}

/// Copies a segment from one slot to another with its signed beginning. The copy has its name only once it is whole and on the disk.
pub(super) fn segment(from: &Path, to: &Path, segment: &ArchivedSegment) -> Result<(), Error> {
    let (name, target) = (file_name(segment.number), segment.path(to));
    if is_copy(&target, segment)? {
        return start(from, to, segment.number);
    }
    let new = to.join(format!("{name}.new"));
    copy(&segment.path(from), &new)?;
    if !is_copy(&new, segment)? {
        return Err(Error::CannotArchive {
            path: new,
            why: "the copy differs from the segment".to_owned(),
        });
    }
    std::fs::rename(&new, &target).map_err(Error::io("rename", &new))?;
    sync_directory(to)?;
    start(from, to, segment.number)
}

/// Copies the signed state at a segment's beginning, if there is one.
fn start(from: &Path, to: &Path, number: u32) -> Result<(), Error> {
    small(from, to, &start_name(number))
}

/// Copies a small file if it is there.
pub(super) fn small(from: &Path, to: &Path, name: &str) -> Result<(), Error> {
    let path = from.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => replace(to, name, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let mut source = File::open(from).map_err(Error::io("open", from))?;
    let mut options = OpenOptions::new();
    let target = options.write(true).create(true).truncate(true).mode(0o600).open(to);
    let mut target = target.map_err(Error::io("create", to))?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = source.read(&mut buffer).map_err(Error::io("read", from))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        target.write_all(bytes).map_err(Error::io("write to", to))?;
    }
    target.sync_all().map_err(Error::io("sync", to))
}

/// Returns true if a file holds the bytes of a segment.
pub(super) fn is_copy(path: &Path, segment: &ArchivedSegment) -> Result<bool, Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    if file.metadata().map_err(Error::io("look at", path))?.len() != segment.bytes {
        return Ok(false);
    }
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        digest.update(bytes);
    }
    Ok(HEXLOWER.encode(&digest.finalize()) == segment.sha256)
}
