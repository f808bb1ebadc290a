//! The lines of one slot, as far as they are there.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::believe::{Belief, Believer, Follower};
use super::entry::Line;
use super::filter::Filter;
use super::left_out::{LeftOut, LeftOutReason};
use super::segments::{Start, bisect, segment_path, segments, seq, whole_lines_of};
use super::spoilt::{Stretch, look_again};
use crate::chain::Head;
use crate::error::{Error, shown};
use crate::key::VerifyingKey;
use crate::line::LINE_LIMIT;

/// The lines of one slot. At the end it gives `None`, and may be asked again when the log has grown.
#[derive(Debug)]
pub(super) struct Stream {
    slot: u32,
    directory: PathBuf,
    segment: u32,
    only: bool,
    file: Option<BufReader<File>>,
    offset: u64,
    line: u64,
    /// Lines with a lower number are passed over unread.
    first: u64,
    /// Lines that this refuses are passed over unread, too.
    wanted: Option<fn(&[u8]) -> bool>,
    /// The number of the last whole line, passed over or not.
    last: u64,
    failed: bool,
    /// Says which lines are the log's own; without it all are taken for them.
    believer: Option<Believer>,
    follower: Option<Follower>,
    /// The lines that it does not take for the log's.
    left_out: Option<LeftOut>,
    /// The lines that it does not believe, since they name something beyond the environment that the log is believed about.
    elsewhere: Option<LeftOut>,
    /// Gives those lines as well, marked.
    keeps_places: bool,
    /// The place of the end whose lines were counted as left out.
    counted: Option<(u32, u64)>,
}

impl Stream {
    /// From the first line on.
    pub(super) fn begin(slot: u32, directory: PathBuf) -> Result<Self, Error> {
        let first = segments(&directory)?.first().copied().unwrap_or(1);
        Ok(Self::at(slot, directory, first, false))
    }

    /// From the beginning of the newest segment on.
    pub(super) fn begin_at_last_segment(slot: u32, directory: PathBuf) -> Result<Self, Error> {
        let last = segments(&directory)?.last().copied().unwrap_or(1);
        Ok(Self::at(slot, directory, last, false))
    }

    /// From where the lines that a filter wants may begin.
    pub(super) fn begin_at(slot: u32, directory: PathBuf, filter: &Filter) -> Result<Self, Error> {
        if filter.from_seq.is_none() && filter.since.or(filter.read_from).is_none() {
            return Self::begin(slot, directory);
        }
        let segments = segments(&directory)?;
        let is_before = |number: &&u32| Start::of(&segment_path(&directory, **number)).is_before(filter);
        let segment = segments.iter().rev().find(is_before).or(segments.first());
        let segment = segment.copied().unwrap_or(1);
        let mut stream = Self::at(slot, directory, segment, false);
        stream.first = filter.from_seq.unwrap_or(0);
        Ok(stream)
    }

    /// From this place on, where a line begins.
    pub(super) fn begin_near(slot: u32, directory: PathBuf, segment: u32, offset: u64) -> Self {
        let mut stream = Self::at(slot, directory, segment, false);
        if let Ok(mut file) = File::open(stream.path())
            && file.seek(SeekFrom::Start(offset)).is_ok()
        {
            stream.file = Some(BufReader::with_capacity(64 * 1024, file));
            stream.offset = offset;
        }
        stream
    }

    /// One segment and no further.
    pub(super) fn only(slot: u32, directory: PathBuf, segment: u32) -> Self {
        Self::at(slot, directory, segment, true)
    }

    /// Skips lines that this key does not vouch for.
    pub(super) fn believing(mut self, key: Option<&VerifyingKey>) -> Self {
        self.believer = key.map(|key| Believer::new(&self.directory, key));
        self
    }

    /// Continues from a signed place in the log, and returns only lines that follow in the chain and have a valid MAC.
    pub(super) fn following(mut self, head: &Head, key: &VerifyingKey) -> Self {
        self.follower = Some(Follower {
            key: key.clone(),
            size: head.size(),
            prev: *head.prev(),
        });
        self
    }

    fn judge(&mut self, line: &[u8]) -> Result<Belief, Error> {
        let segment = self.segment;
        if let Some(follower) = &mut self.follower {
            return Ok(follower.judge(line));
        }
        let Some(believer) = &mut self.believer else {
            return Ok(Belief::Take);
        };
        let belief = believer.judge(segment, line)?;
        let missing = believer.take_missing();
        if missing > 0 {
            self.leave_out_lines(LeftOutReason::NotVouched, missing);
        }
        if matches!(belief, Belief::Wait | Belief::Never) {
            // The line is given back: it may be judged otherwise when the log has grown or was signed.
            self.offset -= line.len() as u64 + 1;
            self.line -= 1;
            if let Some(file) = &mut self.file {
                file.seek(SeekFrom::Start(self.offset))
                    .map_err(Error::io("read", &segment_path(&self.directory, segment)))?;
            }
        }
        Ok(belief)
    }

    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    fn at(slot: u32, directory: PathBuf, segment: u32, only: bool) -> Self {
        Self {
            slot,
            directory,
            segment,
            only,
            file: None,
            offset: 0,
            line: 0,
            first: 0,
            wanted: None,
            last: 0,
            failed: false,
            believer: None,
            follower: None,
            left_out: None,
            elsewhere: None,
            keeps_places: false,
            counted: None,
        }
    }

    /// Reads lines after this number, and only those whose bytes pass `wanted`. Without a key that line is found by bisection;
    /// with one its segment is read from its beginning, and lines that the key does not vouch for are skipped.
    pub(super) fn begin_after(
        directory: PathBuf,
        after: u64,
        wanted: fn(&[u8]) -> bool,
        key: Option<&VerifyingKey>,
    ) -> Result<Self, Error> {
        let segments = segments(&directory)?;
        let is_before = |number: &&u32| {
            let begins = Start::of(&segment_path(&directory, **number)).seq;
            begins.is_some_and(|first| first <= after.saturating_add(1))
        };
        let segment = segments.iter().rev().find(is_before).or(segments.first());
        let mut stream = Self::at(0, directory, segment.copied().unwrap_or(1), false).believing(key);
        (stream.first, stream.last) = (after.saturating_add(1), after);
        stream.wanted = Some(wanted);
        if key.is_none() {
            stream.skip_near(after)?;
        }
        Ok(stream)
    }

    /// Takes note of a line's number. Returns true if no reader wants the line.
    fn passes_over(&mut self, line: &[u8]) -> bool {
        let number = seq(line);
        self.last = number.map_or(self.last, |number| number.max(self.last));
        number.is_some_and(|number| number < self.first) || self.wanted.is_some_and(|wanted| !wanted(line))
    }

    /// Begins at a line with this number or a lower one, as near to it as a few reads allow.
    fn skip_near(&mut self, seq: u64) -> Result<(), Error> {
        let path = self.path();
        let Ok(file) = File::open(&path) else {
            return Ok(());
        };
        let length = file.metadata().map_err(Error::io("read", &path))?.len();
        let offset = bisect(&file, length, seq).map_err(Error::io("read", &path))?;
        let mut file = BufReader::with_capacity(64 * 1024, file);
        file.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &path))?;
        (self.file, self.offset) = (Some(file), offset);
        Ok(())
    }

    /// The number of the last whole line that was met.
    pub(super) fn last_met(&self) -> u64 {
        self.last
    }

    fn path(&self) -> PathBuf {
        segment_path(&self.directory, self.segment)
    }

    /// The bytes of the next whole line of this segment, if it is there.
    fn whole_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.file.is_none() {
            match File::open(self.path()) {
                Ok(file) => self.file = Some(BufReader::with_capacity(64 * 1024, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(1024);
        let read = file
            .by_ref()
            .take(LINE_LIMIT as u64 + 1)
            .read_until(b'\n', &mut bytes)?;
        if bytes.last() != Some(&b'\n') || bytes.contains(&0) {
            // Not written yet, or torn. Seeking drops what the buffer holds of it.
            file.seek(SeekFrom::Start(self.offset))?;
            return Ok(None);
        }
        bytes.pop();
        self.offset += read as u64;
        self.line += 1;
        Ok(Some(bytes))
    }

    fn next_segment(&mut self) -> Result<bool, Error> {
        let later = segments(&self.directory)?
            .into_iter()
            .find(|number| *number > self.segment);
        let Some(later) = later.filter(|_| !self.only) else {
            return Ok(false);
        };
        // The writer may have ended this one between the two looks.
        if self.file.is_some() && self.has_more().map_err(Error::io("read", &self.path()))? {
            return Ok(true);
        }
        (self.segment, self.file, self.offset, self.line) = (later, None, 0, 0);
        Ok(true)
    }

    fn has_more(&mut self) -> io::Result<bool> {
        let (offset, line) = (self.offset, self.line);
        let more = self.whole_line()?.is_some();
        (self.offset, self.line) = (offset, line);
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(more)
    }

    fn leave_out(&mut self, why: LeftOutReason) {
        self.leave_out_lines(why, 1);
    }

    fn leave_out_lines(&mut self, why: LeftOutReason, lines: u64) {
        let (path, line) = (self.path(), self.line);
        let left_out = match why {
            LeftOutReason::Elsewhere => &mut self.elsewhere,
            LeftOutReason::NotVouched | LeftOutReason::NoKey => &mut self.left_out,
        };
        match left_out {
            Some(left_out) => left_out.lines = left_out.lines.saturating_add(lines),
            None => {
                *left_out = Some(LeftOut { path, line, lines, why });
            }
        }
    }

    /// Counts the lines from here to the end of the log, if a signed checkpoint covers other lines at this place.
    fn leave_out_the_rest(&mut self) -> Result<(), Error> {
        let Some(believer) = &mut self.believer else {
            return Ok(());
        };
        // A reader that follows the log asks again and again, and must count the same lines once.
        if self.counted == Some((self.segment, self.offset)) || !believer.is_contradicted() {
            return Ok(());
        }
        if let Some(lacking) = believer.lacks(self.segment)? {
            self.count_the_rest(lacking);
        }
        Ok(())
    }

    /// Counts the lines from here to the end of the log, once, and at least so many.
    fn count_the_rest(&mut self, at_least: u64) {
        let here = Some((self.segment, self.offset));
        if self.counted == here {
            return;
        }
        self.counted = here;
        let lines = whole_lines_of(&self.directory, self.segment, self.offset).max(at_least);
        // The first of them is the next line.
        self.line += 1;
        self.leave_out_lines(LeftOutReason::NotVouched, lines);
        self.line -= 1;
    }

    /// The lines that were left out so far.
    pub(super) fn left_out(&self) -> impl Iterator<Item = LeftOut> {
        [&self.left_out, &self.elsewhere].into_iter().flatten().cloned()
    }

    /// The lines that were left out since this was asked last.
    pub(super) fn take_left_out(&mut self) -> impl Iterator<Item = LeftOut> {
        [self.left_out.take(), self.elsewhere.take()].into_iter().flatten()
    }

    /// Returns lines that are not believed as well, marked, so that a caller sees their places.
    pub(super) fn keeping_places(mut self, keeps: bool) -> Self {
        self.keeps_places = keeps;
        self
    }

    /// Skips bytes that are no line although the log continues after them. Returns `None` if nothing follows in this segment.
    fn pass_spoilt(&mut self) -> Result<Option<Passed>, Error> {
        // In the last segment, bytes without an end may be a line that its writer has not finished.
        let is_last = segments(&self.directory)?
            .last()
            .is_none_or(|last| *last <= self.segment);
        let (path, offset) = (self.path(), self.offset);
        let Some(file) = &mut self.file else { return Ok(None) };
        let length = match look_again(file, offset, is_last).map_err(Error::io("read", &path))? {
            Stretch::Line => return Ok(Some(Passed::Nothing)),
            Stretch::End => return Ok(None),
            Stretch::Spoilt(length) => length,
        };
        (self.offset, self.line) = (self.offset + length, self.line + 1);
        file.seek(SeekFrom::Start(self.offset))
            .map_err(Error::io("read", &path))?;
        Ok(Some(Passed::Spoilt))
    }

    /// The next line from its bytes; `None` if it is not believed, and so is only counted.
    fn believed(&mut self, bytes: Vec<u8>) -> Option<Result<Line, Error>> {
        let mut line = match self.parse(bytes) {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        line.is_believed = self.believer.as_ref().is_none_or(|one| one.believes(&line.entry));
        if !line.is_believed {
            self.leave_out(LeftOutReason::Elsewhere);
        }
        (line.is_believed || self.keeps_places).then_some(Ok(line))
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<Line, Error> {
        let bad = |why: String| Error::BadLine {
            path: self.path(),
            line: self.line,
            why,
        };
        let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
        let entry = serde_json::from_str(&text).map_err(|error| bad(shown(&error.to_string())))?;
        Ok(Line {
            text,
            entry,
            slot: self.slot,
            is_believed: true,
        })
    }
}

/// The bytes that were passed over.
enum Passed {
    /// None: a line is there by now.
    Nothing,
    /// Bytes that are no line.
    Spoilt,
}

impl Iterator for Stream {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // What cannot be read is said once, and then this is an end that may be tried again.
        if std::mem::take(&mut self.failed) {
            return None;
        }
        loop {
            let error = match self.step() {
                Ok(Step::Break(line)) => return line,
                Ok(Step::Continue(())) => continue,
                Err(error) => error,
            };
            self.failed = true;
            return Some(Err(error));
        }
    }
}

/// One step through a log: a line or the end, or the next step.
type Step = ControlFlow<Option<Result<Line, Error>>>;

impl Stream {
    fn step(&mut self) -> Result<Step, Error> {
        let Some(bytes) = self.whole_line().map_err(Error::io("read", &self.path()))? else {
            return self.step_over();
        };
        match self.judge(&bytes)? {
            Belief::Skip => self.leave_out(LeftOutReason::NotVouched),
            Belief::Wait => {
                self.leave_out_the_rest()?;
                return Ok(Step::Break(None));
            }
            Belief::Never => {
                self.count_the_rest(1);
                return Ok(Step::Break(None));
            }
            Belief::Take if self.passes_over(&bytes) => {}
            Belief::Take => {
                return Ok(self
                    .believed(bytes)
                    .map_or(Step::Continue(()), |line| Step::Break(Some(line))));
            }
        }
        Ok(Step::Continue(()))
    }

    /// Continues at a place without a whole line.
    fn step_over(&mut self) -> Result<Step, Error> {
        match self.pass_spoilt()? {
            Some(Passed::Nothing) => return Ok(Step::Continue(())),
            Some(Passed::Spoilt) if self.believer.is_some() || self.follower.is_some() => {
                self.leave_out(LeftOutReason::NotVouched);
                return Ok(Step::Continue(()));
            }
            Some(Passed::Spoilt) => {
                return Ok(Step::Break(Some(Err(Error::BadLine {
                    path: self.path(),
                    line: self.line,
                    why: "it holds a NUL byte, or lacks its end".to_owned(),
                }))));
            }
            None => {}
        }
        if self.next_segment()? {
            return Ok(Step::Continue(()));
        }
        if !self.only || segments(&self.directory)?.last() == Some(&self.segment) {
            self.leave_out_the_rest()?;
        }
        Ok(Step::Break(None))
    }
}
