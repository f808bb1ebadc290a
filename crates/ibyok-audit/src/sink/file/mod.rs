//! A log in a directory.
//!
//! ```text
//! PLACE/slot-0/lock                  locked by the writer
//!              id                    the log's id
//!              log.pub               the public half of its key
//!              audit-00000001.log    lines; the tail of the last segment may be NULs
//!              checkpoints           signed notes, oldest first
//!              state                 how the log stood at the last checkpoint
//!              torn-1-4096           a last write that a crash had cut, moved aside
//! PLACE/slot-1/…                     the log of a second process beside the first
//! ```

mod recover;
mod segment;
mod signed;
mod slot;
pub(crate) mod state;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use self::recover::{Recovered, recover};
use self::segment::{Segment, numbers};
use self::slot::Slot;
pub use self::slot::{begun_logs_in, is_written};
use super::{Batch, Durability, Gap, GapKind, Place, Sink, SinkDescription};
use crate::chain::Head;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line_key::LineKey;
use crate::read::store_mark;
use crate::statement::StoreMark;

pub(crate) use self::state::{State, append_notes, public_key, write_public_key};

/// A log in a directory of its own, kept in segments: the sink that a log is continued from.
///
/// The directory (mode 0700) is made if its parent exists. Within it a process takes the first free slot and holds its
/// lock until the sink is dropped; a slot's log outlives processes.
#[derive(Debug)]
pub struct FileSink {
    settings: Settings,
    slot: Slot,
    segment: Segment,
    head: Head,
    public_key: Option<VerifyingKey>,
    last_time: Option<Timestamp>,
    gaps: Vec<Gap>,
    signed: u64,
    mark: StoreMark,
    lines: Option<LineKey>,
}

/// How a [`FileSink`] is to be.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is opened"]
pub struct FileSinkBuilder {
    settings: Settings,
}

#[derive(Debug, Clone)]
struct Settings {
    root: PathBuf,
    durability: Durability,
    zero_fill: bool,
    segment_bytes: u64,
    pass_over: Vec<String>,
}

impl Settings {
    /// Zeros are written ahead only where each batch is synced: they keep the sync from being about more than data.
    fn fills(&self) -> bool {
        self.zero_fill && self.durability == Durability::Synced
    }
}

impl FileSink {
    /// The log in this directory, with the usual settings. Call it within a tokio runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path).open().await
    }

    /// Settings for the log in this directory: synced, zero-filled, segments of 64 MiB.
    pub fn builder(path: impl AsRef<Path>) -> FileSinkBuilder {
        let root = path.as_ref().to_owned();
        let settings = Settings {
            root,
            durability: Durability::Synced,
            zero_fill: true,
            segment_bytes: 64 << 20,
            pass_over: Vec::new(),
        };
        FileSinkBuilder { settings }
    }

    /// The first free log of the same place that is none of these, with the same settings; this one is free again. Call it within a tokio
    /// runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open`].
    pub async fn passing_over(self, logs: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let settings = self.settings.clone();
        drop(self);
        FileSinkBuilder { settings }.pass_over(logs).open().await
    }

    /// How the log stands.
    #[must_use]
    pub fn state(&self) -> Place {
        Place {
            log: self.slot.log.clone(),
            head: self.head.clone(),
            root: self.settings.root.clone(),
            directory: self.slot.directory.clone(),
            slot: self.slot.number,
            segment: self.segment.number(),
            offset: self.segment.end(),
            public_key: self.public_key.clone(),
            last_time: self.last_time,
            gaps: self.gaps.clone(),
            signed: self.signed,
            mark: self.mark,
        }
    }

    fn from_slot(settings: Settings, slot: Slot) -> Result<Self, Error> {
        let public_key = public_key(&slot.directory)?;
        let found = recover(&slot.directory, &slot.log, public_key.as_ref(), None)?;
        let segment = open_segment(&settings, &slot, &found)?;
        rewrite_tail(&segment, &found)?;
        let Recovered {
            head,
            last_time,
            gaps,
            signed,
            mark,
            ..
        } = found;
        Ok(Self {
            settings,
            slot,
            segment,
            head,
            public_key,
            last_time,
            gaps,
            signed,
            mark,
            lines: None,
        })
    }

    fn read_public_key(&mut self) -> Result<(), Error> {
        let key = public_key(&self.slot.directory)?;
        self.public_key = match &self.lines {
            Some(lines) => key.map(|key| key.with_lines(lines.clone())),
            None => key,
        };
        Ok(())
    }

    /// Goes on in a new segment from what was acknowledged, because the files do not hold it any more.
    fn go_on_without(&mut self, head: &Head, why: &str) -> Result<(), Error> {
        if !self.slot.is_still_there() {
            self.slot = Slot::make_for(&self.settings.root, &self.slot.log)?;
        }
        let number = numbers(&self.slot.directory)?.last().map_or(1, |last| last + 1);
        self.segment = Segment::create(&self.slot.directory, number, self.settings.fills())?;
        self.head = head.clone();
        self.gaps = vec![Gap::new(GapKind::Missing, 0, why)];
        Ok(())
    }

    fn adopt(&mut self, found: Recovered) -> Result<(), Error> {
        self.segment = open_segment(&self.settings, &self.slot, &found)?;
        rewrite_tail(&self.segment, &found)?;
        (self.head, self.gaps) = (found.head, found.gaps);
        self.last_time = found.last_time.or(self.last_time);
        Ok(())
    }
}

/// Writes what no checkpoint covers once more, and syncs it: a failed sync, also of a process that is gone, may have left pages
/// marked clean that are not on the disk.
fn rewrite_tail(segment: &Segment, found: &Recovered) -> Result<(), Error> {
    let same = found.start.0 == found.segment;
    segment.rewrite(if same { found.start.1 } else { 0 })
}

impl FileSinkBuilder {
    /// [`Durability::Synced`] (the default) or [`Durability::Written`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// Whether segments are filled with zeros ahead of the lines, so that a sync writes nothing but data. On unless said
    /// otherwise; turn it off for other tools that follow the file.
    pub fn zero_fill(mut self, zero_fill: bool) -> Self {
        self.settings.zero_fill = zero_fill;
        self
    }

    /// How large a segment grows before the next one begins, in bytes; at least 4,096.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.settings.segment_bytes = bytes.max(4096);
        self
    }

    /// Logs whose slots are left alone, by their ids: those of somebody else.
    pub fn pass_over(mut self, logs: impl IntoIterator<Item = String>) -> Self {
        self.settings.pass_over.extend(logs);
        self
    }

    /// Takes a slot and finds the end of its log, off the runtime's threads. Call it within a tokio runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open_blocking`].
    pub async fn open(self) -> Result<FileSink, Error> {
        tokio::task::spawn_blocking(|| self.open_blocking())
            .await
            .map_err(|_| Error::unavailable("opening it was cut short"))?
    }

    /// Takes a slot and finds the end of its log.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] when something else is there, [`Error::NoFreeSlot`], [`Error::Damaged`] when the files do
    /// not fit together and there is no checkpoint to go on from, [`Error::Io`].
    pub fn open_blocking(self) -> Result<FileSink, Error> {
        let slot = Slot::take(&self.settings.root, &self.settings.pass_over)?;
        FileSink::from_slot(self.settings, slot)
    }
}

impl Sink for FileSink {
    fn describe(&self) -> SinkDescription {
        let name = format!("file {}", self.settings.root.display());
        SinkDescription::new(name, self.settings.durability)
    }

    fn durable(&self) -> bool {
        true
    }

    fn place(&self) -> Option<Place> {
        Some(self.state())
    }

    fn believe(&mut self, key: &LineKey) -> Result<(), Error> {
        self.lines = Some(key.clone());
        self.read_public_key()?;
        let Some(public) = self.public_key.clone() else {
            return Ok(());
        };
        let found = recover(&self.slot.directory, &self.slot.log, Some(&public), None)?;
        if found.head != self.head {
            let mut gaps = std::mem::take(&mut self.gaps);
            gaps.retain(|gap| gap.kind != GapKind::Broken);
            self.signed = found.signed;
            self.adopt(found)?;
            self.gaps.splice(0..0, gaps);
        }
        self.mark = store_mark(&self.slot.directory, &public)?;
        Ok(())
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.segment.check()?;
        let full = self.segment.end() + batch.bytes().len() as u64 > self.settings.segment_bytes;
        if full && self.segment.end() > 0 {
            self.segment.finish()?;
            let next = self.segment.number() + 1;
            self.segment = Segment::create(&self.slot.directory, next, self.settings.fills())?;
        }
        self.segment.append(batch.bytes())
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.segment.sync()
    }

    fn reopen(&mut self, head: &Head) -> Result<(), Error> {
        if !self.slot.is_still_there() {
            return self.go_on_without(head, "the directory of the log was removed");
        }
        self.read_public_key()?;
        match recover(
            &self.slot.directory,
            &self.slot.log,
            self.public_key.as_ref(),
            Some(head),
        ) {
            Ok(found) if found.holds_known => self.adopt(found),
            Ok(_) => self.go_on_without(head, "lines that were acknowledged are not in the files"),
            Err(Error::Damaged { why, .. }) => self.go_on_without(head, &why),
            Err(error) => Err(error),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        self.segment.check()?;
        self.segment.finish()
    }
}

fn open_segment(settings: &Settings, slot: &Slot, found: &Recovered) -> Result<Segment, Error> {
    if found.is_new {
        Segment::create(&slot.directory, found.segment, settings.fills())
    } else {
        Segment::open(&slot.directory, found.segment, found.offset, settings.fills())
    }
}
