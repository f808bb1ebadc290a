//! Lines that are written together.

use std::sync::Arc;

use super::group::Group;
use crate::line::Text;
use crate::statement::StoreMark;

/// The capacity in bytes that an empty buffer keeps. A burst may need more, and gives it back.
const KEPT: usize = 1 << 20;

/// The bytes that a line has beyond its text, at most: its place, its hash and its MAC.
const AROUND: usize = 300;

/// The end of one line's text in the buffer, and the length of the time at its beginning.
#[derive(Debug)]
struct Line {
    end: usize,
    time: usize,
}

/// Lines that are written together: their texts are in one buffer, so that no line is an allocation.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    lines: Vec<Line>,
    /// The newest mark of the store that one of them states.
    pub(super) stated: Option<StoreMark>,
    /// The callers that wait for them; `None` if no caller waits.
    pub(super) group: Option<Arc<Group>>,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The number of bytes that the lines take on the log, or a few more.
    pub(super) fn bytes(&self) -> u64 {
        (self.text.len() + self.lines.len() * AROUND) as u64
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Text<'_>> {
        let mut from = 0;
        self.lines.iter().map(move |line| {
            let text = self.text.get(from..line.end).unwrap_or_default();
            from = line.end;
            Text { text, time: line.time }
        })
    }

    /// Adds a line, and returns its index.
    pub(super) fn push(&mut self, line: Text<'_>, stated: Option<StoreMark>) -> usize {
        let index = self.lines.len();
        self.text.push_str(line.text);
        self.lines.push(Line {
            end: self.text.len(),
            time: line.time,
        });
        self.stated = self.stated.max(stated);
        index
    }

    /// Removes all lines. The buffers keep their memory for the next ones.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.lines.clear();
        (self.stated, self.group) = (None, None);
    }
}
