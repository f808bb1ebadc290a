//! The log that a program appends to.

mod best_effort;
mod builder;
mod combine;
mod copies;
mod delays;
mod group;
mod keeper;
mod lines;
mod own;
mod queue;
mod required;
mod status;
mod thread;
mod watch;
mod writer;

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use self::combine::Combiner;
use self::copies::Copies;
use self::group::{Bell, Waiting, Written};
use self::queue::{Job, Joined, Queue};
use self::status::Reports;
use self::watch::Watch;
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::event::Event;
use crate::line::{self, Text};
use crate::receipt::Receipt;
use crate::sink::{SinkDescription, SinkDurability};
use crate::statement::StoreMark;

pub use builder::LogBuilder;
pub use status::{SinkMode, SinkStatus};

thread_local! {
    /// The text of the line that this thread is putting in.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The log that a program appends to: many tasks, one chain, one sync for all that wait.
///
/// A handle; clones are the same log. When the last one is dropped, the log still writes the waiting lines and closes
/// in its own time. [`Log::close`] waits for that and returns whether it worked.
///
/// Its methods need a tokio runtime with time enabled, and any runtime will do: the log belongs to none.
///
/// Where the sink says that a write is quick (`Sink::is_quick`), the first caller of a batch writes the batch itself and answers the others. A
/// thread of the log does everything else: syncs, rotations, checkpoints, failures and slow sinks.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    writer: Combiner,
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
    /// The call puts the event in, and the future waits. The event keeps the caller's `time`; the order of the log is `seq`. The future
    /// may be dropped at any time: the event is then on the log or not, and the chain is whole.
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a failed write or sync, until [`Log::reopen`]; [`Error::Unavailable`] when a sink
    /// refused it or the deadline has passed; [`Error::Closed`]. The line may still reach the log after the deadline.
    /// That does no harm: a line without a release reveals nothing.
    pub fn append<'l>(&'l self, event: Event<'_>) -> impl Future<Output = Result<Receipt, Error>> + use<'l> {
        let (ticket, stated) = (event.ticket, event.states.store_mark());
        // Before the future begins: an event is large, and a future that held it would be moved with it.
        let put = with_text(&event, |text| match self.put(text, stated) {
            Ok(Some(waiting)) => Ok(Ok(waiting)),
            // Only a line that finds no room is copied.
            Ok(None) => Ok(Err((text.text.to_owned(), text.time))),
            Err(error) => Err(error),
        });
        async move {
            let waiting = match put? {
                Ok(waiting) => waiting,
                Err((text, time)) => {
                    let room = self.put_when_there_is_room(Text { text: &text, time }, stated);
                    Box::pin(room).await?
                }
            };
            let index = waiting.index as u64;
            match self.written(waiting).await {
                Written::From(first) => Ok(Receipt::new(ticket, first + index, Arc::clone(&self.shared.log))),
                Written::Poisoned(reason) => Err(Error::Poisoned {
                    reason: reason.as_ref().to_owned(),
                }),
                Written::Refused(reason) => Err(Error::unavailable(reason.as_ref())),
                Written::Closed => Err(Error::Closed),
                Written::Late => Err(self.too_late()),
            }
        }
    }

    /// Puts a line in; `None` if there is no room.
    fn put(&self, line: Text<'_>, stated: Option<StoreMark>) -> Result<Option<Waiting<'_>>, Error> {
        let joined = self.shared.queue.put(line, stated, self.shared.watch.now())?;
        self.shared.watch.wake();
        // From here on a caller that goes away leaves its line to the thread.
        Ok(joined.map(|Joined { group, index, leads }| Waiting {
            shared: &self.shared,
            group,
            index,
            leads,
        }))
    }

    async fn put_when_there_is_room(&self, line: Text<'_>, stated: Option<StoreMark>) -> Result<Waiting<'_>, Error> {
        let put = async {
            loop {
                let room = self.shared.queue.room.notified();
                let mut room = std::pin::pin!(room);
                // Before the look: room that is made between the two still wakes this caller.
                room.as_mut().enable();
                if let Some(waiting) = self.put(line, stated)? {
                    return Ok(waiting);
                }
                room.await;
            }
        };
        let put = tokio::time::timeout(self.shared.deadline, put).await;
        put.map_err(|_| self.too_late())?
    }

    async fn written(&self, mut waiting: Waiting<'_>) -> Written {
        if waiting.leads {
            // Every task that is ready puts its line in first, and one write takes all of them.
            tokio::task::yield_now().await;
            self.writer.write_now(&self.shared);
            waiting.leads = false;
        }
        waiting.await
    }

    /// Appends an event with the next batch, without waiting. If the queue is full, the event is only counted, and a
    /// `log.gap` line gives the number of such events. For ends of changes and for refusals without a valid token.
    pub fn append_unwaited(&self, event: Event<'_>) {
        let stated = event.states.store_mark();
        if !with_text(&event, |text| self.shared.queue.put_unwaited(text, stated)) {
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
    /// torn end aside. It writes `log.gap` lines that count the missing lines and the refused events. If a required
    /// sink failed, and not the log itself, it delivers the pending lines to that sink. Does nothing to a log that
    /// has not failed.
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

    /// Returns true if the log is kept in a [`Home`](crate::Home), and its directory is a copy.
    #[must_use]
    pub fn is_in_home(&self) -> bool {
        self.shared.home.is_some()
    }

    /// Returns the status of the log.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        let shared = &self.shared;
        LogStatus {
            id: shared.log.to_string(),
            place: shared.root.clone(),
            home: shared.home.clone(),
            slot: shared.slot,
            sinks: shared.sinks.clone(),
            further: shared.further.iter().map(|sink| sink.status()).collect(),
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
    /// The description of the home that the directory is a copy of, if it is one.
    pub home: Option<String>,
    /// Its slot there.
    pub slot: u32,
    /// The sinks that receive lines, the required sinks first.
    pub sinks: Vec<SinkDescription>,
    /// The state of each sink besides the home, the required sinks first.
    pub further: Vec<SinkStatus>,
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
    bell: Bell,
    watch: Watch,
    log: Arc<str>,
    root: PathBuf,
    home: Option<String>,
    copies: Option<Copies>,
    directory: PathBuf,
    slot: u32,
    sinks: Vec<SinkDescription>,
    further: Vec<Arc<dyn Reports>>,
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

/// Calls `put` with the text of an event, which is in a buffer of this thread.
fn with_text<T>(event: &Event<'_>, put: impl FnOnce(Text<'_>) -> T) -> T {
    TEXT.with_borrow_mut(|text| {
        text.clear();
        let time = line::write(event, text);
        put(Text { text, time })
    })
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
