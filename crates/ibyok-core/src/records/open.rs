//! Opening a realm through the KEK, once for all who wait for it.

use std::sync::Arc;
use std::time::Duration;

use super::Records;
use super::lives::damaged;
use super::realms::Failure;
use crate::base::clock::Clock;
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::realm::{Realm, RealmName, read_realm};

impl Records {
    /// The realm of a name with its keys opened; `None` if there is no such realm.
    pub(crate) async fn realm(&self, name: &RealmName) -> Result<Option<Arc<Realm>>> {
        let asked = self.clock.elapsed();
        if let Some(realm) = self.realms.held(name, asked, self.key_cache_ttl) {
            return Ok(Some(realm));
        }
        Box::pin(self.realm_asked_for(name, asked)).await
    }

    /// The realm of a name that was not held opened when it was asked for.
    async fn realm_asked_for(&self, name: &RealmName, asked: Duration) -> Result<Option<Arc<Realm>>> {
        // Only names that the store has: others must leave nothing behind here.
        if !self.tags().await?.has(name) {
            return self.check_absent(name).await.map(|()| None);
        }
        let lock = self.realms.opening(name);
        let mut failure = lock.lock().await;
        let now = self.clock.elapsed();
        if let Some(realm) = self.realms.held(name, now, self.key_cache_ttl) {
            return Ok(Some(realm));
        }
        let period = self.token_key_period();
        if let Some(failed) = failure.as_ref().filter(|failure| failure.holds(asked, now, period)) {
            return Err(failed.error());
        }
        let epoch = self.cache.epoch();
        let opened = self.open_realm(name).await;
        self.note_damage(&name.record_id(self.vault), opened.as_ref().err());
        *failure = opened
            .as_ref()
            .err()
            .and_then(|error| Failure::of(error, self.clock.elapsed()));
        self.realms
            .token_keys
            .note(name, opened.as_ref().err(), self.clock.elapsed(), period);
        let Some(realm) = opened? else { return Ok(None) };
        let realm = Arc::new(realm);
        // A realm that raced a change is good for this request, and read again for the next.
        self.realms.keep(&realm, (now, self.key_cache_ttl), &self.cache, epoch);
        Ok(Some(realm))
    }

    async fn open_realm(&self, name: &RealmName) -> Result<Option<Realm>> {
        let as_of = self.realms.changes();
        let mut opened = self.read_realm(name).await?;
        if let Some(realm) = &opened
            && self.check_life(realm).await.is_err()
        {
            // A removal of this moment deletes the record before it raises the floor: then the record is gone now.
            opened = self.read_realm(name).await?;
        }
        // Its record may come after its tag, and goes before it: only then a tag that is finished stands for a record that is lost.
        let id = name.record_id(self.vault);
        if opened.is_none() && self.is_made(name).await? && !self.is_accepted_as_missing(&id).await? {
            opened = self.read_realm(name).await?;
            if opened.is_none() {
                return Err(damaged(name, &id, Damage::Missing));
            }
        }
        match &opened {
            Some(realm) => self.check_life(realm).await?,
            None => self.check_absent(name).await?,
        }
        let is_home = name.namespace == self.home.name.namespace;
        Ok(opened.map(|realm| Realm {
            is_home,
            as_of,
            ..realm
        }))
    }

    /// Reads a realm without a look at its floor. A KEK that this node lacks may be in its settings by now.
    pub(crate) async fn read_realm(&self, name: &RealmName) -> Result<Option<Realm>> {
        let ring = self.keks.ring();
        let read = read_realm(self.vault, self.store.as_ref(), &ring, name).await;
        match read {
            Err(Error::Kek { .. }) if self.keks.renew(&ring, &self.clock).await => {
                read_realm(self.vault, self.store.as_ref(), &self.keks.ring(), name).await
            }
            read => read,
        }
    }
}
