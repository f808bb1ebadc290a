//! The records of one subject on one day, as this node keeps them in memory: parts of at most [`ROWS_MAX`] rows, and the place of each row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use ibyok_storage::Revision;

use super::rollup::{Of, ROWS_MAX, Rollup, Row};
use crate::realm::Realm;

/// The records of one subject on one day.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) realm: Arc<Realm>,
    parts: Vec<Part>,
    /// The part and the row of each subject of rows. A token that uses every key of a large vault has thousands of rows, and a search
    /// through all of them for each count would cost more than the retrievals.
    places: HashMap<Of, (usize, usize)>,
    /// The number of the next part that may be made.
    pub(super) next: Option<u8>,
    pub(super) touched: Duration,
}

/// One record.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u8,
    pub(super) body: Rollup,
    /// The revision in the store, as far as it is known.
    pub(super) revision: Option<Revision>,
    pub(super) unsaved: bool,
}

impl Part {
    /// A part that the store has.
    pub(super) fn stored(number: u8, body: Rollup, revision: Revision) -> Self {
        Part {
            number,
            body,
            revision: Some(revision),
            unsaved: false,
        }
    }

    fn is_full(&self) -> bool {
        self.body.rows.len() >= ROWS_MAX
    }
}

impl Sheet {
    /// A sheet without parts.
    pub(super) fn new(realm: &Arc<Realm>, now: Duration) -> Self {
        Sheet {
            realm: Arc::clone(realm),
            parts: Vec::new(),
            places: HashMap::new(),
            next: None,
            touched: now,
        }
    }

    /// Takes in a part. Of two rows with one subject the first counts, as in a search from the beginning.
    pub(super) fn has(&mut self, part: Part) {
        for (at, row) in part.body.rows.iter().enumerate() {
            self.places.entry(row.of.clone()).or_insert((self.parts.len(), at));
        }
        self.parts.push(part);
    }

    /// True if the store has every part.
    pub(super) fn is_saved(&self) -> bool {
        self.parts.iter().all(|part| !part.unsaved)
    }

    /// The realm, and the parts that differ in the store.
    pub(super) fn unsaved(&mut self) -> (&Arc<Realm>, impl Iterator<Item = &mut Part>) {
        (&self.realm, self.parts.iter_mut().filter(|part| part.unsaved))
    }

    /// The part in which a row is counted, if it is in one. Where there is no more room it was counted with others.
    pub(super) fn part_with(&self, of: &Of) -> Option<&Part> {
        match self.places.get(of) {
            Some((part, _)) => self.parts.get(*part),
            None if self.next.is_none() => self.parts.last().filter(|part| part.is_full()),
            None => None,
        }
    }

    /// Adds a row to its part. `new` makes the body of a part from its first row.
    pub(super) fn add(&mut self, new: impl Fn(Vec<Row>) -> Rollup, row: Row) {
        if let Some(place) = self.places.get(&row.of) {
            return self.merge(*place, &row);
        }
        // A record with many rows would be sealed and sent whole for each new count, so a full part gets a successor.
        match (self.parts.last().is_some_and(|part| !part.is_full()), self.next) {
            (true, _) => self.push(row),
            (false, Some(number)) => {
                self.next = number.checked_add(1);
                self.has(Part {
                    number,
                    body: new(vec![row]),
                    revision: None,
                    unsaved: true,
                });
            }
            (false, None) => self.add_to_others(row),
        }
    }

    /// Adds a row after the last part is full: it is counted together with others, in a row that may go beyond the
    /// bound.
    fn add_to_others(&mut self, mut row: Row) {
        // The last part number is used up. Counts beyond it lose their subject, but no total.
        row.of = row.of.others();
        row.name = None;
        match self.places.get(&row.of) {
            Some(place) => self.merge(*place, &row),
            None => self.push(row),
        }
    }

    fn merge(&mut self, (part, at): (usize, usize), row: &Row) {
        let Some(part) = self.parts.get_mut(part) else { return };
        if let Some(there) = part.body.rows.get_mut(at) {
            there.merge(row);
        }
        part.unsaved = true;
    }

    /// Adds a row to the last part.
    fn push(&mut self, row: Row) {
        let number = self.parts.len().wrapping_sub(1);
        let Some(part) = self.parts.last_mut() else { return };
        if let Entry::Vacant(free) = self.places.entry(row.of.clone()) {
            free.insert((number, part.body.rows.len()));
        }
        part.body.rows.push(row);
        part.unsaved = true;
    }
}
