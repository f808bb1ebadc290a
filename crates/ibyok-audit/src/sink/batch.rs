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

    /// Returns the id of the log that the lines belong to; `None` if the first line names none.
    #[must_use]
    pub fn log(&self) -> Option<&'a str> {
        const BEFORE: &[u8] = b"\"log\":\"";
        let line = self.lines().next()?;
        // Only `v`, `seq` and `time` come before it, so no text of a caller can hold these bytes earlier.
        let at = line.windows(BEFORE.len()).position(|bytes| bytes == BEFORE)? + BEFORE.len();
        let id = line.get(at..)?.split(|byte| *byte == b'"').next()?;
        std::str::from_utf8(id).ok()
    }

    /// Returns the lines with their numbers, in parts of at most `lines` lines and about `bytes` bytes. A sink whose server bounds a
    /// request sends one part after the other.
    pub fn parts(&self, lines: usize, bytes: usize) -> impl Iterator<Item = Batch<'a>> {
        let (mut rest, mut first_seq) = (self.bytes, self.first_seq);
        std::iter::from_fn(move || {
            let (mut end, mut count) = (0, 0);
            for line in rest.split_inclusive(|byte| *byte == b'\n').take(lines.max(1)) {
                if count > 0 && end + line.len() > bytes {
                    break;
                }
                (end, count) = (end + line.len(), count + 1);
            }
            let (part, after) = rest.split_at_checked(end).filter(|(part, _)| !part.is_empty())?;
            let batch = Batch::new(part, first_seq, count);
            (rest, first_seq) = (after, first_seq + count);
            Some(batch)
        })
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
