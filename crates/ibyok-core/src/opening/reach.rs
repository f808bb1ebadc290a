//! The environments that KEKs open, seen before the vault is opened: nothing is written.

use ibyok_crypto::Keyring;
use ibyok_storage::Store;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::model::name::EnvironmentName;
use crate::opening::builder::{VaultBuilder, no_vault};
use crate::realm::read_realm;
use crate::realm::tags::list_tags;
use crate::realm::vault_record::read_vault;

/// The environments of a vault's home namespace that KEKs open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reach {
    /// The vault's id.
    pub vault: String,
    /// True if the realm that spans environments opens.
    pub whole: bool,
    /// The environments that open, in order.
    pub environments: Vec<EnvironmentName>,
    /// The environments that do not open, because their KEK is another one or their record is damaged.
    pub closed: Vec<EnvironmentName>,
}

impl<L> VaultBuilder<Arc<dyn Store>, Keyring, L> {
    /// Returns the environments that the KEKs open. Writes nothing, neither to the store nor to a log.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the store holds no vault, [`Error::Kek`] if the KEKs open none of its environments,
    /// [`Error::Integrity`] for a damaged vault, [`Error::Unavailable`].
    pub async fn reach(&self) -> Result<Reach> {
        let store = self.store.as_ref();
        let vault = read_vault(store).await?.ok_or_else(no_vault)?.id()?;
        let names = list_tags(vault, store).await?.names;
        let (mut reach, mut refused) = (
            Reach {
                vault: vault.to_string(),
                whole: false,
                environments: Vec::new(),
                closed: Vec::new(),
            },
            None,
        );
        for name in names.into_values().filter(|name| name.namespace == self.options.home) {
            let opened = match read_realm(vault, store, &self.keks, &name).await {
                Ok(realm) => realm.is_some(),
                Err(error @ (Error::Kek { .. } | Error::Integrity { .. })) => {
                    // The refusal of the realm that spans environments says most.
                    if refused.is_none() || name.environment.is_none() {
                        refused = Some(error);
                    }
                    false
                }
                Err(error) => return Err(error),
            };
            match (name.environment, opened) {
                (None, opened) => reach.whole = opened,
                (Some(name), true) => reach.environments.push(name),
                (Some(name), false) => reach.closed.push(name),
            }
        }
        reach.environments.sort();
        reach.closed.sort();
        match refused {
            Some(error) if !reach.whole && reach.environments.is_empty() => Err(error),
            _ => Ok(reach),
        }
    }
}
