//! A home in a database: the calls of a [`Home`] on a thread of their own, and the leases of the logs that this process writes.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ibyok_audit::{Error, Hold, Home, HomeFile, SinkDescription};
use tokio::task::JoinHandle;

use super::worker::Worker;
use super::{RENEWAL, lost};
use crate::error::Error as SettingError;

/// The number of a lease. Each taking of a log has a higher one, and a database refuses writes with a lower one.
pub(super) type Epoch = i64;

/// The result of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// The file is changed, durably.
    Done,
    /// Another process has the log.
    Lost,
    /// The file has another length, in bytes.
    Elsewhere {
        length: u64,
        /// True if the write was sent twice: the first one may have arrived, and only its answer was lost.
        again: bool,
    },
}

/// A file of a log.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) log: String,
    pub(super) name: String,
}

/// The questions that a home asks its database. Each call ends when it is dropped.
///
/// `epoch` of a write is the lease under which this process has the log, and `None` if it has not taken the log.
pub(super) trait Database: Debug + Send + Sync + 'static {
    /// Describes the database, without a connection.
    fn describe(&self) -> SinkDescription;

    /// Lists the ids of all logs.
    fn logs(&self) -> impl Future<Output = Result<Vec<String>, Error>> + Send;

    /// Takes a log that nobody holds. Returns `None` if somebody may hold it.
    fn take(&self, log: &str) -> impl Future<Output = Result<Option<Epoch>, Error>> + Send;

    /// Extends a lease. Returns false if another process took the log.
    fn renew(&self, log: &str, epoch: Epoch) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Ends a lease.
    fn release(&self, log: &str, epoch: Epoch) -> impl Future<Output = Result<(), Error>> + Send;

    /// Lists the files of a log with their lengths.
    fn files(&self, log: &str) -> impl Future<Output = Result<Vec<HomeFile>, Error>> + Send;

    /// Reads a part of a file. Returns fewer bytes only at the end of the file.
    fn read(&self, file: &File, offset: u64, limit: usize) -> impl Future<Output = Result<Vec<u8>, Error>> + Send;

    /// Adds bytes to the end of a file that has `offset` bytes.
    fn append(
        &self,
        file: &File,
        epoch: Option<Epoch>,
        offset: u64,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Written, Error>> + Send;

    /// Replaces a file as a whole.
    fn replace(
        &self,
        file: &File,
        epoch: Option<Epoch>,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Written, Error>> + Send;
}

/// A home in a database.
#[derive(Debug)]
pub(super) struct Remote<D> {
    database: Arc<D>,
    worker: Arc<Worker>,
    leases: Leases,
}

/// The logs that this process has taken.
type Leases = Arc<Mutex<HashMap<String, Epoch>>>;

impl<D: Database> Remote<D> {
    /// Makes the home, and starts its thread.
    pub(super) fn new(database: D) -> Result<Self, SettingError> {
        let worker = Worker::start().map_err(|error| {
            let what = format!("cannot start the thread of the log's home: {error}");
            SettingError::new(what, "check the limits of this machine")
        })?;
        Ok(Self {
            database: Arc::new(database),
            worker: Arc::new(worker),
            leases: Leases::default(),
        })
    }

    /// Runs a call of the database on the home's thread.
    fn call<T: Send + 'static, C: Future<Output = Result<T, Error>> + Send + 'static>(
        &self,
        call: impl FnOnce(Arc<D>) -> C,
    ) -> Result<T, Error> {
        self.worker.run(call(Arc::clone(&self.database)))
    }

    fn epoch(&self, log: &str) -> Option<Epoch> {
        lock(&self.leases).get(log).copied()
    }
}

impl<D: Database> Home for Remote<D> {
    fn describe(&self) -> SinkDescription {
        self.database.describe()
    }

    fn logs(&self) -> Result<Vec<String>, Error> {
        self.call(async move |database| database.logs().await)
    }

    fn take(&self, log: &str) -> Result<Option<Hold>, Error> {
        let named = log.to_owned();
        let Some(epoch) = self.call(async move |database| database.take(&named).await)? else {
            return Ok(None);
        };
        lock(&self.leases).insert(log.to_owned(), epoch);
        let renewal = renew(Arc::clone(&self.database), log.to_owned(), epoch);
        Ok(Some(Hold::new(Held {
            database: Arc::clone(&self.database),
            renewal: self.worker.spawn(renewal),
            worker: Arc::clone(&self.worker),
            leases: Arc::clone(&self.leases),
            log: log.to_owned(),
            epoch,
        })))
    }

    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error> {
        let log = log.to_owned();
        self.call(async move |database| database.files(&log).await)
    }

    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        let file = file_of(log, file);
        self.call(async move |database| database.read(&file, offset, limit).await)
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let (file, epoch, bytes) = (file_of(log, file), self.epoch(log), bytes.to_vec());
        self.call(
            async move |database| match database.append(&file, epoch, offset, &bytes).await? {
                Written::Done => Ok(()),
                Written::Lost => Err(lost(&file.log)),
                // One byte more is asked for, so that a longer file is another one.
                Written::Elsewhere { again: true, .. }
                    if database.read(&file, offset, bytes.len() + 1).await? == bytes =>
                {
                    Ok(())
                }
                Written::Elsewhere { length, .. } => Err(Error::OutOfPlace {
                    file: file.name,
                    expected: offset,
                    found: length,
                }),
            },
        )
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error> {
        let (file, epoch, bytes) = (file_of(log, file), self.epoch(log), bytes.to_vec());
        self.call(
            async move |database| match database.replace(&file, epoch, &bytes).await? {
                Written::Done => Ok(()),
                Written::Lost => Err(lost(&file.log)),
                Written::Elsewhere { .. } => Err(Error::other(format!("`{}` was not replaced", file.name))),
            },
        )
    }
}

/// Renews a lease until the task is ended. A database that is away is asked again: nobody takes a log there meanwhile.
async fn renew<D: Database>(database: Arc<D>, log: String, epoch: Epoch) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let renewed = tokio::time::timeout(RENEWAL, database.renew(&log, epoch)).await;
        // Every write of this process is refused from then on, which the log reports.
        if matches!(renewed, Ok(Ok(false))) {
            return;
        }
    }
}

/// Ends the lease of a log when it is dropped.
struct Held<D: Database> {
    database: Arc<D>,
    worker: Arc<Worker>,
    renewal: Option<JoinHandle<()>>,
    leases: Leases,
    log: String,
    epoch: Epoch,
}

impl<D: Database> Debug for Held<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({})", self.log)
    }
}

impl<D: Database> Drop for Held<D> {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        lock(&self.leases).remove(&self.log);
        let (database, log, epoch) = (Arc::clone(&self.database), self.log.clone(), self.epoch);
        // A lease that is not ended expires by itself.
        drop(self.worker.run(async move { database.release(&log, epoch).await }));
    }
}

fn file_of(log: &str, name: &str) -> File {
    File {
        log: log.to_owned(),
        name: name.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one step, so that a thread that panicked left none half made.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
