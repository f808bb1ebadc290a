//! Reading one record: from the cache, or from the store and compared with its floor.

use std::sync::Arc;

use ibyok_storage::{Error as StorageError, RecordId, Revision};

use super::Records;
use super::cache::{Entry, Held};
use super::record::{Record, leaps, open_record};
use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, Result};
use crate::model::settings::{SETTINGS_ID, SettingsRecord};
use crate::realm::Realm;

impl Records {
    /// Returns the settings for the keys of an environment. That nothing is set is kept as well. The caller must hold
    /// the lease.
    ///
    /// # Errors
    /// [`Error::Integrity`] for settings that are damaged or older than the log says: nothing is assumed in their place.
    pub(crate) async fn environment_settings(&self, realm: &Realm) -> Result<Arc<Held<SettingsRecord>>> {
        let epoch = self.cache.epoch();
        if let Some(held) = self.load::<SettingsRecord>(realm, SETTINGS_ID).await? {
            return Ok(held);
        }
        let nothing = Arc::new(Held {
            record: SettingsRecord::default(),
            revision: Revision::new(0),
            size: 0,
        });
        let id = realm.record(SettingsRecord::KIND, SETTINGS_ID)?;
        self.cache.fill(epoch, id, Entry::Settings(Arc::clone(&nothing)));
        Ok(nothing)
    }

    /// A record from the cache, or read and kept. The caller must hold the lease.
    pub(crate) async fn load<R: Record>(&self, realm: &Realm, id: [u8; 16]) -> Result<Option<Arc<Held<R>>>> {
        let id = realm.record(R::KIND, id)?;
        if let Some(held) = self.cache.get(&id).and_then(R::from_entry) {
            return Ok(Some(held));
        }
        // In a box, as every way past the caches: else the future of each retrieval would be as large as that of a read.
        Box::pin(self.read_and_keep(realm, id)).await
    }

    async fn read_and_keep<R: Record>(&self, realm: &Realm, id: RecordId) -> Result<Option<Arc<Held<R>>>> {
        let epoch = self.cache.epoch();
        let Some(held) = self.read(realm, &id).await? else {
            return Ok(None);
        };
        let held = Arc::new(held);
        self.cache.fill(epoch, id, R::entry(Arc::clone(&held)));
        Ok(Some(held))
    }

    /// Reads a record from the store now.
    pub(crate) async fn read<R: Record>(&self, realm: &Realm, id: &RecordId) -> Result<Option<Held<R>>> {
        let mut known = None;
        loop {
            let stored = self
                .store
                .get(id)
                .await
                .map_err(|error| self.unread(id, R::WORD, error))?;
            let newer = match &stored {
                Some(stored) => self.with_generation_of(realm, &stored.bytes).await?,
                None => None,
            };
            let now = newer.as_deref().unwrap_or(realm);
            let held = stored.map(|stored| open_record::<R>(now, id, &stored)).transpose();
            // After the read: a change that took something away meanwhile has its floor by now.
            let floor = self.floors.of(id).await?;
            let below = |held: &Held<R>| floor.is_some_and(|floor| held.record.rev() < floor);
            match held {
                Ok(Some(held)) if leaps(held.record.rev(), floor) => {
                    return Err(self.damaged(id, R::WORD, Damage::DoesNotOpen));
                }
                Ok(Some(held)) if !below(&held) => {
                    if floor.is_none_or(|floor| floor < held.record.rev()) {
                        self.floors.saw(id, held.record.rev()).await;
                    }
                    self.forget_damaged_record(id);
                    return Ok(Some(held));
                }
                Ok(None) if floor.is_none() => return Ok(None),
                // The change that raised the floor may have been put just after this read: the record is read once
                // more.
                Ok(_) if floor != known => known = floor,
                Ok(held) if self.is_accepted(id, floor, held.as_ref()).await? => {
                    self.forget_damaged_record(id);
                    return Ok(held);
                }
                Ok(Some(_)) => return Err(self.damaged(id, R::WORD, Damage::Older)),
                Ok(None) => return Err(self.damaged(id, R::WORD, Damage::Missing)),
                Err(error) => {
                    self.note_damage(id, Some(&error));
                    return Err(error);
                }
            }
        }
    }

    /// Returns true if an operator accepted a record in its present state, although it is older than its floor or
    /// missing.
    async fn is_accepted<R: Record>(&self, id: &RecordId, floor: Option<u64>, held: Option<&Held<R>>) -> Result<bool> {
        let Some(floor) = floor else { return Ok(false) };
        let rev = held.map_or(0, |held| held.record.rev());
        Ok(self.floors.accepted(id, floor).await? == Some(rev))
    }

    fn damaged(&self, id: &RecordId, word: &str, damage: Damage) -> Error {
        self.remember_damaged(id);
        Error::damaged(format!("a {word} ({id})"), damage).about(Affected::of(id))
    }

    /// A record that the store cannot read is damaged; any other failure of the store is the store's.
    fn unread(&self, id: &RecordId, word: &str, error: StorageError) -> Error {
        match error {
            StorageError::Corrupt { .. } => {
                tracing::error!(%error, "the store's own files are damaged");
                self.damaged(id, word, Damage::Unreadable)
            }
            other => other.into(),
        }
    }
}
