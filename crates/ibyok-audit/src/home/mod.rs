//! Homes: where the files of logs are kept, if not in a directory of this machine.

mod memory;

use std::fmt::Debug;
use std::sync::Arc;

use crate::error::Error;
use crate::sink::describe::SinkDescription;

pub use memory::MemoryHome;

/// Keeps the files of audit logs outside this machine: in a database, in an object store, on another machine.
///
/// A home stores bytes and judges none of them. Finding the end of a log after a crash, and telling its lines from forged ones, is the
/// work of [`FileSink`](crate::FileSink), which works on a copy of the home's files in a directory. Every batch of lines goes to the home
/// first, so that a receipt proves that the home has the lines.
///
/// A log is a small set of named files. `audit-00000001.log` and its successors hold the lines and only grow. `checkpoints` grows and is
/// sometimes replaced. The rest (`log.pub`, `state`, `audit-00000002.start`) is small and is replaced as a whole. File names match
/// `[a-z0-9.-]{1,32}`; ids of logs match `[A-Za-z0-9]{22}`.
///
/// # Threads
/// Methods may block: the log calls them on its own threads. Two threads call at the same time, one for lines and one for checkpoints.
///
/// # Errors
/// An implementation returns [`Error::other`] for its own errors. After an error the log refuses every event until it is reopened,
/// and reads from the home which bytes arrived.
///
/// # Writing your own
/// `ibyok_audit::conformance` (feature `conformance`) has a test for each promise that is written below.
pub trait Home: Debug + Send + Sync {
    /// Describes the home for people, and the failures that its data survives.
    fn describe(&self) -> SinkDescription;

    /// Lists the ids of the logs that the home holds, in any order.
    ///
    /// # Errors
    /// Fails if the home cannot be read.
    fn logs(&self) -> Result<Vec<String>, Error>;

    /// Takes a log for this process, and begins it if the home does not hold it. Returns `None` if another process holds it.
    ///
    /// The log is free again when the [`Hold`] is dropped, or when the process that has it is gone. A home that frees a log while its
    /// process still runs, as an expired lease does, must refuse every later write of that process.
    ///
    /// # Errors
    /// Fails if the home does not know who holds the log.
    fn take(&self, log: &str) -> Result<Option<Hold>, Error>;

    /// Lists the files of a log, in any order; none for a log that the home does not hold.
    ///
    /// # Errors
    /// Fails if the home cannot be read.
    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error>;

    /// Reads at most `limit` bytes of a file from `offset` on. Returns fewer only at the end of the file.
    ///
    /// # Errors
    /// Fails if the home cannot be read, or if it does not hold the file.
    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error>;

    /// Adds bytes to the end of a file of `offset` bytes; a file that does not exist has none. The bytes are durable when this returns
    /// `Ok`, and either all of them are there or none.
    ///
    /// # Errors
    /// Returns [`Error::OutOfPlace`] and adds nothing if the file has another length: another program wrote to it.
    /// Fails if the bytes are not known to be durable. They may still be in the file.
    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Replaces a small file as a whole, or makes it. The bytes are durable when this returns `Ok`. A reader sees the old or the new file.
    ///
    /// # Errors
    /// Fails if the bytes are not known to be durable.
    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error>;
}

/// The right of this process to write a log. Dropping it frees the log.
#[derive(Debug)]
pub struct Hold {
    _guard: Box<dyn Debug + Send + Sync>,
}

impl Hold {
    /// Makes a hold of a guard that frees the log when it is dropped.
    #[must_use]
    pub fn new(guard: impl Debug + Send + Sync + 'static) -> Self {
        Self {
            _guard: Box::new(guard),
        }
    }
}

/// A file of a log in a home.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HomeFile {
    /// The name of the file.
    pub name: String,
    /// The length of the file in bytes.
    pub length: u64,
}

impl HomeFile {
    /// Describes a file by its name and its length in bytes.
    #[must_use]
    pub fn new(name: impl Into<String>, length: u64) -> Self {
        Self {
            name: name.into(),
            length,
        }
    }
}

impl<T: Home + ?Sized> Home for Arc<T> {
    fn describe(&self) -> SinkDescription {
        T::describe(self)
    }

    fn logs(&self) -> Result<Vec<String>, Error> {
        T::logs(self)
    }

    fn take(&self, log: &str) -> Result<Option<Hold>, Error> {
        T::take(self, log)
    }

    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error> {
        T::files(self, log)
    }

    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        T::read(self, log, file, offset, limit)
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        T::append(self, log, file, offset, bytes)
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error> {
        T::replace(self, log, file, bytes)
    }
}
