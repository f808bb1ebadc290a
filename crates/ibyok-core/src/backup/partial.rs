//! A file that is written beside its place, and put there once it is whole. No file is ever replaced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};

use super::frames::failed;
use crate::base::error::{Error, Result};

/// A file in the making. It is removed unless it is put in its place.
#[derive(Debug)]
pub(crate) struct Partial {
    to: PathBuf,
    beside: PathBuf,
    done: bool,
}

impl Partial {
    /// Makes the file beside its place, readable by its owner alone.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a file at the path, [`Error::Conflict`] if another process writes one for it.
    pub(crate) fn create(to: &Path) -> Result<(Self, File)> {
        refuse_existing(to)?;
        let name = to.file_name().ok_or_else(|| {
            let what = format!("`{}` is not the path of a file", to.display());
            Error::invalid(what, "give the path of a new file")
        })?;
        let beside = to.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // A pipe in its place must not hang the command.
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(&beside)
            .map_err(|error| failed(&error))?;
        refuse_of_others(&file, &beside)?;
        // One that a killed process left behind has no lock, and is written from the beginning.
        if file.try_lock().is_err() {
            let what = format!("another process is writing `{}`", to.display());
            return Err(Error::Conflict { what });
        }
        file.set_len(0).map_err(|error| failed(&error))?;
        let partial = Partial {
            to: to.to_owned(),
            beside,
            done: false,
        };
        Ok((partial, file))
    }

    /// Syncs the file and puts it in its place.
    pub(crate) fn put(mut self, file: &File) -> Result<()> {
        file.sync_all().map_err(|error| failed(&error))?;
        match renameat_with(CWD, &self.beside, CWD, &self.to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(exists(&self.to)),
            // The file system does not have such a rename.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
                refuse_existing(&self.to)?;
                std::fs::rename(&self.beside, &self.to).map_err(|error| failed(&error))?;
            }
            Err(error) => return Err(failed(&error.into())),
        }
        self.done = true;
        sync_directory(&self.to).map_err(|error| failed(&error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = std::fs::remove_file(&self.beside)
        {
            tracing::warn!(path = %self.beside.display(), %error, "cannot remove an unfinished file");
        }
    }
}

/// Syncs the directory of a file, so that its name survives a loss of power.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Refuses a file that somebody else made in the place of ours, or has open: the content would be theirs to read and to change.
fn refuse_of_others(file: &File, path: &Path) -> Result<()> {
    let found = file.metadata().map_err(|error| failed(&error))?;
    let is_ours = found.is_file()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.nlink() == 1
        && found.mode() & 0o077 == 0;
    match is_ours {
        true => Ok(()),
        false => Err(Error::Conflict {
            what: format!(
                "`{}` is not a private file of this user; remove it, and write into a directory that nobody else can change",
                path.display()
            ),
        }),
    }
}

fn refuse_existing(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Err(exists(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(&error)),
    }
}

fn exists(path: &Path) -> Error {
    Error::Exists {
        what: format!("`{}`", path.display()),
    }
}
