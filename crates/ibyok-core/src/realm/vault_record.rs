//! The vault's own record, and the realms of a new vault.

use ibyok_crypto::VaultId;
use ibyok_storage::{Collection, Kind, RecordId, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
        bytes
            .map(VaultId::from_bytes)
            .ok_or_else(|| Error::integrity("the vault's record"))
    }
}

pub(crate) fn vault_record() -> RecordId {
    RecordId::new(Collection::root(Kind::new(kind::VAULT)), [0; 16])
}

pub(crate) async fn read_vault(store: &dyn Store) -> Result<Option<VaultRecord>> {
    let Some(stored) = store.get(&vault_record()).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&stored.bytes)
        .map(Some)
        .map_err(|_| Error::integrity("the vault's record"))
}

/// Returns the id of the vault in a store, if the store holds one. Does not open the vault.
///
/// # Errors
/// [`Error::Unavailable`] if the store does not answer, [`Error::Invalid`] for a newer format, [`Error::Integrity`].
pub async fn vault_in(store: &dyn Store) -> Result<Option<String>> {
    let record = read_vault(store).await?;
    record.map(|record| record.id().map(|id| id.to_string())).transpose()
}
