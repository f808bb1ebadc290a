//! Sealing a record again under the current generation of its realm's key. Its content stays as it is.

use std::collections::BTreeSet;

use ibyok_crypto::{Error as CryptoError, RealmKeys};
use ibyok_storage::RecordId;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{Realm, open_failed};
use crate::base::error::{Error, Result};
use crate::model::key::KeyRecord;
use crate::model::kind;

/// The way in which the keys of a realm seal a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    /// The record is one sealed body.
    Body,
    /// The sealed body of a key has the wrapped data keys of its versions as well.
    KeyVersions,
    /// The tag of the realm is before the sealed body.
    Tagged,
}

/// Returns the way in which a kind of record is sealed; `None` for a kind that no generation of a realm's key seals as a record.
pub(crate) fn sealing_of(kind: u8) -> Option<Sealing> {
    match kind {
        kind::KEY => Some(Sealing::KeyVersions),
        kind::REMOVED => Some(Sealing::Tagged),
        kind::TOKEN
        | kind::SETTINGS
        | kind::LOG_KEY
        | kind::REVIEW
        | kind::INCIDENT
        | kind::ATTESTATION
        | kind::LEAKED
        | kind::KEY_USE
        | kind::CHECKPOINT
        | kind::SIGN
        | kind::TOKEN_USE => Some(Sealing::Body),
        // The vault's own record and tags are in the clear, and a realm's record has its generations.
        _ => None,
    }
}

/// A record, taken apart.
struct Parts<'a> {
    tag: &'a [u8],
    sealed: &'a [u8],
    sealing: Sealing,
}

impl<'a> Parts<'a> {
    fn of(id: &RecordId, bytes: &'a [u8]) -> Result<Self> {
        let sealing = sealing_of(id.collection().kind().as_u8()).ok_or_else(|| Error::integrity(what(id)))?;
        let (tag, sealed) = match sealing {
            Sealing::Body | Sealing::KeyVersions => (&[][..], bytes),
            Sealing::Tagged => bytes.split_at_checked(8).ok_or_else(|| Error::integrity(what(id)))?,
        };
        Ok(Parts { tag, sealed, sealing })
    }
}

fn what(id: &RecordId) -> String {
    format!("a record ({id})")
}

/// Returns the generations that sealed a record and the data keys in it, without the current one.
///
/// # Errors
/// [`Error::Integrity`] for a record that does not open.
pub(crate) fn older_generations(realm: &Realm, id: &RecordId, bytes: &[u8]) -> Result<BTreeSet<u32>> {
    let parts = Parts::of(id, bytes)?;
    let failed = |error: CryptoError| open_failed(what(id), error);
    let mut generations = BTreeSet::from([RealmKeys::generation_of(parts.sealed).map_err(failed)?]);
    // Only an opened record proves its generation, and shows the generations in it.
    let body = realm.keys.open_record(&realm.place(id), parts.sealed).map_err(failed)?;
    if parts.sealing == Sealing::KeyVersions {
        let record: KeyRecord = parsed(id, body.expose_secret())?;
        for version in &record.versions {
            if let Some(sealed) = &version.sealed {
                generations.insert(RealmKeys::generation_of(&sealed.data_key.0).map_err(failed)?);
            }
        }
    }
    generations.remove(&realm.keys.current_generation());
    Ok(generations)
}

/// Seals a record again under the current generation, with the data keys in it; `None` if all of it is already.
///
/// # Errors
/// [`Error::Integrity`] for a record that does not open.
pub(crate) fn sealed_again(realm: &Realm, id: &RecordId, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let parts = Parts::of(id, bytes)?;
    let failed = |error: CryptoError| open_failed(what(id), error);
    let place = realm.place(id);
    let number = RealmKeys::generation_of(parts.sealed).map_err(failed)?;
    let body = realm.keys.open_record(&place, parts.sealed).map_err(failed)?;
    let mut is_old = number != realm.keys.current_generation();
    let sealed = match parts.sealing {
        Sealing::KeyVersions => {
            let mut record: KeyRecord = parsed(id, body.expose_secret())?;
            is_old |= rewrap_data_keys(realm, id, &mut record)?;
            if !is_old {
                return Ok(None);
            }
            let body = serde_json::to_vec(&record).map_err(|_| Error::integrity(what(id)))?;
            realm.keys.seal_record(&place, &Zeroizing::new(body))
        }
        Sealing::Body | Sealing::Tagged if !is_old => return Ok(None),
        Sealing::Body | Sealing::Tagged => realm.keys.seal_record(&place, body.expose_secret()),
    };
    Ok(Some([parts.tag, &sealed.map_err(failed)?].concat()))
}

/// Wraps the data key of each version under the current generation. Returns true if one was under another.
fn rewrap_data_keys(realm: &Realm, id: &RecordId, record: &mut KeyRecord) -> Result<bool> {
    let mut is_old = false;
    for version in &mut record.versions {
        let number = version.number;
        let failed = |error: CryptoError| open_failed(format!("version {number} of a key ({id})"), error);
        let Some(sealed) = &mut version.sealed else { continue };
        if RealmKeys::generation_of(&sealed.data_key.0).map_err(failed)? == realm.keys.current_generation() {
            continue;
        }
        let place = realm.place(id).version(number);
        let key = realm.keys.unwrap_data_key(&place, &sealed.data_key.0).map_err(failed)?;
        sealed.data_key.0 = realm.keys.wrap_data_key(&place, &key).map_err(failed)?;
        is_old = true;
    }
    Ok(is_old)
}

fn parsed(id: &RecordId, body: &[u8]) -> Result<KeyRecord> {
    serde_json::from_slice(body).map_err(|_| Error::integrity(what(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_a_realms_record_has_a_sealing_and_clear_records_have_none() {
        for kind in kind::OF_ANY_REALM {
            assert!(sealing_of(kind).is_some(), "{kind}");
        }
        assert_eq!(sealing_of(kind::REMOVED), Some(Sealing::Tagged));
        for kind in [kind::VAULT, kind::REALM, kind::TAG] {
            assert_eq!(sealing_of(kind), None, "{kind}");
        }
    }
}
