//! Accepting an older store: after an honest restore, its older records are believed by name.

use std::sync::Arc;

use ibyok_audit::{Action, Event, Outcome, Principal as Who, Statement};
use ibyok_crypto::RealmTag;
use ibyok_storage::{MapDurability, RecordId};
use serde::Serialize;

use super::older::OlderRealms;
use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::floor::accepted::Accepted;
use crate::floor::aside::Lock;
use crate::floor::{key, unavailable};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::kind;
use crate::model::record_kind::RecordKind;
use crate::model::typed::with_type_of;
use crate::realm::Realm;
use crate::records::record::{Record, UNSEEN_CHANGES};
use crate::vault::Inner;
use crate::vault::handles::FloorVerbs;

/// A record of the store that is older than this node has seen it, or is missing.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RolledBack {
    /// The record's id.
    pub record: String,
    /// The kind of record.
    pub kind: RecordKind,
    /// The name of the key or token, where it is known.
    pub name: Option<String>,
    /// The namespace and environment that the record belongs to, where its realm opens.
    pub realm: Option<String>,
    /// The revision that this node has seen.
    pub seen: u64,
    /// The revision in the store; `None` if the record is missing.
    pub found: Option<u64>,
}

impl FloorVerbs<'_> {
    /// Lists the records of the store that are older than this node has seen them, with those that were accepted and not written again since.
    /// Reads every record that has a floor.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`].
    pub async fn rolled_back(self) -> Result<Vec<RolledBack>> {
        self.session.operator_of_home(Action::VaultRollbackAccepted).await?;
        let inner = &self.session.inner;
        inner.records.floors.flush(None).await?;
        let mut found = Vec::new();
        let mut older = OlderRealms::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = inner
                .records
                .floors
                .map()
                .numbers(after.as_deref())
                .await
                .map_err(unavailable)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (record, floor) in page
                .iter()
                .filter_map(|(name, floor)| Some((key::record_of(name)?, *floor)))
            {
                found.extend(inner.rolled_back(&record, floor, &mut older).await?);
            }
        }
        inner.name_from_log(&mut found).await?;
        Ok(found)
    }

    /// Accepts these records as the store holds them, or as missing, and accepts a store that is behind the log. Each acceptance is on the
    /// log before it holds. No other copy from before is accepted again: each record in the store is written again, with a revision
    /// that is higher than any that this node has seen, and than any that other nodes are likely to have seen.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Invalid`] if a record is not in the right form, [`Error::Unavailable`].
    pub async fn accept_rollback(self, records: &[RolledBack]) -> Result<()> {
        let principal = self.session.operator_of_home(Action::VaultRollbackAccepted).await?;
        let who = principal.who();
        let inner = &self.session.inner;
        let lock = Lock::take(&inner.records.floors.setup.place).await?;
        let mut changes = Vec::new();
        for rolled in records {
            let record: RecordId = rolled.record.parse().map_err(|_| {
                Error::invalid(
                    format!("`{}` is not a record", rolled.record),
                    "give what `rolled_back` returned",
                )
            })?;
            let floor = inner.records.floors.of(&record).await?.unwrap_or(0).max(rolled.seen);
            let accepted = Accepted {
                floor: floor.saturating_add(UNSEEN_CHANGES),
                rev: rolled.found.unwrap_or(0),
            };
            inner.recorder.record(self.accepted(&who, rolled, accepted)).await?;
            changes.extend(accepted.changes(&record));
        }
        inner.records.floors.apply(changes, MapDurability::Disk).await?;
        inner.records.cache.clear();
        inner.records.forget_realms();
        inner.records.forget_damaged();
        drop(lock);
        if inner.records.store_is_behind().is_some() || !inner.logs.store_findings().await?.is_empty() {
            self.accept_older_store().await?;
        }
        // One record that cannot be written again keeps no other from it.
        let mut failed = None;
        for rolled in records.iter().filter(|rolled| rolled.found.is_some()) {
            if let Err(error) = self.write_again(&principal, rolled).await {
                tracing::error!(record = rolled.record, %error, "an accepted record was not written again");
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Writes an accepted record again as it is. So it is the newest one for every node, and revisions that were given before the restore
    /// are not given twice.
    async fn write_again(self, who: &Principal, rolled: &RolledBack) -> Result<()> {
        let record: RecordId = rolled.record.parse().map_err(|_| Error::integrity("a record's id"))?;
        if record.collection().kind().as_u8() == kind::REALM {
            return self.write_realm_again(who, &record).await;
        }
        let tag = RealmTag::from_bytes(*record.collection().realm()).map_err(|_| Error::integrity("a realm's tag"))?;
        let Some(name) = self.session.inner.records.realm_by_tag(tag).await? else {
            return Ok(());
        };
        let Some(realm) = self.session.inner.records.realm(&name).await? else {
            return Ok(());
        };
        let mut attempt = self.session.attempt(Action::VaultRestore);
        attempt.facts.environment = name.environment.as_ref().map(Into::into);
        let id = *record.id();
        with_type_of!(record, R => self.session.inner.write_as_it_is::<R>(&mut attempt, who, &realm, id).await, _ => Ok(()))
    }

    async fn write_realm_again(self, who: &Principal, record: &RecordId) -> Result<()> {
        let Some(name) = self.session.inner.name_of_realm(record).await? else {
            return Ok(());
        };
        let inner = &self.session.inner;
        let Some(realm) = inner.records.realm(&name).await? else {
            return Ok(());
        };
        match inner.changes.write_realm_again(&realm).await? {
            Some(life) => {
                let mut attempt = self.session.attempt(Action::VaultRestore);
                attempt.facts.principal = Some(who.who().into_owned());
                attempt.facts.namespace = Some((&name.namespace).into());
                inner.changes.say_life(&attempt, &name, life).await
            }
            None => Ok(()),
        }
    }

    fn accepted<'e>(self, who: &Who<'e>, rolled: &'e RolledBack, accepted: Accepted) -> Event<'e> {
        let attempt = self.session.attempt(Action::VaultRollbackAccepted);
        let mut event = Event::new(Action::VaultRollbackAccepted, Outcome::Allowed, attempt.at)
            .principal(who.clone())
            .record(rolled.record.as_str())
            .rev(accepted.rev)
            .states(Statement::default().with_accepted(accepted.floor))
            .reason(format!("{} was at revision {}", rolled.kind, rolled.seen));
        if let Some((namespace, environment)) = rolled.realm.as_deref().and_then(|realm| realm.split_once('/')) {
            event = event.namespace(namespace).environment(environment);
        }
        match (&rolled.name, rolled.kind) {
            (Some(name), RecordKind::Key) => event.key(name.as_str()),
            (Some(name), kind) => event.target(kind.as_str(), name.as_str()),
            (None, _) => event,
        }
    }
}

impl Inner {
    async fn write_as_it_is<R: Record>(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        who: &Principal,
        realm: &Realm,
        id: [u8; 16],
    ) -> Result<()> {
        let edit = |_: &mut Attempt<'_>, record: Option<R>| {
            Ok(record.map_or(Edit::Unchanged(()), |record| Edit::Gives(record, ())))
        };
        self.changes.change(attempt, who, realm, id, edit).await
    }
}
