//! Writing small files next to a log, and to its home if it has one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity::PUBLIC_KEY;
use crate::error::Error;
use crate::home::Home;
use crate::key::VerifyingKey;

/// The files next to the lines of a log. Each change goes to the home first: the directory is then a copy of it.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    directory: PathBuf,
    log: String,
    home: Option<Arc<dyn Home>>,
}

impl Beside {
    pub(crate) fn new(directory: PathBuf, log: String, home: Option<Arc<dyn Home>>) -> Self {
        Self { directory, log, home }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Replaces a small file as a whole, durably.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        if let Some(home) = &self.home {
            home.replace(&self.log, name, bytes)?;
        }
        replace(&self.directory, name, bytes)
    }

    /// Adds bytes to the end of a file, durably.
    pub(crate) fn append(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.directory.join(name);
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(&path);
        let mut file = file.map_err(Error::io("open", &path))?;
        if let Some(home) = &self.home {
            let length = file.metadata().map_err(Error::io("look at", &path))?.len();
            if home.append(&self.log, name, length, bytes).is_err() {
                // The home may have taken the bytes of an earlier try: only the whole file puts both in step again.
                let mut whole = std::fs::read(&path).map_err(Error::io("read", &path))?;
                whole.extend_from_slice(bytes);
                home.replace(&self.log, name, &whole)?;
            }
        }
        file.write_all(bytes)
            .and_then(|()| file.sync_data())
            .map_err(Error::io("write to", &path))
    }

    /// Writes the public half of the log's key next to it.
    pub(crate) fn write_public_key(&self, key: &VerifyingKey) -> Result<(), Error> {
        self.replace(PUBLIC_KEY, format!("{key}\n").as_bytes())
    }
}

/// Writes a small file so that either the old or the new one is there, whole.
pub(crate) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, new) = (directory.join(name), directory.join(format!("{name}.new")));
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    // Synced before the rename: after a power cut, the name must not point to an empty file.
    let write = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_data());
    file.and_then(write).map_err(Error::io("write to", &new))?;
    std::fs::rename(&new, &path).map_err(Error::io("replace", &path))?;
    sync_directory(directory)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("sync", directory))
}
