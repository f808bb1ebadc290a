//! Removing a namespace: removes its contents record by record, then destroys its keys, then removes its name.
//!
//! The order makes a crash harmless. Revoked tokens and removed keys have floors, so that no node accepts an older copy. Its tags
//! are marked as unfinished and its realms leave tombstones, so that the records that go next do not look lost. Without its environment
//! key records nothing of a
//! namespace opens again. Its tags go last: as long as one is there, the same call finds the namespace and completes the removal.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ibyok_audit::{Action, Phase};
use ibyok_crypto::RealmTag;
use ibyok_storage::{Collection, Error as StorageError, Expect, Kind, StoreExt};
use serde::Serialize;

use super::Namespaces;
use super::contents::Contents;
use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::changes::Edit;
use crate::changes::environment::contended;
use crate::gate::attempt::Attempt;
use crate::gate::find_token::no_token;
use crate::gate::principal::Principal;
use crate::model::key::Stamp;
use crate::model::key_ref::KeyRef;
use crate::model::kind;
use crate::model::name::Namespace;
use crate::model::take_away::TokenTakeAway;
use crate::model::token::TokenRecord;
use crate::realm::RealmName;
use crate::realm::tags::{TagBody, tag_record};
use crate::records::environments::no_namespace;
use crate::vault::Inner;
use crate::vault::session::Session;

/// The number of times that marking or deleting a record is tried again when other writers changed it.
const TRIES: usize = 8;

/// The hint for a namespace that is not removed.
const STAYS: &str =
    "the home of a vault or of a node cannot be removed; remove the keys and tokens of its environments instead";
const HAS_CONTENTS: Remedy = Remedy::EmptyNamespace;

/// The contents that removing a namespace may take away.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NamespaceRemoval {
    /// The name of the namespace whose keys and tokens are removed with it; without it the namespace has to be empty.
    pub with_contents_of: Option<String>,
}

impl NamespaceRemoval {
    /// Removes the namespace of this name with its keys and tokens.
    #[must_use]
    pub fn with_contents_of(name: impl Into<String>) -> Self {
        NamespaceRemoval {
            with_contents_of: Some(name.into()),
        }
    }
}

/// A namespace that was removed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct NamespaceRemoved {
    /// The name, which is free again.
    pub name: Namespace,
    /// The number of keys that were removed with it.
    pub keys: u64,
    /// The number of valid tokens that were revoked with it.
    pub tokens: u64,
    /// The number of damaged records of keys and tokens that were deleted with it. An environment whose key does not open counts
    /// as one, because its records cannot be told apart.
    pub damaged: u64,
    /// The places that may still hold the sealed values, and until when, in words; `None` if nothing does that
    /// belongs to the store. Backups are beyond it.
    pub remains: Option<String>,
}

impl Namespaces {
    /// Removes a namespace: its tokens are revoked, its keys removed, its environment keys destroyed. Nothing of it is served
    /// afterwards, on other nodes within one second, and a new namespace may have its name.
    ///
    /// # Errors
    /// [`Error::InUse`] while it has keys or valid tokens, for the vault's home, and for a namespace that seals the key of some
    /// node's audit log; [`Error::NotFound`]; [`Error::Invalid`] if the name in `removal` is another; [`Error::Kek`] if an
    /// environment does not open here; [`Error::Unavailable`].
    pub async fn remove(&self, name: &Namespace, removal: &NamespaceRemoval) -> Result<NamespaceRemoved> {
        let mut attempt = self.0.attempt(Action::NamespaceRemove);
        let outcome = self.try_remove(&mut attempt, name, removal).await;
        self.0.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_remove(
        &self,
        attempt: &mut Attempt<'_>,
        name: &Namespace,
        removal: &NamespaceRemoval,
    ) -> Result<NamespaceRemoved> {
        let (session, who) = self.within(attempt, name).await?;
        let inner = &session.inner;
        let contents = session.removable(attempt, name, removal).await?;
        if !contents.is_empty() {
            attempt.facts.because = Some(contents.in_words().join(", "));
        }
        inner.recorder.record(attempt.phase(Phase::Intended)).await?;
        let removed = async {
            session.take_away(attempt, &who, &contents).await?;
            let by = Stamp {
                at: attempt.at,
                by: who.by(),
            };
            inner.destroy_namespace(attempt, name, &by).await
        };
        let removed = removed.await;
        let phase = if removed.is_ok() { Phase::Done } else { Phase::NotDone };
        inner.recorder.log.append_unwaited(attempt.phase(phase));
        removed?;
        let remains = match inner.records.store.scrub().await {
            Ok(remains) => remains,
            Err(error) => Some(format!(
                "the store's files may hold the sealed values until they are scrubbed: {error}"
            )),
        };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(NamespaceRemoved {
            name: name.clone(),
            keys: count(contents.keys.len()),
            tokens: count(contents.tokens.len()),
            damaged: contents.damaged,
            remains,
        })
    }
}

impl Session {
    /// Returns the contents of a namespace, if it may be removed.
    async fn removable(&self, attempt: &Attempt<'_>, name: &Namespace, removal: &NamespaceRemoval) -> Result<Contents> {
        let inner = &self.inner;
        let in_use = |by: Vec<String>, hint| Error::InUse {
            what: format!("namespace `{name}`"),
            by,
            hint,
        };
        if *name == inner.records.home.name.namespace {
            return Err(in_use(
                vec!["the namespace is the vault's home".to_owned()],
                STAYS.into(),
            ));
        }
        if let Some(named) = &removal.with_contents_of
            && named != name.as_str()
        {
            return Err(Error::invalid(
                format!(
                    "the forced namespace {} is not the namespace `{name}`",
                    crate::base::error::quoted(named)
                ),
                "repeat the name of the namespace to remove",
            ));
        }
        let tags = inner.records.tags().await?;
        let is_of_it = |realm: &RealmName| realm.namespace == *name;
        // A namespace whose every record was lost is removed as well, so that its name is free again.
        if !tags.iter().any(|(_, realm)| is_of_it(realm)) && !tags.expected().iter().any(|realm| is_of_it(realm)) {
            return Err(no_namespace(name));
        }
        let contents = inner.contents_of(name, attempt.at).await?;
        if contents.has_log {
            return Err(in_use(
                vec!["a node's audit log has its key in it".to_owned()],
                STAYS.into(),
            ));
        }
        if removal.with_contents_of.is_none() && !contents.is_empty() {
            return Err(in_use(contents.in_words(), HAS_CONTENTS));
        }
        Ok(contents)
    }

    /// Revokes the tokens first, so that nobody reads a key while the others are removed.
    async fn take_away(&self, attempt: &Attempt<'_>, who: &Principal, contents: &Contents) -> Result<()> {
        let what = TokenTakeAway::Revoke { keep_children: false };
        let stamp = Stamp {
            at: attempt.at,
            by: who.by(),
        };
        for (realm, id) in &contents.tokens {
            let mut attempt = self.attempt(Action::TokenRevoke);
            let who = self.authenticate(&mut attempt).await?;
            attempt.facts.target = Some(("token", id.to_string()));
            let edit = |_: &mut Attempt<'_>, record: Option<TokenRecord>| {
                let mut record = record.ok_or_else(|| no_token(&id.to_string()))?;
                Ok(match record.take_away(what, &stamp) {
                    true => Edit::TakesAway(record, (), what.into()),
                    false => Edit::IsAway(()),
                })
            };
            let change = self.inner.changes.change(&mut attempt, &who, realm, id.bytes(), edit);
            change.await?;
        }
        for (environment, id) in &contents.keys {
            match self.keys().remove(&KeyRef::by_id(environment.clone(), *id)).await {
                // Another writer was faster.
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Inner {
    /// Destroys a namespace's keys, its records and then its tags.
    async fn destroy_namespace(self: &Arc<Self>, attempt: &Attempt<'_>, name: &Namespace, by: &Stamp) -> Result<()> {
        // Flushed now, so that no count of it is written later.
        if let Err(error) = self.usage.flush_usage().await {
            tracing::warn!(%error, "cannot count some uses of a removed namespace");
        }
        let tags = self.records.tags().await?;
        let expected = tags.expected().into_iter();
        let tagged = tags.iter().map(|(_, realm)| Arc::clone(realm));
        let realms = expected.chain(tagged).filter(|realm| realm.namespace == *name);
        let realms: BTreeSet<Arc<RealmName>> = realms.collect();
        self.destroy_realms(attempt, &realms, by).await
    }

    /// Destroys realms, with all that is sealed under them, and appends a line for each. Their tags go last, so that the same call
    /// completes what a crash cut short.
    pub(crate) async fn destroy_realms(
        &self,
        attempt: &Attempt<'_>,
        realms: &BTreeSet<Arc<RealmName>>,
        by: &Stamp,
    ) -> Result<()> {
        let tags = self.records.tags().await?;
        let of_them: Vec<_> = tags.iter().filter(|(_, name)| realms.contains(*name)).collect();
        let mut own = HashMap::new();
        for (tag, realm) in &of_them {
            if let Ok(Some(opened)) = self.records.realm(realm).await {
                own.insert(Arc::clone(realm), opened.tag());
            }
            self.mark_unfinished(*tag, realm).await?;
        }
        for realm in realms {
            let life = self.changes.remove_realm(realm, by).await?;
            self.changes.say_life(attempt, realm, life).await?;
        }
        // A tag in the clear that somebody wrote the name into is another realm's: its records stay.
        let is_own = |(tag, realm): &&(RealmTag, &Arc<RealmName>)| own.get(*realm).is_none_or(|own| own == tag);
        for (tag, _) in of_them.iter().filter(is_own) {
            for kind in kind::OF_REALMS {
                let collection = Collection::new(Kind::new(kind), *tag.as_bytes())?;
                self.delete_all(&collection).await?;
            }
        }
        for (tag, _) in &of_them {
            self.changes.delete(&tag_record(*tag)).await?;
        }
        self.records.forget_realms();
        Ok(())
    }

    async fn mark_unfinished(&self, tag: RealmTag, realm: &RealmName) -> Result<()> {
        let (id, marked) = (tag_record(tag), TagBody::print_unfinished(realm));
        for _ in 0..TRIES {
            let Some(stored) = self.records.store.get(&id).await? else {
                return Ok(());
            };
            match self
                .records
                .store
                .put(&id, &marked, Expect::Revision(stored.revision))
                .await
            {
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                put => return Ok(put.map(|_| ())?),
            }
        }
        Err(contended())
    }

    async fn delete_all(&self, collection: &Collection) -> Result<()> {
        let mut pages = self.records.store.pages(collection);
        while let Some(page) = pages.next_page().await? {
            for id in &page {
                self.changes.delete(id).await?;
            }
            self.records.cache.invalidate(&page);
        }
        Ok(())
    }
}
