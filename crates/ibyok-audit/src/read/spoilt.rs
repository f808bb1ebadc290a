//! Bytes of a segment that are no whole line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom};

use crate::line::LINE_LIMIT;

/// The bytes at a place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    /// A whole line, which a writer has ended since.
    Line,
    /// The number of bytes that are no line. The log continues after them.
    Spoilt(u64),
    /// The end of the lines: nothing, zeros, or a write that has not ended.
    End,
}

/// Looks again at a place where no whole line was.
///
/// A reader may meet one part of a batch before and the next part after it was written. So bytes that are no line are read a second time,
/// once the reader has seen that the log continues. `is_last` means that no segment follows; the caller looks for one before.
pub(super) fn look_again(file: &mut BufReader<File>, offset: u64, is_last: bool) -> io::Result<Stretch> {
    // Seeking drops the bytes that the buffer holds.
    file.seek(SeekFrom::Start(offset))?;
    let first = Bytes::read(file)?;
    let found = match first {
        Bytes { length: 0, .. } => Stretch::End,
        first if first.is_line() => Stretch::Line,
        // The tail of a segment that is filled with zeros ahead of the lines.
        Bytes {
            only_nuls: true,
            ends: false,
            ..
        } => Stretch::End,
        first if !is_last || (first.ends && goes_on(file)?) => {
            file.seek(SeekFrom::Start(offset))?;
            match Bytes::read(file)? {
                again if again.is_line() => Stretch::Line,
                again => Stretch::Spoilt(again.length),
            }
        }
        _ => Stretch::End,
    };
    file.seek(SeekFrom::Start(offset))?;
    Ok(found)
}

/// Returns true if a whole line follows.
fn goes_on(file: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let next = Bytes::read(file)?;
        if next.is_line() {
            return Ok(true);
        }
        if !next.ends {
            return Ok(false);
        }
    }
}

/// A stretch up to the next newline or the end of the file. It is not kept: a hole may be long.
#[derive(Debug, Clone, Copy)]
struct Bytes {
    length: u64,
    ends: bool,
    has_nul: bool,
    only_nuls: bool,
}

impl Bytes {
    fn read(file: &mut impl BufRead) -> io::Result<Self> {
        let mut bytes = Bytes {
            length: 0,
            ends: false,
            has_nul: false,
            only_nuls: true,
        };
        while !bytes.ends {
            let buffer = file.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            bytes.ends = end.is_some();
            bytes.has_nul |= taken.contains(&0);
            bytes.only_nuls &= taken.iter().all(|byte| *byte == 0);
            bytes.length += taken.len() as u64;
            let taken = taken.len();
            file.consume(taken);
        }
        Ok(bytes)
    }

    fn is_line(&self) -> bool {
        self.ends && !self.has_nul && self.length <= LINE_LIMIT as u64 + 1
    }
}
