//! The last use of a key or a token, for lists: the days are known from the ids of records, so that only the newest are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_policy::TokenId;
use ibyok_storage::{RecordId, StoreExt};
use jiff::Timestamp;

use super::Usage;
use super::rollup::{RollupId, Subject};
use crate::base::error::Result;
use crate::model::name::KeyId;
use crate::realm::Realm;

impl Usage {
    /// Returns the time of the last release of a key, on any node, as far back as counts are kept. The caller has flushed this
    /// node's own counts.
    pub(crate) async fn last_use_of_key(&self, realm: &Arc<Realm>, key: KeyId) -> Result<Option<Timestamp>> {
        for day in self.days_of(realm, Subject::Key(key)).await? {
            let found = self.rollups_of(realm, Subject::Key(key), day).await?;
            let rows = found.rollups.iter().flat_map(|rollup| &rollup.rows);
            let last = rows.filter_map(|row| row.tally.last).max();
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// Returns the last use of a token, for any action that it was allowed. Of a use that releases no value, only the
    /// day is known.
    pub(crate) async fn last_use_of_token(
        self: &Arc<Self>,
        realm: &Arc<Realm>,
        token: TokenId,
    ) -> Result<Option<Timestamp>> {
        for day in self.days_of(realm, Subject::Token(token)).await? {
            let last = self.use_since(realm, token, day).await?.last;
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// The days on which something was counted of a subject, the newest first.
    async fn days_of(&self, realm: &Arc<Realm>, subject: Subject) -> Result<Vec<u16>> {
        let collection = realm.collection(subject.kind())?;
        let prefix = RollupId::of(subject, 0, [0; 5], 0).subject;
        let mut days = BTreeSet::new();
        let after = RollupId::before(subject, 0).map(|id| RecordId::new(collection, id));
        let mut pages = self.records.store.pages(&collection).after(after);
        while let Some(page) = pages.next_page().await? {
            let parsed = page.iter().filter_map(|id| RollupId::parse(id.id()));
            let ours: Vec<u16> = parsed.filter(|id| id.subject == prefix).map(|id| id.day).collect();
            days.extend(&ours);
            // An id of another subject on the page means that this subject's range is over.
            if ours.len() < page.len() {
                break;
            }
        }
        Ok(days.into_iter().rev().collect())
    }
}
