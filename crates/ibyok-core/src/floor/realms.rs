//! The realms that this node has seen, with their names: the id of a realm's record does not show whose it is.

use ibyok_storage::{MapDurability, RecordId};

use super::file::Floors;
use super::key;
use super::realm_lines::{SeenRealm, changes};
use super::remembered::Way;
use crate::base::error::Result;
use crate::realm::Realm;

impl Floors {
    /// Remembers a realm that was read. A file that cannot be written now gets the floor with the next second: reading needs no more
    /// of it.
    pub(crate) async fn saw_realm(&self, id: &RecordId, realm: &Realm) {
        let seen = SeenRealm {
            name: realm.name.clone(),
            life: Some((realm.rev, realm.tag())),
        };
        if let Err(error) = self.note_realm(id, realm.rev, &seen, MapDurability::Kernel).await {
            tracing::warn!(%error, "an environment that was read is not in the file of floors yet");
        }
    }

    /// Notes a realm that was made or removed.
    pub(crate) async fn note_realm(
        &self,
        id: &RecordId,
        rev: u64,
        seen: &SeenRealm,
        durability: MapDurability,
    ) -> Result<()> {
        self.seen.add(id, rev);
        self.apply(changes(id, rev, seen).into(), durability).await?;
        self.remembered.keep(id, rev, Way::Saw);
        self.seen.drop_up_to(id, rev);
        Ok(())
    }

    /// Returns a realm that this node has seen, by the id of its record.
    pub(crate) async fn seen_realm(&self, id: &RecordId) -> Result<Option<SeenRealm>> {
        let item = key::realm_name(id);
        let text = self
            .ask(|map| {
                let item = item.clone();
                async move { map.text(&item).await }
            })
            .await?;
        Ok(text.as_deref().and_then(SeenRealm::parse))
    }
}
