//! The one thread that writes: it takes everything that waits, gives each line its place, writes and syncs once, and
//! answers all.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Shared;
use super::best_effort::BestEffort;
use super::keeper::{Keeper, Kept, Snapshot};
use super::queue::Job;
use crate::action::Action;
use crate::chain::Head;
use crate::error::Error;
use crate::event::Principal;
use crate::key::VerifyingKey;
use crate::line::Prepared;
use crate::line_key::LineKey;
use crate::receipt::Receipt;
use crate::sink::{Batch, Gap, GapKind, LogPlace, LogSink, Sink, SinkDurability};
use crate::statement::StoreMark;

/// The largest number of lines, and the longest time, that a log goes without a checkpoint.
const CHECKPOINT_LINES: u64 = 1000;
const CHECKPOINT_TIME: Duration = Duration::from_secs(1);

type Reply = oneshot::Sender<Result<Receipt, Error>>;
type Done = oneshot::Sender<Result<(), Error>>;

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) home: Box<dyn LogSink>,
    pub(super) required: Vec<Box<dyn Sink>>,
    pub(super) best_effort: Vec<BestEffort>,
    pub(super) keeper: Keeper,
    pub(super) lines: LineKey,
    pub(super) durability: SinkDurability,
    pub(super) principal: Principal,
    pub(super) clock: super::builder::OwnClock,
    pub(super) statement: super::builder::OwnStatement,
    pub(super) head: Head,
    /// The segment that is written to, as far as its beginning is signed or was never to be.
    pub(super) segment: u32,
    /// The newest state of the store that the lines state.
    pub(super) mark: StoreMark,
    pub(super) public_key: VerifyingKey,
    pub(super) poisoned: Option<String>,
    pub(super) refused: u64,
    /// The gaps that reopening found and could not write to the log yet.
    pub(super) untold: Vec<Gap>,
    pub(super) checkpointed: u64,
    pub(super) last_checkpoint: Instant,
    pub(super) last_gap: Option<Instant>,
    pub(super) bytes: Vec<u8>,
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
        self.write(&lines)?;
        // Until this stands beside the log, nothing tells these lines from some that were added to a log that nobody writes, and a
        // crash would begin again from the old state.
        self.checkpoint().wait();
        self.healthy()?;
        self.shared.checkpoint_kept()
    }

    /// Works until the log is closed.
    pub(super) fn run(mut self) {
        let mut jobs = Vec::new();
        loop {
            // An idle log without open lines waits for jobs alone, and costs no CPU.
            let wait = (self.head.size() > self.checkpointed)
                .then(|| CHECKPOINT_TIME.saturating_sub(self.last_checkpoint.elapsed()));
            self.shared.queue.take(&mut jobs, wait);
            let closing = self.work(&mut jobs);
            if let Some(reply) = closing {
                return self.end(reply);
            }
            self.checkpoint_if_due();
        }
    }

    /// Does all waiting jobs, lines first. Returns the reply channel of the request to close, if there was one.
    fn work(&mut self, jobs: &mut Vec<Job>) -> Option<Option<Done>> {
        let (mut lines, mut replies, mut others) = (
            Vec::with_capacity(jobs.len()),
            Vec::with_capacity(jobs.len()),
            Vec::new(),
        );
        for job in jobs.drain(..) {
            match job {
                Job::Line(line, reply) => {
                    lines.push(line);
                    replies.push(reply);
                }
                other => others.push(other),
            }
        }
        // Lines before flushes: a flush answers that everything which came before it is written.
        self.append(&lines, replies);
        let mut closing = None;
        for job in others {
            match job {
                Job::Flush(reply) => answer(reply, self.healthy()),
                Job::Reopen(reply) => {
                    let result = self.reopen();
                    answer(reply, result);
                }
                Job::Close(reply) => closing = Some(reply),
                Job::Line(..) => {}
            }
        }
        closing
    }

    fn append(&mut self, lines: &[Prepared], replies: Vec<Option<Reply>>) {
        if lines.is_empty() {
            return;
        }
        let gaps = self.dropped();
        // The gaps go before the waiting lines, because the events that they count were dropped before these arrived.
        let first = self.head.size() + 1 + gaps.len() as u64;
        let result = self.healthy().and_then(|()| match gaps.is_empty() {
            true => self.write(lines),
            false => self.write_with(&gaps, lines),
        });
        let failure = result.err().map(|error| error.chain());
        if self.poisoned.is_some() {
            self.refused += lines.len() as u64;
        } else {
            // A required sink that is not the home may fail and come back by itself.
            self.shared.set_failure(failure.clone());
        }
        for ((line, reply), seq) in lines.iter().zip(replies).zip(first..) {
            let Some(reply) = reply else { continue };
            let answered = match (&failure, &self.poisoned) {
                (None, _) => Ok(Receipt::new(line.ticket, seq, Arc::clone(&self.shared.log))),
                (Some(_), Some(reason)) => Err(Error::Poisoned { reason: reason.clone() }),
                (Some(reason), None) => Err(Error::unavailable(reason.clone())),
            };
            // A caller that no longer waits has nothing to release.
            drop(reply.send(answered));
        }
    }

    fn write_with(&mut self, gaps: &[Gap], lines: &[Prepared]) -> Result<(), Error> {
        let gaps: Vec<Prepared> = gaps.iter().map(|gap| self.gap(gap)).collect();
        let all: Vec<&Prepared> = gaps.iter().chain(lines).collect();
        self.write(&all)
    }

    /// Writes lines to every required sink and syncs as promised. On an error none of them counts as acknowledged.
    fn write<L: std::borrow::Borrow<Prepared>>(&mut self, lines: &[L]) -> Result<(), Error> {
        // A copy, because a failed write leaves the log at the old head until `reopen` has read the files.
        let mut head = self.head.clone();
        let first = head.size() + 1;
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        for line in lines {
            let start = bytes.len();
            line.borrow()
                .finish(&self.shared.log, &head, Some(&self.lines), &mut bytes);
            head.push(bytes.get(start..).unwrap_or_default());
            bytes.push(b'\n');
        }
        let result = self.send(&Batch::new(&bytes, first, lines.len() as u64), head);
        self.bytes = bytes;
        // Also of lines that only another sink refused: they are on the log.
        if self.poisoned.is_none() {
            let stated = lines.iter().filter_map(|line| line.borrow().stated);
            self.mark = stated.fold(self.mark, StoreMark::max);
        }
        result
    }

    fn send(&mut self, batch: &Batch<'_>, head: Head) -> Result<(), Error> {
        let synced = self.durability == SinkDurability::Synced;
        let mut kept = self.home.write(batch);
        // One sync for the whole batch. It takes as long as many appends, so a sync for each line would bound the rate.
        if kept.is_ok() && synced {
            kept = self.home.sync();
        }
        // The files may hold any part of the batch now, so nothing follows until `reopen` has read them.
        if let Err(error) = kept {
            self.poison(&error);
            return Err(error);
        }
        self.begin_segment();
        self.head = head;
        // Only after the home has the lines: readers of this number may look for each of them.
        self.shared.last_seq.store(self.head.size(), Ordering::Release);
        if !self.best_effort.is_empty() {
            let bytes: Arc<[u8]> = batch.bytes().into();
            self.best_effort
                .iter()
                .for_each(|sink| sink.offer(&bytes, batch.first_seq(), batch.count()));
        }
        let mut failure = None;
        for sink in &mut self.required {
            // Every required sink gets the batch, also after one failed. Otherwise the others would miss lines that the log has.
            failure = sink.write(batch).and_then(|()| sink.sync()).err().or(failure);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Has the beginning of a new segment signed: a reader can then begin there, and know that it reads the log's own lines.
    fn begin_segment(&mut self) {
        let place = self.home.place();
        if place.segment == self.segment {
            return;
        }
        self.segment = place.segment;
        if self.head.size() == 0 {
            return;
        }
        let (keeping, _) = Kept::new();
        let snapshot = Snapshot {
            head: self.head.clone(),
            beside: place.beside(),
            segment: place.segment,
            offset: 0,
            begins: true,
            mark: self.mark,
            _keeping: keeping,
        };
        // Without it a reader begins with an earlier segment.
        drop(self.keeper.snapshots.try_send(snapshot));
    }

    fn poison(&mut self, error: &Error) {
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
            return Ok(());
        }
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
        self.write(&lines)?;
        // Only after the write: if it fails, the next attempt still has the gaps to record.
        self.untold.clear();
        (self.poisoned, self.refused) = (None, 0);
        self.shared.set_failure(None);
        self.checkpoint().wait();
        Ok(())
    }

    fn checkpoint_if_due(&mut self) {
        let lines = self.head.size().saturating_sub(self.checkpointed);
        // Without synced batches a checkpoint costs an extra sync, so then only the time decides.
        let many = lines >= CHECKPOINT_LINES && self.durability == SinkDurability::Synced;
        if lines > 0 && (many || self.last_checkpoint.elapsed() >= CHECKPOINT_TIME) {
            drop(self.checkpoint());
        }
    }

    /// Hands the head of the log to the keeper. A checkpoint covers durable lines only, so this syncs if batches are
    /// not synced.
    fn checkpoint(&mut self) -> Kept {
        self.last_checkpoint = Instant::now();
        let (keeping, kept) = Kept::new();
        if self.poisoned.is_some() {
            return kept;
        }
        if self.durability != SinkDurability::Synced
            && let Err(error) = self.home.sync()
        {
            self.poison(&error);
            return kept;
        }
        let place = self.home.place();
        let snapshot = Snapshot {
            head: self.head.clone(),
            beside: place.beside(),
            segment: place.segment,
            offset: place.offset,
            begins: false,
            mark: self.mark,
            _keeping: keeping,
        };
        match self.keeper.snapshots.try_send(snapshot) {
            // Left as it was if the keeper is busy, so that the next turn tries again.
            Ok(()) => self.checkpointed = self.head.size(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
        kept
    }

    fn end(mut self, reply: Option<Done>) {
        let result = self.finish();
        // After the last line. A job that arrived meanwhile can no longer be written.
        let left = self.shared.queue.shut();
        // The jobs drop their reply channels, and so their callers get `Error::Closed`.
        drop(left);
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
        // Dropped events are counted now, even within the least time between two gap lines: no later line can do it.
        self.last_gap = None;
        let mut lines: Vec<Prepared> = self.dropped().iter().map(|gap| self.gap(gap)).collect();
        lines.push(Prepared::new(&self.session(Action::LogClose)));
        self.write(&lines)?;
        drop(self.checkpoint());
        let mut result = self.home.close();
        for sink in &mut self.required {
            result = result.and(sink.close());
        }
        result
    }
}

fn answer(reply: Done, result: Result<(), Error>) {
    // A caller that no longer waits need not know.
    drop(reply.send(result));
}
