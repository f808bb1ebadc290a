//! The lines of several logs, merged by time.

use std::collections::VecDeque;

use super::archived::ArchivedLines;
use super::chain::Chain;
use super::entry::Line;
use super::filter::Filter;
use super::left_out::LeftOut;
use crate::error::Error;

/// Lines, oldest first.
#[derive(Debug)]
pub struct Lines {
    pub(super) filter: Filter,
    pub(super) sources: Vec<Source>,
    pub(super) ready: VecDeque<Result<Line, Error>>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) archived: Vec<ArchivedLines>,
}

impl Lines {
    /// The lines that may be wanted and are in archives that are not read. A reading of the last lines does not look for them.
    #[must_use]
    pub fn archived(&self) -> &[ArchivedLines] {
        &self.archived
    }

    /// The lines that were left out so far, by log and reason. Ask for them after the last line.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        let of_sources = self.sources.iter().flat_map(|source| source.chain.left_out());
        self.left_out.iter().cloned().chain(of_sources).collect()
    }
}

/// One log, and its next line.
#[derive(Debug)]
pub(super) struct Source {
    chain: Chain,
    next: Option<Line>,
}

impl Source {
    pub(super) fn new(chain: Chain) -> Self {
        Self { chain, next: None }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(line) = self.ready.pop_front() {
            return Some(line);
        }
        for source in self.sources.iter_mut().filter(|source| source.next.is_none()) {
            match source.chain.next(&self.filter) {
                None => {}
                Some(Ok(line)) => source.next = Some(line),
                Some(Err(error)) => return Some(Err(error)),
            }
        }
        let first = self.sources.iter_mut().filter(|source| source.next.is_some());
        let first = first.min_by_key(|source| source.next.as_ref().map(|line| line.entry().time))?;
        first.next.take().map(Ok)
    }
}
