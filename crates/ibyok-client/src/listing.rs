//! Lists as the server gives them: their items, and the damaged records that may hide others.

use std::ops::Deref;

use ibyok_api::{DamagedRecord, Page};
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::send::Ask;

/// A whole list, with every page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// The damaged records among them, as far as the token may know of them.
    pub damaged: Vec<DamagedRecord>,
    /// True if damaged records may hide items that the token may see. A program that needs the whole list must not go
    /// on.
    pub incomplete: bool,
}

impl<T> Deref for Listing<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Listing<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<T> From<Page<T>> for Listing<T> {
    fn from(page: Page<T>) -> Self {
        Listing {
            items: page.items,
            damaged: page.damaged,
            incomplete: page.incomplete,
        }
    }
}

impl<T: DeserializeOwned> Listing<T> {
    /// Follows the pages of a list to the last. A closure for the request of a page would keep this future from being `Send`.
    pub(crate) async fn follow(ask: Ask<'_>) -> Result<Self> {
        let mut all = Listing {
            items: Vec::new(),
            damaged: Vec::new(),
            incomplete: false,
        };
        let mut after: Option<String> = None;
        loop {
            let mut found: Page<T> = ask.clone().query("after", after.as_deref()).json().await?;
            all.items.append(&mut found.items);
            all.damaged.append(&mut found.damaged);
            all.incomplete |= found.incomplete;
            if found.next.is_none() || found.next == after {
                return Ok(all);
            }
            after = found.next;
        }
    }
}
