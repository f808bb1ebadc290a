//! Files of a vault, which are its user's alone.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The mode of every file of a vault.
const MODE: u32 = 0o600;

/// Creates a file with mode 0600, and replaces one that may exist. Neither the umask nor the older file's mode
/// matters.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(path)?;
    // The mode above is that of a new file alone.
    file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_there_the_file_is_its_users_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let path = scratch.path().join("a");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        drop(create(&path).unwrap());
        assert_eq!((mode(&path), std::fs::read(&path).unwrap()), (MODE, Vec::new()));
        drop(create(&scratch.path().join("b")).unwrap());
        assert_eq!(mode(&scratch.path().join("b")), MODE);
    }
}
