//! Finding the end of a log, after a crash or a change from outside.
//!
//! From the last checkpoint on, each line must follow the one before. Lines are written one behind the other into
//! NULs or at the end of the file, so a crash leaves a stretch with a NUL in it or without a newline: a *torn* last
//! write, which was never acknowledged and is moved aside. A whole line that does not follow was put there from
//! outside. Such a log is *broken*: it continues in a new segment after the last line that does follow, and records
//! that.
//!
//! A line that follows need not be the log's: an attacker who can write to the directory can chain lines to a log
//! that no process writes. A session's first lines are signed before it continues, and its last line when it ends. So
//! after a session that ended, only the first lines of the next may be without a signature. Any other line there was
//! put there from outside, too.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::Deserialize;

use super::segment::{numbers, path};
use super::signed::{Signed, Taken};
use crate::archive::base;
use crate::beside::{State, largest_size, sync_directory};
use crate::chain::{Head, hash};
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line::LINE_LIMIT;
use crate::sink::gap::{Gap, GapKind};
use crate::statement::{Statement, StoreMark};
use crate::words::counted;

/// The end of a log, as recovery found it.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) head: Head,
    /// The segment to write to, and whether it has to be made.
    pub(super) segment: u32,
    pub(super) is_new: bool,
    pub(super) offset: u64,
    /// The segment and offset that the search began at.
    pub(super) start: (u32, u64),
    pub(super) last_time: Option<Timestamp>,
    pub(super) gaps: Vec<Gap>,
    /// True if the lines up to `known` are the known ones.
    pub(super) holds_known: bool,
    /// The number of signed lines.
    pub(super) signed: u64,
    /// The newest state of the store that the lines state.
    pub(super) mark: StoreMark,
    /// The end of the lines that are known to be the log's, if those behind it wait for the checkpoint that would say so.
    sure: Option<Sure>,
}

/// A place in the log, with the state known there.
#[derive(Debug, Clone)]
struct Sure {
    head: Head,
    segment: u32,
    offset: u64,
    last_time: Option<Timestamp>,
    mark: StoreMark,
}

impl Recovered {
    /// Keeps this place, unless lines before it wait already.
    fn wait_for_a_checkpoint(&mut self) {
        self.sure.get_or_insert_with(|| Sure {
            head: self.head.clone(),
            segment: self.segment,
            offset: self.offset,
            last_time: self.last_time,
            mark: self.mark,
        });
    }

    /// Goes back before the lines that wait for a checkpoint which did not come. Returns true if there are any.
    fn leave_what_waits(&mut self) -> bool {
        let Some(sure) = self.sure.take() else { return false };
        (self.head, self.segment, self.offset) = (sure.head, sure.segment, sure.offset);
        (self.last_time, self.mark) = (sure.last_time, sure.mark);
        true
    }
}

/// The log whose end is searched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) directory: &'a Path,
    pub(super) log: &'a str,
    pub(super) torn: Torn,
}

/// The treatment of a last write that a crash had cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Torn {
    /// Move it aside, and continue in the same segment.
    MoveAside,
    /// Leave it in the files, and continue in a new segment. A copy of a home must stay byte for byte as the home is.
    LeaveThere,
}

/// Finds the end of a log. `known` is how far lines were acknowledged, if this process wrote them.
pub(super) fn recover(
    search: &Search<'_>,
    key: Option<&VerifyingKey>,
    known: Option<&Head>,
) -> Result<Recovered, Error> {
    let Search { directory, log, torn } = *search;
    let segments = numbers(directory)?;
    let next = segments.last().map_or(1, |last| last.saturating_add(1));
    let state = key.and_then(|key| State::read(directory, key));
    let from_state = state.is_some();
    let (head, segment, offset, mark) = match state {
        Some(state) => (state.head, state.segment, state.offset, state.mark.unwrap_or_default()),
        None => {
            // Only a statement under the log's key lets the log begin later than its first line.
            let base = key.map(|key| base(directory, key)).transpose()?.flatten();
            let begins = || (Head::default(), segments.first().copied().unwrap_or(1));
            let (head, first) = base.unwrap_or_else(begins);
            (head, first, 0, StoreMark::default())
        }
    };
    let mut found = Recovered {
        holds_known: known.is_none_or(|known| *known == head),
        signed: head.size(),
        mark,
        head,
        segment,
        is_new: segments.is_empty(),
        offset,
        start: (segment, offset),
        last_time: None,
        gaps: Vec::new(),
        sure: None,
    };
    let mut signed = Signed::read(directory, key, found.head.size())?;
    // The state is signed, but its position is not. So the line at the position must be the one that the signature covers.
    if from_state && !begins_well(directory, key, &mut found, &mut signed)? {
        found.gaps.push(Gap::new(
            GapKind::Missing,
            0,
            "lines that the last checkpoint covers are not in the files",
        ));
        (found.segment, found.is_new, found.offset) = (next, true, 0);
        return Ok(found);
    }
    for number in segments.iter().copied().filter(|number| *number >= segment) {
        if number != segment {
            (found.segment, found.offset) = (number, 0);
        }
        let is_last = number + 1 == next;
        match follow(directory, log, key, known, &mut found, &mut signed)? {
            End::Clean => {}
            // Only the last segment can end torn. An earlier one was finished and synced before the next began.
            End::Torn if is_last && torn == Torn::MoveAside => move_aside(directory, &mut found)?,
            // The state vouches for the lines before it. Without one, nothing does, and the log is refused as damaged.
            End::Torn | End::Broken if from_state => {
                found.leave_what_waits();
                go_on_behind(&mut found, next);
                break;
            }
            End::Torn | End::Broken => {
                let why = format!("{} does not follow line {}", place(&found), found.head.size());
                return Err(Error::Damaged {
                    path: directory.to_owned(),
                    why,
                });
            }
        }
    }
    if found.leave_what_waits() {
        go_on_behind(&mut found, next);
    }
    // Somebody may have removed the state together with the end of the log. The checkpoints beside it still give its length.
    if !from_state {
        fits_checkpoints(directory, &found)?;
    }
    found.signed = signed.until();
    Ok(found)
}

/// Continues the log in a new segment, after lines that are not its own.
fn go_on_behind(found: &mut Recovered, next: u32) {
    let why = format!("{} does not follow line {}", place(found), found.head.size());
    found.gaps.push(Gap::new(GapKind::Broken, 0, why));
    (found.segment, found.is_new, found.offset) = (next, true, 0);
}

fn place(found: &Recovered) -> String {
    format!("what stands in segment {} at byte {}", found.segment, found.offset)
}

/// Returns true if the last line before the state's position is the line that the state names.
fn begins_well(
    directory: &Path,
    key: Option<&VerifyingKey>,
    found: &mut Recovered,
    signed: &mut Signed,
) -> Result<bool, Error> {
    if found.head.size() == 0 {
        return Ok(true);
    }
    let Some((segment, offset)) = last_line_before(directory, found)? else {
        // The state may be from the moment at which a segment began, and everything before that segment is archived by now.
        let base = key.map(|key| base(directory, key)).transpose()?.flatten();
        return Ok(base.is_some_and(|(head, _)| head == found.head));
    };
    let path = path(directory, segment);
    let Ok(file) = File::open(&path) else {
        return Ok(false);
    };
    // No line is longer, so these bytes hold the whole last line and the end of the one before it.
    let length = offset.min(LINE_LIMIT as u64 + 2);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    if file.read_exact_at(&mut bytes, offset - length).is_err() || bytes.pop() != Some(b'\n') {
        return Ok(false);
    }
    let line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Ok(link) = serde_json::from_slice::<Link<'_>>(line) {
        found.last_time = link.time.parse().ok();
        signed.ends_with(link.action);
    }
    Ok(hash(line) == *found.head.prev())
}

/// The segment that holds the last line before the position, and the end of that line. For the beginning of a segment, it is the end of
/// the segment before, which was finished and is exact. `None` if no segment is before.
fn last_line_before(directory: &Path, found: &Recovered) -> Result<Option<(u32, u64)>, Error> {
    if found.offset > 0 {
        return Ok(Some((found.segment, found.offset)));
    }
    let before = numbers(directory)?.into_iter().rfind(|number| *number < found.segment);
    let Some(before) = before else { return Ok(None) };
    let path = path(directory, before);
    let length = std::fs::metadata(&path).map_err(Error::io("look at", &path))?.len();
    Ok(Some((before, length)))
}

enum End {
    /// Nothing but NULs behind the last line.
    Clean,
    /// A stretch that a crash can leave.
    Torn,
    /// A whole line that does not follow.
    Broken,
}

/// Takes in lines from the position on, as long as they follow.
fn follow(
    directory: &Path,
    log: &str,
    key: Option<&VerifyingKey>,
    known: Option<&Head>,
    found: &mut Recovered,
    signed: &mut Signed,
) -> Result<End, Error> {
    let path = path(directory, found.segment);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(_) if found.is_new => return Ok(End::Clean),
        Err(error) => return Err(Error::io("open", &path)(error)),
    };
    file.seek(SeekFrom::Start(found.offset))
        .map_err(Error::io("read", &path))?;
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line);
        let read = read.map_err(Error::io("read", &path))?;
        if read == 0 {
            return Ok(End::Clean);
        }
        // JSON has no NUL byte, so one here is a part of the segment that was never written.
        if line.pop() != Some(b'\n') || line.contains(&0) {
            return end_of_data(&line, &mut file).map_err(Error::io("read", &path));
        }
        let Some(link) = follows(&line, log, &found.head) else {
            return Ok(End::Broken);
        };
        let mut head = found.head.clone();
        head.push(&line);
        // Lines that this process wrote itself need no signature: it compares their chain with its own head.
        let unknown = known.is_none_or(|known| head.size() > known.size());
        let carries = key.and_then(VerifyingKey::lines).map(|lines| lines.fits(&line));
        match signed.takes(&head, link.action) {
            // A signature over this line covers all before it, so nothing waits any more.
            Taken::Signed => found.sure = None,
            _ if !unknown => {}
            Taken::Not => return Ok(End::Broken),
            Taken::Unsigned if carries == Some(false) => return Ok(End::Broken),
            // Only the checkpoint itself says that the lines before it are those that it covers.
            Taken::Covered if carries != Some(true) => found.wait_for_a_checkpoint(),
            Taken::Unsigned | Taken::Covered => {}
        }
        let time: Option<Timestamp> = link.time.parse().ok();
        found.mark = found.mark.max(link.store_mark());
        found.head = head;
        found.offset += read as u64;
        // The newest time, not the last one: the clocks of two sessions may differ.
        found.last_time = time.max(found.last_time);
        found.holds_known |= known.is_some_and(|known| *known == found.head);
    }
}

/// The rest of a segment is either NULs, which were never written, or torn.
fn end_of_data(first: &[u8], rest: &mut BufReader<File>) -> std::io::Result<End> {
    let mut torn = first.iter().any(|byte| *byte != 0);
    let mut buffer = vec![0; 64 * 1024];
    while !torn {
        let read = rest.read(&mut buffer)?;
        if read == 0 {
            return Ok(End::Clean);
        }
        torn = buffer.iter().take(read).any(|byte| *byte != 0);
    }
    Ok(End::Torn)
}

/// The fields that bind a line to the one before it.
#[derive(Deserialize)]
struct Link<'a> {
    v: u32,
    seq: u64,
    #[serde(borrow)]
    time: &'a str,
    log: &'a str,
    prev: &'a str,
    action: &'a str,
    #[serde(default)]
    states: Option<Statement>,
}

impl Link<'_> {
    fn store_mark(&self) -> StoreMark {
        let mark = self.states.as_ref().and_then(Statement::store_mark);
        mark.unwrap_or_default()
    }
}

/// Returns the fields of the line, if it is the next line of this log.
fn follows<'a>(line: &'a [u8], log: &str, head: &Head) -> Option<Link<'a>> {
    let link: Link<'_> = serde_json::from_slice(line).ok()?;
    let fits = link.v == 1
        && link.seq == head.size() + 1
        && link.log == log
        && HEXLOWER
            .decode(link.prev.as_bytes())
            .is_ok_and(|prev| prev == *head.prev());
    fits.then_some(link)
}

/// Moves the bytes that a crash left after the last line into a separate file.
fn move_aside(directory: &Path, found: &mut Recovered) -> Result<(), Error> {
    let path = path(directory, found.segment);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(found.offset))
        .map_err(Error::io("read", &path))?;
    file.read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(length);
    let name = format!("torn-{}-{}", found.segment, found.offset);
    let aside = directory.join(&name);
    let mut options = OpenOptions::new();
    let kept = options.write(true).create(true).truncate(true).mode(0o600).open(&aside);
    let write = |file: File| file.write_all_at(&bytes, 0).and_then(|()| file.sync_all());
    kept.and_then(write).map_err(Error::io("write to", &aside))?;
    sync_directory(directory)?;
    // After the copy is synced: a crash between the two leaves the torn bytes in both places, and loses none.
    file.set_len(found.offset)
        .and_then(|()| file.sync_all())
        .map_err(Error::io("cut", &path))?;
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let detail = format!("a last write that was cut left {} in `{name}`", counted(length, "byte"));
    found.gaps.push(Gap::new(GapKind::Torn, lines.max(1), detail));
    Ok(())
}

/// Without a state to continue from, the log must have at least the length that its checkpoints state.
fn fits_checkpoints(directory: &Path, found: &Recovered) -> Result<(), Error> {
    let size = largest_size(directory)?;
    if size > found.head.size() {
        let why = format!(
            "it has {}, and a checkpoint speaks of {size}",
            counted(found.head.size(), "line")
        );
        return Err(Error::Damaged {
            path: directory.to_owned(),
            why,
        });
    }
    Ok(())
}
