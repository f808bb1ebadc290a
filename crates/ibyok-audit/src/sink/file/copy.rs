//! The copy of a home's log in a slot.
//!
//! The home is the original, and the copy holds the same bytes. Two differences are not errors. A shorter copy lacks lines of other
//! machines, and fetches them. A longer copy holds lines that the home has lost or never had, and writes them to the home: the log's
//! own signatures and MACs decide whether they count. A segment with another difference is moved aside and fetched again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::segment::{name, numbers};
use crate::beside::{replace, sync_directory};
use crate::error::Error;
use crate::home::Home;

/// The number of bytes that are asked for or given at once.
const CHUNK: usize = 1 << 20;

/// The number of bytes before the end that are compared: they hold the last line, which is chained to all before it.
const COMPARED: u64 = 16 * 1024;

/// The largest file next to the lines. 4,096 checkpoints are about 1 MiB.
const SMALL: u64 = 16 << 20;

/// A log of a home and the slot that copies it.
pub(super) struct Copy<'a> {
    home: &'a dyn Home,
    log: &'a str,
    directory: &'a Path,
}

impl<'a> Copy<'a> {
    pub(super) fn new(home: &'a dyn Home, log: &'a str, directory: &'a Path) -> Self {
        Self { home, log, directory }
    }

    /// Makes home and copy the same. Only the process that holds the log may call it.
    pub(super) fn bring_up_to_date(&self) -> Result<(), Error> {
        for number in numbers(self.directory)? {
            cut_zeros(&self.directory.join(name(number)))?;
        }
        let there = self.fetch()?;
        self.put_what_is_missing(&there)
    }

    /// Fetches from the home the bytes that the copy lacks, and returns the lengths of the home's files.
    pub(super) fn fetch(&self) -> Result<BTreeMap<String, u64>, Error> {
        let files = self.home.files(self.log)?.into_iter();
        let files: BTreeMap<String, u64> = files.map(|file| (file.name, file.length)).collect();
        // The small files come first: somebody may still write the log, and lines may be newer than its checkpoints but not older.
        for (file, length) in files.iter().filter(|(file, _)| is_small(file)) {
            self.fetch_small(file, *length)?;
        }
        for (file, length) in files.iter().filter(|(file, _)| is_segment(file)) {
            self.fetch_segment(file, *length)?;
        }
        Ok(files)
    }

    fn fetch_small(&self, file: &str, length: u64) -> Result<(), Error> {
        if length > SMALL {
            return Err(Error::unavailable(format!("`{file}` in the home has {length} bytes")));
        }
        // One more than its length, so that a file that grew meanwhile is read whole.
        let bytes = self.home.read(self.log, file, 0, SMALL as usize)?;
        let path = self.directory.join(file);
        match std::fs::read(&path) {
            Ok(same) if same == bytes => Ok(()),
            Ok(_) => replace(self.directory, file, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => replace(self.directory, file, &bytes),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    fn fetch_segment(&self, file: &str, length: u64) -> Result<(), Error> {
        let path = self.directory.join(file);
        let ours = match std::fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(Error::io("look at", &path)(error)),
        };
        // Only the end is compared. Each line holds the hash of the line before it, so equal ends mean equal beginnings.
        if self.is_same_up_to(file, ours.min(length))? {
            return self.fetch_from(file, ours, length);
        }
        move_aside(self.directory, file)?;
        self.fetch_from(file, 0, length)
    }

    /// Returns true if home and copy agree before this length, which both have.
    fn is_same_up_to(&self, file: &str, end: u64) -> Result<bool, Error> {
        let from = end.saturating_sub(COMPARED);
        let length = usize::try_from(end - from).unwrap_or(0);
        if length == 0 {
            return Ok(true);
        }
        let path = self.directory.join(file);
        let ours = read_part(&path, from, length).map_err(Error::io("read", &path))?;
        Ok(self.home.read(self.log, file, from, length)? == ours)
    }

    fn fetch_from(&self, file: &str, mut at: u64, length: u64) -> Result<(), Error> {
        if at >= length {
            return Ok(());
        }
        let path = self.directory.join(file);
        let mut options = OpenOptions::new();
        let copy = options.append(true).create(true).mode(0o600).open(&path);
        let mut copy = copy.map_err(Error::io("open", &path))?;
        while at < length {
            let wanted = usize::try_from(length - at).map_or(CHUNK, |left| left.min(CHUNK));
            let bytes = self.home.read(self.log, file, at, wanted)?;
            // A home that gives nothing would keep this loop running for ever.
            if bytes.is_empty() || bytes.len() > wanted {
                let why = format!("the home gave {} of {wanted} bytes of `{file}`", bytes.len());
                return Err(Error::unavailable(why));
            }
            copy.write_all(&bytes).map_err(Error::io("write to", &path))?;
            at += bytes.len() as u64;
        }
        copy.sync_data().map_err(Error::io("sync", &path))?;
        sync_directory(self.directory)
    }

    /// Writes the bytes that only the copy has into the home: of a directory that had no home before, or of a home that lost something.
    fn put_what_is_missing(&self, there: &BTreeMap<String, u64>) -> Result<(), Error> {
        for number in numbers(self.directory)? {
            let file = name(number);
            let length = there.get(&file).copied().unwrap_or(0);
            self.put_from(&file, length)?;
        }
        for entry in std::fs::read_dir(self.directory).map_err(Error::io("list", self.directory))? {
            let file = entry.map_err(Error::io("list", self.directory))?.file_name();
            let Some(file) = file
                .to_str()
                .filter(|file| is_small(file) && !there.contains_key(*file))
            else {
                continue;
            };
            let path = self.directory.join(file);
            let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
            self.home.replace(self.log, file, &bytes)?;
        }
        Ok(())
    }

    /// Puts the bytes behind this length into the home, in pieces of whole lines.
    fn put_from(&self, file: &str, mut at: u64) -> Result<(), Error> {
        let path = self.directory.join(file);
        loop {
            let bytes = read_part(&path, at, CHUNK).map_err(Error::io("read", &path))?;
            let whole = bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(bytes.len(), |end| end + 1);
            let Some(lines) = bytes.get(..whole).filter(|lines| !lines.is_empty()) else {
                return Ok(());
            };
            self.home.append(self.log, file, at, lines)?;
            at += lines.len() as u64;
        }
    }
}

fn is_segment(file: &str) -> bool {
    numbered(file, ".log")
}

fn is_small(file: &str) -> bool {
    matches!(file, "log.pub" | "checkpoints" | "state") || numbered(file, ".start")
}

/// Returns true if a name is `audit-`, eight digits, and this ending. A home's names become paths: no other gets that far.
fn numbered(file: &str, ending: &str) -> bool {
    let digits = file.strip_prefix("audit-").and_then(|rest| rest.strip_suffix(ending));
    digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads up to `length` bytes from `from` on.
fn read_part(path: &Path, from: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Keeps a segment that is not the home's under another name: it may be evidence.
fn move_aside(directory: &Path, file: &str) -> Result<(), Error> {
    let from = directory.join(file);
    let mut names = (1..).map(|number: u32| directory.join(format!("displaced-{number}-{file}")));
    let to = names
        .find(|path| !path.exists())
        .unwrap_or_else(|| from.with_extension("displaced"));
    std::fs::rename(&from, &to).map_err(Error::io("rename", &from))
}

/// Cuts off the zeros that a file sink without a home writes ahead of its lines.
fn cut_zeros(path: &Path) -> Result<(), Error> {
    let length = std::fs::metadata(path).map_err(Error::io("look at", path))?.len();
    let mut end = length;
    while end > 0 {
        let from = end.saturating_sub(64 * 1024);
        let part = read_part(path, from, usize::try_from(end - from).unwrap_or(0)).map_err(Error::io("read", path))?;
        match part.iter().rposition(|byte| *byte != 0) {
            Some(last) => {
                end = from + last as u64 + 1;
                break;
            }
            None => end = from,
        }
    }
    if end == length {
        return Ok(());
    }
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    file.set_len(end)
        .and_then(|()| file.sync_all())
        .map_err(Error::io("cut", path))
}
