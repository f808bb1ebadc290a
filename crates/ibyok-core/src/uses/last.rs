//! The last use of a key or a token, for lists: the days are known from the ids of records, so that only the newest are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_policy::TokenId;
use ibyok_storage::{LIST_LIMIT, RecordId, StoreExt};
use jiff::Timestamp;

use super::Usage;
use super::rollup::{RollupId, Subject};
use crate::base::error::Result;
use crate::model::name::KeyId;
use crate::realm::Realm;

/// The last uses of the keys or the tokens of a realm, which are asked for in the order of their ids.
///
/// One listing of counts serves many of them: most keys of a large vault have no counts.
pub(crate) struct LastUses<'a> {
    usage: &'a Arc<Usage>,
    realm: &'a Arc<Realm>,
    window: Option<Window>,
}

/// The ids of counts that follow an id, without a gap.
struct Window {
    after: Option<[u8; 16]>,
    ids: Vec<[u8; 16]>,
    /// True if none follow the last one.
    is_end: bool,
}

impl Window {
    /// Returns the days of a subject's counts, the newest first; `None` if the window does not show all of them.
    fn days(&self, subject: Subject) -> Option<Vec<u16>> {
        let before = RollupId::before(subject, 0);
        let prefix = RollupId::of(subject, 0, [0; 5], 0).subject;
        let last = self.ids.last().and_then(|id| id.first_chunk::<8>());
        if before < self.after || !self.is_end && last.is_none_or(|last| *last <= prefix) {
            return None;
        }
        let from = self.ids.partition_point(|id| id.first_chunk() < Some(&prefix));
        let ours = self.ids.get(from..).unwrap_or_default().iter();
        let ours = ours.map_while(|id| RollupId::parse(id).filter(|id| id.subject == prefix));
        let days: BTreeSet<u16> = ours.map(|id| id.day).collect();
        Some(days.into_iter().rev().collect())
    }
}

impl LastUses<'_> {
    /// Returns the time of the last release of a key, on any node, as far back as counts are kept. The caller has flushed this
    /// node's own counts.
    pub(crate) async fn of_key(&mut self, key: KeyId) -> Result<Option<Timestamp>> {
        for day in self.days_of(Subject::Key(key)).await? {
            let found = self.usage.rollups_of(self.realm, Subject::Key(key), day).await?;
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
    pub(crate) async fn of_token(&mut self, token: TokenId) -> Result<Option<Timestamp>> {
        for day in self.days_of(Subject::Token(token)).await? {
            let last = self.usage.use_since(self.realm, token, day).await?.last;
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    async fn days_of(&mut self, subject: Subject) -> Result<Vec<u16>> {
        if let Some(days) = self.window.as_ref().and_then(|window| window.days(subject)) {
            return Ok(days);
        }
        let collection = self.realm.collection(subject.kind())?;
        let after = RollupId::before(subject, 0);
        let from = after.map(|id| RecordId::new(collection, id));
        let ids = self
            .usage
            .records
            .store
            .list(&collection, from.as_ref(), LIST_LIMIT)
            .await?;
        let window = Window {
            after,
            is_end: ids.len() < LIST_LIMIT,
            ids: ids.iter().map(|id| *id.id()).collect(),
        };
        let days = window.days(subject);
        self.window = Some(window);
        match days {
            Some(days) => Ok(days),
            None => self.usage.days_of(self.realm, subject).await,
        }
    }
}

impl Usage {
    /// The last uses of the keys or the tokens of a realm.
    pub(crate) fn last_uses<'a>(self: &'a Arc<Self>, realm: &'a Arc<Realm>) -> LastUses<'a> {
        LastUses {
            usage: self,
            realm,
            window: None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(subject: u8, day: u16) -> [u8; 16] {
        let key = Subject::Key(KeyId([subject; 16]));
        RollupId::of(key, day, [1; 5], 0).bytes()
    }

    fn days(window: &Window, subject: u8) -> Option<Vec<u16>> {
        window.days(Subject::Key(KeyId([subject; 16])))
    }

    #[test]
    fn a_window_tells_the_days_of_what_it_shows_whole_and_of_nothing_else() {
        let mut window = Window {
            after: RollupId::before(Subject::Key(KeyId([3; 16])), 0),
            ids: vec![id(3, 7), id(3, 9), id(5, 2), id(8, 1)],
            is_end: false,
        };
        assert_eq!(days(&window, 3), Some(vec![9, 7]));
        assert_eq!(days(&window, 4), Some(vec![]), "no counts");
        assert_eq!(days(&window, 5), Some(vec![2]));
        assert_eq!(days(&window, 2), None, "before the window");
        assert_eq!(days(&window, 8), None, "there may be more of the last one");
        assert_eq!(days(&window, 9), None, "behind the window");
        window.is_end = true;
        assert_eq!(days(&window, 8), Some(vec![1]));
        assert_eq!(days(&window, 9), Some(vec![]));
    }
}
