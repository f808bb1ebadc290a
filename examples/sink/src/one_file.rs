//! A sink besides the home: a copy of the lines in one file.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ibyok_audit::{Batch, Error, Sink, SinkDescription, SinkDurability};

/// Appends every line to one file, and syncs it after each batch.
pub struct OneFile {
    file: File,
    path: PathBuf,
    /// The length up to the last batch that was written whole, and up to the last one that was synced.
    written: u64,
    synced: u64,
}

impl OneFile {
    /// Opens the file, and makes it if it does not exist.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::other)?;
        let length = file.metadata().map_err(Error::other)?.len();
        Ok(Self {
            file,
            path: path.to_owned(),
            written: length,
            synced: length,
        })
    }
}

impl fmt::Debug for OneFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneFile({})", self.path.display())
    }
}

impl Sink for OneFile {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new(format!("file {}", self.path.display()), SinkDurability::Synced)
    }

    fn durable(&self) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        // A call that failed may have left a part of this same batch, which comes again now.
        self.file.set_len(self.written).map_err(Error::other)?;
        self.file.write_all(batch.bytes()).map_err(Error::other)?;
        self.written += batch.bytes().len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        let result = self.file.sync_data().map_err(Error::other);
        match &result {
            Ok(()) => self.synced = self.written,
            Err(_) => self.written = self.synced,
        }
        result
    }

    fn close(&mut self) -> Result<(), Error> {
        self.sync()
    }
}
