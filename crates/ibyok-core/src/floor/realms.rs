//! The realms that this node has seen, with their names: the id of a realm's record does not show whose it is.

use ibyok_storage::{MapDurability, RecordId};

use super::file::Floors;
use super::key;
use super::realm_lines::changes;
use super::remembered::Way;
use crate::base::error::Result;
use crate::realm::RealmName;

impl Floors {
    /// Remembers a realm that was read at a revision. A file that cannot be written now gets the floor with the next second: reading
    /// needs no more of it.
    pub(crate) async fn saw_realm(&self, id: &RecordId, rev: u64, name: &RealmName) {
        if let Err(error) = self.note_realm(id, rev, name, MapDurability::Kernel).await {
            tracing::warn!(%error, "an environment that was read is not in the file of floors yet");
        }
    }

    /// Notes a realm that was made or removed.
    pub(crate) async fn note_realm(
        &self,
        id: &RecordId,
        rev: u64,
        name: &RealmName,
        durability: MapDurability,
    ) -> Result<()> {
        self.seen.add(id, rev);
        self.apply(changes(id, rev, name).into(), durability).await?;
        self.remembered.keep(id, rev, Way::Saw);
        self.seen.drop_up_to(id, rev);
        Ok(())
    }

    /// Returns the name of a realm that this node has seen, by the id of its record.
    pub(crate) async fn realm_name(&self, id: &RecordId) -> Result<Option<RealmName>> {
        let item = key::realm_name(id);
        let name = self
            .ask(|map| {
                let item = item.clone();
                async move { map.text(&item).await }
            })
            .await?;
        Ok(name.as_deref().and_then(RealmName::parse))
    }
}
