//! Making a realm: its tag, and its one environment key record.

use ibyok_crypto::{Keyring, RealmIdentity, RealmKeys, RealmTag, VaultId};
use ibyok_storage::{Expect, Store};

use super::tags::{TagBody, tag_record};
use super::{RealmName, open_failed};
use crate::base::error::{Error, Part, Result};
use crate::model::environment::{Attributes, Class};
use crate::model::key::Stamp;
use crate::model::name::EnvironmentName;

/// The parts of a vault that is being opened.
pub(crate) struct Opening<'a> {
    pub(crate) vault: VaultId,
    pub(crate) store: &'a dyn Store,
    pub(crate) keyring: &'a Keyring,
}

/// Makes a realm at a revision of its name: first its tag, which nobody else then has, then its one environment key record, of which there is one per name. Returns `false`
/// if the realm was there already.
pub(crate) async fn make_realm(
    opening: &Opening<'_>,
    name: &RealmName,
    class: Class,
    rev: u64,
    Stamp { at, by }: &Stamp,
) -> Result<bool> {
    let random = |error| Error::unavailable(Part::Kek, error);
    let attributes = Attributes {
        class,
        created: *at,
        created_by: by.clone(),
    };
    let attributes = serde_json::to_vec(&attributes).map_err(|_| Error::integrity("an environment"))?;
    let id = name.record_id(opening.vault);
    if opening.store.get(&id).await?.is_some() {
        return Ok(false);
    }
    let tag = RealmTag::generate().map_err(random)?;
    let environment = name.environment.as_ref().map(EnvironmentName::as_str);
    let identity = RealmIdentity::new(opening.vault, tag, name.namespace.as_str(), environment);
    let identity = identity.map_err(|error| open_failed(format!("the name `{name}`"), error))?;
    let failed = |error| open_failed(format!("the environment key of `{name}`"), error);
    let context = identity.kek_context();
    // Before the first write: a node without a KEK for the environment leaves nothing half made.
    let kek = opening.keyring.wraps(&context).map_err(failed)?;
    // Marked as unfinished until the record is there: a crash in between does not look like a record that was lost.
    let marked = TagBody::print_unfinished(name);
    let marked = opening.store.put(&tag_record(tag), &marked, Expect::Absent).await?;
    let (_, record) = RealmKeys::create(identity, &attributes, rev, kek.as_ref())
        .await
        .map_err(failed)?;
    opening
        .store
        .put(&id, &record, Expect::Absent)
        .await
        .map_err(|error| match error {
            ibyok_storage::Error::Exists => Error::Exists {
                what: format!("environment `{name}`"),
            },
            other => other.into(),
        })?;
    let made = Expect::Revision(marked);
    opening.store.put(&tag_record(tag), &TagBody::print(name), made).await?;
    Ok(true)
}
