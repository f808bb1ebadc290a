//! The writer: it takes everything that waits, gives each line its place, writes and syncs once, and answers all.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Shared;
use super::best_effort::BestEffort;
use super::group::{Group, Written};
use super::keeper::Keeper;
use super::lines::Lines;
use super::queue::Job;
use super::required::Required;
use crate::action::Action;
use crate::chain::{Head, hash};
use crate::error::Error;
use crate::event::Principal;
use crate::key::VerifyingKey;
use crate::line::{Place, Prepared};
use crate::line_key::LineKey;
use crate::sink::{Batch, Gap, GapKind, LogPlace, LogSink, SinkDurability};
use crate::statement::StoreMark;
use crate::tree::Hash;

/// The time of a sync after which the disk may hang: from then on only the thread writes, so that no write holds up a runtime.
const LONG_SYNC: Duration = Duration::from_millis(100);

/// The time of a write after which the disk may hang, and the time for which only the thread writes then.
const SLOW: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_secs(1);

/// The time that the end of a log waits for best-effort sinks, so that the lines of a short command arrive.
const LAST_LINES: Duration = Duration::from_millis(1500);

pub(super) type Done = oneshot::Sender<Result<(), Error>>;

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) home: Box<dyn LogSink>,
    pub(super) required: Vec<Required>,
    pub(super) best_effort: Vec<BestEffort>,
    pub(super) keeper: Keeper,
    pub(super) lines: LineKey,
    pub(super) durability: SinkDurability,
    pub(super) principal: Principal<'static>,
    pub(super) clock: super::builder::OwnClock,
    pub(super) statement: super::builder::OwnStatement,
    /// The lines on the log, without those of the batch in `bytes` as long as `ahead` is set.
    pub(super) head: Head,
    /// The hash of the last line of the batch in `bytes`, which the head has yet to take in.
    pub(super) ahead: Option<Hash>,
    /// The segment that is written to, as far as its beginning is signed or was never to be.
    pub(super) segment: u32,
    /// The newest state of the store that the lines state.
    pub(super) mark: StoreMark,
    pub(super) public_key: VerifyingKey,
    pub(super) poisoned: Option<String>,
    /// The events that did not get on the log: it had failed, or a required sink lacked the lines before them.
    pub(super) refused: u64,
    /// The gaps that could not be written to the log yet.
    pub(super) untold: Vec<Gap>,
    pub(super) checkpointed: u64,
    pub(super) last_checkpoint: Instant,
    pub(super) last_gap: Option<Instant>,
    /// The last batch.
    pub(super) bytes: Vec<u8>,
    /// An empty buffer, for the lines that come while a batch is written.
    pub(super) spare: Lines,
    /// The beginning of a sync that the thread makes while callers write.
    pub(super) syncing: Option<Instant>,
    /// The last write of a caller, if it was slow.
    pub(super) slow: Option<Instant>,
    /// True while a sink writes: still true at the next write if the sink panicked.
    pub(super) writing: bool,
}

impl Writer {
    /// The first lines of a session: its beginning, and the gaps found.
    pub(super) fn begin(&mut self, place: &LogPlace) -> Result<(), Error> {
        let detail = format!(
            "slot {}, process {}, ibyok-audit {}",
            place.slot(),
            std::process::id(),
            env!("CARGO_PKG_VERSION")
        );
        // The first line tells which process wrote the lines behind it, so a reader can relate them to the program's own log.
        let mut lines = vec![Prepared::new(&self.session(Action::LogOpen).reason(detail))];
        lines.extend(place.gaps().iter().map(|gap| self.gap(gap)));
        self.write(&lines, &Lines::default())?;
        // Until this stands beside the log, nothing tells these lines from some that were added to a log that nobody writes, and a
        // crash would begin again from the old state.
        self.checkpoint().wait();
        self.healthy()?;
        self.shared.checkpoint_kept()
    }

    /// Returns true if lines of so many bytes may be written on a thread of a runtime.
    pub(super) fn is_quick(&self, bytes: u64) -> bool {
        let hangs = self.syncing.is_some_and(|since| since.elapsed() > LONG_SYNC);
        let slow = self.slow.is_some_and(|at| at.elapsed() < REST);
        self.can_be_quick() && self.poisoned.is_none() && !hangs && !slow && self.home.is_quick(bytes)
    }

    /// Returns true if no write waits for a sync or another sink.
    pub(super) fn can_be_quick(&self) -> bool {
        self.durability == SinkDurability::Written && self.required.is_empty()
    }

    /// Writes the lines that wait and wakes their callers, on a thread of their runtime. Returns true if these are the first lines since
    /// a checkpoint.
    pub(super) fn append_now(&mut self) -> bool {
        let (begun, begins) = (Instant::now(), self.head.size() <= self.checkpointed);
        let mut lines = mem::take(&mut self.spare);
        self.shared.queue.take_lines(&mut lines);
        if let Some(group) = self.append(&mut lines) {
            group.wake();
        }
        self.spare = lines;
        self.grow();
        self.slow = (begun.elapsed() > SLOW).then_some(begun);
        begins
    }

    /// Does all waiting jobs, lines first. Returns the reply channel of the request to close, if there was one.
    pub(super) fn work(&mut self, lines: &mut Lines, jobs: &mut Vec<Job>) -> Option<Option<Done>> {
        // Lines before flushes: a flush answers that everything which came before it is written.
        if let Some(group) = self.append(lines) {
            self.shared.bell.ring(group);
        }
        self.grow();
        let mut closing = None;
        for job in jobs.drain(..) {
            match job {
                Job::Flush(reply) => answer(reply, self.healthy()),
                Job::Reopen(reply) => {
                    let result = self.reopen();
                    answer(reply, result);
                }
                Job::Close(reply) => closing = Some(reply),
            }
        }
        closing
    }

    /// Writes lines and answers their callers, which are still to be woken. The lines are empty afterwards.
    fn append(&mut self, lines: &mut Lines) -> Option<Arc<Group>> {
        if lines.is_empty() {
            return None;
        }
        self.grow();
        let ready = self.healthy().and_then(|()| self.settle());
        let is_ready = ready.is_ok();
        let gaps = if is_ready { self.dropped() } else { Vec::new() };
        // The gaps go before the waiting lines, because the events that they count were dropped before these arrived.
        let first = self.head.size() + 1 + gaps.len() as u64;
        let result = ready.and_then(|()| {
            let own: Vec<Prepared> = gaps.iter().map(|gap| self.gap(gap)).collect();
            self.write(&own, lines)
        });
        let failure = result.err().map(|error| error.chain());
        if self.poisoned.is_some() || !is_ready {
            self.refused += lines.len() as u64;
        }
        if self.poisoned.is_some() {
            self.untold.extend(gaps);
        } else {
            // A required sink that is not the home may fail and come back by itself.
            self.shared.set_failure(failure.clone());
        }
        let group = lines.group.take().inspect(|group| {
            group.answer(match (failure, &self.poisoned) {
                (None, _) => Written::From(first),
                (Some(_), Some(reason)) => Written::Poisoned(reason.as_str().into()),
                (Some(reason), None) => Written::Refused(reason.into()),
            });
        });
        lines.clear();
        group
    }

    /// Writes lines, the log's own first, to every required sink and syncs as promised. On an error none of them counts as acknowledged.
    fn write(&mut self, own: &[Prepared], lines: &Lines) -> Result<(), Error> {
        self.grow();
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        let first = self.head.size() + 1;
        // Not the head's own: a failed write leaves the log at the old head until `reopen` has read the files.
        let mut prev = *self.head.prev();
        let texts = own.iter().map(Prepared::text).chain(lines.iter());
        for (text, seq) in texts.zip(first..) {
            let start = bytes.len();
            let log = &self.shared.log;
            text.finish(&Place { log, seq, prev: &prev }, Some(&self.lines), &mut bytes);
            prev = hash(bytes.get(start..).unwrap_or_default());
            bytes.push(b'\n');
        }
        let count = (own.len() + lines.len()) as u64;
        let result = self.send(&Batch::new(&bytes, first, count), prev);
        self.bytes = bytes;
        // Also of lines that only another sink refused: they are on the log.
        if self.poisoned.is_none() {
            let stated = own.iter().filter_map(|line| line.stated).chain(lines.stated);
            self.mark = stated.fold(self.mark, StoreMark::max);
        }
        result
    }

    fn send(&mut self, batch: &Batch<'_>, prev: Hash) -> Result<(), Error> {
        // The files may hold any part of a batch at which a sink panicked.
        let kept = match mem::replace(&mut self.writing, true) {
            false => self.keep(batch),
            true => Err(Error::unavailable("writing was interrupted")),
        };
        self.writing = false;
        // The files may hold any part of the batch now, so nothing follows until `reopen` has read them.
        if let Err(error) = kept {
            self.poison(&error);
            return Err(error);
        }
        if self.home.segment() != self.segment {
            self.begin_segment();
        }
        self.ahead = Some(prev);
        // Only after the home has the lines: readers of this number may look for each of them.
        let last = batch.first_seq() + batch.count() - 1;
        self.shared.last_seq.store(last, Ordering::Release);
        let mut copy = None;
        self.best_effort.iter().for_each(|sink| sink.offer(batch, &mut copy));
        let mut failure = None;
        for sink in &mut self.required {
            // Every required sink gets the batch, also after one failed. Otherwise the others would miss lines that the log has.
            failure = sink.deliver(batch).err().or(failure);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Delivers the lines that required sinks lack. Until they have them, no further line gets on the log: a line that the log has and a
    /// required sink never gets would look like one that was taken away there.
    fn settle(&mut self) -> Result<(), Error> {
        let mut failure = None;
        for sink in &mut self.required {
            failure = sink.settle().err().or(failure);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Writes a batch to the home, and syncs it if the log promises that.
    fn keep(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.home.write(batch)?;
        match self.durability {
            // One sync for the whole batch. It takes as long as many appends, so a sync for each line would bound the rate.
            SinkDurability::Synced => self.home.sync(),
            _ => Ok(()),
        }
    }

    /// Takes the last batch into the tree. Its callers need not wait for these hashes, which only checkpoints need.
    pub(super) fn grow(&mut self) {
        let Some(prev) = self.ahead.take() else { return };
        self.head.grow(Batch::new(&self.bytes, 0, 0).lines(), prev);
    }

    pub(super) fn poison(&mut self, error: &Error) {
        let reason = error.chain();
        self.shared.set_failure(Some(reason.clone()));
        self.poisoned = Some(reason);
    }

    fn healthy(&self) -> Result<(), Error> {
        self.poisoned
            .as_ref()
            .map_or(Ok(()), |reason| Err(Error::Poisoned { reason: reason.clone() }))
    }

    fn reopen(&mut self) -> Result<(), Error> {
        if self.poisoned.is_none() {
            return self.resume();
        }
        self.settle()?;
        self.grow();
        // The acknowledged head goes along: the files must hold at least the lines that released something.
        self.home.reopen(&self.head)?;
        let place = self.home.place();
        // The directory may be a new one.
        place.beside().write_public_key(&self.public_key)?;
        self.head = place.head.clone();
        self.segment = if place.offset > 0 { place.segment } else { 0 };
        for gap in place.gaps {
            if !self.untold.contains(&gap) {
                self.untold.push(gap);
            }
        }
        let mut lines: Vec<Prepared> = self.untold.iter().map(|gap| self.gap(gap)).collect();
        if self.refused > 0 {
            let why = self.poisoned.clone().unwrap_or_default();
            lines.push(self.gap(&Gap::new(GapKind::Refused, self.refused, why)));
        }
        self.write(&lines, &Lines::default())?;
        // Only after the write: if it fails, the next attempt still has the gaps to record.
        self.untold.clear();
        (self.poisoned, self.refused) = (None, 0);
        self.shared.set_failure(None);
        self.checkpoint().wait();
        Ok(())
    }

    /// Goes on after the failure of a required sink, without waiting for the next event.
    fn resume(&mut self) -> Result<(), Error> {
        self.settle()?;
        if self.refused > 0 {
            self.last_gap = None;
            let gaps = self.dropped();
            let own: Vec<Prepared> = gaps.iter().map(|gap| self.gap(gap)).collect();
            self.write(&own, &Lines::default())?;
        }
        self.shared.set_failure(None);
        Ok(())
    }

    /// Writes the last line, and ends everything that belongs to the log.
    pub(super) fn end(mut self, reply: Option<Done>) {
        let result = self.finish();
        // After the last line. A line that arrived meanwhile can no longer be written.
        let (left, jobs) = self.shared.queue.shut();
        // The jobs drop their reply channels, and so their callers get `Error::Closed`.
        drop(jobs);
        if let Some(group) = left.group {
            group.answer(Written::Closed);
            group.wake();
        }
        self.shared.watch.end();
        let Self { keeper, home, .. } = self;
        drop(keeper.snapshots);
        // The lock goes only when the last checkpoint is beside the log.
        let joined = keeper
            .thread
            .join()
            .map_err(|_| Error::unavailable("the last checkpoint was not written"));
        drop(home);
        if let Some(reply) = reply {
            answer(reply, result.and(joined));
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.healthy()?;
        let settled = self.settle();
        let by = Instant::now() + LAST_LINES;
        self.best_effort.iter().for_each(|sink| sink.settle(by));
        // Dropped events are counted now, even within the least time between two gap lines: no later line can do it.
        self.last_gap = None;
        let gaps = self.dropped();
        let mut lines: Vec<Prepared> = gaps.iter().map(|gap| self.gap(gap)).collect();
        lines.push(Prepared::new(&self.session(Action::LogClose)));
        // Also if a required sink fails: the line releases nothing, and the home shows that the session ended in good order.
        let written = self.write(&lines, &Lines::default());
        self.healthy()?;
        drop(self.checkpoint());
        let mut result = settled.and(written).and(self.home.close());
        for sink in &mut self.required {
            result = result.and(sink.close());
        }
        self.best_effort.iter().for_each(|sink| sink.end(by));
        result
    }
}

fn answer(reply: Done, result: Result<(), Error>) {
    // A caller that no longer waits need not know.
    drop(reply.send(result));
}
