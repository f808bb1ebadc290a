//! The files of a log, read as bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::verify::VerifyProgress;

/// A line may be at most this long.
const LONGEST: u64 = 64 * 1024;

/// The slots of a place, by number.
pub(crate) fn slots(place: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    numbered(place, "slot-", "")
}

/// Returns the entries whose name is a number between `prefix` and `suffix`, as numbers with their paths, in order.
fn numbered(directory: &Path, prefix: &str, suffix: &str) -> Result<Vec<(u32, PathBuf)>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix)?.strip_suffix(suffix));
        found.extend(number.and_then(|number| Some((number.parse().ok()?, entry.path()))));
    }
    found.sort();
    Ok(found)
}

/// The log's id; `None` for a slot in which none was begun.
pub(crate) fn log_id(directory: &Path) -> Result<Option<String>, Error> {
    let text = text(&directory.join("id"))?;
    if text.is_none() && !numbered(directory, "audit-", ".log")?.is_empty() {
        // No line will be of this log, and the first will be named.
        return Ok(Some(String::new()));
    }
    Ok(text.map(|text| text.trim_end().to_owned()))
}

/// Returns true if no process ever wrote in a slot, and the slot has no key.
pub(crate) fn is_blank(directory: &Path) -> Result<bool, Error> {
    Ok(text(&directory.join("log.pub"))?.is_none() && numbered(directory, "audit-", ".log")?.is_empty())
}

/// Returns true if a slot is a symbolic link: it then holds the log of another place, or none.
pub(crate) fn is_link(directory: &Path) -> bool {
    std::fs::symlink_metadata(directory).is_ok_and(|meta| meta.file_type().is_symlink())
}

/// A small file as text, if it is there.
pub(crate) fn text(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// A stretch of a segment.
pub(crate) struct Item {
    pub(crate) segment: u32,
    pub(crate) line: u64,
    pub(crate) text: Vec<u8>,
    /// True if it is a whole line. Otherwise it is a piece that a crash can leave.
    pub(crate) whole: bool,
    /// True if no segment follows.
    pub(crate) in_last: bool,
}

/// The lines of a log, in order, with a look ahead.
pub(crate) struct Lines {
    segments: VecDeque<(u32, PathBuf)>,
    open: Option<Open>,
    ahead: VecDeque<Item>,
    progress: Option<Arc<VerifyProgress>>,
}

struct Open {
    segment: u32,
    path: PathBuf,
    line: u64,
    file: BufReader<File>,
}

/// The segments of a slot, in order.
pub(super) fn segments(directory: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    numbered(directory, "audit-", ".log")
}

/// The size of a slot's segments, in bytes.
pub(super) fn size(directory: &Path) -> Result<u64, Error> {
    let segments = segments(directory)?;
    // A segment that goes away meanwhile counts for nothing: only progress is shown by it.
    let sizes = segments.iter().filter_map(|(_, path)| path.metadata().ok());
    Ok(sizes.map(|meta| meta.len()).fold(0, u64::saturating_add))
}

impl Lines {
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        Ok(Self::of(segments(directory)?))
    }

    /// The lines of these segments, in this order.
    pub(crate) fn of(segments: Vec<(u32, PathBuf)>) -> Self {
        Self {
            segments: segments.into(),
            open: None,
            ahead: VecDeque::new(),
            progress: None,
        }
    }

    /// The same lines, counted as they are read.
    pub(crate) fn counting(mut self, progress: &Arc<VerifyProgress>) -> Self {
        self.progress = Some(Arc::clone(progress));
        self
    }

    pub(crate) fn next(&mut self) -> Result<Option<Item>, Error> {
        match self.ahead.pop_front() {
            Some(item) => Ok(Some(item)),
            None => self.read(),
        }
    }

    /// The item after the next `skip`.
    pub(crate) fn peek(&mut self, skip: usize) -> Result<Option<&Item>, Error> {
        while self.ahead.len() <= skip {
            let Some(item) = self.read()? else {
                return Ok(None);
            };
            self.ahead.push_back(item);
        }
        Ok(self.ahead.get(skip))
    }

    fn read(&mut self) -> Result<Option<Item>, Error> {
        loop {
            let Some(open) = &mut self.open else {
                let Some((segment, path)) = self.segments.pop_front() else {
                    return Ok(None);
                };
                let file = File::open(&path).map_err(Error::io("open", &path))?;
                let file = BufReader::with_capacity(256 * 1024, file);
                self.open = Some(Open {
                    segment,
                    path,
                    line: 0,
                    file,
                });
                continue;
            };
            let mut item = open.read().map_err(Error::io("read", &open.path))?;
            if let (Some(item), Some(progress)) = (&item, &self.progress) {
                progress.has_read(item.text.len() + usize::from(item.whole));
            }
            if let Some(item) = &mut item {
                item.in_last = self.segments.is_empty();
            }
            if item.as_ref().is_none_or(|item| !item.whole) {
                self.open = None;
            }
            if item.is_some() {
                return Ok(item);
            }
        }
    }
}

impl Open {
    /// Returns the next line, or the piece of one in its place; `None` if only NULs are left.
    fn read(&mut self) -> io::Result<Option<Item>> {
        let mut text = Vec::new();
        self.file.by_ref().take(LONGEST).read_until(b'\n', &mut text)?;
        self.line += 1;
        let whole = text.last() == Some(&b'\n') && !text.contains(&0);
        if whole {
            text.pop();
        } else if text.iter().all(|byte| *byte == 0) && self.only_nuls_left()? {
            return Ok(None);
        }
        Ok(Some(Item {
            segment: self.segment,
            line: self.line,
            text,
            whole,
            in_last: false,
        }))
    }

    fn only_nuls_left(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.file.fill_buf()?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            let read = bytes.len();
            if read == 0 {
                return Ok(true);
            }
            self.file.consume(read);
        }
    }
}
