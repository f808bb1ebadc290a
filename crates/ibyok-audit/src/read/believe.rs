//! Selects the lines that belong to a log: those under a checkpoint that its key signed, and a short end that has no
//! checkpoint yet.
//!
//! Reading need not begin with the first line: the log's key has signed the head of the log at the beginning of a
//! segment. So the lines of a *run* are judged by themselves. A run is a series of segments of which only the first
//! has such a beginning.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use data_encoding::HEXLOWER;
use serde::Deserialize;

use super::entry::Entry;
use super::segments::{segment_path, segments};
use crate::beside::{State, notes};
use crate::chain::{Head, hash};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line::{LINE_LIMIT, begins_session, ends_session};
use crate::tree::Hash;

/// The fields that bind a line to its place, and its action, which decides whether it may be there unsigned.
#[derive(Deserialize)]
struct Link<'a> {
    v: u32,
    seq: u64,
    log: &'a str,
    prev: &'a str,
    action: &'a str,
}

/// Decides which lines of a slot belong to the log that a key vouches for.
#[derive(Debug, Clone)]
pub(super) struct Believer {
    directory: PathBuf,
    key: VerifyingKey,
    here: Option<Here>,
    /// The number of lines that were missing before the segment that is read.
    missing: u64,
}

/// The segment that is read, and how far.
#[derive(Debug, Clone)]
struct Here {
    run: Run,
    segment: u32,
    /// The number of lines up to here, and the hash of the last; `None` behind a line that does not belong there.
    at: Option<(u64, Hash)>,
}

/// The verdict on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belief {
    /// It is the log's.
    Take,
    /// It is not.
    Skip,
    /// It may turn out to be the log's when it is signed.
    Wait,
    /// The line is at the end and will never be the log's. A writer may still write its line there.
    Never,
}

impl Believer {
    pub(super) fn new(directory: &Path, key: &VerifyingKey) -> Self {
        Self {
            directory: directory.to_owned(),
            key: key.clone(),
            here: None,
            missing: 0,
        }
    }

    /// The number of lines that were missing since this was asked last: a segment begins behind more lines than were read.
    pub(super) fn take_missing(&mut self) -> u64 {
        std::mem::take(&mut self.missing)
    }

    /// Returns the number of signed lines in the newest run.
    pub(super) fn signed(directory: &Path, key: &VerifyingKey) -> Result<u64, Error> {
        let newest = segments(directory)?.last().copied().unwrap_or(1);
        Ok(Run::of(directory, key, newest)?.signed)
    }

    /// Returns true if a signed checkpoint covers other lines at this place: the lines that wait now will never be signed.
    pub(super) fn is_contradicted(&self) -> bool {
        self.here.as_ref().is_some_and(|here| here.run.contradicted)
    }

    /// The number of signed lines that a checkpoint speaks of and that are not there, as the files are now; `None` if all are.
    pub(super) fn lacks(&mut self, segment: u32) -> Result<Option<u64>, Error> {
        // A checkpoint may have been read before the line that it covers, in a segment that was begun meanwhile.
        let run = Run::of(&self.directory, &self.key, segment)?;
        let lacking = run.claimed.saturating_sub(run.signed);
        let contradicted = run.contradicted;
        if let Some(here) = &mut self.here {
            here.run = run;
        }
        Ok(contradicted.then_some(lacking))
    }

    /// Returns true if a line of the log is believed about the things that it names.
    pub(super) fn believes(&self, line: &Entry) -> bool {
        self.key.is_believed_about(line)
    }

    /// Judges the next line of a segment, given without its newline. Lines of a segment come in their order, from its first on.
    pub(super) fn judge(&mut self, segment: u32, line: &[u8]) -> Result<Belief, Error> {
        if self.here.as_ref().is_none_or(|here| here.segment != segment) {
            let before = self.here.as_ref().and_then(|here| here.at);
            let known = self.here.take().map(|here| here.run).filter(|run| run.holds(segment));
            let run = match known {
                Some(run) => run,
                None => Run::of(&self.directory, &self.key, segment)?,
            };
            let at = run.begins(segment);
            if let (Some((before, _)), Some((begins, _))) = (before, at) {
                // A segment that begins behind more lines than were read means that the segment between was removed.
                self.missing = self.missing.saturating_add(begins.saturating_sub(before));
            }
            self.here = Some(Here { run, segment, at });
        }
        let log = self.key.log().unwrap_or_default();
        let Some(here) = &mut self.here else {
            return Ok(Belief::Skip);
        };
        let Some(action) = here.follows(log, line) else {
            here.at = None;
            return Ok(Belief::Skip);
        };
        let size = here.at.map_or(0, |(size, _)| size + 1);
        // A line without a signature must at least have a valid MAC, if the reader can check MACs.
        let is_ours = || self.key.lines().is_none_or(|lines| lines.fits(line));
        let lets = |run: &Run| run.lets(size, action) && (size <= run.signed || is_ours());
        if !lets(&here.run) {
            // The log may have been signed meanwhile.
            here.run = Run::of(&self.directory, &self.key, segment)?;
            if !lets(&here.run) {
                if here.run.is_last {
                    // A writer gives each line its MAC, and none to follow the first of a session before a checkpoint covers that.
                    let may_be = is_ours() && (!here.run.sealed || begins_session(action));
                    return Ok(if may_be { Belief::Wait } else { Belief::Never });
                }
                here.at = None;
                return Ok(Belief::Skip);
            }
        }
        here.at = Some((size, hash(line)));
        Ok(Belief::Take)
    }
}

/// Judges the lines behind a place that is signed, one after the other, by their MACs alone.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    pub(super) key: VerifyingKey,
    pub(super) size: u64,
    pub(super) prev: Hash,
}

impl Follower {
    pub(super) fn judge(&mut self, line: &[u8]) -> Belief {
        let log = self.key.log().unwrap_or_default();
        let carries = self.key.lines().is_some_and(|lines| lines.fits(line));
        if !carries || follows(line, log, self.size, &self.prev).is_none() {
            return Belief::Skip;
        }
        (self.size, self.prev) = (self.size + 1, hash(line));
        Belief::Take
    }
}

impl Here {
    /// The action of a line that follows the one before it.
    fn follows<'a>(&self, log: &str, line: &'a [u8]) -> Option<&'a str> {
        let (size, prev) = self.at?;
        follows(line, log, size, &prev)
    }
}

fn follows<'a>(line: &'a [u8], log: &str, size: u64, prev: &Hash) -> Option<&'a str> {
    let link: Link<'_> = serde_json::from_slice(line).ok()?;
    let chained = HEXLOWER.decode(link.prev.as_bytes()).is_ok_and(|given| given == *prev);
    (link.v == 1 && link.seq == size + 1 && link.log == log && chained).then_some(link.action)
}

/// Segments that follow each other, of which only the first has a signed beginning.
#[derive(Debug, Clone)]
struct Run {
    /// The beginning of each segment: its number, the number of lines before it, and the hash of the last of them.
    segments: Vec<(u32, u64, Hash)>,
    /// The number of lines under the last checkpoint that was found to hold.
    signed: u64,
    /// True if the signed lines end a session, or are only those before this run. Then only the lines that begin the
    /// next session are on the log without a signature.
    sealed: bool,
    /// True if no segment follows.
    is_last: bool,
    /// True if a signed checkpoint of more lines covers other lines than those in the files.
    contradicted: bool,
    /// The number of lines that the largest signed checkpoint speaks of.
    claimed: u64,
}

impl Run {
    fn holds(&self, segment: u32) -> bool {
        self.begins(segment).is_some()
    }

    fn begins(&self, segment: u32) -> Option<(u64, Hash)> {
        let found = self.segments.iter().find(|(number, ..)| *number == segment);
        found.map(|(_, size, prev)| (*size, *prev))
    }

    fn lets(&self, size: u64, action: &str) -> bool {
        let may_be_unsigned = self.is_last && !self.contradicted;
        size <= self.signed || (may_be_unsigned && (!self.sealed || begins_session(action)))
    }

    /// The run that a segment belongs to.
    fn of(directory: &Path, key: &VerifyingKey, segment: u32) -> Result<Self, Error> {
        let all = segments(directory)?;
        let before = all.iter().rev().filter(|number| **number <= segment);
        let start = before
            .filter_map(|number| Some((*number, State::read_start(directory, *number, key)?)))
            .next();
        let (first, head) = start.unwrap_or((all.first().copied().unwrap_or(1), Head::default()));
        let mut walk = Walk {
            log: key.log().unwrap_or_default(),
            expected: expected(directory, head.size())?,
            held: BTreeMap::new(),
            ended: false,
            head,
            intact: true,
        };
        let mut run = Run {
            segments: Vec::new(),
            signed: walk.head.size(),
            sealed: true,
            is_last: true,
            contradicted: false,
            claimed: 0,
        };
        for number in all.into_iter().filter(|number| *number >= first) {
            // Of the segments up to this one, none had a beginning a moment ago. One that its writer has kept since must not end the run:
            // the run would not hold the segment that it is made for, and its lines would be passed over.
            if number > segment
                && let Some(next) = State::read_start(directory, number, key)
            {
                run.is_last = false;
                if next == walk.head {
                    (run.signed, run.sealed) = (next.size(), walk.ended);
                }
                // Larger ones are about the lines of the next run.
                walk.expected.retain(|size, _| *size <= next.size());
                break;
            }
            if walk.intact {
                run.segments.push((number, walk.head.size(), *walk.head.prev()));
                walk.segment(&segment_path(directory, number))?;
            }
        }
        run.take_signatures(&walk, key);
        Ok(run)
    }

    /// Only the largest valid checkpoint counts: the signatures of smaller ones need no check.
    fn take_signatures(&mut self, walk: &Walk<'_>, key: &VerifyingKey) {
        for (size, (_, note)) in walk.expected.iter().rev().filter(|(size, _)| **size > self.signed) {
            if Checkpoint::open(note, key).is_none() {
                continue;
            }
            self.claimed = self.claimed.max(*size);
            if let Some(ended) = walk.held.get(size) {
                (self.signed, self.sealed) = (*size, *ended);
                return;
            }
            self.contradicted = true;
        }
    }
}

/// Reads the roots in the checkpoints of more than so many lines, with their texts. Does not verify the signatures.
fn expected(directory: &Path, after: u64) -> Result<BTreeMap<u64, (Hash, String)>, Error> {
    let said = |note: String| {
        let mut lines = note.lines().skip(1);
        let size: u64 = lines.next()?.parse().ok()?;
        let root: Hash = BASE64_STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        (size > after).then_some((size, (root, note)))
    };
    Ok(notes(directory)?.into_iter().filter_map(said).collect())
}

/// Goes through the lines of a run.
struct Walk<'a> {
    log: &'a str,
    expected: BTreeMap<u64, (Hash, String)>,
    /// The sizes at which the tree agreed with a checkpoint, and whether a session ended there.
    held: BTreeMap<u64, bool>,
    head: Head,
    ended: bool,
    intact: bool,
}

impl Walk<'_> {
    fn segment(&mut self, path: &Path) -> Result<(), Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("open", path)(error)),
        };
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = file.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line);
            read.map_err(Error::io("read", path))?;
            if line.pop() != Some(b'\n') || line.contains(&0) {
                return Ok(());
            }
            // Behind a line that does not follow, no position is known, so the walk ends here.
            let Some(action) = follows(&line, self.log, self.head.size(), self.head.prev()) else {
                self.intact = false;
                return Ok(());
            };
            self.ended = ends_session(action);
            self.head.push(&line);
            let size = self.head.size();
            if let Some((root, _)) = self.expected.get(&size)
                && *root == self.head.tree().root()
            {
                self.held.insert(size, self.ended);
            }
        }
    }
}
