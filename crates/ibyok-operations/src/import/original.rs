//! A file that is read, and later replaced by another in its place: the very one that was read, and no other.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, fsync, openat, renameat, statat, unlinkat,
};

use crate::file::{FileError, Result};

/// The flags with which a new file is opened next to the original.
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW);

/// A file that is open, and its place: the directory, which stays the same however paths change, and the name in it.
#[derive(Debug)]
pub struct Original {
    path: PathBuf,
    directory: OwnedFd,
    name: OsString,
    /// The file itself.
    pub file: File,
    stat: Stat,
}

impl Original {
    /// Opens a file. A path that leads through links is resolved here, once.
    ///
    /// # Errors
    /// [`FileError::Input`] for a path that is no file, or a file with a second name that would keep the old content;
    /// [`FileError::Failed`] if it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let reading = |error: io::Error| FileError::reading(path, &error);
        let real = path.canonicalize().map_err(reading)?;
        let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
            return Err(no_file(path));
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(|error| reading(error.into()))?;
        // A link that was laid meanwhile is not followed, and a FIFO not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&directory, name, flags, Mode::empty()).map_err(|error| reading(error.into()))?;
        let stat = fstat(&file).map_err(|error| reading(error.into()))?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(no_file(path));
        }
        if stat.st_nlink > 1 {
            return Err(FileError::input(
                format!(
                    "`{}` has another name (a hard link), and that name would keep the values",
                    path.display()
                ),
                "remove the other name, or import without `--rewrite`",
            ));
        }
        Ok(Original {
            path: path.to_owned(),
            name: name.to_owned(),
            directory,
            file: File::from(file),
            stat,
        })
    }

    /// Puts new content in the place of the file, with its mode and owner, in one step. A link that led to it leads to the new one.
    ///
    /// # Errors
    /// [`FileError::Failed`] if the file no longer holds `read`, if another file is in its place, or if it cannot be
    /// written. Then the file there stays as it was.
    pub fn replace(&mut self, read: &[u8], content: &[u8]) -> Result<()> {
        self.is_unchanged(read)?;
        let name = format!(".ibyok-{:016x}", RandomState::new().build_hasher().finish());
        let flags = NEW | OFlags::CLOEXEC;
        let new = openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR);
        let new = new.map_err(|error| self.writing(error.into()))?;
        let replaced = self.fill(File::from(new), content).and_then(|()| {
            // As late as can be: between this look and the step is nothing but the step.
            self.is_in_its_place()?;
            renameat(&self.directory, &name, &self.directory, &self.name).map_err(|error| self.writing(error.into()))
        });
        if replaced.is_err() {
            unlinkat(&self.directory, &name, AtFlags::empty()).unwrap_or_default();
        }
        replaced?;
        fsync(&self.directory).map_err(|error| self.writing(error.into()))
    }

    fn fill(&self, mut new: File, content: &[u8]) -> Result<()> {
        new.write_all(content).map_err(|error| self.writing(error))?;
        // Only root can give a file away; to anybody else it stays theirs.
        let owner = (Uid::from_raw(self.stat.st_uid), Gid::from_raw(self.stat.st_gid));
        fchown(&new, Some(owner.0), Some(owner.1)).unwrap_or_default();
        let mode = Mode::from_raw_mode(self.stat.st_mode);
        fchmod(&new, mode).map_err(|error| self.writing(error.into()))?;
        new.sync_all().map_err(|error| self.writing(error))
    }

    /// Refuses a file that was written to since it was read.
    fn is_unchanged(&mut self, read: &[u8]) -> Result<()> {
        let mut now = zeroize::Zeroizing::new(vec![0; read.len() + 1]);
        let mut length = 0;
        let again = self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            while let Some(rest) = now.get_mut(length..).filter(|rest| !rest.is_empty()) {
                match self.file.read(rest)? {
                    0 => break,
                    some => length += some,
                }
            }
            Ok(())
        });
        again.map_err(|error| FileError::reading(&self.path, &error))?;
        match now.get(..length) == Some(read) {
            true => self.is_in_its_place(),
            false => Err(self.changed()),
        }
    }

    /// Refuses if another file has the name by now.
    fn is_in_its_place(&self) -> Result<()> {
        let there = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        match there {
            Ok(there) if (there.st_dev, there.st_ino) == (self.stat.st_dev, self.stat.st_ino) => Ok(()),
            _ => Err(self.changed()),
        }
    }

    fn changed(&self) -> FileError {
        FileError::failed(
            format!(
                "`{}` changed during the import and was not rewritten",
                self.path.display()
            ),
            "run the import again; it keeps the stored values unchanged",
        )
    }

    fn writing(&self, error: io::Error) -> FileError {
        FileError::writing(&self.path, &error)
    }
}

fn no_file(path: &Path) -> FileError {
    FileError::input(
        format!("`{}` is not a regular file", path.display()),
        "give the path of a file",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Place(tempfile::tempdir().unwrap());
            fs::write(place.path("a"), "old").unwrap();
            place
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.0.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn the_file_that_was_read_is_replaced_with_its_mode_and_its_links_stay() {
        let place = Place::new();
        fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink(place.path("a"), place.path("link")).unwrap();
        let mut original = Original::open(&place.path("link")).unwrap();
        original.replace(b"old", b"new").unwrap();
        assert!(place.path("link").is_symlink());
        assert_eq!(place.read("a"), "new");
        assert_eq!(fs::metadata(place.path("a")).unwrap().mode() & 0o777, 0o640);
        assert_eq!(place.names(), ["a", "link"]);
    }

    #[test]
    fn a_file_that_was_swapped_or_changed_meanwhile_is_left_as_it_is() {
        let swaps: [fn(&Place); 4] = [
            |place| {
                fs::write(place.path("b"), "old").unwrap();
                fs::rename(place.path("b"), place.path("a")).unwrap();
            },
            |place| {
                fs::write(place.path("b"), "old").unwrap();
                fs::remove_file(place.path("a")).unwrap();
                symlink(place.path("b"), place.path("a")).unwrap();
            },
            |place| fs::write(place.path("a"), "older").unwrap(),
            |place| fs::write(place.path("a"), "").unwrap(),
        ];
        for swap in swaps {
            let place = Place::new();
            let mut original = Original::open(&place.path("a")).unwrap();
            swap(&place);
            let (before, names) = (place.read("a"), place.names());
            assert!(matches!(
                original.replace(b"old", b"new"),
                Err(FileError::Failed { .. })
            ));
            assert_eq!((place.read("a"), place.names()), (before, names));
        }
    }

    #[test]
    fn a_link_that_leads_elsewhere_by_now_changes_nothing_elsewhere() {
        let place = Place::new();
        fs::write(place.path("victim"), "old").unwrap();
        symlink(place.path("a"), place.path("link")).unwrap();
        let mut original = Original::open(&place.path("link")).unwrap();
        fs::remove_file(place.path("link")).unwrap();
        symlink(place.path("victim"), place.path("link")).unwrap();
        original.replace(b"old", b"new").unwrap();
        assert_eq!(
            (place.read("victim").as_str(), place.read("a").as_str()),
            ("old", "new")
        );
    }

    #[test]
    fn a_directory_that_was_swapped_changes_nothing_elsewhere() {
        let place = Place::new();
        fs::create_dir(place.path("d")).unwrap();
        fs::write(place.path("d/a"), "old").unwrap();
        let mut original = Original::open(&place.path("d/a")).unwrap();
        fs::rename(place.path("d"), place.path("moved")).unwrap();
        fs::create_dir(place.path("d")).unwrap();
        fs::write(place.path("d/a"), "old").unwrap();
        original.replace(b"old", b"new").unwrap();
        assert_eq!(
            (place.read("d/a").as_str(), place.read("moved/a").as_str()),
            ("old", "new")
        );
    }

    #[test]
    fn what_is_no_file_or_has_a_second_name_is_refused() {
        let place = Place::new();
        assert!(Original::open(place.0.path()).is_err());
        assert!(Original::open(Path::new("/dev/null")).is_err());
        fs::hard_link(place.path("a"), place.path("b")).unwrap();
        assert!(matches!(Original::open(&place.path("a")), Err(FileError::Input { .. })));
    }
}
