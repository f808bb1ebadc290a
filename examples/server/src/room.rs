//! Limits the memory for bodies: for all requests together, for each token, and for each token with its descendants.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use ibyok_core::{policy::TokenId, sessions::Admitted};

use crate::options::Options;
use crate::problem::Problem;

/// The memory for bodies, and the part that each sender holds.
#[derive(Debug)]
pub(crate) struct Room {
    /// Bytes for all bodies.
    all: usize,
    /// Bytes for the bodies of one token.
    of_a_token: usize,
    /// Bytes for the bodies of one token and all that descend from it.
    of_a_family: usize,
    held: Mutex<HashMap<Holder, usize>>,
}

/// A share that a body counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    All,
    /// `None` for senders of whom nothing is known.
    Token(Option<TokenId>),
    /// A token with all its descendants, so that issuing many tokens gains no memory.
    Family(TokenId),
}

/// The memory that one body holds, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Part {
    room: Arc<Room>,
    holders: Vec<Holder>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        let all = options.body_budget;
        // A token can send one whole body with any settings.
        let of_a_token = (all / 4).max(options.body_limit);
        Arc::new(Room {
            all,
            of_a_token,
            of_a_family: (all / 2).max(of_a_token),
            held: Mutex::default(),
        })
    }

    /// The part of a body that nothing of has been read yet.
    pub(crate) fn part(self: &Arc<Self>, sender: Option<&Admitted>) -> Part {
        let token = sender.and_then(|sender| sender.token);
        let ancestors = sender.map_or(&[][..], |sender| &sender.ancestors);
        let families = token.iter().chain(ancestors).map(|id| Holder::Family(*id));
        Part {
            room: Arc::clone(self),
            holders: [Holder::All, Holder::Token(token)]
                .into_iter()
                .chain(families)
                .collect(),
            bytes: 0,
        }
    }

    fn most(&self, holder: Holder) -> usize {
        match holder {
            Holder::All => self.all,
            Holder::Token(_) => self.of_a_token,
            Holder::Family(_) => self.of_a_family,
        }
    }
}

impl Part {
    /// Takes more memory, from each share or from none.
    ///
    /// # Errors
    /// A problem with the status 429 for a share of a token, and with 503 for the memory of all bodies.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Problem> {
        let mut held = self.room.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Every share is checked before any is taken, so that a refused body takes from none.
        for holder in &self.holders {
            let wanted = held.get(holder).copied().unwrap_or(0).saturating_add(more);
            if wanted > self.room.most(*holder) {
                return Err(match holder {
                    Holder::All => Problem::busy(),
                    Holder::Token(_) | Holder::Family(_) => Problem::too_many_bodies(),
                });
            }
        }
        for holder in &self.holders {
            let there = held.entry(*holder).or_insert(0);
            *there = there.saturating_add(more);
        }
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut held = self.room.held.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in &self.holders {
            if let Entry::Occupied(mut entry) = held.entry(*holder) {
                let left = entry.get().saturating_sub(self.bytes);
                match left {
                    // Without this, the map would keep an entry for every token that ever sent a body.
                    0 => drop(entry.remove()),
                    left => *entry.get_mut() = left,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_given_back_leaves_no_trace() {
        let mut options = Options::default();
        (options.body_budget, options.body_limit) = (100, 10);
        let room = Room::new(&options);
        let (mut one, mut other) = (room.part(None), room.part(None));
        assert!(one.grow(25).is_ok());
        assert_eq!(other.grow(1).unwrap_err().code(), "limited");
        drop(one);
        assert!(other.grow(25).is_ok());
        drop(other);
        assert!(room.held.lock().unwrap().is_empty());
    }

    #[test]
    fn the_share_of_a_token_holds_one_whole_body_at_least() {
        let mut options = Options::default();
        for (budget, limit, token, family) in [(100, 10, 25, 50), (100, 40, 40, 50), (100, 200, 200, 200)] {
            (options.body_budget, options.body_limit) = (budget, limit);
            let room = Room::new(&options);
            assert_eq!((room.of_a_token, room.of_a_family), (token, family));
        }
    }
}
