//! A directory that goes with the last user of it.

use std::path::{Path, PathBuf};

use super::slot::random_id;
use crate::error::Error;

/// The name of a new directory among the system's temporary files, for the copy of a home that no later process needs.
///
/// Opening a [`FileSink`](crate::FileSink) there makes the directory, with mode 0700. Dropping this value removes it.
#[derive(Debug)]
pub struct TemporaryPlace(PathBuf);

impl TemporaryPlace {
    /// Chooses a name that nothing has. Makes nothing.
    ///
    /// # Errors
    /// Returns [`Error::Random`] if the system gives no random bytes.
    pub fn choose() -> Result<Self, Error> {
        Ok(Self(std::env::temp_dir().join(format!("ibyok-audit-{}", random_id()?))))
    }

    /// Returns the directory's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryPlace {
    fn drop(&mut self) {
        // The lines are in the home; what cannot be removed is a copy.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
