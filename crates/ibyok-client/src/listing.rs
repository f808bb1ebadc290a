//! Lists as the server gives them: their items, and the damaged records that may hide others.

use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::Page;

/// A whole list, with every page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// The damaged records among them, as far as the token may know of them.
    pub damaged: Vec<DamagedRecord>,
    /// Whether damaged records may hide items that the token may see. Whoever needs the whole list must not go on.
    pub incomplete: bool,
}

/// A record that a list cannot show, because it is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DamagedRecord {
    /// `key`, `token`, `incident` or `environment`.
    pub kind: String,
    /// The public id.
    pub id: String,
    /// Its id in the store, which lines of the audit log name as `record`.
    #[serde(default)]
    pub record: String,
    /// The environment; `None` for a record that spans environments.
    #[serde(default)]
    pub environment: Option<String>,
    /// The reason why it is refused: `does_not_open`, `missing`, `older`, `unreadable`, `unknown_format` or `kek`.
    pub damaged: String,
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
    /// Follows the pages of a list to the last.
    pub(crate) async fn follow(mut page: impl AsyncFnMut(Option<&str>) -> Result<Page<T>>) -> Result<Self> {
        let mut all = Listing {
            items: Vec::new(),
            damaged: Vec::new(),
            incomplete: false,
        };
        let mut after: Option<String> = None;
        loop {
            let mut found = page(after.as_deref()).await?;
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
