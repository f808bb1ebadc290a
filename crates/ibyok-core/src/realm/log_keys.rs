//! The keys of audit logs: sealed under the realm of a node's home, or proved by a log's own lines.

use std::path::Path;

use ibyok_audit::{LineKey, SigningKey, VerifyingKey, claimed_keys, has_own_lines, logs_in};
use ibyok_storage::{RecordId, Store};
use secrecy::{ExposeSecret, SecretBox};

use super::{Realm, open_failed};
use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::model::name::from_base62;

/// Separates the keys of the lines of logs from every other use of a realm's keyed hash.
const LINES: &str = "ibyok audit lines v1";

/// Adds the keys of those logs of a place whose own lines prove that the realm's keys are behind them.
fn add_own_logs(place: &Path, home: &Realm, keys: &mut Vec<VerifyingKey>) -> Result<()> {
    for claimed in claimed_keys(place)? {
        if keys.iter().any(|key| key.log() == claimed.log()) {
            continue;
        }
        keys.extend(proven_key(place, home, [&claimed])?);
    }
    Ok(())
}

/// Returns the first of some claimed keys of a log whose lines prove two things: it is the log's, and a holder of the
/// realm's keys wrote them. Without that proof any writer to the directory could put a slot with the log's id and
/// another key there.
pub(crate) fn proven_key<'a>(
    place: &Path,
    realm: &Realm,
    claims: impl IntoIterator<Item = &'a VerifyingKey>,
) -> Result<Option<VerifyingKey>> {
    for claimed in claims {
        let key = with_lines(realm, claimed.clone());
        if has_own_lines(place, &key)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Joins a log's public key with the key of the MACs of its lines, which only holders of the realm's keys can make.
/// So a line proves that such a holder wrote it, and that the public key is the log's: also to a vault whose store
/// does not know the log.
pub(crate) fn with_lines(realm: &Realm, key: VerifyingKey) -> VerifyingKey {
    let lines = line_key(realm, &key);
    key.with_lines(lines)
}

pub(crate) fn line_key(realm: &Realm, key: &VerifyingKey) -> LineKey {
    let derived = zeroize::Zeroizing::new(realm.keys.keyed_hash(LINES, key.to_string().as_bytes()));
    LineKey::new(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| {
        bytes.copy_from_slice(derived.as_slice());
    }))
}

/// The public keys of the logs of a place that the store vouches for, or whose own lines do: a store that is older than a log holds no
/// key of it.
pub(crate) async fn vouched_logs(store: &dyn Store, place: &Path, home: &Realm) -> Result<Vec<VerifyingKey>> {
    let mut keys: Vec<VerifyingKey> = Vec::new();
    for log in logs_in(place)? {
        let Some(id) = from_base62(&log) else { continue };
        match log_key(store, home, &home.record(kind::LOG_KEY, id)?).await {
            Ok(key) => keys.extend(key.map(|key| with_lines(home, key.public(&log)))),
            // The log's own lines still prove its public half.
            Err(Error::Integrity { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    add_own_logs(place, home, &mut keys)?;
    Ok(keys)
}

/// The private half of an audit log's key, from the record that it is sealed in.
pub(crate) async fn log_key(store: &dyn Store, home: &Realm, id: &RecordId) -> Result<Option<SigningKey>> {
    let Some(stored) = store.get(id).await? else {
        return Ok(None);
    };
    let what = || format!("an audit log's key ({id})");
    let seed = home.keys.open_record(&home.place(id), &stored.bytes);
    let seed = seed.map_err(|error| open_failed(what(), error))?;
    let bytes = <&[u8; 32]>::try_from(seed.expose_secret()).map_err(|_| Error::integrity(what()))?;
    Ok(Some(SigningKey::from_seed(SecretBox::init_with_mut(
        |seed: &mut [u8; 32]| seed.copy_from_slice(bytes),
    ))))
}
