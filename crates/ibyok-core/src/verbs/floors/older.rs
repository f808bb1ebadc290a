//! The records of the store that are older than this node has seen them: finding and naming them.

use std::collections::HashMap;
use std::sync::Arc;

use ibyok_audit::Reader;
use ibyok_storage::RecordId;
use secrecy::ExposeSecret;

use super::rollback::RolledBack;
use crate::base::damage::Damage;
use crate::base::error::{Error, Part, Result};
use crate::model::kind;
use crate::model::record_kind::RecordKind;
use crate::model::typed::with_type_of;
use crate::realm::{Realm, RealmName};
use crate::records::record::Record;
use crate::vault::Inner;

/// The opened realms whose records are older than this node has seen them: each costs one call to the KEK.
pub(super) type OlderRealms = HashMap<RealmName, Arc<Realm>>;

/// The state of a record in the store, as far as it opens.
#[derive(Default)]
struct There {
    rev: Option<u64>,
    name: Option<String>,
    realm: Option<String>,
}

impl Inner {
    /// The record, if it is older than its floor or lost.
    pub(super) async fn rolled_back(
        &self,
        record: &RecordId,
        floor: u64,
        older: &mut OlderRealms,
    ) -> Result<Option<RolledBack>> {
        if record.collection().kind().as_u8() == kind::REALM {
            return self.rolled_back_realm(record, floor).await;
        }
        let there = match self.there(record, older).await {
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
            kind: with_type_of!(record, R => R::NAME, _ => RecordKind::Other),
            name: there.name,
            realm: there.realm,
            seen: floor,
            found: there.rev,
        }))
    }

    /// The environment whose record is older than this node has seen it, or which the store lost.
    async fn rolled_back_realm(&self, record: &RecordId, floor: u64) -> Result<Option<RolledBack>> {
        let name = self.name_of_realm(record).await?;
        let found = match &name {
            // Without the check of its life, which refuses it.
            Some(name) => match self.records.read_realm(name).await {
                Ok(realm) => realm.map(|realm| realm.rev),
                Err(Error::Integrity { .. } | Error::Kek { .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
            None => None,
        };
        let is_older = match found {
            Some(rev) => rev < floor,
            None => self.records.is_lost(record).await?,
        };
        Ok(is_older.then(|| RolledBack {
            record: record.to_string(),
            kind: RecordKind::Environment,
            name: name.as_ref().map(|name| name.environment_word().to_owned()),
            realm: name.as_ref().map(RealmName::to_string),
            seen: floor,
            found,
        }))
    }

    /// The name of a realm, by the id of its record.
    pub(crate) async fn name_of_realm(&self, record: &RecordId) -> Result<Option<RealmName>> {
        let tags = self.records.tags().await?;
        let named = tags.names().find(|name| name.record_id(self.records.vault) == *record);
        match named {
            Some(name) => Ok(Some(RealmName::clone(name))),
            None => Ok(self.records.floors.seen_realm(record).await?.map(|seen| seen.name)),
        }
    }

    /// The realm of a record, also if the realm is older than this node has seen it: its records go back with it.
    async fn realm_of_any_age(&self, name: &RealmName, older: &mut OlderRealms) -> Result<Option<Arc<Realm>>> {
        if let Some(realm) = older.get(name) {
            return Ok(Some(Arc::clone(realm)));
        }
        match self.records.realm(name).await {
            Err(Error::Integrity {
                damage: Damage::Older, ..
            }) => {}
            opened => return opened,
        }
        let realm = self.records.read_realm(name).await?.map(Arc::new);
        older.extend(realm.clone().map(|realm| (name.clone(), realm)));
        Ok(realm)
    }

    /// Opens a record for its revision and name; `None` if its realm is gone.
    async fn there(&self, record: &RecordId, older: &mut OlderRealms) -> Result<Option<There>> {
        let tag = ibyok_crypto::RealmTag::from_bytes(*record.collection().realm()).ok();
        let name = match tag {
            Some(tag) => self.records.realm_by_tag(tag).await?,
            None => None,
        };
        let Some(name) = name else { return Ok(None) };
        let realm = self.realm_of_any_age(&name, older).await?;
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
    pub(super) async fn name_from_log(&self, found: &mut [RolledBack]) -> Result<()> {
        let nameless = found
            .iter()
            .filter(|rolled| rolled.name.is_none() && rolled.kind == RecordKind::Key);
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
