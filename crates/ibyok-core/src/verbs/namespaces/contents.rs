//! The contents of a namespace.

use std::sync::Arc;

use ibyok_crypto::RealmTag;
use ibyok_policy::TokenId;
use ibyok_storage::{Collection, Kind, StoreExt};
use jiff::Timestamp;

use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::model::key::KeyRecord;
use crate::model::kind;
use crate::model::name::{EnvironmentName, KeyId, Namespace};
use crate::model::token::TokenRecord;
use crate::realm::{Realm, token_id};
use crate::records::record::Record;
use crate::vault::Inner;

/// The contents of a namespace that could still be used.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) keys: Vec<(EnvironmentName, KeyId)>,
    pub(super) tokens: Vec<(Arc<Realm>, TokenId)>,
    /// Records of keys and tokens that do not open.
    pub(super) damaged: u64,
    /// True if the key of some node's audit log is sealed here.
    pub(super) has_log: bool,
}

impl Contents {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tokens.is_empty() && self.damaged == 0
    }

    /// Describes the contents in words, for the refusal.
    pub(super) fn in_words(&self) -> Vec<String> {
        let count = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            many => Some(format!("{many} {what}s")),
        };
        let damaged = usize::try_from(self.damaged).unwrap_or(usize::MAX);
        let all = [
            count(self.keys.len(), "key"),
            count(self.tokens.len(), "valid token"),
            count(damaged, "damaged record"),
        ];
        all.into_iter().flatten().collect()
    }
}

impl Inner {
    /// Everything that a namespace holds.
    pub(super) async fn contents_of(self: &Arc<Self>, namespace: &Namespace, at: Timestamp) -> Result<Contents> {
        let mut contents = Contents::default();
        let tags = self.records.tags().await?;
        for (tag, name) in tags.iter().filter(|(_, name)| name.namespace == *namespace) {
            let logs = Collection::new(Kind::new(kind::LOG_KEY), *tag.as_bytes())?;
            contents.has_log |= !self.records.store.list(&logs, None, 1).await?.is_empty();
            let realm = match self.records.realm(name).await {
                Ok(Some(realm)) => realm,
                // A tag without a realm is left by an interrupted removal.
                Ok(None) => continue,
                // A removal that was interrupted between its tombstone and its record.
                Err(Error::Integrity {
                    damage: Damage::Older, ..
                }) if tags.is_marked(tag) => continue,
                // The content of its records cannot be known; removing them by force is the way out.
                Err(Error::Integrity { .. }) => {
                    contents.damaged += u64::from(self.holds_any(tag).await?);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(environment) = &name.environment {
                self.add_keys(&realm, environment, &mut contents).await?;
            }
            self.add_tokens(&realm, at, &mut contents).await?;
        }
        Ok(contents)
    }

    /// True if a realm has records of keys or tokens, of any state.
    async fn holds_any(&self, tag: RealmTag) -> Result<bool> {
        for kind in [kind::KEY, kind::TOKEN] {
            let collection = Collection::new(Kind::new(kind), *tag.as_bytes())?;
            if !self.records.store.list(&collection, None, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn add_keys(&self, realm: &Arc<Realm>, environment: &EnvironmentName, contents: &mut Contents) -> Result<()> {
        self.each::<KeyRecord>(realm, contents, |contents, id, record| {
            if record.is_live() {
                contents.keys.push((environment.clone(), KeyId(id)));
            }
            Ok(())
        })
        .await
    }

    async fn add_tokens(&self, realm: &Arc<Realm>, at: Timestamp, contents: &mut Contents) -> Result<()> {
        self.each::<TokenRecord>(realm, contents, |contents, id, record| {
            let over = record.grant.expires.is_some_and(|expires| expires <= at);
            if record.revoked.is_none() && !over {
                contents.tokens.push((Arc::clone(realm), token_id(realm, id)?));
            }
            Ok(())
        })
        .await
    }

    async fn each<R: Record>(
        &self,
        realm: &Arc<Realm>,
        contents: &mut Contents,
        mut add: impl FnMut(&mut Contents, [u8; 16], R) -> Result<()>,
    ) -> Result<()> {
        let collection = realm.collection(R::KIND)?;
        let mut pages = self.records.store.pages(&collection);
        while let Some(page) = pages.next_page().await? {
            for id in &page {
                match self.records.read::<R>(realm, id).await {
                    Ok(Some(held)) => add(contents, *id.id(), held.record)?,
                    Ok(None) => {}
                    Err(Error::Integrity { .. }) => contents.damaged += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
