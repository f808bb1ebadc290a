//! Reading a log, also while it is written.

mod about;
mod archived;
mod believe;
mod chain;
mod changes;
mod entry;
mod filter;
mod follow;
mod left_out;
mod lines;
mod segments;
mod spoilt;
mod stream;
pub(crate) mod trust;

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};

use self::chain::{Chain, in_order};
use self::lines::Source;
pub(crate) use self::segments::Start;
use self::segments::{segment_path, segments, slots, whole_lines_of};
use self::stream::Stream;
use self::trust::vouched;
use crate::beside::{State, log_id};
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::statement::{Statement, StoreMark};

pub use archived::ArchivedLines;
pub use changes::ChangesRead;
pub use entry::{Entry, EntryClient, EntryPrincipal, EntryTarget, Line, LinePlace};
pub use filter::Filter;
pub use follow::Follow;
pub use left_out::{LeftOut, LeftOutReason};
pub use lines::Lines;
pub use trust::{claimed_keys, has_other_logs, has_own_lines, logs_in, newest_checkpoints};

/// Reads all logs of a place, oldest line first.
#[derive(Debug, Clone)]
pub struct Reader {
    root: PathBuf,
    keys: Option<Vec<VerifyingKey>>,
    /// The logs that the vault knows and that it has no key of.
    unread: Vec<String>,
    keeps_places: bool,
    /// Archives of the logs.
    archives: Vec<PathBuf>,
}

/// A slot that is read, and the key that vouches for its lines, if that is asked for.
type Slot = (u32, PathBuf, Option<VerifyingKey>);

impl Reader {
    /// The logs in this directory.
    ///
    /// # Errors
    /// Fails if `place` is not a directory that can be read.
    pub fn open(place: impl AsRef<Path>) -> Result<Self, Error> {
        let root = place.as_ref().to_owned();
        slots(&root)?;
        Ok(Self {
            root,
            keys: None,
            unread: Vec::new(),
            keeps_places: false,
            archives: Vec::new(),
        })
    }

    /// Opens the logs in this directory for which one of the keys vouches. Of each log it reads only the lines that
    /// its key signed, or will sign within the second. No line that an attacker without the key put there is read.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn vouched(place: impl AsRef<Path>, keys: Vec<VerifyingKey>) -> Result<Self, Error> {
        let reader = Self::open(place)?;
        Ok(Self {
            keys: Some(keys),
            ..reader
        })
    }

    /// The same, with the logs that belong to the vault and whose keys it cannot open now. Their lines are counted as left out.
    #[must_use]
    pub fn without_keys_of(mut self, logs: Vec<String>) -> Self {
        self.unread = logs;
        self
    }

    /// The same, with the lines that are not [believed](Line::is_believed): for a caller that counts the lines of each log.
    #[must_use]
    pub fn keeping_places(mut self) -> Self {
        self.keeps_places = true;
        self
    }

    /// The same with the lines that these archives hold, which come before those of the place.
    ///
    /// # Errors
    /// Fails if an archive is not a directory that can be read.
    pub fn with_archives(mut self, archives: Vec<PathBuf>) -> Result<Self, Error> {
        for archive in &archives {
            slots(archive)?;
        }
        self.archives = archives;
        Ok(self)
    }

    /// Returns the lines that match the filter. Lines of one log keep their order; several logs are merged by time.
    ///
    /// # Errors
    /// Fails if the files cannot be opened. An item is an error if a line cannot be read; the next item is the line
    /// after it.
    pub fn lines(&self, filter: &Filter) -> Result<Lines, Error> {
        if let Some(limit) = filter.limit {
            return self.last(filter, limit);
        }
        let mut sources = Vec::new();
        for chain in self.chains(filter)? {
            let mut streams = Vec::new();
            for (slot, directory, key) in chain {
                let stream = Stream::begin_at(slot, directory, filter)?.believing(key.as_ref());
                streams.push(stream.keeping_places(self.keeps_places));
            }
            sources.push(Source::new(Chain::new(streams)));
        }
        Ok(Lines {
            filter: filter.clone(),
            sources,
            ready: VecDeque::new(),
            left_out: self.unread(filter)?,
            archived: self.archived(filter)?,
        })
    }

    /// Follows the logs from their ends on.
    ///
    /// # Errors
    /// Fails if the files cannot be opened.
    pub fn follow(&self, filter: &Filter) -> Result<Follow, Error> {
        let mut streams = Vec::new();
        for (slot, directory, key) in self.slots()? {
            let mut stream = Stream::begin_at_last_segment(slot, directory)?.believing(key.as_ref());
            while stream.next().is_some() {}
            streams.push(stream);
        }
        Ok(Follow::new(self.clone(), filter.clone(), streams))
    }

    /// The logs without a key whose lines a filter may want, with the number of their lines.
    fn unread(&self, filter: &Filter) -> Result<Vec<LeftOut>, Error> {
        let mut left_out = Vec::new();
        for (_, directory) in slots(&self.root)? {
            let Some(log) = log_id(&directory).filter(|log| self.unread.contains(log)) else {
                continue;
            };
            if filter.log.as_ref().is_some_and(|wanted| *wanted != log) {
                continue;
            }
            let segment = segments(&directory)?.first().copied().unwrap_or(1);
            left_out.push(LeftOut {
                path: segment_path(&directory, segment),
                line: 1,
                lines: whole_lines_of(&directory, segment, 0),
                why: LeftOutReason::NoKey,
            });
        }
        Ok(left_out)
    }

    /// The slots that are read.
    fn slots(&self) -> Result<Vec<Slot>, Error> {
        self.slots_of(&self.root)
    }

    /// The slots of a place or an archive that are read.
    fn slots_of(&self, root: &Path) -> Result<Vec<Slot>, Error> {
        match &self.keys {
            None => Ok(slots(root)?
                .into_iter()
                .map(|(slot, path)| (slot, path, None))
                .collect()),
            Some(keys) => {
                let slots = vouched(root, keys)?.into_iter();
                Ok(slots.map(|one| (one.slot, one.directory, Some(one.key))).collect())
            }
        }
    }

    /// The slots of each log that is wanted, the oldest lines first.
    fn chains(&self, filter: &Filter) -> Result<Vec<Vec<Slot>>, Error> {
        let live = self.wanted_slots(&self.root, filter)?;
        let mut archived = Vec::new();
        for archive in &self.archives {
            archived.extend(self.wanted_slots(archive, filter)?);
        }
        in_order(live, archived)
    }

    /// The slots of a place whose log is wanted.
    fn wanted_slots(&self, root: &Path, filter: &Filter) -> Result<Vec<Slot>, Error> {
        let mut slots = self.slots_of(root)?;
        if let Some(log) = &filter.log {
            // A slot that does not say whose it is may be anybody's.
            slots.retain(|(_, directory, _)| {
                std::fs::read_to_string(directory.join("id")).map_or(true, |id| id.trim_end() == log)
            });
        }
        Ok(slots)
    }

    /// The last lines, looked for from the newest segment backwards.
    fn last(&self, filter: &Filter, limit: usize) -> Result<Lines, Error> {
        let (mut found, mut left_out) = (Vec::new(), self.unread(filter)?);
        for chain in self.chains(filter)? {
            let mut of_slot: Vec<VecDeque<Result<Line, Error>>> = Vec::new();
            let mut count = 0;
            for ((slot, directory, key), segment) in newest_first(chain)? {
                let mut kept = VecDeque::new();
                let stream = Stream::only(slot, directory.clone(), segment).believing(key.as_ref());
                let mut stream = stream.keeping_places(self.keeps_places);
                for line in stream.by_ref().filter(|line| filter.lets(line)) {
                    if kept.len() == limit {
                        kept.pop_front();
                    }
                    kept.push_back(line);
                }
                left_out.extend(stream.left_out());
                count += kept.len();
                of_slot.push(kept);
                let begins = || Start::of(&segment_path(&directory, segment)).seq;
                if count >= limit
                    || filter
                        .from_seq
                        .is_some_and(|from| begins().is_some_and(|first| first <= from))
                {
                    break;
                }
            }
            found.extend(of_slot.into_iter().rev().flatten());
        }
        // A stable sort: lines of one log stay in its order unless their times say otherwise.
        found.sort_by_key(|line| line.as_ref().ok().map(|line| line.entry().time));
        let surplus = found.len().saturating_sub(limit);
        let ready = found.into_iter().skip(surplus).collect();
        Ok(Lines {
            filter: filter.clone(),
            sources: Vec::new(),
            ready,
            left_out,
            archived: Vec::new(),
        })
    }
}

/// The segments of a log, the newest first, each with its slot. Of a segment that is in several slots, the newest slot has it.
fn newest_first(chain: Vec<Slot>) -> Result<Vec<(Slot, u32)>, Error> {
    let mut found: Vec<(Slot, u32)> = Vec::new();
    for slot in chain.into_iter().rev() {
        let lowest = found.last().map_or(u32::MAX, |(_, lowest)| *lowest);
        let numbers = segments(&slot.1)?.into_iter().rev();
        found.extend(
            numbers
                .filter(|number| *number < lowest)
                .map(|number| (slot.clone(), number)),
        );
    }
    Ok(found)
}

/// The newest mark of the store in the logs of a place for which the keys vouch.
///
/// Reads no more than the end of each log, as far as the log's own keys vouch for the files beside it.
///
/// # Errors
/// Fails if the place or a log cannot be read.
pub fn newest_store_mark(place: &Path, keys: &[VerifyingKey]) -> Result<StoreMark, Error> {
    let mut newest = StoreMark::default();
    for one in vouched(place, keys)? {
        newest = newest.max(store_mark(&one.directory, &one.key)?);
    }
    Ok(newest)
}

/// The newest mark of the store in the lines of the log in a slot. Only lines that the key vouches for count.
pub(crate) fn store_mark(directory: &Path, key: &VerifyingKey) -> Result<StoreMark, Error> {
    let mut newest = StoreMark::default();
    let state = State::read(directory, key);
    let lines = match state.as_ref().and_then(|state| Some((state, state.mark?))) {
        Some((state, mark)) => {
            newest = mark;
            Stream::begin_near(0, directory.to_owned(), state.segment, state.offset).following(&state.head, key)
        }
        // Nothing beside the log can be believed: all of its lines are read.
        None => Stream::begin(0, directory.to_owned())?.believing(Some(key)),
    };
    for line in lines.flatten() {
        let states = line.entry().states.as_ref();
        newest = newest.max(states.and_then(Statement::store_mark).unwrap_or_default());
    }
    Ok(newest)
}

/// Returns true if the log in this slot has a line of this number.
pub(crate) fn has_line(directory: PathBuf, filter: &Filter, seq: u64) -> Result<bool, Error> {
    let first = Stream::begin_at(0, directory, filter)?.next().transpose()?;
    Ok(first.is_some_and(|line| line.entry().seq == seq))
}

/// Writes the lines that match the filter unchanged, each with a newline. Returns their number.
///
/// # Errors
/// Fails if a line cannot be read or written.
pub fn export(place: &Path, filter: &Filter, writer: &mut dyn Write) -> Result<u64, Error> {
    let mut count = 0;
    for line in Reader::open(place)?.lines(filter)? {
        let line = line?;
        writeln!(writer, "{}", line.text()).map_err(Error::io("write to", Path::new("the export")))?;
        count += 1;
    }
    Ok(count)
}
