//! Separates the lines behind the last known place into signed lines, unsigned lines that may be there, and others.

use std::collections::BTreeMap;
use std::path::Path;

use crate::beside::notes;
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
    /// True if the last signed line ended a session, or there is none.
    ended: bool,
}

/// The verdict of signatures on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The line and all before it are signed.
    Signed,
    /// A checkpoint is still to come that covers the line, if it is the log's.
    Covered,
    /// No checkpoint covers the line, and it may still be there.
    Unsigned,
    /// The line is not the log's.
    Not,
}

impl Signed {
    /// The signed checkpoints next to a log that cover more than this number of lines.
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

    /// Returns the number of lines that are known to be signed.
    pub(super) fn until(&self) -> u64 {
        self.until
    }

    /// Takes in the next line. `head` is the log's head with that line.
    pub(super) fn takes(&mut self, head: &Head, action: &str) -> Taken {
        if let Some(root) = self.roots.remove(&head.size()) {
            // The key signed other lines at this length, so this line is not the log's.
            if root != head.tree().root() {
                return Taken::Not;
            }
            (self.until, self.ended) = (head.size(), ends_session(action));
            return Taken::Signed;
        }
        // What a later checkpoint covers is judged by that.
        if self.roots.last_key_value().is_some_and(|(last, _)| *last > head.size()) {
            Taken::Covered
        } else if !self.ended || begins_session(action) {
            Taken::Unsigned
        } else {
            Taken::Not
        }
    }
}
