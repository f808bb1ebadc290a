//! The lines of one slot, as far as they are there.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::believe::{Belief, Believer, Follower};
use super::entry::Line;
use super::filter::Filter;
use super::left_out::LeftOut;
use crate::chain::Head;
use crate::error::{Error, shown};
use crate::key::VerifyingKey;
use crate::line::LINE_LIMIT;

/// The slots of a place, by number.
pub(super) fn slots(root: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let slots = numbers(root, "slot-", "", 0)?;
    Ok(slots
        .into_iter()
        .map(|slot| (slot, root.join(format!("slot-{slot}"))))
        .collect())
}

/// The segments of a slot, by number.
///
/// A directory is not listed at one moment: a listing may have a segment and lack the one before it, which was made while the listing
/// went on. Then a second listing has it.
pub(super) fn segments(directory: &Path) -> Result<Vec<u32>, Error> {
    let list = || numbers(directory, "audit-", ".log", 8);
    let listed = list()?;
    let has_hole = listed
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if one + 1 != *next));
    let Some(last) = listed.last().copied().filter(|_| has_hole) else {
        return Ok(listed);
    };
    let mut again = list()?;
    again.retain(|number| *number <= last);
    Ok(again)
}

fn numbers(directory: &Path, prefix: &str, suffix: &str, width: usize) -> Result<Vec<u32>, Error> {
    let mut numbers: Vec<u32> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let name = entry.map_err(Error::io("list", directory))?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix)?.strip_suffix(suffix))
            .filter(|digits| width == 0 || digits.len() == width);
        let number: Option<u32> = digits.and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn segment_path(directory: &Path, segment: u32) -> PathBuf {
    directory.join(format!("audit-{segment:08}.log"))
}

/// How a segment begins, as far as that can be told.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) seq: Option<u64>,
    time: Option<Timestamp>,
}

impl Start {
    pub(super) fn of(path: &Path) -> Self {
        let mut line = Vec::with_capacity(128);
        let read = File::open(path).and_then(|file| file.take(128).read_to_end(&mut line));
        if read.is_err() {
            return Self::default();
        }
        let text = String::from_utf8_lossy(&line);
        let time = text
            .split_once(r#","time":""#)
            .and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
        Self { seq: seq(&line), time }
    }

    /// Whether what a filter wants may stand no earlier than here.
    fn is_before(&self, filter: &Filter) -> bool {
        let by_seq = filter
            .from_seq
            .is_some_and(|first| self.seq.is_some_and(|seq| seq <= first));
        let by_time = filter
            .since
            .or(filter.read_from)
            .and_then(|since| since.checked_sub(SLACK).ok())
            .is_some_and(|since| self.time.is_some_and(|time| time <= since));
        by_seq || by_time
    }
}

/// By how much a clock may have been set back.
const SLACK: SignedDuration = SignedDuration::from_hours(24);

/// The start of a line of this number or a lower one, at most 64 KiB before the next higher.
fn bisect(file: &File, length: u64, wanted: u64) -> io::Result<u64> {
    const NEAR: u64 = 64 * 1024;
    let (mut low, mut high) = (0, length);
    let mut bytes = vec![0; LINE_LIMIT + 128];
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        let read = file.read_at(&mut bytes, middle)?;
        let bytes = bytes.get(..read).unwrap_or_default();
        let line = bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let found = line.and_then(|line| Some((line, seq(bytes.get(line..)?)?)));
        match found {
            Some((line, number)) if number <= wanted => low = middle + line as u64,
            // Behind it, or in the zeros behind the last line.
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The number of a line, from its first bytes.
fn seq(line: &[u8]) -> Option<u64> {
    let digits = line
        .strip_prefix(br#"{"v":1,"seq":"#)?
        .split(|byte| *byte == b',')
        .next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

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
    /// The lines that it does not take for the log's, since they were asked for last.
    left_out: Option<LeftOut>,
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

    /// Passes over what this key does not vouch for.
    pub(super) fn believing(mut self, key: Option<&VerifyingKey>) -> Self {
        self.believer = key.map(|key| Believer::new(&self.directory, key));
        self
    }

    /// Goes on from a place in the log that is signed, and gives only lines that follow and carry their MAC.
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
        if belief == Belief::Wait {
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
        }
    }

    /// From the line after this number on, and only lines whose bytes are wanted. Without a key that line is found by bisection;
    /// with one its segment is read from its beginning, and what the key does not vouch for is passed over.
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

    /// Takes note of a line's number, and says whether nobody wants the line.
    fn passes_over(&mut self, line: &[u8]) -> bool {
        let number = seq(line);
        self.last = number.map_or(self.last, |number| number.max(self.last));
        number.is_some_and(|number| number < self.first) || self.wanted.is_some_and(|wanted| !wanted(line))
    }

    /// Begins at a line with this number or a lower one, as near to it as a few reads tell.
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

    fn leave_out(&mut self) {
        match &mut self.left_out {
            Some(left_out) => left_out.lines = left_out.lines.saturating_add(1),
            None => {
                self.left_out = Some(LeftOut {
                    path: self.path(),
                    line: self.line,
                    lines: 1,
                });
            }
        }
    }

    /// Counts the lines from here to the end of the log, if they are not those that were signed.
    fn leave_out_the_rest(&mut self) {
        let never = self.believer.as_ref().is_some_and(Believer::is_contradicted);
        if never && self.left_out.is_none() {
            self.left_out = Some(LeftOut {
                path: self.path(),
                line: self.line + 1,
                lines: self.rest(),
            });
        }
    }

    /// The number of whole lines from here on. A line that cannot be read is not counted.
    fn rest(&self) -> u64 {
        let later = segments(&self.directory).unwrap_or_default();
        let later = later.into_iter().filter(|number| *number > self.segment);
        let starts = std::iter::once((self.segment, self.offset)).chain(later.map(|number| (number, 0)));
        let counts = starts.map(|(number, offset)| {
            let mut file = File::open(segment_path(&self.directory, number)).ok()?;
            file.seek(SeekFrom::Start(offset)).ok()?;
            whole_lines(&mut BufReader::with_capacity(256 * 1024, file)).ok()
        });
        counts.flatten().sum()
    }

    /// The lines that were left out so far.
    pub(super) fn left_out(&self) -> Option<LeftOut> {
        self.left_out.clone()
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
        })
    }
}

/// Counts lines that end. A line that was never written is NULs.
fn whole_lines(file: &mut impl io::BufRead) -> io::Result<u64> {
    let (mut count, mut line) = (0, Vec::new());
    loop {
        line.clear();
        file.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') || line.contains(&0) {
            return Ok(count);
        }
        count += 1;
    }
}

impl Iterator for Stream {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // What cannot be read is said once, and then this is an end that may be tried again.
        if std::mem::take(&mut self.failed) {
            return None;
        }
        loop {
            let error = match self.whole_line() {
                Ok(Some(bytes)) => match self.judge(&bytes) {
                    Ok(Belief::Skip) => {
                        self.leave_out();
                        continue;
                    }
                    Ok(Belief::Wait) => {
                        self.leave_out_the_rest();
                        return None;
                    }
                    Ok(Belief::Take) if self.passes_over(&bytes) => continue,
                    Ok(Belief::Take) => return Some(self.parse(bytes)),
                    Err(error) => error,
                },
                Ok(None) => match self.next_segment() {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(error) => error,
                },
                Err(error) => Error::io("read", &self.path())(error),
            };
            self.failed = true;
            return Some(Err(error));
        }
    }
}
