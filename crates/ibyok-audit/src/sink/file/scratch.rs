//! A directory that goes with the last user of it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::slot::random_id;
use crate::error::Error;

/// A new directory (mode 0700) in the system's directory for temporary files.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("ibyok-audit-{}", random_id()?));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(Error::io("create", &path))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The lines are in the home; what cannot be removed is a copy.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
