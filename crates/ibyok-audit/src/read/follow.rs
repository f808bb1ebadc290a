//! Following logs as they grow.

use super::Reader;
use super::entry::Line;
use super::filter::Filter;
use super::left_out::LeftOut;
use super::stream::Stream;
use crate::error::Error;
use crate::key::VerifyingKey;

/// Follows logs as they grow, as `tail -f` does. Ask it again and again, say every 200 ms.
#[derive(Debug)]
pub struct Follow {
    reader: Reader,
    filter: Filter,
    streams: Vec<Stream>,
    /// Lines that were read and not given yet, since one after them could not be read.
    ready: Vec<Line>,
}

impl Follow {
    /// Follows from where the streams are. The lines that they left out until here are not counted: they are older.
    pub(super) fn new(reader: Reader, filter: Filter, mut streams: Vec<Stream>) -> Self {
        for stream in &mut streams {
            stream.take_left_out().for_each(drop);
        }
        Self {
            reader,
            filter,
            streams,
            ready: Vec::new(),
        }
    }

    /// Follows the logs that further keys vouch for as well, such as the log of a process started since then.
    pub fn vouch(&mut self, keys: impl IntoIterator<Item = VerifyingKey>) {
        self.reader.keys.get_or_insert_default().extend(keys);
    }

    /// Returns the lines that came since the last time, by time. Never waits. New slots and segments are found.
    ///
    /// # Errors
    /// Fails if the files cannot be read, or if a line among them is not an audit line. The next call continues after
    /// that line, and returns the lines before it.
    pub fn poll(&mut self) -> Result<Vec<Line>, Error> {
        for (slot, directory, key) in self.reader.slots()? {
            if self.streams.iter().all(|stream| stream.slot() != slot) {
                self.streams
                    .push(Stream::begin(slot, directory)?.believing(key.as_ref()));
            }
        }
        for stream in &mut self.streams {
            for line in stream.filter(|line| self.filter.lets(line)) {
                self.ready.push(line?);
            }
        }
        let mut lines = std::mem::take(&mut self.ready);
        lines.sort_by_key(|line| line.entry().time);
        Ok(lines)
    }

    /// Returns the lines that were left out since this was called last, by log and reason.
    pub fn left_out(&mut self) -> Vec<LeftOut> {
        self.streams.iter_mut().flat_map(Stream::take_left_out).collect()
    }
}
