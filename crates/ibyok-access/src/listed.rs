//! A whole list: its items, and the damaged records that may hide others.

use ibyok_api::{DamagedRecord, Document};
use ibyok_client::Listing;
use ibyok_core::{
    Error as VaultError,
    audit::words::{counted, is_or_are},
    errors::{Affected, Damage},
    pages::Page,
};
use ibyok_documents::Documented;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::local::read;

/// A whole list: its items, and the damaged records that may hide others.
#[derive(Debug)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<Document<T>>,
    /// The damaged records, as far as the caller may see them.
    damaged: Vec<DamagedRecord>,
    incomplete: bool,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Listed {
            items: Vec::new(),
            damaged: Vec::new(),
            incomplete: false,
        }
    }
}

impl<T> From<Vec<Document<T>>> for Listed<T> {
    fn from(items: Vec<Document<T>>) -> Self {
        Listed {
            items,
            ..Listed::default()
        }
    }
}

impl From<Vec<Value>> for Listed<Value> {
    fn from(items: Vec<Value>) -> Self {
        Listed::from(items.into_iter().map(Document::from).collect::<Vec<_>>())
    }
}

impl<T> From<Listing<Document<T>>> for Listed<T> {
    fn from(listing: Listing<Document<T>>) -> Self {
        Listed {
            items: listing.items,
            damaged: listing.damaged,
            incomplete: listing.incomplete,
        }
    }
}

impl<T: DeserializeOwned> Listed<T> {
    /// Makes a list of one page of the vault's.
    ///
    /// # Errors
    /// [`Error::Failed`] if an item does not have the members of its document.
    pub fn page<P: Documented<Document: Serialize>>(page: Page<P>) -> Result<Self> {
        let page = page.document();
        let mut listed = Listed::default();
        listed.add(page.items, page.damaged, page.incomplete)?;
        Ok(listed)
    }

    /// Adds a page.
    pub(crate) fn add(
        &mut self,
        items: Vec<impl Serialize>,
        damaged: Vec<DamagedRecord>,
        incomplete: bool,
    ) -> Result<()> {
        for item in &items {
            self.items.push(read(item)?);
        }
        self.damaged.extend(damaged);
        self.incomplete |= incomplete;
        Ok(())
    }
}

impl Listed<Value> {
    /// Makes a list of JSON documents, and of the damaged records among them.
    #[must_use]
    pub fn of(items: Vec<Value>, damaged: Vec<ibyok_core::status::DamagedRecord>, incomplete: bool) -> Self {
        Listed {
            damaged: damaged.document(),
            incomplete,
            ..Listed::from(items)
        }
    }
}

impl<T> Listed<T> {
    /// Returns true if damaged records may hide items.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Adds the items of the next page.
    pub fn append(&mut self, mut page: Listed<T>) {
        self.items.append(&mut page.items);
        self.damaged.append(&mut page.damaged);
        self.incomplete |= page.incomplete;
    }

    /// Returns the list without its items, for a program that is done with them.
    #[must_use]
    pub fn without_items(mut self) -> Self {
        self.items.clear();
        self
    }

    /// Returns the members of [`Listed::document`] without the items.
    #[must_use]
    pub fn rest(&self) -> Value {
        let mut document = self.document();
        if let Value::Object(map) = &mut document {
            map.remove("items");
        }
        document
    }

    /// Returns the list as one JSON document: `items`, `next`, and `damaged` and `incomplete` if damaged records may hide items.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut list = json!({ "items": self.items, "next": null });
        if let Value::Object(map) = &mut list
            && self.incomplete
        {
            map.insert("damaged".to_owned(), json!(self.damaged));
            map.insert("incomplete".to_owned(), json!(true));
        }
        list
    }

    /// Describes each damaged record in one line. The text comes from the store: a program that prints it must escape
    /// control characters.
    #[must_use]
    pub fn damaged_lines(&self) -> Vec<String> {
        self.damaged.iter().map(ToString::to_string).collect()
    }

    /// Returns a warning if items may be missing.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        if !self.incomplete {
            return None;
        }
        Some(match self.damaged.len() {
            0 => "warning: this list may be incomplete, because records are damaged".to_owned(),
            count => format!(
                "warning: {} {} damaged; `ibyok status` lists them",
                counted(count, "record"),
                is_or_are(count)
            ),
        })
    }

    /// Returns the items, for a program that must not continue without one of them.
    ///
    /// # Errors
    /// The vault's `integrity` if damaged records may hide items.
    pub fn whole(self) -> Result<Vec<Document<T>>> {
        if !self.incomplete {
            return Ok(self.items);
        }
        let what = match self.damaged.first() {
            Some(first) => format!("the list of keys lacks a damaged key: {}", first),
            None => "the list of keys may lack a key: a record".to_owned(),
        };
        Err(Error::Vault(VaultError::Integrity {
            what,
            damage: Damage::DoesNotOpen,
            affected: Affected::Key,
        }))
    }
}
