//! Pages of lists: a number of items, and never more bytes than a caller can be expected to take.

use std::ops::Deref;

use serde::Serialize;

use crate::base::json::json_length;
use crate::records::damage::DamagedRecord;

/// The length at which a page is ended early, in bytes of JSON.
const PAGE_BYTES: usize = 4 << 20;

/// One page of a list.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The value of `PageRequest::after` for the next page; `None` on the last.
    pub next: Option<String>,
    /// The damaged records of this page, as far as the caller may know of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedRecord>,
    /// True if damaged records may hide items of this page.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

impl<T> Page<T> {
    /// Makes a page that is the whole list, for a list that is put together from others.
    #[must_use]
    pub fn whole(items: Vec<T>, damaged: Vec<DamagedRecord>, incomplete: bool) -> Self {
        Page {
            items,
            next: None,
            damaged,
            incomplete,
        }
    }
}

impl<T> Deref for Page<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// The page of a list that is asked for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PageRequest {
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// The greatest number of items; 100 unless given, 1,000 at most.
    pub limit: Option<usize>,
    /// True if each item of a list of keys or tokens has the time of its last use. That reads the counts of each.
    pub last_use: bool,
}

impl PageRequest {
    /// The page after another.
    #[must_use]
    pub fn after(after: Option<String>) -> Self {
        PageRequest {
            after,
            ..PageRequest::default()
        }
    }

    /// Returns the same request for the page after `page`; `None` after the last page.
    #[must_use]
    pub fn following<T>(mut self, page: &Page<T>) -> Option<Self> {
        self.after.clone_from(&page.next);
        self.after.is_some().then_some(self)
    }

    /// Sets the greatest number of items.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets whether each item has the time of its last use.
    #[must_use]
    pub fn last_use(mut self, last_use: bool) -> Self {
        self.last_use = last_use;
        self
    }

    pub(crate) fn bound(&self) -> usize {
        self.limit.unwrap_or(100).clamp(1, 1000)
    }
}

/// A page that is being filled.
pub(crate) struct Filling<T> {
    items: Vec<T>,
    damaged: Vec<DamagedRecord>,
    incomplete: bool,
    bound: usize,
    bytes: usize,
}

impl<T: Serialize> Filling<T> {
    pub(crate) fn new(asked: &PageRequest) -> Self {
        Filling {
            items: Vec::new(),
            damaged: Vec::new(),
            incomplete: false,
            bound: asked.bound(),
            bytes: 0,
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.bytes = self.bytes.saturating_add(json_length(&item));
        self.items.push(item);
    }

    /// Adds a damaged record that may be shown.
    pub(crate) fn push_damaged(&mut self, record: DamagedRecord) {
        self.incomplete = true;
        self.bytes = self.bytes.saturating_add(json_length(&record));
        self.damaged.push(record);
    }

    /// Notes that a damaged record may hide an item.
    pub(crate) fn may_be_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// The number of items for which there is room.
    pub(crate) fn room(&self) -> usize {
        self.bound.saturating_sub(self.items.len() + self.damaged.len())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.items.len() + self.damaged.len() >= self.bound || self.bytes >= PAGE_BYTES
    }

    pub(crate) fn page(self, next: Option<String>) -> Page<T> {
        Page {
            items: self.items,
            next,
            damaged: self.damaged,
            incomplete: self.incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_at_its_limit_or_where_it_is_long_enough() {
        let filled = |item: &str| {
            let mut filling = Filling::new(&PageRequest::default().limit(1000));
            while !filling.is_full() {
                filling.push(item.to_owned());
            }
            filling.page(None).items.len()
        };
        assert_eq!(filled("short"), 1000);
        // An escaped character is six bytes of JSON.
        assert_eq!(filled(&"\u{1}".repeat(PAGE_BYTES / 6 + 1)), 1);
        assert_eq!(filled(&"x".repeat(PAGE_BYTES / 4)), 4);
    }
}
