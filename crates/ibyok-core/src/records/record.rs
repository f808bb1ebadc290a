//! The kinds of records, and how each is opened and sealed.

use std::sync::Arc;

use ibyok_crypto::Secret;
use ibyok_storage::{RecordId, Stored};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::{Entry, Held};
use crate::base::damage::Affected;
use crate::base::error::{Error, Result};
use crate::base::memory::allocated;
use crate::model::REV_MAX;
use crate::model::attestation::AttestationRecord;
use crate::model::incident::{IncidentId, IncidentRecord};
use crate::model::key::KeyRecord;
use crate::model::kind;
use crate::model::leaked::LeakedRecord;
use crate::model::name::KeyId;
use crate::model::record_kind::RecordKind;
use crate::model::review::ReviewRecord;
use crate::model::settings::SettingsRecord;
use crate::model::token::TokenRecord;
use crate::realm::{Realm, open_failed, token_id};

/// The number of changes of one record that other nodes may have seen and this node has not.
pub(crate) const UNSEEN_CHANGES: u64 = 1 << 20;

/// The two counts of an `Arc`.
const ARC: usize = 16;

/// The furthest step of a record's revision beyond the one that a node has seen, or beyond 0. No history of changes and acceptances comes
/// near it. Without it, a holder of an environment's keys could leave a record no revision to be changed or revoked at.
const LEAP_MAX: u64 = 1 << 32;

/// True for a revision that no history led to from the floor of the record.
pub(crate) fn leaps(rev: u64, floor: Option<u64>) -> bool {
    rev > floor.unwrap_or(0).saturating_add(LEAP_MAX)
}

/// A body that is sealed in the store, with the number that grows at each change of it.
pub(crate) trait Record: Serialize + DeserializeOwned + Send + Sync {
    const KIND: u8;
    const WORD: &'static str;
    /// The kind, as lists of damaged records name it.
    const NAME: RecordKind;
    /// The id that people know such a record by.
    fn public_id(realm: &Realm, id: &RecordId) -> String;
    fn rev(&self) -> u64;
    fn set_rev(&mut self, rev: u64);
    fn entry(held: Arc<Held<Self>>) -> Entry;
    fn from_entry(entry: Entry) -> Option<Arc<Held<Self>>>;

    /// The default for a missing record, if the kind has one.
    fn absent() -> Option<Self>;

    /// Gives back spare memory, and returns the bytes of its allocations. `stored` is its length in the store.
    fn pack(&mut self, stored: usize) -> usize;
}

/// The properties of each kind of record: its type, its kind, its names, its place in the cache, and the default for
/// a missing one.
macro_rules! records {
    ($($record:ident, $kind:ident, $word:literal, $name:ident, $public:expr, $entry:ident, $absent:expr, $pack:expr;)*) => {$(
        impl Record for $record {
            const KIND: u8 = kind::$kind;
            const WORD: &'static str = $word;
            const NAME: RecordKind = RecordKind::$name;

            fn public_id(realm: &Realm, id: &RecordId) -> String {
                ($public)(realm, id)
            }

            fn rev(&self) -> u64 {
                self.rev
            }

            fn set_rev(&mut self, rev: u64) {
                self.rev = rev;
            }

            fn entry(held: Arc<Held<Self>>) -> Entry {
                Entry::$entry(held)
            }

            fn from_entry(entry: Entry) -> Option<Arc<Held<Self>>> {
                match entry {
                    Entry::$entry(held) => Some(held),
                    _ => None,
                }
            }

            fn absent() -> Option<Self> {
                $absent
            }

            fn pack(&mut self, stored: usize) -> usize {
                ($pack)(self, stored)
            }
        }
    )*};
}

records! {
    KeyRecord, KEY, "key record", Key, key_id, Key, None, KeyRecord::pack_key;
    TokenRecord, TOKEN, "token record", Token, token_id_or_own, Token, None, about_twice;
    SettingsRecord, SETTINGS, "record of settings", Settings, own_id, Settings, Some(SettingsRecord::default()), about_twice;
    IncidentRecord, INCIDENT, "record of an incident", Incident, incident_id, Incident, None, about_twice;
    ReviewRecord, REVIEW, "record of reviews", Reviews, own_id, Review, None, about_twice;
    AttestationRecord, ATTESTATION, "record of attestations", Attestations, own_id, Attestation, None, about_twice;
    LeakedRecord, LEAKED, "record of a leaked value", LeakedValue, own_id, Leaked, None, about_twice;
}

/// The texts and lists of a record without sealed values take about as much memory as its JSON, and as much again for what is spare.
fn about_twice<R>(_: &mut R, stored: usize) -> usize {
    stored.saturating_mul(2)
}

fn key_id(_: &Realm, id: &RecordId) -> String {
    KeyId(*id.id()).to_string()
}

fn token_id_or_own(realm: &Realm, id: &RecordId) -> String {
    token_id(realm, *id.id()).map_or_else(|_| id.to_string(), |token| token.to_string())
}

fn incident_id(_: &Realm, id: &RecordId) -> String {
    IncidentId(*id.id()).to_string()
}

/// The id in the store, of a record that people know by no other.
fn own_id(_: &Realm, id: &RecordId) -> String {
    id.to_string()
}

/// Opens a stored record under its realm.
pub(crate) fn open_record<R: Record>(realm: &Realm, id: &RecordId, stored: &Stored) -> Result<Held<R>> {
    let what = || format!("a {} ({id})", R::WORD);
    let body: Secret = realm
        .keys
        .open_record(&realm.place(id), &stored.bytes)
        .map_err(|error| open_failed(what(), error).about(Affected::of(id)))?;
    let record = serde_json::from_slice(body.expose_secret()).ok();
    let record = record.filter(|record: &R| record.rev() <= REV_MAX);
    let mut record = record.ok_or_else(|| Error::integrity(what()).about(Affected::of(id)))?;
    let size = record
        .pack(stored.bytes.len())
        .saturating_add(allocated(size_of::<Held<R>>() + ARC));
    Ok(Held {
        record,
        revision: stored.revision,
        size,
    })
}

/// Seals a record under its realm.
pub(crate) fn seal_record<R: Record>(realm: &Realm, id: &RecordId, record: &R) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(record).ok().filter(|_| record.rev() <= REV_MAX);
    let body = body.ok_or_else(|| Error::integrity(format!("a {} ({id})", R::WORD)))?;
    let body = zeroize::Zeroizing::new(body);
    realm
        .keys
        .seal_record(&realm.place(id), &body)
        .map_err(|error| open_failed(format!("a {}", R::WORD), error))
}
