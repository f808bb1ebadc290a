//! Making and removing the realm of an environment.

use ibyok_audit::Phase;
use ibyok_storage::{Error as StorageError, Expect, MapDurability, RecordId};

use super::Changes;
use crate::base::error::{Error, Result};
use crate::floor::SeenRealm;
use crate::gate::attempt::Attempt;
use crate::model::REV_MAX;
use crate::model::environment::Class;
use crate::model::key::Stamp;
use crate::realm::make::{Opening, make_realm};
use crate::realm::removal::{Removal, made_after, removed_after, tombstone_of};
use crate::realm::{Realm, RealmName};
use crate::records::record::UNSEEN_CHANGES;

/// The number of times that a record is written or deleted again when other writers changed it.
const TRIES: usize = 8;

/// The record and revision of a realm that was made or removed, for the line of the log from which floors are made again.
pub(crate) type Life = (RecordId, u64);

impl Changes {
    /// Makes a realm, and makes this node find it. Returns `None` if it was there already.
    ///
    /// # Errors
    /// [`Error::Integrity`] for a realm that this node has seen and the store lost: its name is not free.
    pub(crate) async fn make(
        &self,
        name: &RealmName,
        class: Class,
        attempt: &Attempt<'_>,
        by: &str,
    ) -> Result<Option<Life>> {
        let id = name.record_id(self.records.vault);
        self.records.check_absent(name).await?;
        let rev = within(made_after(self.records.last_life(&id).await?), name)?;
        // A KEK that is being replaced wraps no new key.
        let held = self.records.keks.ring();
        self.records.keks.renew(&held, &self.records.clock).await;
        let opening = Opening {
            vault: self.records.vault,
            store: self.records.store.as_ref(),
            keyring: &self.records.keks.ring(),
        };
        let stamp = Stamp {
            at: attempt.at,
            by: by.to_owned(),
        };
        let made = make_realm(&opening, name, class, rev, &stamp).await;
        self.records.forget_realms();
        if !made? {
            return Ok(None);
        }
        self.note(name, &id).await?;
        Ok(Some((id, rev)))
    }

    /// Ends the life of a realm: puts its tombstone, deletes its environment key record, then raises its floor. No record of it
    /// opens any more.
    ///
    /// The floor comes last: until the record is gone, the same call completes what a crash cut short. The tombstone comes first: no
    /// node ever finds the record missing without a reason.
    pub(crate) async fn remove_realm(&self, name: &RealmName, stamp: &Stamp) -> Result<Life> {
        let id = name.record_id(self.records.vault);
        let known = self.records.last_life(&id).await?;
        let known = match self.records.realm(name).await {
            Ok(realm) => known.max(realm.map_or(0, |realm| realm.rev)),
            // The revision of a record that does not open is not known.
            Err(Error::Integrity { .. } | Error::Kek { .. }) => known.saturating_add(UNSEEN_CHANGES),
            Err(error) => return Err(error),
        };
        let removal = Removal {
            rev: within(removed_after(known), name)?,
            namespace: name.namespace.clone(),
            environment: name.environment.clone(),
            removed: stamp.clone(),
        };
        let tombstone = tombstone_of(&id);
        let sealed = removal.seal(self.records.home_now().await.as_ref(), &tombstone)?;
        self.put_over(&tombstone, &sealed).await?;
        self.delete(&id).await?;
        self.records.forget_realms();
        let floors = &self.records.floors;
        let seen = SeenRealm {
            name: name.clone(),
            life: None,
        };
        floors.note_realm(&id, removal.rev, &seen, MapDurability::Disk).await?;
        Ok((id, removal.rev))
    }

    /// Appends the end of making or removing one of several realms. Floors that are lost are made again from this line.
    pub(crate) async fn say_life(&self, attempt: &Attempt<'_>, name: &RealmName, (id, rev): Life) -> Result<()> {
        let mut line = attempt.beside(attempt.action);
        line.facts.reason = attempt.facts.reason;
        line.facts.environment = name.environment.as_ref().map(Into::into);
        (line.facts.record, line.facts.rev) = (Some(id.to_string()), Some(rev));
        self.recorder.record(line.phase(Phase::Done)).await
    }

    /// Writes the record of a realm again as it is, above every revision that nodes may have seen, after an operator accepted an
    /// older copy.
    pub(crate) async fn write_realm_again(&self, realm: &Realm) -> Result<Option<Life>> {
        let id = realm.name.record_id(self.records.vault);
        let Some(stored) = self.records.store.get(&id).await? else {
            return Ok(None);
        };
        let rev = within(made_after(self.records.last_life(&id).await?), &realm.name)?;
        let attributes = serde_json::to_vec(&realm.attributes).map_err(|_| Error::integrity("an environment"))?;
        let failed = |error| crate::realm::open_failed(crate::realm::environment_key(&realm.name, &id), error);
        let ring = self.records.keks.ring();
        let kek = ring.wraps(&realm.keys.identity().kek_context()).map_err(failed)?;
        let sealed = realm.keys.record(&attributes, rev, kek.as_ref()).await;
        let sealed = sealed.map_err(failed)?;
        let expect = Expect::Revision(stored.revision);
        self.records.store.put(&id, &sealed, expect).await?;
        self.records.forget_realms();
        self.note(&realm.name, &id).await?;
        Ok(Some((id, rev)))
    }

    /// Notes the floor of a realm that was just written.
    async fn note(&self, name: &RealmName, id: &RecordId) -> Result<()> {
        if let Some(realm) = self.records.read_realm(name).await? {
            self.records.floors.saw_realm(id, &realm).await;
        }
        Ok(())
    }

    async fn put_over(&self, id: &RecordId, bytes: &[u8]) -> Result<()> {
        for _ in 0..TRIES {
            let there = self.records.store.get(id).await?;
            let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
            match self.records.store.put(id, bytes, expect).await {
                Err(StorageError::Conflict | StorageError::Exists) => tokio::task::yield_now().await,
                put => return Ok(put.map(drop)?),
            }
        }
        Err(contended())
    }

    /// Deletes a record at whichever revision it is.
    pub(crate) async fn delete(&self, id: &RecordId) -> Result<()> {
        for _ in 0..TRIES {
            let Some(stored) = self.records.store.get(id).await? else {
                return Ok(());
            };
            match self.records.store.delete(id, stored.revision).await {
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                deleted => return Ok(deleted?),
            }
        }
        Err(contended())
    }
}

/// Refuses a revision that no node would read, before anything is written with it.
pub(super) fn within(rev: u64, name: &RealmName) -> Result<u64> {
    match rev <= REV_MAX {
        true => Ok(rev),
        false => Err(Error::integrity(format!("the environment key of `{name}`"))),
    }
}

/// The error for a record that other writers change all the time.
pub(crate) fn contended() -> Error {
    Error::Conflict {
        what: "too many concurrent changes to a record of the namespace".to_owned(),
    }
}
