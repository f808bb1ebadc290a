//! Reading the counts of all nodes.

use std::sync::Arc;

use ibyok_storage::{Collection, RecordId, StoreExt};

use super::Usage;
use super::books::WHAT;
use super::caller::Caller;
use super::rollup::{Of, Rollup, RollupId, Row, Subject, open_body};
use crate::base::error::{Error, Result};
use crate::model::name::KeyName;
use crate::realm::Realm;
use crate::records::tags::Tags;

/// The rollups that were found, and the number of records among them that do not open.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) rollups: Vec<Rollup>,
    pub(crate) damaged: u64,
}

impl Usage {
    /// Returns the counts of all nodes for one subject since a day. One record that is damaged does not hide the
    /// others.
    pub(crate) async fn rollups_of(&self, realm: &Arc<Realm>, subject: Subject, from: u16) -> Result<Found> {
        let collection = realm.collection(subject.kind())?;
        let prefix = RollupId::of(subject, from, [0; 5], 0).subject;
        let mut found = Found::default();
        let after = RollupId::before(subject, from).map(|id| RecordId::new(collection, id));
        let mut pages = self.records.store.pages(&collection).after(after);
        while let Some(page) = pages.next_page().await? {
            for id in &page {
                // Ids are listed in order, so the first id of another subject ends this subject's range.
                if id.id().first_chunk() != Some(&prefix) {
                    return Ok(found);
                }
                if let Some(rollup) = self.read_rollup(realm, id, &mut found.damaged).await?
                    // The id holds half of the subject's id only. The sealed body has the whole.
                    && rollup.subject == subject
                {
                    found.rollups.push(rollup);
                }
            }
        }
        Ok(found)
    }

    /// Every id of a collection whose day is wanted.
    pub(crate) async fn rollup_ids(
        &self,
        collection: &Collection,
        wanted: impl Fn(u16) -> bool + Send,
    ) -> Result<Vec<RecordId>> {
        let mut ids = Vec::new();
        let mut pages = self.records.store.pages(collection);
        while let Some(page) = pages.next_page().await? {
            let of_day = |id: &&RecordId| RollupId::parse(id.id()).is_some_and(|id| wanted(id.day));
            ids.extend(page.iter().filter(of_day).copied());
        }
        Ok(ids)
    }

    /// Reads one record. Returns `None` if it is gone or damaged; a damaged one is counted and remembered for
    /// `status`.
    pub(crate) async fn read_rollup(
        &self,
        realm: &Arc<Realm>,
        id: &RecordId,
        damaged: &mut u64,
    ) -> Result<Option<Rollup>> {
        let Some(stored) = self.records.store.get(id).await? else {
            return Ok(None);
        };
        match open_body::<Rollup>(realm, id, &stored, WHAT) {
            Ok(mut rollup) => {
                let tags = self.records.tags().await?;
                // A holder of a realm's keys can seal any row, also one about another realm's token.
                rollup.rows.retain_mut(|row| is_of(realm, &tags, row));
                Ok(Some(rollup))
            }
            Err(Error::Integrity { .. }) => {
                *damaged = damaged.saturating_add(1);
                self.records.remember_damaged(id);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// True if a row is about a subject within its realm: the keys of its environment, and its own tokens or those that
/// span environments. A holder of a realm's keys can write any row under them; such a row has no effect on another
/// realm's keys and tokens.
fn is_of(realm: &Realm, tags: &Tags, row: &mut Row) -> bool {
    match &row.of {
        Of::Reader {
            caller: Caller::Token(id),
            ..
        } => tags.name_of(id.tag()).is_none_or(|name| {
            **name == realm.name || (name.environment.is_none() && name.namespace == realm.name.namespace)
        }),
        Of::Reader { .. } => true,
        Of::Key { environment, .. } => {
            // It is printed as a part of commands.
            row.name = row.name.take().filter(|name| name.parse::<KeyName>().is_ok());
            match (&realm.name.environment, environment) {
                (Some(own), Some(environment)) => own.as_str() == environment,
                _ => true,
            }
        }
    }
}
