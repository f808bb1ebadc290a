//! The queue of lines and commands for the writer.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::group::Group;
use super::lines::Lines;
use super::lock;
use crate::error::Error;
use crate::line::Text;
use crate::statement::StoreMark;

/// The largest number of events in the queue. Further events wait outside it, up to their deadline.
pub(super) const ROOM: usize = 4096;

/// A command to the writer.
pub(super) enum Job {
    /// Answer when everything before it is written.
    Flush(oneshot::Sender<Result<(), Error>>),
    /// Begin again after a failure.
    Reopen(oneshot::Sender<Result<(), Error>>),
    /// Write the last line and end.
    Close(Option<oneshot::Sender<Result<(), Error>>>),
}

/// A line's place among the lines that are written together.
pub(super) struct Joined {
    pub(super) group: Arc<Group>,
    pub(super) index: usize,
    /// True if the caller writes the lines itself.
    pub(super) leads: bool,
}

/// Many tasks put, and one writer takes everything there is.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
    /// Notified when there is room again.
    pub(super) room: Notify,
}

#[derive(Default)]
struct Inner {
    lines: Lines,
    jobs: Vec<Job>,
    /// The callers whose lines are being written.
    writing: Option<Arc<Group>>,
    /// True if the writer's thread sleeps.
    idle: bool,
    closed: bool,
    /// True if a caller waits for room.
    full: bool,
    /// True if callers write the lines themselves. The thread is then called for everything else.
    inline: bool,
    /// True if the thread is to look, whatever it finds.
    called: bool,
    /// True if a caller left its lines to the one that was writing.
    left: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("lines", &self.lines.len())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn takes_a_line(&self) -> bool {
        !self.closed && self.lines.len() < ROOM
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            ready: Condvar::new(),
            room: Notify::new(),
        }
    }

    /// Puts in a line that a caller waits for since a tick of the watch; `None` if there is no room.
    pub(super) fn put(&self, line: Text<'_>, stated: Option<StoreMark>, since: u64) -> Result<Option<Joined>, Error> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(Error::Closed);
        }
        if !inner.takes_a_line() {
            inner.full = true;
            return Ok(None);
        }
        let first = inner.lines.group.is_none();
        let index = inner.lines.push(line, stated);
        let group = Arc::clone(inner.lines.group.get_or_insert_default());
        group.join(index, since);
        let leads = inner.inline && first;
        self.wake_for_lines(inner);
        Ok(Some(Joined { group, index, leads }))
    }

    /// Puts in a line that no caller waits for. Returns true if there was room.
    pub(super) fn put_unwaited(&self, line: Text<'_>, stated: Option<StoreMark>) -> bool {
        let mut inner = lock(&self.inner);
        if !inner.takes_a_line() {
            return false;
        }
        let first = inner.lines.is_empty();
        inner.lines.push(line, stated);
        // No caller leads this line, so the thread has to write it unless a caller comes first.
        inner.called |= first;
        self.wake(inner);
        true
    }

    pub(super) fn command(&self, job: Job) -> Result<(), Error> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(Error::Closed);
        }
        // Under the same lock as the push: nothing may come behind the last line.
        inner.closed = matches!(job, Job::Close(_));
        inner.jobs.push(job);
        self.wake(inner);
        Ok(())
    }

    /// Lets callers write lines themselves from now on, or leaves all lines to the thread.
    pub(super) fn write_inline(&self, inline: bool) {
        lock(&self.inner).inline = inline;
        self.call();
    }

    /// Calls the thread, whatever there is for it to do.
    pub(super) fn call(&self) {
        let mut inner = lock(&self.inner);
        inner.called = true;
        self.wake(inner);
    }

    /// Leaves the lines to the caller or the thread that is writing now.
    pub(super) fn leave(&self) {
        lock(&self.inner).left = true;
    }

    /// Returns true if lines were left to the one that has just written.
    pub(super) fn take_over(&self) -> bool {
        mem::take(&mut lock(&self.inner).left)
    }

    /// The number of bytes of the lines that wait; `None` if a command waits too.
    pub(super) fn only_lines(&self) -> Option<u64> {
        let inner = lock(&self.inner);
        inner.jobs.is_empty().then(|| inner.lines.bytes())
    }

    /// Takes the lines that wait into empty `lines`.
    pub(super) fn take_lines(&self, lines: &mut Lines) {
        let mut inner = lock(&self.inner);
        // Swapped, so that the lock is held for a moment and both buffers keep their memory.
        mem::swap(&mut inner.lines, lines);
        inner.writing.clone_from(&lines.group);
        inner.left = false;
        let full = mem::take(&mut inner.full);
        drop(inner);
        if full {
            self.room.notify_waiters();
        }
    }

    /// Takes everything that waits, in order, into empty `lines` and `jobs`.
    pub(super) fn take(&self, lines: &mut Lines, jobs: &mut Vec<Job>) {
        // Commands first: a flush answers for the lines that came before it, and these are taken after it.
        mem::swap(&mut lock(&self.inner).jobs, jobs);
        self.take_lines(lines);
    }

    /// Waits until there is something for the thread to do, or for so long.
    pub(super) fn wait(&self, wait: Option<Duration>) {
        let mut inner = lock(&self.inner);
        let has_lines = !inner.inline && !inner.lines.is_empty();
        if !has_lines && !inner.called && !inner.left && inner.jobs.is_empty() {
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
            // A wake-up by time leaves the flag set, and the next line would notify nobody.
            inner.idle = false;
        }
        inner.called = false;
    }

    /// Gives up the callers that have waited since this tick or longer. Returns true if some still wait.
    pub(super) fn give_up(&self, since: u64) -> bool {
        let inner = lock(&self.inner);
        let groups = [inner.writing.clone(), inner.lines.group.clone()];
        drop(inner);
        // Both are looked at: no early end.
        groups.iter().flatten().filter(|group| group.give_up(since)).count() > 0
    }

    /// Returns true if a caller waits for an answer.
    pub(super) fn waits(&self) -> bool {
        let inner = lock(&self.inner);
        let groups = [inner.writing.clone(), inner.lines.group.clone()];
        drop(inner);
        groups.iter().flatten().any(|group| group.waits())
    }

    /// Returns true if lines wait to be taken.
    pub(super) fn has_lines(&self) -> bool {
        !lock(&self.inner).lines.is_empty()
    }

    /// Refuses everything from now on; returns what still waits.
    pub(super) fn shut(&self) -> (Lines, Vec<Job>) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let left = (mem::take(&mut inner.lines), mem::take(&mut inner.jobs));
        drop(inner);
        // Tasks that wait for room then fail instead of waiting for a writer that is gone.
        self.room.notify_waiters();
        left
    }

    fn wake_for_lines(&self, inner: MutexGuard<'_, Inner>) {
        if !inner.inline {
            self.wake(inner);
        }
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        // A busy writer takes the line on its next turn, without a wake-up.
        let idle = mem::take(&mut inner.idle);
        // The thread that is woken needs the lock.
        drop(inner);
        if idle {
            self.ready.notify_one();
        }
    }
}
