//! Live keys. A removed key has only a tombstone, which these methods never return.

use std::sync::Arc;

use ibyok_storage::RecordId;

use super::Records;
use super::cache::Held;
use super::walk::{Met, Walk};
use crate::base::error::Result;
use crate::model::key::KeyRecord;
use crate::model::name::KeyId;
use crate::realm::Realm;

impl Records {
    /// Returns a live key from the cache, or reads and keeps it. The caller must hold the lease.
    pub(crate) async fn live_key(&self, realm: &Realm, id: KeyId) -> Result<Option<Arc<Held<KeyRecord>>>> {
        let held = self.load::<KeyRecord>(realm, id.0).await?;
        Ok(held.filter(|held| held.record.is_live()))
    }

    /// Reads a live key from the store now.
    pub(crate) async fn read_live_key(&self, realm: &Realm, id: &RecordId) -> Result<Option<Held<KeyRecord>>> {
        let held = self.read::<KeyRecord>(realm, id).await?;
        Ok(held.filter(|held| held.record.is_live()))
    }
}

impl Walk<'_> {
    /// Returns the next live keys, and the damaged records between them, in the order of their ids; `None` at the end.
    pub(crate) async fn next_live_keys(&mut self) -> Result<Option<Vec<Met<KeyRecord>>>> {
        let met = self.next::<KeyRecord>().await?;
        Ok(met.map(|mut met| {
            met.retain(|(_, record)| record.as_ref().map_or(true, KeyRecord::is_live));
            met
        }))
    }
}
