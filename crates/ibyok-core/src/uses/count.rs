//! Counting in memory: cheap, bounded, and cut at a line of the log.
//!
//! A cut at line S takes every count of lines up to S, and none after. For that it waits for every caller that began
//! to write a line before S was read. These callers are *in flight* from before their line is appended until it is
//! counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibyok_crypto::RealmTag;
use ibyok_policy::{Scope, Scopes, TokenId};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::caller::Caller;
use super::tally::Tally;
use crate::gate::meter::{Ended, Ticket};
use crate::gate::principal::Holder;
use crate::model::name::{KeyId, KeyName};
use crate::realm::Realm;

/// The number of different uses from which on they are added to the store without waiting for their time.
const MANY: usize = 10_000;

/// The number of different uses that are counted separately. Further uses are counted together.
const MOST: usize = 50_000;

/// The time for which a cut waits for flights: longer than the log lets any caller wait. A flight that takes longer
/// has released nothing, and is counted in the next cut.
const PATIENCE: Duration = if cfg!(test) {
    Duration::from_millis(300)
} else {
    Duration::from_secs(7)
};

/// The key under which uses are counted together in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UseKey {
    pub(super) caller: Caller,
    /// The realm of the key's environment, and the key in it.
    pub(super) key: Option<(RealmTag, KeyId)>,
    pub(super) version: Option<u32>,
    pub(super) day: u16,
}

/// The realms to which the counts go, and the names in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Whereto {
    pub(super) key_realm: Option<Arc<Realm>>,
    pub(super) key_name: Option<KeyName>,
    pub(super) token_realm: Option<Arc<Realm>>,
    pub(super) token_name: Option<String>,
}

#[derive(Debug)]
pub(super) struct Counted {
    pub(super) to: Whereto,
    pub(super) tally: Tally,
}

/// The key under which the scopes of a token are counted that it used other than by retrieving.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ScopeKey {
    pub(super) token: TokenId,
    pub(super) environment: Option<String>,
    pub(super) day: u16,
}

#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) reads: HashMap<UseKey, Counted>,
    pub(super) scopes: HashMap<ScopeKey, (Arc<Holder>, Scopes)>,
}

impl Uses {
    fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.scopes.is_empty()
    }

    fn add(&mut self, key: UseKey, to: impl FnOnce() -> Whereto, add: impl FnOnce(&mut Tally)) {
        let key = if self.reads.len() < MOST || self.reads.contains_key(&key) {
            key
        } else {
            // Memory stays bounded, and the totals stay right.
            UseKey {
                caller: Caller::Others,
                // The realm stays, because the counts are sealed under its key.
                key: key.key.map(|(realm, _)| (realm, KeyId([0; 16]))),
                version: None,
                day: key.day,
            }
        };
        let counted = self.reads.entry(key).or_insert_with(|| Counted {
            to: to(),
            tally: Tally::default(),
        });
        add(&mut counted.tally);
    }

    fn merge(&mut self, other: Uses) {
        for (key, counted) in other.reads {
            match self.reads.entry(key) {
                Entry::Occupied(mut there) => there.get_mut().tally.merge(&counted.tally),
                Entry::Vacant(free) => {
                    free.insert(counted);
                }
            }
        }
        for (key, (holder, scopes)) in other.scopes {
            let (_, there) = self.scopes.entry(key).or_insert((holder, Scopes::NONE));
            scopes.iter().for_each(|scope| there.insert(scope));
        }
    }
}

/// One retrieval that is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Once {
    pub(super) ended: Ended,
    pub(super) count: u64,
    pub(super) at: Timestamp,
    pub(super) source: Option<IpAddr>,
}

#[derive(Debug, Default)]
pub(crate) struct Counting {
    state: Mutex<State>,
    /// Notified when the last flight of the generation before has landed.
    landed: Notify,
    /// There is something to be added to the store, or much of it.
    pub(super) noted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The line of the last cut.
    cut: u64,
    /// The last line that was counted.
    highest: u64,
    /// Counted of lines after the cut.
    open: Uses,
    /// Counted of lines up to the cut since it was taken.
    late: Uses,
    second: bool,
    in_flight: [Generation; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Generation {
    count: u64,
    /// Moves when those in flight are no longer waited for.
    forgiven: u64,
}

impl State {
    fn generation(&mut self, second: bool) -> &mut Generation {
        let [one, two] = &mut self.in_flight;
        if second { two } else { one }
    }
}

impl Counting {
    /// Waits from now on for the count of a line that is about to be appended, until it lands.
    pub(super) fn take_off(&self) -> Ticket {
        let mut state = self.state();
        let second = state.second;
        let generation = state.generation(second);
        generation.count += 1;
        Ticket {
            second,
            forgiven: generation.forgiven,
        }
    }

    /// Notes that a token was allowed an action other than retrieving. No line is counted for it.
    pub(super) fn scope(&self, holder: &Arc<Holder>, scope: Scope, environment: Option<&str>, day: u16) {
        let mut state = self.state();
        // Only the first count after a rest wakes the flush. Further ones would wake it for nothing.
        let first = state.open.is_empty();
        let key = ScopeKey {
            token: holder.id(),
            environment: environment.map(ToOwned::to_owned),
            day,
        };
        if state.open.scopes.len() < MOST || state.open.scopes.contains_key(&key) {
            let entry = state.open.scopes.entry(key);
            let (_, scopes) = entry.or_insert_with(|| (Arc::clone(holder), Scopes::NONE));
            scopes.insert(scope);
        }
        drop(state);
        if first {
            self.noted.notify_one();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let state = self.state();
        state.open.is_empty() && state.late.is_empty()
    }

    /// Takes the counts of all lines up to one, which is the last of the log or later. Returns them with that line's
    /// number.
    pub(super) async fn cut(&self, last_seq: impl Fn() -> u64) -> (Uses, u64) {
        let (mut uses, seq, second) = {
            let mut state = self.state();
            // The log may have more lines than `last_seq` says when a note of a later line has already arrived. A cut must not move back.
            let seq = last_seq().max(state.highest).max(state.cut);
            state.cut = seq;
            // A flight that begins from here on is in the other generation, so this cut does not wait for it.
            let second = state.second;
            state.second = !second;
            let mut uses = mem::take(&mut state.late);
            uses.merge(mem::take(&mut state.open));
            (uses, seq, second)
        };
        let landed = async {
            loop {
                // The future is made before the count is read. A landing between the two then still wakes it.
                let landed = self.landed.notified();
                if self.state().generation(second).count == 0 {
                    return;
                }
                landed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, landed).await;
        let mut state = self.state();
        if waited.is_err() {
            // A flight that hangs must not hold up every later cut.
            let generation = state.generation(second);
            // Tickets of the forgotten flights carry the old number of `forgiven`, so their landing changes nothing.
            generation.count = 0;
            generation.forgiven += 1;
        }
        uses.merge(mem::take(&mut state.late));
        (uses, seq)
    }

    /// Counts a use that is on the log now, under its line's number.
    pub(super) fn note(&self, seq: u64, key: UseKey, once: Once, to: impl FnOnce() -> Whereto) {
        let mut state = self.state();
        state.highest = state.highest.max(seq);
        // A line up to the cut that is counted after it belongs to that cut, or the stored `seq` would claim a line that is missing.
        let uses = if seq <= state.cut {
            &mut state.late
        } else {
            &mut state.open
        };
        let before = uses.reads.len();
        uses.add(key, to, |tally| tally.add(once.ended, once.count, once.at, once.source));
        // Wakes the flush for the first use after a rest, and when there are many: not for each of them.
        let wake = uses.reads.len() != before && (before == 0 || before == MANY);
        drop(state);
        if wake {
            self.noted.notify_one();
        }
    }

    /// No longer waits for a line.
    pub(super) fn land(&self, ticket: Ticket) {
        let mut state = self.state();
        let generation = state.generation(ticket.second);
        // A cut gave up on this flight and reset the count: to subtract it now would end the wait for another flight.
        if generation.forgiven != ticket.forgiven {
            return;
        }
        generation.count = generation.count.saturating_sub(1);
        // Only a cut waits, and it waits for the generation that no flight joins any more.
        let over = generation.count == 0 && ticket.second != state.second;
        drop(state);
        if over {
            self.landed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: u32) -> UseKey {
        UseKey {
            caller: Caller::Operator("test".to_owned()),
            key: None,
            version: Some(version),
            day: 1,
        }
    }

    fn once() -> Once {
        Once {
            ended: Ended::Live,
            count: 1,
            at: Timestamp::UNIX_EPOCH,
            source: None,
        }
    }

    fn live(uses: &Uses) -> u64 {
        uses.reads.values().map(|counted| counted.tally.live).sum()
    }

    #[tokio::test]
    async fn a_cut_waits_for_whoever_is_about_to_be_counted() {
        let counting = Arc::new(Counting::default());
        let flight = counting.take_off();
        let cut = tokio::spawn({
            let counting = Arc::clone(&counting);
            async move { counting.cut(|| 5).await }
        });
        tokio::task::yield_now().await;
        assert!(!cut.is_finished());
        // One that begins now is not waited for, and belongs to the next cut.
        let next = counting.take_off();
        counting.note(6, read(1), once(), Whereto::default);
        counting.land(next);
        counting.note(5, read(1), once(), Whereto::default);
        counting.land(flight);
        let (uses, seq) = cut.await.unwrap();
        assert_eq!((live(&uses), seq), (1, 5));
        assert_eq!(live(&counting.cut(|| 6).await.0), 1);
    }

    #[tokio::test]
    async fn whoever_never_lands_does_not_hold_up_cuts_and_is_counted_in_the_end() {
        let counting = Counting::default();
        let flight = counting.take_off();
        assert_eq!(counting.cut(|| 5).await.1, 5);
        assert_eq!(counting.cut(|| 6).await.1, 6);
        counting.note(5, read(1), once(), Whereto::default);
        counting.land(flight);
        assert_eq!(live(&counting.cut(|| 7).await.0), 1);
    }

    #[tokio::test]
    async fn more_than_can_be_told_apart_is_counted_together_and_not_lost() {
        let counting = Counting::default();
        for version in 0..60_000 {
            counting.note(1, read(version), once(), Whereto::default);
        }
        let (uses, _) = counting.cut(|| 1).await;
        assert_eq!((live(&uses), uses.reads.len()), (60_000, MOST + 1));
    }
}
