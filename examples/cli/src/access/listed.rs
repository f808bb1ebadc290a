//! A list as it is shown: its items, and the damaged records that may hide others.

use ibyok_core::{Affected, Damage, Error as VaultError, Page};
use serde::Serialize;
use serde_json::{Value, json};

use super::here::document;
use crate::error::{Error, Result};
use crate::show::clean;
use crate::table::{at, text};
use crate::words::{counted, is_or_are};

/// A whole list.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Value>,
    /// The damaged records, as far as the caller may see them.
    damaged: Vec<Value>,
    incomplete: bool,
}

impl From<Vec<Value>> for Listed {
    fn from(items: Vec<Value>) -> Self {
        Listed {
            items,
            ..Listed::default()
        }
    }
}

impl Listed {
    /// A list in one page.
    pub(crate) fn page<T: Serialize>(page: &Page<T>) -> Result<Self> {
        let mut listed = Listed::default();
        listed.add(&page.items, &page.damaged, page.incomplete)?;
        Ok(listed)
    }

    /// True if damaged records may hide items.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Adds a page.
    pub(crate) fn add(&mut self, items: &[impl Serialize], damaged: &[impl Serialize], incomplete: bool) -> Result<()> {
        for item in items {
            self.items.push(document(item)?);
        }
        for record in damaged {
            self.damaged.push(document(record)?);
        }
        self.incomplete |= incomplete;
        Ok(())
    }

    /// The document that `--json` prints.
    pub(crate) fn document(&self) -> Value {
        let mut list = json!({ "items": self.items, "next": null });
        if let Value::Object(map) = &mut list
            && self.incomplete
        {
            map.insert("damaged".to_owned(), json!(self.damaged));
            map.insert("incomplete".to_owned(), json!(true));
        }
        list
    }

    /// One line for each damaged record.
    pub(crate) fn damaged_lines(&self) -> Vec<String> {
        self.damaged.iter().map(line).collect()
    }

    /// A warning if items may be missing.
    pub(crate) fn warning(&self) -> Option<String> {
        if !self.incomplete {
            return None;
        }
        Some(match self.damaged.len() {
            0 => "warning: this list may be incomplete, because records are damaged".to_owned(),
            count => format!(
                "warning: {} {} damaged; `ibyok status` says more",
                counted(count, "record"),
                is_or_are(count)
            ),
        })
    }

    /// The items, for a program that must not go on without one of them.
    ///
    /// # Errors
    /// The vault's `integrity` if damaged records may hide items.
    pub(crate) fn whole(self) -> Result<Vec<Value>> {
        if !self.incomplete {
            return Ok(self.items);
        }
        let what = match self.damaged.first() {
            Some(first) => format!("the list of keys lacks a damaged one: {}", line(first)),
            None => "the list of keys may lack one: a record".to_owned(),
        };
        Err(Error::Vault(VaultError::Integrity {
            what,
            damage: Damage::DoesNotOpen,
            affected: Affected::Key,
        }))
    }
}

/// A damaged record in one line.
pub(crate) fn line(record: &Value) -> String {
    let environment = match at(record, "environment") {
        Value::String(name) => format!(" of {}", clean(name)),
        _ => String::new(),
    };
    let field = |name| clean(&text(at(record, name)));
    format!(
        "{} {}{environment} is damaged ({})",
        field("kind"),
        field("id"),
        field("damaged")
    )
}
