//! A text of any length, seen through a window that moves over it: memory is bounded, and nothing falls between two windows.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr_iter, memrchr};

/// The number of bytes of a text held at once.
const HELD: usize = 1 << 20;

/// The largest number of bytes to read after the start of a candidate: the longest secret and the rest of its
/// line.
pub(crate) const AHEAD: usize = 16 * 1024;

/// The largest number of bytes to read before a candidate: the name to which a value is assigned.
pub(crate) const BEHIND: usize = 4 * 1024;

/// The part of a text in view.
#[derive(Clone, Debug)]
pub(crate) struct Window<'a> {
    /// All that is held.
    pub(crate) text: &'a [u8],
    /// The part that belongs to this window and to no other: secrets that begin in it are found here.
    pub(crate) own: Range<usize>,
    /// The line and the character at which `own` begins, from 1.
    start: (u64, u64),
}

/// Moves a window over a text.
///
/// # Errors
/// The errors of reading.
pub(crate) fn windows(
    buffer: &mut Vec<u8>,
    source: &mut dyn Read,
    mut each: impl FnMut(&Window<'_>),
) -> io::Result<u64> {
    buffer.resize(HELD, 0);
    let (mut filled, mut own, mut start, mut total) = (0, 0, (1, 1), 0u64);
    loop {
        let read = fill(source, buffer.get_mut(filled..).unwrap_or_default())?;
        filled += read;
        total += u64::try_from(read).unwrap_or(u64::MAX);
        let ended = filled < buffer.len();
        // A secret that begins before `end` is whole in view, even the longest one.
        let end = if ended { filled } else { filled.saturating_sub(AHEAD) };
        let window = Window {
            text: buffer.get(..filled).unwrap_or_default(),
            own: own..end,
            start,
        };
        each(&window);
        if ended {
            return Ok(total);
        }
        start = window.position(end);
        // The name before a value at `end` has to stay in view.
        let keep = end.saturating_sub(BEHIND);
        buffer.copy_within(keep..filled, 0);
        filled -= keep;
        own = end - keep;
    }
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut dyn Read, mut buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while !buffer.is_empty() {
        match source.read(buffer) {
            Ok(0) => break,
            Ok(count) => {
                read += count;
                buffer = buffer.get_mut(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

impl Window<'_> {
    /// Returns the bytes in a range of the held text, cut at its end.
    pub(crate) fn get(&self, range: Range<usize>) -> &[u8] {
        let end = range.end.min(self.text.len());
        self.text.get(range.start..end).unwrap_or_default()
    }

    /// The line and the column of a place in [`own`](Self::own).
    pub(crate) fn position(&self, at: usize) -> (u64, u64) {
        self.counter().position(at)
    }

    /// Counts lines and characters from the start of [`own`](Self::own) on.
    pub(crate) fn counter(&self) -> Counter<'_> {
        Counter {
            window: self,
            at: self.own.start,
            position: self.start,
        }
    }

    /// The line around a place, as far as it is held.
    pub(crate) fn line(&self, at: usize) -> Range<usize> {
        let start = memrchr(b'\n', self.get(0..at)).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', self.get(at..self.text.len())).map_or(self.text.len(), |end| at + end);
        start..end
    }
}

/// Returns the positions of one place after another, and counts each line once: a window may hold thousands of secrets.
#[derive(Clone, Debug)]
pub(crate) struct Counter<'w> {
    window: &'w Window<'w>,
    at: usize,
    position: (u64, u64),
}

impl Counter<'_> {
    /// The line and the column of a place that is not before the one that was asked for last.
    pub(crate) fn position(&mut self, at: usize) -> (u64, u64) {
        let between = self.window.get(self.at..at.max(self.at));
        let (line, column) = self.position;
        let breaks = count(memchr_iter(b'\n', between).count());
        self.position = match memrchr(b'\n', between) {
            Some(last) => (line + breaks, 1 + characters(between.get(last + 1..))),
            None => (line, column + characters(Some(between))),
        };
        self.at = at.max(self.at);
        self.position
    }
}

/// Returns the number of UTF-8 characters that begin in some bytes.
fn characters(bytes: Option<&[u8]>) -> u64 {
    let begins = |byte: &&u8| **byte & 0xc0 != 0x80;
    count(bytes.unwrap_or_default().iter().filter(begins).count())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Places = Vec<(u64, u64)>;

    /// Returns the position of each `#`, by windows and by counting.
    fn marks(text: &[u8]) -> (Places, Places) {
        let mut seen = Vec::new();
        let mut source = text;
        windows(&mut Vec::new(), &mut source, |window| {
            for at in memchr_iter(b'#', window.get(window.own.clone())) {
                seen.push(window.position(window.own.start + at));
            }
        })
        .unwrap();
        let (mut line, mut column, mut counted) = (1, 1, Vec::new());
        for c in String::from_utf8_lossy(text).chars() {
            if c == '#' {
                counted.push((line, column));
            }
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        (seen, counted)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn each_place_is_seen_once_and_has_its_line_and_column(parts in prop::collection::vec((0..400_000_usize, "[#aé\n]{1,9}"), 1..8)) {
            let mut text = String::new();
            for (length, part) in parts {
                text.push_str(&"x".repeat(length));
                text.push_str(&part);
            }
            let (seen, counted) = marks(text.as_bytes());
            prop_assert_eq!(seen, counted);
        }
    }
}
