//! The length of documents.

use std::io;

use serde::Serialize;

/// Returns the length of an item as JSON. An item that cannot be written counts as too long for anything.
pub(crate) fn json_length(item: &impl Serialize) -> usize {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, item).map_or(usize::MAX, |()| count.0)
}

/// Counts the bytes that are written to it.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
