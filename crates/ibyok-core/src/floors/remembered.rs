//! Floors that the file had, kept in memory as well: a file that was set back under a process that lives lowers none of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ibyok_storage::RecordId;

/// The number of remembered changes of this process that took something away.
const TAKEN: usize = 65_536;

/// The number of other remembered floors.
const SEEN: usize = 16_384;

/// A floor, and a generation in which the file had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) rev: u64,
    generation: u64,
}

impl Known {
    /// Returns true if the file must still have the floor. `lowered` is the newest generation that lowered a floor: an operator accepted an older
    /// record by then, and the file alone says how its floor is now.
    pub(super) fn holds(&self, lowered: u64) -> bool {
        self.generation >= lowered
    }
}

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
    floors: HashMap<RecordId, Known>,
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
    pub(super) fn keep(&self, record: &RecordId, rev: u64, generation: u64, way: Way) {
        let known = Known { rev, generation };
        match way {
            Way::TookAway => lock(&self.taken).keep(record, known),
            Way::Saw => lock(&self.seen).keep(record, known),
        }
    }

    /// Returns the remembered floor of a record.
    pub(super) fn of(&self, record: &RecordId) -> Option<Known> {
        let taken = lock(&self.taken).floors.get(record).copied();
        let seen = lock(&self.seen).floors.get(record).copied();
        taken.into_iter().chain(seen).max_by_key(|known| known.rev)
    }

    /// Every floor that the file must still have.
    pub(super) fn all(&self, lowered: u64) -> Vec<(RecordId, u64)> {
        let of = |floors: &Mutex<Bounded>| -> Vec<(RecordId, u64)> {
            let floors = lock(floors);
            let holding = floors.floors.iter().filter(|(_, known)| known.holds(lowered));
            holding.map(|(record, known)| (*record, known.rev)).collect()
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

    fn keep(&mut self, record: &RecordId, known: Known) {
        if let Some(there) = self.floors.get_mut(record) {
            // A lower one is newer where an older record was accepted meanwhile.
            if known.rev >= there.rev || known.generation > there.generation {
                *there = known;
            }
            return;
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.floors.remove(&oldest);
        }
        self.floors.insert(*record, known);
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
            let known = Known { rev: 5, generation: 1 };
            floors.keep(&record(n), known);
        }
        assert_eq!((floors.floors.len(), floors.order.len()), (2, 2));
        assert!(!floors.floors.contains_key(&record(1)));
    }

    #[test]
    fn an_accepted_rollback_ends_what_was_known_before_it() {
        let remembered = Remembered::default();
        remembered.keep(&record(1), 9, 4, Way::TookAway);
        remembered.keep(&record(2), 9, 8, Way::Saw);
        assert!(remembered.of(&record(1)).unwrap().holds(4));
        assert!(!remembered.of(&record(1)).unwrap().holds(5));
        assert_eq!(remembered.all(5), [(record(2), 9)]);
        remembered.keep(&record(1), 3, 6, Way::TookAway);
        assert_eq!(remembered.of(&record(1)).unwrap().rev, 3);
    }
}
