//! Choosing the segments to archive, and checking every line of them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::place::lock;
use super::point::Point;
use super::segment::{ArchivedSegment, file_name};
use super::statement::Archived;
use crate::beside::State;
use crate::chain::Head;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line::{LINE_LIMIT, ends_session};
use crate::read::trust::vouched;
use crate::sink::segment_numbers;

/// The segments of a log that can be archived. They are whole, and older than the time that was asked for.
#[derive(Debug)]
pub struct Plan {
    pub(super) key: VerifyingKey,
    pub(super) place: PathBuf,
    pub(super) slot: u32,
    pub(super) directory: PathBuf,
    /// The statement beside the log until now.
    pub(super) before: Option<Archived>,
    pub(super) from: Point,
    pub(super) until: Point,
    pub(super) segments: Vec<ArchivedSegment>,
    pub(super) _lock: File,
}

impl Plan {
    /// Chooses the closed segments of a log whose lines are all older than `before` and have a number up to that which
    /// `counted` gives for the directory of the log.
    ///
    /// Reads every line of them. The newest segment is never among them. Holds a lock of the log until it is dropped, so that only one
    /// process archives a log. Returns `None` if the place does not hold the log.
    ///
    /// # Errors
    /// [`Error::CannotArchive`] if a line does not fit the chain, or while another process archives the log; [`Error::Io`].
    pub fn of(
        place: &Path,
        key: &VerifyingKey,
        before: Timestamp,
        counted: &dyn Fn(&Path) -> u64,
    ) -> Result<Option<Self>, Error> {
        let Some(one) = vouched(place, std::slice::from_ref(key))?.into_iter().next() else {
            return Ok(None);
        };
        let lock = lock(&one.directory)?;
        let said = Archived::beside(&one.directory, key)?;
        let (from, first) = match &said {
            Some(said) => (said.until.clone(), said.next_segment()),
            None => (Point::new(&Head::default(), true), 0),
        };
        let damaged = |why: &str| Error::CannotArchive {
            path: one.directory.clone(),
            why: why.to_owned(),
        };
        let counted = counted(&one.directory);
        let head = from.head().ok_or_else(|| damaged("its statement is damaged"))?;
        let mut plan = Self {
            key: one.key.clone(),
            place: place.to_owned(),
            slot: one.slot,
            directory: one.directory.clone(),
            before: said,
            until: from.clone(),
            from,
            segments: Vec::new(),
            _lock: lock,
        };
        let numbers = segment_numbers(&one.directory)?.into_iter();
        plan.choose(
            numbers.filter(|number| *number >= first).collect(),
            head,
            before,
            counted,
        )?;
        Ok(Some(plan))
    }

    /// The segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[ArchivedSegment] {
        &self.segments
    }

    /// The numbers of the first and the last line; `None` if no segment is old enough.
    #[must_use]
    pub fn lines(&self) -> Option<(u64, u64)> {
        let (first, last) = (self.segments.first()?, self.segments.last()?);
        Some((first.first, last.last()))
    }

    /// Takes segments as long as they are old enough. Ends with one behind which the log's key signed the state of the log.
    fn choose(&mut self, numbers: Vec<u32>, head: Head, before: Timestamp, counted: u64) -> Result<(), Error> {
        let (mut walk, mut taken) = (Walk::new(&self.key, head), Vec::new());
        for pair in numbers.windows(2) {
            let [number, next] = pair else { break };
            let segment = walk.segment(&self.directory, *number)?;
            if segment.until >= before || segment.last() > counted {
                break;
            }
            taken.push(segment);
            // Readers begin with the next segment, so the state at its beginning must be signed.
            if State::read_start(&self.directory, *next, &self.key).as_ref() == Some(&walk.head) {
                self.segments.append(&mut taken);
                self.until = Point::new(&walk.head, walk.ended);
            }
        }
        Ok(())
    }
}

/// The fields that bind a line to its place, with its time.
#[derive(Deserialize)]
struct Link<'a> {
    v: u32,
    seq: u64,
    time: Timestamp,
    log: &'a str,
    prev: &'a str,
    action: &'a str,
}

struct Walk<'a> {
    log: &'a str,
    head: Head,
    ended: bool,
}

impl<'a> Walk<'a> {
    fn new(key: &'a VerifyingKey, head: Head) -> Self {
        Self {
            log: key.log().unwrap_or_default(),
            head,
            ended: false,
        }
    }

    /// Reads a segment to its end. Every byte of it must be a line that follows, or a NUL behind the last.
    fn segment(&mut self, directory: &Path, number: u32) -> Result<ArchivedSegment, Error> {
        let path = directory.join(file_name(number));
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let (mut digest, mut line) = (Sha256::new(), Vec::new());
        let (first, mut bytes, mut times) = (self.head.size() + 1, 0, None);
        loop {
            line.clear();
            let read = file.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line);
            let read = read.map_err(Error::io("read", &path))?;
            if read == 0 {
                break;
            }
            digest.update(&line);
            bytes += read as u64;
            if line.iter().all(|byte| *byte == 0) {
                continue;
            }
            let time = self.line(&line).ok_or_else(|| Error::CannotArchive {
                path: path.clone(),
                why: format!(
                    "the bytes before byte {bytes} do not follow line {}; `ibyok audit verify` names the fault",
                    self.head.size()
                ),
            })?;
            let (since, until) = times.unwrap_or((time, time));
            times = Some((time.min(since), time.max(until)));
        }
        // A clock may go back, so the times are the earliest and the latest, and not those of the first and the last line.
        let (since, until) = times.unwrap_or((Timestamp::MIN, Timestamp::MIN));
        Ok(ArchivedSegment {
            number,
            first,
            lines: self.head.size() + 1 - first,
            bytes,
            sha256: HEXLOWER.encode(&digest.finalize()),
            since,
            until,
            directory: PathBuf::new(),
        })
    }

    /// Takes in the next line, and returns its time; `None` if it does not follow.
    fn line(&mut self, line: &[u8]) -> Option<Timestamp> {
        let line = line.strip_suffix(b"\n").filter(|line| !line.contains(&0))?;
        let link: Link<'_> = serde_json::from_slice(line).ok()?;
        let chained = HEXLOWER
            .decode(link.prev.as_bytes())
            .is_ok_and(|prev| prev == *self.head.prev());
        let fits = link.v == 1 && link.seq == self.head.size() + 1 && link.log == self.log && chained;
        if !fits {
            return None;
        }
        self.ended = ends_session(link.action);
        self.head.push(line);
        Some(link.time)
    }
}
