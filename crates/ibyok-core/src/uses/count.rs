//! Counting in memory: cheap, bounded, and cut at a line of the log.
//!
//! A cut at line S takes every count of lines up to S, and none after. For that it waits for every caller that began
//! to write a line before S was read. These callers are *in flight* from before their line is appended until it is
//! counted.
//!
//! The counts are in shards, and each thread uses its own, so that no two threads wait for each other. A cut holds all
//! shards for a moment.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::FixedState;

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

/// The number of shards.
const SHARDS: usize = 16;

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

/// A map whose hash has a fixed key. Its keys hold ids that the vault made at random or by a keyed hash, so that no caller chooses
/// which of them collide.
type Map<K, V> = HashMap<K, V, FixedState>;

#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) reads: Map<UseKey, Counted>,
    pub(super) scopes: Map<ScopeKey, (Arc<Holder>, Scopes)>,
}

impl Uses {
    fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.scopes.is_empty()
    }

    /// Adds a use. `rows` is the number of different uses in all shards; returns the number before, if the use is a new one.
    fn add(
        &mut self,
        key: UseKey,
        rows: &AtomicUsize,
        to: impl FnOnce() -> Whereto,
        add: impl FnOnce(&mut Tally),
    ) -> Option<usize> {
        if let Some(counted) = self.reads.get_mut(&key) {
            add(&mut counted.tally);
            return None;
        }
        let key = if rows.load(Ordering::Relaxed) < MOST {
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
        let mut before = None;
        let counted = self.reads.entry(key).or_insert_with(|| {
            before = Some(rows.fetch_add(1, Ordering::Relaxed));
            Counted {
                to: to(),
                tally: Tally::default(),
            }
        });
        add(&mut counted.tally);
        before
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
    shards: [Mutex<Shard>; SHARDS],
    /// The number of different uses in all shards since the last cut.
    rows: AtomicUsize,
    /// Notified when a flight of the generation before has landed.
    landed: Notify,
    /// There is something to be added to the store, or much of it.
    pub(super) noted: Notify,
}

/// The counts of some threads.
#[derive(Debug, Default)]
struct Shard {
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

impl Shard {
    fn generation(&mut self, second: bool) -> &mut Generation {
        let [one, two] = &mut self.in_flight;
        if second { two } else { one }
    }

    /// Ends a flight. Returns true if a cut may wait for it.
    fn land(&mut self, ticket: Ticket) -> bool {
        let generation = self.generation(ticket.second);
        // A cut gave up on this flight and reset the count: to subtract it now would end the wait for another flight.
        if generation.forgiven != ticket.forgiven {
            return false;
        }
        generation.count = generation.count.saturating_sub(1);
        // Only a cut waits, and it waits for the generation that no flight joins any more.
        generation.count == 0 && ticket.second != self.second
    }
}

thread_local! {
    /// The number of this thread, by which it has its shard.
    static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Returns the number of the shard of this thread.
fn own_shard() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    THREAD.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
        THREAD.set(Some(number));
        number
    })
}

impl Counting {
    /// Waits from now on for the count of a line that is about to be appended, until it lands.
    pub(super) fn take_off(&self) -> Ticket {
        let number = own_shard();
        let mut shard = self.shard(number);
        let second = shard.second;
        let generation = shard.generation(second);
        generation.count += 1;
        Ticket {
            shard: number,
            second,
            forgiven: generation.forgiven,
        }
    }

    /// Notes that a token was allowed an action other than retrieving. No line is counted for it.
    pub(super) fn scope(&self, holder: &Arc<Holder>, scope: Scope, environment: Option<&str>, day: u16) {
        let mut shard = self.shard(own_shard());
        // Only the first count after a rest wakes the flush. Further ones would wake it for nothing.
        let first = shard.open.is_empty();
        let key = ScopeKey {
            token: holder.id(),
            environment: environment.map(ToOwned::to_owned),
            day,
        };
        if shard.open.scopes.len() < MOST || shard.open.scopes.contains_key(&key) {
            let entry = shard.open.scopes.entry(key);
            let (_, scopes) = entry.or_insert_with(|| (Arc::clone(holder), Scopes::NONE));
            scopes.insert(scope);
        }
        drop(shard);
        if first {
            self.noted.notify_one();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        (0..SHARDS).all(|number| {
            let shard = self.shard(number);
            shard.open.is_empty() && shard.late.is_empty()
        })
    }

    /// Takes the counts of all lines up to one, which is the last of the log or later. Returns them with that line's
    /// number.
    pub(super) async fn cut(&self, last_seq: impl Fn() -> u64) -> (Uses, u64) {
        let (mut uses, seq, second) = self.begin_cut(last_seq);
        let landed = async {
            loop {
                // The future is made before the count is read. A landing between the two then still wakes it.
                let landed = self.landed.notified();
                if (0..SHARDS).all(|number| self.shard(number).generation(second).count == 0) {
                    return;
                }
                landed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, landed).await;
        for number in 0..SHARDS {
            let mut shard = self.shard(number);
            let generation = shard.generation(second);
            if waited.is_err() && generation.count > 0 {
                // A flight that hangs must not hold up every later cut. Tickets of the forgotten flights carry the old number of
                // `forgiven`, so their landing changes nothing.
                generation.count = 0;
                generation.forgiven += 1;
            }
            uses.merge(mem::take(&mut shard.late));
        }
        (uses, seq)
    }

    /// Takes what is counted, and returns it with the line of the cut and the generation that the cut waits for.
    fn begin_cut(&self, last_seq: impl Fn() -> u64) -> (Uses, u64, bool) {
        // All at once: a line that is counted in one shard is not missing from a cut that another shard knows of already.
        let mut shards: Vec<MutexGuard<'_, Shard>> = (0..SHARDS).map(|number| self.shard(number)).collect();
        // The log may have more lines than `last_seq` says when a note of a later line has already arrived. A cut must not move back.
        let known = shards.iter().map(|shard| shard.highest.max(shard.cut)).max();
        let seq = last_seq().max(known.unwrap_or(0));
        let mut uses = Uses::default();
        let mut waited_for = false;
        for shard in &mut shards {
            shard.cut = seq;
            // A flight that begins from here on is in the other generation, so this cut does not wait for it. All shards turn together.
            waited_for = shard.second;
            shard.second = !shard.second;
            uses.merge(mem::take(&mut shard.late));
            uses.merge(mem::take(&mut shard.open));
        }
        self.rows.store(0, Ordering::Relaxed);
        (uses, seq, waited_for)
    }

    /// Counts a use that is on the log now, under its line's number, and ends its flight.
    pub(super) fn note(&self, ticket: Ticket, seq: u64, key: UseKey, once: Once, to: impl FnOnce() -> Whereto) {
        let mut shard = self.shard(ticket.shard);
        shard.highest = shard.highest.max(seq);
        // A line up to the cut that is counted after it belongs to that cut, or the stored `seq` would claim a line that is missing.
        let uses = if seq <= shard.cut {
            &mut shard.late
        } else {
            &mut shard.open
        };
        let add = |tally: &mut Tally| tally.add(once.ended, once.count, once.at, once.source);
        let before = uses.add(key, &self.rows, to, add);
        let over = shard.land(ticket);
        drop(shard);
        if over {
            self.landed.notify_one();
        }
        // Wakes the flush for the first use after a rest, and when there are many: not for each of them.
        if before == Some(0) || before == Some(MANY) {
            self.noted.notify_one();
        }
    }

    /// Ends a flight that is not counted.
    pub(super) fn land(&self, ticket: Ticket) {
        let over = self.shard(ticket.shard).land(ticket);
        if over {
            self.landed.notify_one();
        }
    }

    fn shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let shard = self.shards.get(number).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
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
        counting.note(next, 6, read(1), once(), Whereto::default);
        counting.note(flight, 5, read(1), once(), Whereto::default);
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
        counting.note(flight, 5, read(1), once(), Whereto::default);
        assert_eq!(live(&counting.cut(|| 7).await.0), 1);
    }

    #[tokio::test]
    async fn a_flight_that_is_given_up_holds_up_no_cut() {
        let counting = Counting::default();
        let flight = counting.take_off();
        counting.land(flight);
        let cut = tokio::time::timeout(PATIENCE / 2, counting.cut(|| 5)).await;
        assert_eq!(cut.unwrap().1, 5);
    }

    #[tokio::test]
    async fn the_counts_of_all_threads_are_in_one_cut() {
        let counting = Arc::new(Counting::default());
        let threads = (0..40_u32).map(|thread| {
            let counting = Arc::clone(&counting);
            std::thread::spawn(move || {
                for line in 1..=100 {
                    let flight = counting.take_off();
                    counting.note(flight, line, read(thread % 3), once(), Whereto::default);
                }
            })
        });
        threads
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        // The line of the cut is the last that was counted, whatever the log says.
        let (uses, seq) = counting.cut(|| 7).await;
        assert_eq!((live(&uses), uses.reads.len(), seq), (4000, 3, 100));
        assert!(counting.is_empty());
    }

    #[tokio::test]
    async fn more_than_can_be_told_apart_is_counted_together_and_not_lost() {
        let counting = Counting::default();
        for version in 0..60_000 {
            counting.note(counting.take_off(), 1, read(version), once(), Whereto::default);
        }
        let (uses, _) = counting.cut(|| 1).await;
        assert_eq!((live(&uses), uses.reads.len()), (60_000, MOST + 1));
    }
}
