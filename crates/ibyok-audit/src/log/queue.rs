//! The queue of jobs for the writer.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::error::Error;
use crate::line::Prepared;
use crate::receipt::Receipt;

/// The largest number of events in the queue. Further events wait outside it, up to their deadline.
pub(super) const ROOM: usize = 4096;

pub(super) enum Job {
    /// A line, and the caller that waits for it.
    Line(Prepared, Option<oneshot::Sender<Result<Receipt, Error>>>),
    /// Answer when everything before it is written.
    Flush(oneshot::Sender<Result<(), Error>>),
    /// Begin again after a failure.
    Reopen(oneshot::Sender<Result<(), Error>>),
    /// Write the last line and end.
    Close(Option<oneshot::Sender<Result<(), Error>>>),
}

/// Many tasks put, one thread takes everything there is.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
    room: Semaphore,
}

#[derive(Default)]
struct Inner {
    jobs: Vec<Job>,
    idle: bool,
    closed: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("jobs", &self.jobs.len())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            ready: Condvar::new(),
            room: Semaphore::new(ROOM),
        }
    }

    /// Puts a line in when there is room. Dropping the future before that puts in nothing.
    pub(super) async fn put(
        &self,
        line: Prepared,
        reply: oneshot::Sender<Result<Receipt, Error>>,
    ) -> Result<(), Error> {
        // `take` gives the permit back when the line leaves the queue.
        self.room.acquire().await.map_err(|_| Error::Closed)?.forget();
        self.command(Job::Line(line, Some(reply)))
    }

    /// Puts in a line for which no task waits. Returns true if there was room.
    pub(super) fn try_put(&self, line: Prepared) -> bool {
        let Ok(room) = self.room.try_acquire() else {
            return false;
        };
        room.forget();
        self.command(Job::Line(line, None)).is_ok()
    }

    pub(super) fn command(&self, job: Job) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Error::Closed);
        }
        // Under the same lock as the push: no job may come behind the last line.
        inner.closed = matches!(job, Job::Close(_));
        inner.jobs.push(job);
        // A busy writer takes the job on its next turn, without a wake-up.
        if mem::take(&mut inner.idle) {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Takes everything that waits, in order, into an empty `jobs`. Comes back without anything after `wait`.
    pub(super) fn take(&self, jobs: &mut Vec<Job>, wait: Option<Duration>) {
        let mut inner = self.lock();
        if inner.jobs.is_empty() {
            inner.idle = true;
            inner = match wait {
                None => self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    self.ready
                        .wait_timeout(inner, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            // A wake-up by time leaves the flag set, and the next job would notify nobody.
            inner.idle = false;
        }
        // Swapped, so that the lock is held for a moment and both vectors keep their memory.
        mem::swap(&mut inner.jobs, jobs);
        drop(inner);
        self.room
            .add_permits(jobs.iter().filter(|job| matches!(job, Job::Line(..))).count());
    }

    /// Refuses every line from now on; returns the lines that still wait.
    pub(super) fn shut(&self) -> Vec<Job> {
        let mut inner = self.lock();
        inner.closed = true;
        // Tasks that wait for room then fail instead of waiting for a writer that is gone.
        self.room.close();
        mem::take(&mut inner.jobs)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
