//! Changes of a realm's keys that keep every record: generations of its environment key, and its token key.

use ibyok_crypto::{Error as CryptoError, Keyring, RealmKeys, VaultId};
use ibyok_storage::RecordId;

use super::{Realm, environment_key, not_opened, open_stored};
use crate::base::damage::Affected;
use crate::base::error::{Error, Result};

/// A change of a realm's keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyChange<'a> {
    /// Adds a generation that opens and does not seal yet, unless one of an earlier change is still there.
    Announce,
    /// Makes the announced generation seal.
    Seal,
    /// Deletes a retiring generation.
    Drop(u32),
    /// Puts a generation back that was deleted too early.
    Return(&'a RealmKeys, u32),
    /// Replaces the token key: every token of the realm ends.
    TokenKey,
    /// The same in a record that is older than the node has seen: it was restored, and the change is made again.
    TokenKeyOfOlder,
}

impl KeyChange<'_> {
    /// True for a change of a record that the node refuses as older.
    pub(crate) fn is_of_older(self) -> bool {
        match self {
            KeyChange::TokenKeyOfOlder => true,
            KeyChange::Announce
            | KeyChange::Seal
            | KeyChange::Drop(_)
            | KeyChange::Return(..)
            | KeyChange::TokenKey => false,
        }
    }

    /// The change in words, for the log.
    pub(crate) fn in_words(self, keys: &RealmKeys) -> String {
        match self {
            KeyChange::Announce => {
                let number = keys.announced_generation().unwrap_or_default();
                format!("generation {number} opens")
            }
            KeyChange::Seal => format!("generation {} seals", keys.current_generation()),
            KeyChange::Drop(number) => format!("generation {number} was deleted"),
            KeyChange::Return(_, number) => format!("generation {number} was put back"),
            KeyChange::TokenKey | KeyChange::TokenKeyOfOlder => "the token key was replaced".to_owned(),
        }
    }

    /// Returns the keys after the change; `None` if there is nothing to change.
    pub(crate) fn of(self, keys: &RealmKeys) -> Result<Option<RealmKeys>, CryptoError> {
        match self {
            // A retiring generation has to be dropped before there is a further one: until then, its records are sealed again.
            KeyChange::Announce if keys.generations().len() > 1 => Ok(None),
            KeyChange::Announce => keys.with_announced_generation().map(|(keys, _)| Some(keys)),
            KeyChange::Seal => match keys.announced_generation() {
                Some(number) => keys.with_current(number).map(Some),
                None => Ok(None),
            },
            KeyChange::Drop(number) => keys.without_generation(number).map(Some),
            KeyChange::Return(from, number) => keys.with_generation_of(from, number).map(Some),
            KeyChange::TokenKey | KeyChange::TokenKeyOfOlder => keys.with_new_token_key().map(Some),
        }
    }
}

/// Prints the record of a realm with other keys at a revision, wrapped under the KEK that wraps for it now, and opens the result under that
/// KEK alone. Returns the bytes and the realm as it opened.
pub(crate) async fn record_with(
    (vault, keyring): (VaultId, &Keyring),
    (realm, id): (&Realm, &RecordId),
    keys: &RealmKeys,
    rev: u64,
) -> Result<(Vec<u8>, Realm)> {
    let what = || environment_key(&realm.name, id);
    let failed = |error| not_opened(&realm.name, what(), error).about(Affected::Environment);
    let kek = keyring.wraps(&keys.identity().kek_context()).map_err(failed)?;
    let attributes = serde_json::to_vec(&realm.attributes).map_err(|_| Error::integrity(what()))?;
    let bytes = keys.record(&attributes, rev, kek.as_ref()).await.map_err(failed)?;
    // A KEK that wraps and does not unwrap would close the environment for good.
    let alone = Keyring::new(kek.clone());
    let after = open_stored(vault, &alone, &realm.name, (id, &bytes)).await;
    let after = after.map_err(|error| error.about(Affected::Environment))?;
    match after.rev == rev && after.tag() == realm.tag() && after.keys.generations() == keys.generations() {
        true => Ok((bytes, after)),
        false => Err(Error::integrity(what())),
    }
}
