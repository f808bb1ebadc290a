//! Checks the place of a store file, and that the file stays the same one.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::{BACKEND, FileError, shown};
use crate::error::{Error, Result};

/// Returns the path without links, so that SQLite's side files and the store's own are in the same directory.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    if let Ok(whole) = fs::canonicalize(path) {
        return Ok(whole);
    }
    let Some(name) = path.file_name() else {
        return Err(Error::invalid(
            format!("the store path {}", shown(path)),
            "give the path of a file",
        ));
    };
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // A directory that is not there (yet) is no error before the first write.
    let directory = fs::canonicalize(directory).or_else(|_| std::path::absolute(directory));
    Ok(directory
        .map_err(|error| Error::unavailable(BACKEND, error))?
        .join(name))
}

/// The file's metadata, or `None` if there is no such file.
pub(crate) fn look(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::unavailable(BACKEND, error)),
    }
}

/// Refuses a file that others own, may read or may replace, and one on a network file system.
pub(super) fn check(path: &Path, allow_network: bool) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    check_directory(directory)?;
    if let Some(file) = look(path)? {
        check_file(path, &file)?;
    }
    if !allow_network
        && let Some(system) = network_file_system(directory).map_err(|e| Error::unavailable(BACKEND, e))?
    {
        return Err(Error::refused(
            format!(
                "the store {} is on a network file system ({system}), where locks cannot be trusted",
                shown(path)
            ),
            "put the store on a local disk",
        ));
    }
    Ok(())
}

fn check_directory(directory: &Path) -> Result<()> {
    let Some(metadata) = look(directory)? else {
        return Err(Error::refused(
            format!("there is no directory {}", shown(directory)),
            "create the directory first",
        ));
    };
    if !metadata.is_dir() {
        return Err(Error::refused(
            format!("{} is not a directory", shown(directory)),
            "give the path of a file in a directory",
        ));
    }
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me && metadata.uid() != 0 {
        return Err(Error::refused(
            format!("the directory {} belongs to another user", shown(directory)),
            "use a directory of your own, or run as the user that owns it",
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(Error::refused(
            format!(
                "other users can write to the directory {} of the store",
                shown(directory)
            ),
            "remove the permission: chmod go-w",
        ));
    }
    Ok(())
}

fn check_file(path: &Path, metadata: &Metadata) -> Result<()> {
    if !metadata.is_file() {
        return Err(Error::refused(
            format!("the store {} is not a file", shown(path)),
            "give the path of a file",
        ));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::refused(
            format!("the store {} belongs to another user", shown(path)),
            "run as the user that owns it, or change its owner: chown",
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(Error::refused(
            format!(
                "other users can read or write the store {} (mode {mode:04o})",
                shown(path)
            ),
            "remove the permission: chmod 600",
        ));
    }
    Ok(())
}

/// Makes an empty file that only its owner may read. An empty file is an empty store to SQLite.
///
/// It is never opened here: closing any descriptor of a file ends all locks that this process has on it, SQLite's included.
pub(crate) fn create(path: &Path) -> Result<()> {
    match make_node(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::unavailable(BACKEND, error)),
        _ => sync_directory(path).map_err(|error| Error::unavailable(BACKEND, error)),
    }
}

#[cfg(target_os = "linux")]
fn make_node(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    Ok(mknodat(CWD, path, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0)?)
}

#[cfg(not(target_os = "linux"))]
fn make_node(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// The files of a store: device and inode of the main file, of the log and of the log's index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity([Option<(u64, u64)>; 3]);

impl Identity {
    /// The files that are there now.
    pub(crate) fn of(path: &Path) -> Self {
        Identity(["", "-wal", "-shm"].map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            fs::metadata(name).ok().map(|metadata| (metadata.dev(), metadata.ino()))
        }))
    }

    /// Returns true if the main file is no longer the one at that path. The files beside it may still be.
    pub(crate) fn is_another(&self, path: &Path) -> bool {
        self.0.first() != Self::of(path).0.first()
    }

    /// Fails if the files are no longer the ones at that path: a write would go to files that nobody finds again.
    pub(crate) fn check(&self, path: &Path) -> Result<()> {
        if *self == Self::of(path) {
            Ok(())
        } else {
            Err(FileError::Moved(path.display().to_string()).into())
        }
    }
}

/// The name of the network file system that a directory is on, if it is on one.
#[cfg(target_os = "linux")]
fn network_file_system(directory: &Path) -> io::Result<Option<&'static str>> {
    Ok(network_name(file_system(directory)?))
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// Returns true if a directory is kept in memory, and so outlives the process but not the machine.
#[cfg(target_os = "linux")]
pub(super) fn is_in_memory(directory: &Path) -> bool {
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58F6;
    file_system(directory).is_ok_and(|kind| [TMPFS, RAMFS].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_in_memory(_: &Path) -> bool {
    false
}

/// The `f_type` of statfs(2). The numbers of its manual page have 32 bits, on every machine.
#[cfg(target_os = "linux")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only the low 32 bits are the file system's number"
)]
fn file_system(directory: &Path) -> io::Result<u32> {
    Ok(rustix::fs::statfs(directory)?.f_type as u32)
}

#[cfg(target_os = "linux")]
fn network_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "nfs",
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => "smb",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        0x00C3_6400 => "ceph",
        0x5346_414F | 0x6B41_4653 => "afs",
        0x0BD0_0BD0 => "lustre",
        0x7461_636F => "ocfs2",
        0x0116_1970 => "gfs2",
        0x7375_7245 => "coda",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn network_file_systems_are_known_by_number() {
        assert_eq!(network_name(0x6969), Some("nfs"));
        assert_eq!(network_name(0xFF53_4D42), Some("smb"));
        assert_eq!(network_name(0x6573_5546), Some("fuse"));
        let ext4 = 0xEF53;
        assert_eq!(network_name(ext4), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_file_system_of_a_directory_is_asked_for() {
        assert_eq!(network_file_system(Path::new("/proc")).unwrap(), None);
        assert!(network_file_system(Path::new("/no/such/directory")).is_err());
        assert!(!is_in_memory(Path::new("/proc")));
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        for path in ["", "..", "/"] {
            let resolved = resolve(Path::new(path));
            assert!(
                resolved.is_err() || resolved.is_ok_and(|path| check(&path, true).is_err()),
                "{path}"
            );
        }
    }
}
