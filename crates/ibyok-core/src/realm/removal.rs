//! Tombstones of realms: a realm that was removed leaves a record that says so, and its absence is no loss.
//!
//! The revisions of a realm's name count its makings and removals. An odd revision belongs to a realm that exists, and an even one
//! to a removal. So an environment that was removed and made again under the same name differs from an older copy of it.

use ibyok_crypto::{RealmKeys, RealmTag, VaultId};
use ibyok_storage::{Collection, Kind, RecordId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{Realm, RealmName, open_failed};
use crate::base::error::{Error, Result};
use crate::model::REV_MAX;
use crate::model::key::Stamp;
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};

/// The revision of a realm that is made when its name had this one last, or 0.
pub(crate) fn made_after(rev: u64) -> u64 {
    rev.saturating_add(1) | 1
}

/// The revision of a removal when the name had this one last.
pub(crate) fn removed_after(rev: u64) -> u64 {
    rev.saturating_add(2) & !1
}

/// True for the revision of a realm that exists, and false for that of a removal.
pub(crate) fn is_of_a_realm(rev: u64) -> bool {
    rev % 2 == 1
}

/// The content of a tombstone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Removal {
    pub(crate) rev: u64,
    pub(crate) namespace: Namespace,
    pub(crate) environment: Option<EnvironmentName>,
    pub(crate) removed: Stamp,
}

/// The id of the tombstone that belongs to an environment key record.
pub(crate) fn tombstone_of(realm: &RecordId) -> RecordId {
    RecordId::new(Collection::root(Kind::new(kind::REMOVED)), *realm.id())
}

impl Removal {
    /// Seals the tombstone under the home realm of the node that removes: the keys of the removed realm are destroyed. The tag of
    /// the home comes first, in the clear, since other nodes have other homes.
    pub(crate) fn seal(&self, home: &Realm, id: &RecordId) -> Result<Vec<u8>> {
        let body = serde_json::to_vec(self).map_err(|_| Error::integrity("a tombstone"))?;
        let sealed = home.keys.seal_record(&home.place(id), &body);
        let sealed = sealed.map_err(|error| open_failed("a tombstone".to_owned(), error))?;
        Ok([home.tag().as_bytes().as_slice(), &sealed].concat())
    }

    /// Opens a tombstone that this realm sealed; `None` if it did not, or if the tombstone is another record's.
    pub(crate) fn open(home: &Realm, vault: VaultId, id: &RecordId, stored: &[u8]) -> Option<Self> {
        let (_, sealed) = stored.split_first_chunk::<8>()?;
        let body = home.keys.open_record(&home.place(id), sealed).ok()?;
        let removal: Removal = serde_json::from_slice(body.expose_secret()).ok()?;
        let name = RealmName {
            namespace: removal.namespace.clone(),
            environment: removal.environment.clone(),
        };
        let is_fit = removal.rev <= REV_MAX && !is_of_a_realm(removal.rev);
        (is_fit && tombstone_of(&name.record_id(vault)) == *id).then_some(removal)
    }
}

/// The tag of the realm that sealed a tombstone, as the tombstone states it.
pub(crate) fn sealer_of(stored: &[u8]) -> Option<RealmTag> {
    RealmTag::from_bytes(*stored.first_chunk::<8>()?).ok()
}

/// The generation that sealed a tombstone, as the tombstone states it.
pub(crate) fn generation_of(stored: &[u8]) -> Option<u32> {
    let (_, sealed) = stored.split_first_chunk::<8>()?;
    RealmKeys::generation_of(sealed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makings_and_removals_of_a_name_take_turns_and_only_rise() {
        let mut rev = 0;
        for _ in 0..3 {
            let made = made_after(rev);
            assert!(made > rev && is_of_a_realm(made));
            // A making that is seen again, and a removal that a crash cut short, take a number of their own.
            assert!(made_after(made) > made && is_of_a_realm(made_after(made)));
            let removed = removed_after(made);
            assert!(removed > made && !is_of_a_realm(removed));
            assert!(removed_after(removed) > removed && !is_of_a_realm(removed_after(removed)));
            rev = removed;
        }
    }
}
