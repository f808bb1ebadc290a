//! A log in a directory, or in a home with a copy in a directory.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::builder::{FileSinkBuilder, Settings};
use super::copy::Copy;
use super::recover::{Recovered, Search, Torn, recover};
use super::segment::{self, Segment, numbers};
use super::slot::Slot;
use crate::beside::public_key;
use crate::chain::Head;
use crate::error::Error;
use crate::home::Hold;
use crate::key::VerifyingKey;
use crate::line_key::LineKey;
use crate::read::store_mark;
use crate::sink::batch::Batch;
use crate::sink::contract::{LaterSync, LogSink, Sink};
use crate::sink::describe::{SinkDescription, SinkDurability};
use crate::sink::gap::{Gap, GapKind};
use crate::sink::place::LogPlace;
use crate::statement::StoreMark;

/// The time for which a look at a segment's file counts, where lines are not synced.
const LOOK: Duration = Duration::from_millis(50);

/// A log in its own directory, kept in segments: the sink from which a log is continued.
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
    /// The time of the last look at the segment's file.
    looked: Option<Instant>,
    /// The hold of the log in the home. It keeps other processes from writing the log.
    _hold: Option<Hold>,
}

impl FileSink {
    /// The log in this directory, with the usual settings. Call it within a tokio runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path).open().await
    }

    /// Returns settings for the log in this directory: synced, zero-filled, segments of 64 MiB.
    pub fn builder(path: impl AsRef<Path>) -> FileSinkBuilder {
        FileSinkBuilder::new(path.as_ref().to_owned())
    }

    /// The first free log of the same place that is none of these, with the same settings; this one is free again. Call it within a tokio
    /// runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open`].
    pub async fn passing_over(self, logs: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let settings = self.settings.clone();
        drop(self);
        FileSinkBuilder::from_settings(settings).pass_over(logs).open().await
    }

    /// Returns the state of the log in its place.
    #[must_use]
    pub fn state(&self) -> LogPlace {
        LogPlace {
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
            home: self.settings.home.clone(),
            temporary: self.settings.temporary.is_some(),
        }
    }

    pub(super) fn from_slot(settings: Settings, (slot, hold): (Slot, Option<Hold>)) -> Result<Self, Error> {
        bring_up_to_date(&settings, &slot)?;
        let public_key = public_key(&slot.directory)?;
        let found = recover(&search(&settings, &slot), public_key.as_ref(), None)?;
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
            looked: None,
            _hold: hold,
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

    /// Continues in a new segment after the last acknowledged line, because the files do not hold it any more.
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

    /// Checks the segment's file before a write. Lines that are only written come in many small batches, so for these the look at most
    /// every [`LOOK`] is enough: neither look could tell what happens to the file right after it.
    fn check(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let looked = self.looked.is_some_and(|at| now.duration_since(at) < LOOK);
        if looked && self.settings.durability == SinkDurability::Written {
            return Ok(());
        }
        self.looked = Some(now);
        self.segment.check()
    }

    /// Returns true if the segment is so old that the next one begins.
    fn is_aged(&self) -> bool {
        let age = self.settings.rotate_after;
        age.is_some_and(|age| self.segment.is_older_than(age))
    }

    fn adopt(&mut self, found: Recovered) -> Result<(), Error> {
        self.segment = open_segment(&self.settings, &self.slot, &found)?;
        rewrite_tail(&self.segment, &found)?;
        (self.head, self.gaps) = (found.head, found.gaps);
        self.last_time = found.last_time.or(self.last_time);
        Ok(())
    }
}

/// Writes the lines that no checkpoint covers once more, and syncs them: a failed sync, also of a process that is gone, may have left pages
/// marked clean that are not on the disk.
fn rewrite_tail(segment: &Segment, found: &Recovered) -> Result<(), Error> {
    let same = found.start.0 == found.segment;
    segment.rewrite(if same { found.start.1 } else { 0 })
}

impl Sink for FileSink {
    fn describe(&self) -> SinkDescription {
        match &self.settings.home {
            Some(home) => home.describe(),
            None => SinkDescription::new(
                format!("file {}", self.settings.root.display()),
                self.settings.durability,
            ),
        }
    }

    fn durable(&self) -> bool {
        self.describe().durability != SinkDurability::BestEffort
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.check()?;
        let full = self.segment.end() + batch.bytes().len() as u64 > self.settings.segment_bytes;
        // A batch is never split, so a batch larger than a segment gets its own segment.
        if (full || self.is_aged()) && self.segment.end() > 0 {
            self.segment.finish()?;
            let next = self.segment.number() + 1;
            self.segment = Segment::create(&self.slot.directory, next, self.settings.fills())?;
        }
        if let Some(home) = &self.settings.home {
            let file = segment::name(self.segment.number());
            // The home comes first: it alone acknowledges lines, and the copy need only follow.
            home.append(&self.slot.log, &file, self.segment.end(), batch.bytes())?;
        }
        self.segment.append(batch.bytes())
    }

    fn is_quick(&self, bytes: u64) -> bool {
        let local = self.settings.home.is_none() && self.settings.durability == SinkDurability::Written;
        // A new segment syncs two files and a directory.
        local && !self.is_aged() && self.segment.end() + bytes <= self.settings.segment_bytes
    }

    fn later_sync(&self) -> Option<LaterSync> {
        match self.settings.home {
            Some(_) => None,
            None => self.segment.later_sync(),
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        // What a home has acknowledged is durable; the copy need not be.
        if self.settings.home.is_some() {
            return Ok(());
        }
        self.segment.sync()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.segment.check()?;
        self.segment.finish()
    }
}

impl LogSink for FileSink {
    fn place(&self) -> LogPlace {
        self.state()
    }

    fn segment(&self) -> u32 {
        self.segment.number()
    }

    fn believe(&mut self, key: &LineKey) -> Result<(), Error> {
        self.lines = Some(key.clone());
        self.read_public_key()?;
        let Some(public) = self.public_key.clone() else {
            return Ok(());
        };
        let found = recover(&search(&self.settings, &self.slot), Some(&public), None)?;
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

    fn reopen(&mut self, head: &Head) -> Result<(), Error> {
        self.looked = None;
        if !self.slot.is_still_there() {
            if self.settings.home.is_none() {
                return self.go_on_without(head, "the directory of the log was removed");
            }
            self.slot = Slot::make_for(&self.settings.root, &self.slot.log)?;
        }
        // The home may have taken bytes that it did not acknowledge.
        bring_up_to_date(&self.settings, &self.slot)?;
        self.read_public_key()?;
        match recover(
            &search(&self.settings, &self.slot),
            self.public_key.as_ref(),
            Some(head),
        ) {
            // The files may have more lines than were acknowledged. They stay, since a line without a release reveals nothing.
            Ok(found) if found.holds_known => self.adopt(found),
            Ok(_) => self.go_on_without(head, "lines that were acknowledged are not in the files"),
            Err(Error::Damaged { why, .. }) => self.go_on_without(head, &why),
            Err(error) => Err(error),
        }
    }
}

/// Brings the copy in a slot up to date, if there is a home that it is a copy of.
fn bring_up_to_date(settings: &Settings, slot: &Slot) -> Result<(), Error> {
    let home = settings.home.as_deref();
    home.map_or(Ok(()), |home| {
        Copy::new(home, &slot.log, &slot.directory).bring_up_to_date()
    })
}

fn search<'a>(settings: &Settings, slot: &'a Slot) -> Search<'a> {
    Search {
        directory: &slot.directory,
        log: &slot.log,
        torn: match settings.home {
            Some(_) => Torn::LeaveThere,
            None => Torn::MoveAside,
        },
    }
}

fn open_segment(settings: &Settings, slot: &Slot, found: &Recovered) -> Result<Segment, Error> {
    if found.is_new {
        Segment::create(&slot.directory, found.segment, settings.fills())
    } else {
        Segment::open(&slot.directory, found.segment, found.offset, settings.fills())
    }
}
