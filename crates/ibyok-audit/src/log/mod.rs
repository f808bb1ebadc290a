//! The log that a program appends to.

mod best_effort;
mod builder;
mod keeper;
mod own;
mod queue;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use self::queue::{Job, Queue};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::event::Event;
use crate::line::Prepared;
use crate::receipt::Receipt;
use crate::sink::{SinkDescription, SinkDurability};

pub use builder::LogBuilder;

/// The log that a program appends to: many tasks, one chain, one sync for all that wait.
///
/// A handle; clones are the same log. When the last one is dropped, the log still writes the waiting lines and closes
/// in its own time. [`Log::close`] waits for that and returns whether it worked.
///
/// Its methods need a tokio runtime with time enabled.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    // Closes the queue when the last handle goes; the writer holds `shared` itself.
    _last: Arc<LastHandle>,
}

impl Log {
    /// A log that is to be opened.
    pub fn builder() -> LogBuilder {
        LogBuilder::default()
    }

    /// Appends an event and waits until it is durable in every required sink.
    ///
    /// The event keeps the caller's `time`; the order of the log is `seq`. The future may be dropped at any time: the
    /// event is then on the log or not, and the chain is whole.
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a failed write or sync, until [`Log::reopen`]; [`Error::Unavailable`] when a sink
    /// refused it or the deadline has passed; [`Error::Closed`]. The line may still reach the log after the deadline.
    /// That does no harm: a line without a release reveals nothing.
    pub async fn append(&self, event: Event) -> Result<Receipt, Error> {
        let line = Prepared::new(&event);
        let (reply, answer) = oneshot::channel();
        let appended = async {
            self.shared.queue.put(line, reply).await?;
            answer.await.map_err(|_| Error::Closed)?
        };
        tokio::time::timeout(self.shared.deadline, appended)
            .await
            .map_err(|_| self.too_late())?
    }

    /// Appends an event with the next batch, without waiting. If the queue is full, the event is only counted, and a
    /// `log.gap` line gives the number of such events. For ends of changes and for refusals without a valid token.
    pub fn append_unwaited(&self, event: Event) {
        if !self.shared.queue.try_put(Prepared::new(&event)) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything that was appended before is written.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub async fn flush(&self) -> Result<(), Error> {
        self.ask(Job::Flush).await
    }

    /// Reopens the log after a failure. The log reads and verifies its files from the last checkpoint on and moves a
    /// torn end aside. It writes `log.gap` lines that count the missing lines and the refused events. Does nothing to
    /// a log that has not failed.
    ///
    /// # Errors
    /// Fails if the log still does not work. The caller may try again later.
    pub async fn reopen(&self) -> Result<(), Error> {
        self.ask(Job::Reopen).await
    }

    /// Writes the waiting lines, the last line and the last checkpoint, and releases the slot. No event can be
    /// appended after that.
    ///
    /// # Errors
    /// Fails if any of that failed; [`Error::Closed`] if the log was closed already.
    pub async fn close(&self) -> Result<(), Error> {
        self.ask(|reply| Job::Close(Some(reply))).await
    }

    /// The id of the log: 22 base62 characters.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.log
    }

    /// The `seq` of the last line.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.shared.last_seq.load(Ordering::Acquire)
    }

    /// Returns the slot's directory as it was at open. Further files about the log may be kept there.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        Some(&self.shared.directory)
    }

    /// Returns the status of the log.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        let shared = &self.shared;
        LogStatus {
            id: shared.log.to_string(),
            place: shared.root.clone(),
            slot: shared.slot,
            sinks: shared.sinks.clone(),
            durability: shared.durability,
            last_seq: self.last_seq(),
            failure: lock(&shared.failure).clone(),
            checkpoint_failure: lock(&shared.checkpoint_failure).clone(),
            checkpoint: lock(&shared.checkpoint)
                .clone()
                .map(|checkpoint| checkpoint.text().to_owned()),
        }
    }

    /// The last checkpoint that was signed.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<Checkpoint> {
        lock(&self.shared.checkpoint).clone()
    }

    /// Calls this with every checkpoint from here on, on the thread that signs them: it may block, and must not panic.
    pub fn on_checkpoint(&self, listener: impl Fn(&Checkpoint) + Send + 'static) {
        lock(&self.shared.listeners).0.push(Box::new(listener));
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Job) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.command(job(reply))?;
        let answered = tokio::time::timeout(self.shared.deadline, answer).await;
        answered.map_err(|_| self.too_late())?.map_err(|_| Error::Closed)?
    }

    fn too_late(&self) -> Error {
        Error::unavailable(format!("no answer within {:?}", self.shared.deadline))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("id", &self.shared.log)
            .field("place", &self.shared.root)
            .finish_non_exhaustive()
    }
}

/// The status of a log.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LogStatus {
    /// The log's id.
    pub id: String,
    /// The directory of its place.
    pub place: PathBuf,
    /// Its slot there.
    pub slot: u32,
    /// The sinks that receive lines, the required sinks first.
    pub sinks: Vec<SinkDescription>,
    /// The durability that the sink which keeps the log promises.
    pub durability: SinkDurability,
    /// The `seq` of the last line.
    pub last_seq: u64,
    /// Why it refuses everything, if it does.
    pub failure: Option<String>,
    /// The reason why the last checkpoint is not stored next to the log, if it is not.
    pub checkpoint_failure: Option<String>,
    /// The last checkpoint.
    pub checkpoint: Option<String>,
}

impl LogStatus {
    /// Returns true if the log accepts events.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.failure.is_none()
    }
}

/// The state that the handles, the writer and the keeper of checkpoints share.
#[derive(Debug)]
struct Shared {
    queue: Queue,
    log: Arc<str>,
    root: PathBuf,
    directory: PathBuf,
    slot: u32,
    sinks: Vec<SinkDescription>,
    durability: SinkDurability,
    deadline: Duration,
    last_seq: AtomicU64,
    dropped: AtomicU64,
    failure: Mutex<Option<String>>,
    checkpoint_failure: Mutex<Option<String>>,
    checkpoint: Mutex<Option<Checkpoint>>,
    listeners: Mutex<Listeners>,
}

impl Shared {
    fn set_failure(&self, failure: Option<String>) {
        *lock(&self.failure) = failure;
    }

    fn set_checkpoint_failure(&self, failure: Option<String>) {
        *lock(&self.checkpoint_failure) = failure;
    }

    fn checkpoint_kept(&self) -> Result<(), Error> {
        let failure = lock(&self.checkpoint_failure).clone();
        failure.map_or(Ok(()), |reason| Err(Error::unavailable(reason)))
    }

    fn tell(&self, checkpoint: &Checkpoint) {
        *lock(&self.checkpoint) = Some(checkpoint.clone());
        for listener in &lock(&self.listeners).0 {
            listener(checkpoint);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Listener = Box<dyn Fn(&Checkpoint) + Send>;

#[derive(Default)]
struct Listeners(Vec<Listener>);

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} listeners", self.0.len())
    }
}

struct LastHandle(Arc<Shared>);

impl Drop for LastHandle {
    fn drop(&mut self) {
        // An error means that it is closed already.
        drop(self.0.queue.command(Job::Close(None)));
    }
}
