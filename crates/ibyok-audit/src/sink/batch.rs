//! A batch of lines.

/// Lines that go out together: whole lines, each ended by a newline.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    bytes: &'a [u8],
    first_seq: u64,
    count: u64,
}

impl<'a> Batch<'a> {
    /// A batch of whole lines, the first of which has this `seq`.
    #[must_use]
    pub fn new(bytes: &'a [u8], first_seq: u64, count: u64) -> Self {
        Self {
            bytes,
            first_seq,
            count,
        }
    }

    /// All lines with their newlines.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The lines without their newlines.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// The `seq` of the first line.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// Returns the number of lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}
