//! Accepting an older store: after an honest restore, its older records are believed by name.

use std::collections::HashMap;
use std::sync::Arc;

use ibyok_audit::{Action, Event, Outcome, Principal as Who, Reader, Statement};
use ibyok_crypto::RealmTag;
use ibyok_storage::{MapDurability, RecordId};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::base::error::{Error, Part, Result};
use crate::changes::{Edit, UNSEEN_CHANGES};
use crate::floor::accepted::Accepted;
use crate::floor::aside::Lock;
use crate::floor::{key, unavailable};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::typed::with_type_of;
use crate::realm::{Realm, RealmName};
use crate::records::record::Record;
use crate::vault::Inner;
use crate::vault::handles::FloorVerbs;

/// A record of the store that is older than this node has seen it, or is missing.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RolledBack {
    /// The record's id.
    pub record: String,
    /// The kind of record: `key`, `token`, `settings`, `incident`, `reviews`, `attestations` or `leaked value`.
    pub kind: &'static str,
    /// The name of the key or token, where it is known.
    pub name: Option<String>,
    /// The namespace and environment that the record belongs to, where its realm opens.
    pub realm: Option<String>,
    /// The revision that this node has seen.
    pub seen: u64,
    /// The revision in the store; `None` if the record is missing.
    pub found: Option<u64>,
}

/// The state of a record in the store, as far as it opens.
#[derive(Default)]
struct There {
    rev: Option<u64>,
    name: Option<String>,
    realm: Option<String>,
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
                found.extend(inner.rolled_back(&record, floor).await?);
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
        inner.records.forget_damaged();
        drop(lock);
        if inner.records.store_is_behind().is_some() || !inner.logs.store_findings().await?.is_empty() {
            self.accept_older_store().await?;
        }
        for rolled in records.iter().filter(|rolled| rolled.found.is_some()) {
            self.write_again(&principal, rolled).await?;
        }
        Ok(())
    }

    /// Writes an accepted record again as it is. So it is the newest one for every node, and revisions that were given before the restore
    /// are not given twice.
    async fn write_again(self, who: &Principal, rolled: &RolledBack) -> Result<()> {
        let record: RecordId = rolled.record.parse().map_err(|_| Error::integrity("a record's id"))?;
        let tag = RealmTag::from_bytes(*record.collection().realm()).map_err(|_| Error::integrity("a realm's tag"))?;
        let Some(name) = self.session.inner.records.realm_by_tag(tag).await? else {
            return Ok(());
        };
        let Some(realm) = self.session.inner.records.realm(&name).await? else {
            return Ok(());
        };
        let mut attempt = self.session.attempt(Action::VaultRestore);
        attempt.environment = name.environment.as_ref().map(ToString::to_string);
        let id = *record.id();
        with_type_of!(record, R => self.session.inner.write_as_it_is::<R>(&mut attempt, who, &realm, id).await, _ => Ok(()))
    }

    fn accepted(self, who: &Who, rolled: &RolledBack, accepted: Accepted) -> Event {
        let attempt = self.session.attempt(Action::VaultRollbackAccepted);
        let mut event = Event::new(Action::VaultRollbackAccepted, Outcome::Allowed, attempt.at)
            .principal(who.clone())
            .record(&rolled.record)
            .rev(accepted.rev)
            .states(Statement::default().with_accepted(accepted.floor))
            .reason(format!("{} was at revision {}", rolled.kind, rolled.seen));
        if let Some((namespace, environment)) = rolled.realm.as_deref().and_then(|realm| realm.split_once('/')) {
            event = event.namespace(namespace).environment(environment);
        }
        match (&rolled.name, rolled.kind) {
            (Some(name), "key") => event.key(name),
            (Some(name), kind) => event.target(kind, name),
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

    async fn rolled_back(&self, record: &RecordId, floor: u64) -> Result<Option<RolledBack>> {
        let there = match self.there(record).await {
            // A record that does not open is no older one: it stays refused.
            Err(Error::Integrity { .. }) => return Ok(None),
            Ok(Some(there)) => there,
            // Records of a realm that was removed are nobody's.
            Ok(None) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A record that is there and was accepted is still to be written again: a crash came between, and the same command does the rest.
        let accepted_as_missing = there.rev.is_none() && self.records.floors.accepted(record, floor).await? == Some(0);
        if there.rev.is_some_and(|rev| rev >= floor) || accepted_as_missing {
            return Ok(None);
        }
        Ok(Some(RolledBack {
            record: record.to_string(),
            kind: with_type_of!(record, R => R::NAME, _ => "record"),
            name: there.name,
            realm: there.realm,
            seen: floor,
            found: there.rev,
        }))
    }

    /// Opens a record for its revision and name; `None` if its realm is gone.
    async fn there(&self, record: &RecordId) -> Result<Option<There>> {
        let tag = ibyok_crypto::RealmTag::from_bytes(*record.collection().realm()).ok();
        let name = match tag {
            Some(tag) => self.records.realm_by_tag(tag).await?,
            None => None,
        };
        let Some(name) = name else { return Ok(None) };
        let realm = self.records.realm(&name).await?;
        let mut there = There {
            realm: Some(RealmName::to_string(&name)),
            ..There::default()
        };
        let (Some(realm), Some(stored)) = (realm, self.records.store.get(record).await?) else {
            return Ok(Some(there));
        };
        let body = realm
            .keys
            .open_record(&realm.place(record), &stored.bytes)
            .map_err(|error| crate::realm::open_failed(format!("the record {record}"), error))?;
        let head: Head = serde_json::from_slice(body.expose_secret())
            .map_err(|_| Error::integrity(format!("the record {record}")))?;
        there.rev = Some(head.rev);
        there.name = head.name;
        Ok(Some(there))
    }

    /// Finds the names of missing keys in the lines of the log about their last change.
    async fn name_from_log(&self, found: &mut [RolledBack]) -> Result<()> {
        let nameless = found
            .iter()
            .filter(|rolled| rolled.name.is_none() && rolled.kind == "key");
        let mut names: HashMap<String, Option<String>> = nameless.map(|rolled| (rolled.record.clone(), None)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let (place, logs) = (
            self.records.floors.setup.place.clone(),
            self.records.floors.setup.logs_now().await?,
        );
        let reading = tokio::task::spawn_blocking(move || {
            let reader = Reader::vouched(place, logs.clone())?;
            for log in logs.iter().filter_map(|key| key.log()) {
                reader.changes(log, 0, &mut |line| {
                    let entry = line.entry();
                    if let Some(name) = entry.record.as_ref().and_then(|record| names.get_mut(record)) {
                        name.clone_from(&entry.key);
                    }
                })?;
            }
            Ok::<_, Error>(names)
        });
        let names = reading
            .await
            .map_err(|error| Error::unavailable(Part::AuditLog, error))??;
        for rolled in found {
            if let Some(Some(name)) = names.get(&rolled.record) {
                rolled.name = Some(name.clone());
            }
        }
        Ok(())
    }
}

/// The fields that every sealed record has.
#[derive(serde::Deserialize)]
struct Head {
    rev: u64,
    #[serde(default)]
    name: Option<String>,
}
