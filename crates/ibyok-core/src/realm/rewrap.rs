//! Wrapping the keys of a realm again, under another KEK. Nothing that is sealed under them changes.

use ibyok_crypto::{Error as CryptoError, Keyring, RealmRecord, VaultId};
use ibyok_storage::RecordId;

use super::{Realm, RealmName, environment_key, not_opened, open_stored};
use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, Result, open_failed};
use crate::model::name::EnvironmentName;

/// The record of a realm, wrapped again.
pub(crate) struct Rewrapped {
    /// The realm as it opened, for the comparison with its floor.
    pub(crate) realm: Realm,
    pub(crate) bytes: Vec<u8>,
    /// The KEKs that wrapped it before.
    pub(crate) from: String,
    /// The KEK that wraps it now.
    pub(crate) to: String,
}

/// Reads the name and the KEKs of a realm from the clear part of its record. Only opening the record proves them.
pub(crate) fn named_in(vault: VaultId, id: &RecordId, bytes: &[u8]) -> Result<(RealmName, RealmRecord)> {
    let unnamed = |damage| Error::damaged(format!("an environment key ({id})"), damage).about(Affected::Environment);
    let record = RealmRecord::parse(bytes)
        .map_err(|error| open_failed(format!("an environment key ({id})"), error).about(Affected::Environment))?;
    let namespace = record.namespace().parse();
    let environment = record.environment().map(str::parse::<EnvironmentName>).transpose();
    let (Ok(namespace), Ok(environment)) = (namespace, environment) else {
        return Err(unnamed(Damage::DoesNotOpen));
    };
    let name = RealmName { namespace, environment };
    match record.vault() == vault && name.record_id(vault) == *id {
        true => Ok((name, record)),
        false => Err(unnamed(Damage::DoesNotOpen)),
    }
}

/// Returns true if a KEK other than the one that wraps for the realm now is needed to open it.
pub(crate) async fn is_outdated(record: &RealmRecord, keyring: &Keyring) -> Result<bool, CryptoError> {
    let context = record.identity().kek_context();
    let first = keyring.wraps(&context)?;
    let ids = record.kek_ids();
    if !ids.iter().all(|id| first.accepts(id)) {
        return Ok(true);
    }
    let others = keyring.keks_for(&context).iter().skip(1);
    if !others.into_iter().any(|kek| ids.iter().any(|id| kek.accepts(id))) {
        return Ok(false);
    }
    // Two passphrases accept the same ids, so only opening the record shows which one wrapped it.
    match record.open(&Keyring::new(first.clone())).await {
        Ok(_) => Ok(false),
        Err(CryptoError::KekDenied { .. } | CryptoError::UnknownKek { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Wraps the record of a realm under the KEK that wraps for it now, and opens the result under that KEK alone.
pub(crate) async fn rewrap(
    (vault, keyring): (VaultId, &Keyring),
    (name, id): (&RealmName, &RecordId),
    bytes: &[u8],
) -> Result<Rewrapped> {
    let what = || environment_key(name, id);
    let failed = |error| not_opened(name, what(), error).about(Affected::Environment);
    let about = |error: Error| error.about(Affected::Environment);
    let record = RealmRecord::parse(bytes).map_err(failed)?;
    let realm = open_stored(vault, keyring, name, (id, bytes)).await.map_err(about)?;
    let kek = keyring.wraps(&realm.keys.identity().kek_context()).map_err(failed)?;
    let attributes = serde_json::to_vec(&realm.attributes).map_err(|_| Error::integrity(what()))?;
    let wrapped = realm.keys.record(&attributes, realm.rev, kek.as_ref()).await;
    let wrapped = wrapped.map_err(failed)?;
    // A KEK that wraps and does not unwrap would close the environment for good.
    let alone = Keyring::new(kek.clone());
    let again = open_stored(vault, &alone, name, (id, &wrapped)).await.map_err(about)?;
    if again.rev != realm.rev || again.tag() != realm.tag() || again.keys.generations() != realm.keys.generations() {
        return Err(Error::integrity(what()));
    }
    let from: Vec<&str> = record.kek_ids().iter().map(|id| id.as_str()).collect();
    Ok(Rewrapped {
        from: from.join(", "),
        to: again.kek,
        bytes: wrapped,
        realm,
    })
}
