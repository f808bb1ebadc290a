//! A sink that may fail or hang without holding anybody up.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::delays;
use super::lock;
use super::status::{Reports, SinkMode, SinkStatus};
use crate::error::Error;
use crate::sink::{Batch, Sink, SinkDescription};

/// The bytes of lines that wait for a slow sink, at most. Further lines are dropped and counted.
const ROOM: usize = 8 << 20;

/// The bytes of waiting batches that are joined into one: a slow sink catches up with fewer calls.
const JOINED: usize = 1 << 20;

/// A best-effort sink, on a thread of its own.
pub(super) struct BestEffort {
    pub(super) description: SinkDescription,
    backlog: Arc<Backlog>,
}

impl BestEffort {
    pub(super) fn start(sink: Box<dyn Sink>) -> Result<Self, Error> {
        let description = sink.describe();
        let backlog = Arc::new(Backlog::new(SinkStatus::new(description.clone(), SinkMode::BestEffort)));
        let of_thread = Arc::clone(&backlog);
        std::thread::Builder::new()
            .name("audit-sink".to_owned())
            .spawn(move || run(sink, &of_thread))
            .map_err(Error::io("start a thread for", description.name.as_ref()))?;
        Ok(Self { description, backlog })
    }

    /// Returns the sink's state, to be read by others.
    pub(super) fn reports(&self) -> Arc<dyn Reports> {
        Arc::clone(&self.backlog) as Arc<dyn Reports>
    }

    /// Queues a batch, or counts its lines as dropped if there is no room. Never waits for the sink. `copy` is the batch's bytes, made by
    /// the first sink that has room for them.
    pub(super) fn offer(&self, batch: &Batch<'_>, copy: &mut Option<Arc<[u8]>>) {
        let mut queue = self.backlog.lock();
        if queue.given_up || queue.bytes + batch.bytes().len() > ROOM {
            queue.drop_lines(batch.count());
            return;
        }
        let bytes = Arc::clone(copy.get_or_insert_with(|| batch.bytes().into()));
        queue.add(Piece {
            bytes,
            first_seq: batch.first_seq(),
            count: batch.count(),
        });
        drop(queue);
        self.backlog.changed.notify_all();
    }

    /// Returns the number of lines dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.backlog.lock().untold)
    }

    /// Waits until the sink has every line, at most until `by`, and not for a sink that fails. The lines that it still lacks count as
    /// dropped, and it gets no further ones.
    pub(super) fn settle(&self, by: Instant) {
        let mut queue = self
            .backlog
            .wait_until(by, |queue| queue.lines > 0 && !queue.is_failing() && !queue.ended);
        if queue.lines > 0 {
            queue.give_up();
        }
        drop(queue);
        self.backlog.changed.notify_all();
    }

    /// Ends the sink, and waits for that at most until `by`.
    pub(super) fn end(&self, by: Instant) {
        self.settle(by);
        self.backlog.lock().ending = true;
        self.backlog.changed.notify_all();
        drop(self.backlog.wait_until(by, |queue| !queue.ended && !queue.given_up));
    }
}

impl Drop for BestEffort {
    fn drop(&mut self) {
        self.backlog.lock().ending = true;
        self.backlog.changed.notify_all();
    }
}

/// The lines that wait for the sink, and the state of the sink.
#[derive(Debug)]
struct Backlog {
    queue: Mutex<Backed>,
    changed: Condvar,
}

#[derive(Debug)]
struct Backed {
    status: SinkStatus,
    waiting: VecDeque<Piece>,
    /// The bytes of the waiting pieces.
    bytes: usize,
    /// The lines that the sink did not acknowledge: those that wait, and those of the call under way.
    lines: u64,
    /// The dropped lines that no `log.gap` line has counted.
    untold: u64,
    /// True once no further line comes.
    ending: bool,
    /// True once the sink gets no further line, and the lines that it lacked are counted.
    given_up: bool,
    /// True once the sink's thread has ended.
    ended: bool,
}

impl Backed {
    fn add(&mut self, piece: Piece) {
        self.bytes += piece.bytes.len();
        self.lines += piece.count;
        self.waiting.push_back(piece);
    }

    fn drop_lines(&mut self, count: u64) {
        self.untold += count;
        self.status.dropped += count;
    }

    fn give_up(&mut self) {
        self.drop_lines(self.lines);
        (self.lines, self.bytes, self.given_up) = (0, 0, true);
        self.waiting.clear();
    }

    fn is_failing(&self) -> bool {
        self.status.failure.is_some()
    }

    /// Takes the oldest waiting lines: one batch, or several that follow each other.
    fn take(&mut self) -> Option<Piece> {
        let mut first = self.waiting.pop_front()?;
        self.bytes -= first.bytes.len();
        let mut joined: Option<Vec<u8>> = None;
        while let Some(next) = self.waiting.front() {
            let length = joined.as_ref().map_or(first.bytes.len(), Vec::len);
            if next.first_seq != first.first_seq + first.count || length + next.bytes.len() > JOINED {
                break;
            }
            joined
                .get_or_insert_with(|| first.bytes.to_vec())
                .extend_from_slice(&next.bytes);
            first.count += next.count;
            self.bytes -= next.bytes.len();
            self.waiting.pop_front();
        }
        if let Some(joined) = joined {
            first.bytes = joined.into();
        }
        Some(first)
    }
}

impl Backlog {
    fn new(status: SinkStatus) -> Self {
        Self {
            queue: Mutex::new(Backed {
                status,
                waiting: VecDeque::new(),
                bytes: 0,
                lines: 0,
                untold: 0,
                ending: false,
                given_up: false,
                ended: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Backed> {
        lock(&self.queue)
    }

    /// Waits for the next lines. `None` at the end.
    fn next(&self) -> Option<Piece> {
        let idle = |queue: &mut Backed| queue.waiting.is_empty() && !queue.ending && !queue.given_up;
        let queue = self.changed.wait_while(self.lock(), idle);
        queue.unwrap_or_else(PoisonError::into_inner).take()
    }

    fn wait_until(&self, by: Instant, waits: impl Fn(&Backed) -> bool) -> MutexGuard<'_, Backed> {
        let time = by.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), time, |queue| waits(queue));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Gives the sink lines until it has them, or until there is no point in it.
    fn deliver(&self, sink: &mut dyn Sink, piece: &Piece) {
        let mut delays = delays::of_best_effort();
        let batch = Batch::new(&piece.bytes, piece.first_seq, piece.count);
        loop {
            let Err(error) = sink.write(&batch).and_then(|()| sink.sync()) else {
                return self.delivered(piece.count);
            };
            let delay = match &error {
                Error::Rejected { .. } => None,
                _ => delays.next(),
            };
            if !self.failed(&error, piece.count, delay) {
                return;
            }
        }
    }

    fn delivered(&self, count: u64) {
        let mut queue = self.lock();
        queue.status.failure = None;
        // The lines of a sink that was given up are counted already.
        queue.lines = queue.lines.saturating_sub(count);
        drop(queue);
        self.changed.notify_all();
    }

    /// Waits for the next attempt. Returns false if there is none.
    fn failed(&self, error: &Error, count: u64, delay: Option<Duration>) -> bool {
        let mut queue = self.lock();
        queue.status.failure = Some(error.chain());
        if queue.given_up {
            return false;
        }
        let Some(delay) = delay.filter(|_| !queue.ending) else {
            queue.lines = queue.lines.saturating_sub(count);
            queue.drop_lines(count);
            drop(queue);
            self.changed.notify_all();
            return false;
        };
        self.changed.notify_all();
        let slept = self
            .changed
            .wait_timeout_while(queue, delay, |queue| !queue.ending && !queue.given_up);
        let queue = slept.unwrap_or_else(PoisonError::into_inner).0;
        !queue.given_up
    }
}

impl Reports for Backlog {
    fn status(&self) -> SinkStatus {
        let queue = self.lock();
        SinkStatus {
            waiting: queue.lines,
            ..queue.status.clone()
        }
    }
}

/// Lines on their way to a sink.
#[derive(Debug)]
struct Piece {
    bytes: Arc<[u8]>,
    first_seq: u64,
    count: u64,
}

fn run(mut sink: Box<dyn Sink>, backlog: &Backlog) {
    let _ended = Ended(backlog);
    while let Some(piece) = backlog.next() {
        backlog.deliver(sink.as_mut(), &piece);
    }
    // No caller is left that could use the error.
    drop(sink.close());
}

/// Says that the thread of a sink has ended, also if the sink panicked.
struct Ended<'a>(&'a Backlog);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.ended = true;
        if std::thread::panicking() {
            queue.status.failure = Some("the sink panicked".to_owned());
        }
        queue.give_up();
        drop(queue);
        self.0.changed.notify_all();
    }
}
