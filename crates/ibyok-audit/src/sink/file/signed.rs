//! Which of the lines behind the last known place are signed, and which of the others may be there all the same.

use std::collections::BTreeMap;
use std::path::Path;

use super::state::notes;
use crate::chain::Head;
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line::{begins_session, ends_session};
use crate::tree::Hash;

/// The checkpoints that are still to come while lines are read in their order.
#[derive(Debug)]
pub(super) struct Signed {
    roots: BTreeMap<u64, Hash>,
    until: u64,
    /// Whether the last signed line ended a session, or there is none.
    ended: bool,
}

impl Signed {
    /// The signed checkpoints beside a log that speak of more than so many lines.
    pub(super) fn read(directory: &Path, key: Option<&VerifyingKey>, after: u64) -> Result<Self, Error> {
        let mut roots = BTreeMap::new();
        if let Some(key) = key {
            let found = notes(directory)?;
            let found = found.iter().filter_map(|note| Checkpoint::open(note, key));
            roots.extend(
                found
                    .filter(|note| note.size() > after)
                    .map(|note| (note.size(), *note.root())),
            );
        }
        Ok(Self {
            roots,
            until: after,
            // Without a key nothing was ever signed: opening such a log refuses what it holds.
            ended: after == 0 && key.is_some(),
        })
    }

    /// Says which action the last line has that is known to be signed.
    pub(super) fn ends_with(&mut self, action: &str) {
        self.ended = ends_session(action);
    }

    /// How many lines are known to be signed.
    pub(super) fn until(&self) -> u64 {
        self.until
    }

    /// Whether a signature covers the line with which the log stands at `head`, or one that is still to come may.
    pub(super) fn covers(&self, head: &Head) -> bool {
        let last = self.roots.last_key_value().map_or(0, |(last, _)| *last);
        head.size() <= self.until.max(last)
    }

    /// Takes in the next line, with which the log stands at `head`. Whether it may be there.
    pub(super) fn takes(&mut self, head: &Head, action: &str) -> bool {
        if let Some(root) = self.roots.remove(&head.size()) {
            if root != head.tree().root() {
                return false;
            }
            (self.until, self.ended) = (head.size(), ends_session(action));
            return true;
        }
        // What a later checkpoint covers is judged by that.
        let covered = self.roots.last_key_value().is_some_and(|(last, _)| *last > head.size());
        covered || !self.ended || begins_session(action)
    }
}
