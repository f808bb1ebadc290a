//! Floors that the file had, kept in memory as well: a file that was set back under a process that lives lowers none of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ibyok_storage::RecordId;

/// The number of remembered changes of this process that took something away.
const TAKEN: usize = 65_536;

/// The number of other remembered floors.
const SEEN: usize = 16_384;

/// The way in which a floor became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// This process took something away.
    TookAway,
    /// This process changed the record, or read the floor in the file.
    Saw,
}

#[derive(Debug)]
pub(super) struct Remembered {
    taken: Mutex<Bounded>,
    seen: Mutex<Bounded>,
}

/// The floors that were remembered last.
#[derive(Debug)]
struct Bounded {
    most: usize,
    floors: HashMap<RecordId, u64>,
    order: VecDeque<RecordId>,
}

impl Default for Remembered {
    fn default() -> Self {
        Remembered {
            taken: Mutex::new(Bounded::new(TAKEN)),
            seen: Mutex::new(Bounded::new(SEEN)),
        }
    }
}

impl Remembered {
    pub(super) fn keep(&self, record: &RecordId, rev: u64, way: Way) {
        match way {
            Way::TookAway => lock(&self.taken).keep(record, rev),
            Way::Saw => lock(&self.seen).keep(record, rev),
        }
    }

    /// Returns the remembered floor of a record.
    pub(super) fn of(&self, record: &RecordId) -> Option<u64> {
        // Two maps, so that many reads cannot push out the floors of revocations.
        let taken = lock(&self.taken).floors.get(record).copied();
        taken.max(lock(&self.seen).floors.get(record).copied())
    }

    /// Every remembered floor.
    pub(super) fn all(&self) -> Vec<(RecordId, u64)> {
        let of = |floors: &Mutex<Bounded>| -> Vec<(RecordId, u64)> {
            let floors = lock(floors);
            floors.floors.iter().map(|(record, rev)| (*record, *rev)).collect()
        };
        [of(&self.taken), of(&self.seen)].concat()
    }
}

impl Bounded {
    fn new(most: usize) -> Self {
        Bounded {
            most,
            floors: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    fn keep(&mut self, record: &RecordId, rev: u64) {
        if let Some(there) = self.floors.get_mut(record) {
            *there = rev.max(*there);
            return;
        }
        // The oldest goes first: its floor is still in the file.
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.floors.remove(&oldest);
        }
        self.floors.insert(*record, rev);
        self.order.push_back(*record);
    }
}

fn lock(floors: &Mutex<Bounded>) -> MutexGuard<'_, Bounded> {
    floors.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use ibyok_storage::{Collection, Kind};

    use super::*;

    fn record(n: u8) -> RecordId {
        RecordId::new(Collection::new(Kind::new(3), *b"abcdefgh").unwrap(), [n; 16])
    }

    #[test]
    fn the_newest_floors_are_remembered_and_only_so_many() {
        let mut floors = Bounded::new(2);
        for n in 1..=3 {
            floors.keep(&record(n), 5);
        }
        assert_eq!((floors.floors.len(), floors.order.len()), (2, 2));
        assert!(!floors.floors.contains_key(&record(1)));
    }

    #[test]
    fn a_remembered_floor_only_rises() {
        let remembered = Remembered::default();
        remembered.keep(&record(1), 9, Way::TookAway);
        remembered.keep(&record(1), 3, Way::TookAway);
        remembered.keep(&record(1), 4, Way::Saw);
        assert_eq!(remembered.of(&record(1)), Some(9));
    }
}
