//! Files that hold secrets: mode 0600, whole or not at all, and never through a link that another user laid.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::{FileError, Result};

/// Writes a file with mode 0600, and replaces a file that is there. A failure leaves the old file unchanged.
///
/// # Errors
/// [`FileError::Input`] if the path names a link, or something that is no regular file; [`FileError::Failed`] if it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Ok(there) = fs::symlink_metadata(path)
        && !there.is_file()
    {
        let what = if there.is_symlink() {
            "a symbolic link"
        } else {
            "not a regular file"
        };
        return Err(FileError::input(
            format!("cannot write `{}`: it is {what}", path.display()),
            "give the path of a new file, or of a file to replace",
        ));
    }
    replace(path, bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| FileError::writing(path, &error);
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // In the same directory, so that the rename is one step; made with mode 0600, and gone if anything fails.
    let mut file = tempfile::Builder::new()
        .prefix(".ibyok-")
        .tempfile_in(directory)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o600))
        .map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_secret_is_written_with_mode_0600_also_over_a_laxer_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap().as_slice(), mode(&path)),
            (b"new".as_slice(), 0o600)
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_and_what_is_no_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        assert!(matches!(write_private(&link, b"x"), Err(FileError::Input { .. })));
        assert!(matches!(
            write_private(directory.path(), b"x"),
            Err(FileError::Input { .. })
        ));
        assert!(matches!(
            write_private(Path::new("/dev/null"), b"x"),
            Err(FileError::Input { .. })
        ));
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }
}
