//! The files of a place: its slots, their segments, and where lines begin in them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::filter::Filter;
use crate::error::Error;
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

/// The beginning of a segment, as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(super) seq: Option<u64>,
    pub(crate) time: Option<Timestamp>,
}

impl Start {
    pub(crate) fn of(path: &Path) -> Self {
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

    /// Returns true if no line that matches the filter can be before this segment.
    pub(super) fn is_before(&self, filter: &Filter) -> bool {
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
pub(super) fn bisect(file: &File, length: u64, wanted: u64) -> io::Result<u64> {
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
pub(super) fn seq(line: &[u8]) -> Option<u64> {
    let digits = line
        .strip_prefix(br#"{"v":1,"seq":"#)?
        .split(|byte| *byte == b',')
        .next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number of whole lines of a log from a place of a segment on. A line that cannot be read is not counted.
pub(super) fn whole_lines_of(directory: &Path, segment: u32, offset: u64) -> u64 {
    let later = segments(directory).unwrap_or_default();
    let later = later.into_iter().filter(|number| *number > segment);
    let starts = std::iter::once((segment, offset)).chain(later.map(|number| (number, 0)));
    let counts = starts.map(|(number, offset)| {
        let mut file = File::open(segment_path(directory, number)).ok()?;
        file.seek(SeekFrom::Start(offset)).ok()?;
        whole_lines(&mut BufReader::with_capacity(256 * 1024, file)).ok()
    });
    counts.flatten().sum()
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
