//! The lines that bear on freshness: ends of changes, accepted rollbacks, and statements.

use std::path::PathBuf;

use super::entry::Line;
use super::segments::{Start, segment_path, segments};
use super::stream::Stream;
use super::{Reader, Slot};
use crate::beside::log_id;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line_key::said;

/// The progress of [`Reader::changes`] in a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangesRead {
    /// The number of the log's last line.
    pub last_seq: u64,
    /// The number of lines that could not be read.
    pub unreadable: u64,
}

impl Reader {
    /// Reads one log after a line and gives the lines that end a change (`done`), accept a rollback, or state
    /// something, in order. A [vouched](Reader::vouched) reader gives only the lines that the log's key signed, or
    /// will sign within the second.
    ///
    /// A log that is not in this place has no lines.
    ///
    /// # Errors
    /// Fails if the files cannot be opened.
    pub fn changes(&self, log: &str, after: u64, take: &mut dyn FnMut(Line)) -> Result<ChangesRead, Error> {
        match self.slot_of(log)? {
            Some((_, directory, key)) => read(directory, log, after, key.as_ref(), take),
            None => Ok(nothing(after)),
        }
    }

    /// The same without looking at signatures: other lines are passed over unparsed, and the first one is found without reading
    /// those before it. For a first look, which costs nothing for a long log.
    ///
    /// # Errors
    /// As [`Reader::changes`].
    pub fn changes_unchecked(&self, log: &str, after: u64, take: &mut dyn FnMut(Line)) -> Result<ChangesRead, Error> {
        match self.slot_of(log)? {
            Some((_, directory, _)) => read(directory, log, after, None, take),
            None => Ok(nothing(after)),
        }
    }

    /// Returns true if a log of this place has a line.
    ///
    /// # Errors
    /// Fails if the files cannot be opened.
    pub fn has_lines(&self, log: &str) -> Result<bool, Error> {
        let Some((_, directory, _)) = self.slot_of(log)? else {
            return Ok(false);
        };
        let begins = |number: &u32| Start::of(&segment_path(&directory, *number)).seq.is_some();
        Ok(segments(&directory)?.iter().any(begins))
    }

    fn slot_of(&self, log: &str) -> Result<Option<Slot>, Error> {
        let is_it = |(_, directory, _): &Slot| log_id(directory).is_some_and(|id| id == log);
        Ok(self.slots()?.into_iter().find(is_it))
    }
}

fn nothing(after: u64) -> ChangesRead {
    ChangesRead {
        last_seq: after,
        unreadable: 0,
    }
}

fn read(
    directory: PathBuf,
    log: &str,
    after: u64,
    key: Option<&VerifyingKey>,
    take: &mut dyn FnMut(Line),
) -> Result<ChangesRead, Error> {
    let mut stream = Stream::begin_after(directory, after, bears_on_freshness, key)?;
    let mut unreadable = 0;
    // A line that cannot be read ends the stream once; the next call continues after it.
    loop {
        let before = (stream.last_met(), unreadable);
        for line in stream.by_ref() {
            match line {
                Ok(line) if line.entry().log == log => take(line),
                Ok(_) | Err(_) => unreadable += 1,
            }
        }
        if before == (stream.last_met(), unreadable) {
            break;
        }
    }
    Ok(ChangesRead {
        last_seq: stream.last_met(),
        unreadable,
    })
}

/// Judges by the bytes alone: a text on a line cannot hold a plain quote, so none can look like a member.
fn bears_on_freshness(line: &[u8]) -> bool {
    // `action` and `phase` stand in the first 300 bytes, and only a statement ends what a line says with a brace.
    let head = line.get(..line.len().min(320)).unwrap_or_default();
    let has = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    said(line).ends_with(b"}") || has(br#","phase":"done","#) || has(br#""action":"vault.rollback_accepted""#)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::{Action, Event, FileSink, FloorsStatement, Log, Outcome, Phase, Reader, SigningKey, Statement};

    #[tokio::test]
    async fn the_lines_after_any_line_are_found_and_the_last_number_is_right() {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let sink = FileSink::builder(&place).segment_bytes(300 * 1024);
        let (sink, signing) = (sink.open().await.unwrap(), SigningKey::generate().unwrap());
        let key = signing.public(sink.state().log());
        let log = Log::builder().home(sink).signing_key(signing).open().await.unwrap();
        let event = |n: u64| {
            let event = Event::new(Action::KeySet, Outcome::Allowed, Timestamp::UNIX_EPOCH).reason("x".repeat(200));
            match n % 3 {
                0 => event.phase(Phase::Done).record("r").rev(n),
                1 => event.phase(Phase::Intended).record("r").rev(n),
                _ => event,
            }
        };
        for n in 2..=3000_u64 {
            log.append_unwaited(event(n));
            if n % 200 == 0 {
                log.flush().await.unwrap();
            }
        }
        let floors = FloorsStatement::new(1, 2, "ab");
        let states = event(2).states(Statement::default().with_floors(floors));
        drop(log.append(states).await.unwrap());
        // Everything is signed then, with one more line.
        log.close().await.unwrap();
        let reader = Reader::open(&place).unwrap();
        let vouched = Reader::vouched(&place, vec![key]).unwrap();
        for after in [0, 1, 2, 3, 500, 1499, 2998, 2999, 3000, 3001, 9000] {
            let mut seqs = Vec::new();
            let mut take = |line: crate::Line| seqs.push(line.entry().seq);
            let read = reader.changes_unchecked(log.id(), after, &mut take).unwrap();
            let wanted: Vec<u64> = (after + 1..=3001).filter(|n| n % 3 == 0 || *n == 3001).collect();
            assert_eq!(seqs, wanted, "after {after}");
            assert_eq!((read.last_seq, read.unreadable), (after.max(3002), 0));
            let mut signed = Vec::new();
            let mut take = |line: crate::Line| signed.push(line.entry().seq);
            let read = vouched.changes(log.id(), after, &mut take).unwrap();
            assert_eq!((signed, read.last_seq), (wanted, after.max(3002)), "after {after}");
        }
        let none = reader
            .changes_unchecked("another", 7, &mut |_| panic!("no line"))
            .unwrap();
        assert_eq!(none.last_seq, 7);
    }
}
