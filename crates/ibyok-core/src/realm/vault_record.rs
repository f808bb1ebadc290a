//! The vault's own record, and the realms of a new vault.

use ibyok_crypto::{RealmRecord, VaultId};
use ibyok_storage::{Collection, Kind, RecordId, Store, StoreExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, Result};
use crate::model::environment::Class;
use crate::model::kind;
use crate::model::name::EnvironmentName;

/// The format of a vault, as its clear record says it. A newer one is refused.
pub(crate) const FORMAT: u32 = 1;

/// The realms of a new vault: the one that spans environments, and the usual three.
pub(crate) fn first_environments() -> Result<Vec<(Option<EnvironmentName>, Class)>> {
    let mut realms = vec![(None, Class::Prod)];
    for name in ["dev", "staging", "prod"] {
        let name: EnvironmentName = name.parse()?;
        let class = Class::of(&name);
        realms.push((Some(name), class));
    }
    Ok(realms)
}

/// The vault's own record, in the clear: which vault this store holds, and in which format.
#[derive(Serialize, Deserialize)]
pub(crate) struct VaultRecord {
    pub(crate) format: u32,
    pub(crate) vault: String,
    pub(crate) created: Timestamp,
}

impl VaultRecord {
    pub(crate) fn id(&self) -> Result<VaultId> {
        if self.format > FORMAT {
            return Err(Error::invalid(
                format!(
                    "this vault has format {}, and this program supports format {FORMAT}",
                    self.format
                ),
                "open it with a newer version of IBYOK",
            ));
        }
        let bytes = crate::model::name::from_base62(&self.vault);
        bytes.map(VaultId::from_bytes).ok_or_else(|| changed(""))
    }
}

/// The error about a vault's own record that is not as it was written.
pub(crate) fn changed(why: &str) -> Error {
    let what = format!("the vault's own record ({}){why}", vault_record());
    Error::damaged(what, Damage::DoesNotOpen).about(Affected::Home)
}

/// Fails if the vault's own record names a vault that no environment key record of the store belongs to. The record is in the clear, so
/// nothing else shows that it was changed.
async fn check_id(store: &dyn Store, named: VaultId) -> Result<()> {
    let mut other = None;
    let mut pages = store.pages(&Collection::root(Kind::new(kind::REALM)));
    while let Some(page) = pages.next_page().await? {
        for id in page {
            let Some(stored) = store.get(&id).await? else { continue };
            match RealmRecord::parse(&stored.bytes) {
                Ok(realm) if realm.vault() == named => return Ok(()),
                Ok(realm) => other = Some(realm.vault()),
                // That record is damaged itself, and says nothing.
                Err(_) => {}
            }
        }
    }
    match other {
        None => Ok(()),
        Some(other) => Err(changed(&format!(
            ", which names the vault `{named}` in a store of the vault `{other}`,"
        ))),
    }
}

pub(crate) fn vault_record() -> RecordId {
    RecordId::new(Collection::root(Kind::new(kind::VAULT)), [0; 16])
}

pub(crate) async fn read_vault(store: &dyn Store) -> Result<Option<VaultRecord>> {
    let Some(stored) = store.get(&vault_record()).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&stored.bytes).map(Some).map_err(|_| changed(""))
}

/// Returns the id of the vault in a store, if the store holds one. Does not open the vault.
///
/// # Errors
/// [`Error::Unavailable`] if the store does not answer, [`Error::Invalid`] for a newer format, [`Error::Integrity`].
pub async fn vault_in(store: &dyn Store) -> Result<Option<String>> {
    let Some(record) = read_vault(store).await? else {
        return Ok(None);
    };
    let id = record.id()?;
    check_id(store, id).await?;
    Ok(Some(id.to_string()))
}
