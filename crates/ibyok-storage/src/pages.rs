//! Walking over the ids of a collection.

use crate::error::Result;
use crate::record::{Collection, RecordId};
use crate::store::{LIST_LIMIT, Store};

/// A walk over the ids of a collection in order, page by page: [`StoreExt::pages`](crate::StoreExt::pages).
///
/// The walk holds one page in memory. A record that exists during the whole walk is in it exactly once. Records that are put or
/// deleted meanwhile may or may not be in it.
#[derive(Debug)]
pub struct Pages<'a, S: ?Sized> {
    store: &'a S,
    collection: Collection,
    after: Option<RecordId>,
    limit: usize,
    ended: bool,
}

impl<'a, S: Store + ?Sized> Pages<'a, S> {
    pub(crate) fn new(store: &'a S, collection: &Collection) -> Self {
        Pages {
            store,
            collection: *collection,
            after: None,
            limit: LIST_LIMIT,
            ended: false,
        }
    }

    /// Begins after an id of the collection.
    #[must_use]
    pub fn after(mut self, id: Option<RecordId>) -> Self {
        self.after = id;
        self
    }

    /// Returns the next ids, in order; `None` at the end. A page is never empty.
    ///
    /// # Errors
    ///
    /// The errors of [`Store::list`]. The walk stays where it was, so the caller may try again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<RecordId>>> {
        if self.ended {
            return Ok(None);
        }
        let page = self
            .store
            .list(&self.collection, self.after.as_ref(), self.limit)
            .await?;
        // By the contract of `list`, a short page is the last. So most collections cost one question.
        self.ended = page.len() < self.limit;
        self.after = page.last().copied();
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expect, Kind, MemoryStore, StoreExt};

    async fn walked(pages: usize, limit: usize) -> (Vec<RecordId>, Vec<usize>) {
        let (store, collection) = (MemoryStore::new(), Collection::root(Kind::new(3)));
        for number in 0..pages * limit {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&(number as u64).to_be_bytes());
            store
                .put(&RecordId::new(collection, id), b"", Expect::Absent)
                .await
                .unwrap();
        }
        let (mut all, mut sizes) = (Vec::new(), Vec::new());
        let mut walk = store.pages(&collection);
        walk.limit = limit;
        while let Some(page) = walk.next_page().await.unwrap() {
            sizes.push(page.len());
            all.extend(page);
        }
        assert_eq!(walk.next_page().await.unwrap(), None, "the end stays the end");
        assert_eq!(store.list_all(&collection).await.unwrap(), all);
        (all, sizes)
    }

    #[tokio::test]
    async fn a_walk_meets_each_id_once_and_in_order() {
        let (ids, sizes) = walked(3, 4).await;
        assert!(ids.is_sorted() && ids.len() == 12);
        assert_eq!(sizes, [4, 4, 4]);
    }

    #[tokio::test]
    async fn an_empty_collection_has_no_page() {
        assert_eq!(walked(0, 4).await, (Vec::new(), Vec::new()));
    }

    #[tokio::test]
    async fn a_walk_begins_after_the_given_id() {
        let (store, collection) = (MemoryStore::new(), Collection::root(Kind::new(3)));
        let ids = [1, 2, 3].map(|byte| RecordId::new(collection, [byte; 16]));
        for id in &ids {
            store.put(id, b"", Expect::Absent).await.unwrap();
        }
        let mut walk = store.pages(&collection).after(Some(ids[0]));
        assert_eq!(walk.next_page().await.unwrap(), Some(ids[1..].to_vec()));
        assert_eq!(walk.next_page().await.unwrap(), None);
    }
}
