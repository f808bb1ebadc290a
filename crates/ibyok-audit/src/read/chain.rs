//! The lines of one log over its archives and the slot where it goes on.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::Slot;
use super::entry::Line;
use super::filter::Filter;
use super::left_out::LeftOut;
use super::segments::{Start, segment_path, segments};
use super::stream::Stream;
use crate::beside::log_id;
use crate::error::Error;

/// The streams of one log, the oldest first. A line that two of them hold is given once.
#[derive(Debug)]
pub(super) struct Chain {
    streams: VecDeque<Stream>,
    /// The number of the last line, and of the last line of the streams before this one.
    last: u64,
    until: u64,
    left_out: Vec<LeftOut>,
}

impl Chain {
    pub(super) fn new(streams: impl IntoIterator<Item = Stream>) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            last: 0,
            until: 0,
            left_out: Vec::new(),
        }
    }

    /// The lines that were left out so far.
    pub(super) fn left_out(&self) -> impl Iterator<Item = LeftOut> {
        let now = self.streams.iter().flat_map(Stream::left_out);
        self.left_out.iter().cloned().chain(now)
    }

    /// The next line that a filter wants. A chain of one stream may be asked again after its end.
    pub(super) fn next(&mut self, filter: &Filter) -> Option<Result<Line, Error>> {
        loop {
            let stream = self.streams.front_mut()?;
            let until = self.until;
            let mut newest = self.last;
            let found = stream.by_ref().find(|line| {
                let seq = line.as_ref().map_or(0, |line| line.entry().seq);
                newest = newest.max(seq);
                (line.is_err() || seq > until) && filter.lets(line)
            });
            self.last = newest;
            if found.is_some() || self.streams.len() == 1 {
                return found;
            }
            let ended = self.streams.pop_front();
            self.left_out.extend(ended.iter().flat_map(Stream::left_out));
            self.until = self.last;
        }
    }
}

/// The slots of one log: those in archives, the oldest lines first, and the one where the log goes on.
pub(super) fn in_order(live: Vec<Slot>, archived: Vec<Slot>) -> Result<Vec<Vec<Slot>>, Error> {
    let id = |directory: &PathBuf| log_id(directory);
    let mut chains: Vec<Vec<Slot>> = live.into_iter().map(|slot| vec![slot]).collect();
    for slot in archived {
        let chain = chains
            .iter_mut()
            .find(|chain| chain.last().is_some_and(|(_, other, _)| id(other) == id(&slot.1)));
        match chain {
            Some(chain) => chain.insert(0, slot),
            None => chains.push(vec![slot]),
        }
    }
    for chain in &mut chains {
        let mut keyed = Vec::new();
        for slot in chain.drain(..) {
            let first = segments(&slot.1)?.first().copied();
            let begins = first.and_then(|first| Start::of(&segment_path(&slot.1, first)).seq);
            keyed.push((begins.unwrap_or(u64::MAX), slot));
        }
        // Stable, and the live slot is the last one of equals.
        keyed.sort_by_key(|(begins, _)| *begins);
        chain.extend(keyed.into_iter().map(|(_, slot)| slot));
    }
    Ok(chains)
}
