//! Giving an environment that is about to be made a KEK of its own.

use std::path::{Path, PathBuf};

use ibyok_core::{Error, Result, status::vault_in};

use crate::given::Given;
use crate::kek::KekChoice;
use crate::kek_rotation::{KekChange, only_change};
use crate::keks::KekChoices;
use crate::settings::{FILE, Settings};
use crate::vault_file::VaultFile;

/// The KEK that an environment got in the vault's file.
#[derive(Debug)]
#[must_use = "a KEK for an environment that was not made has to be taken back"]
pub struct GivenKek {
    file: VaultFile,
    before: KekChoices,
    kek_file: Option<PathBuf>,
}

impl GivenKek {
    /// The file of the KEK, if this call made one.
    #[must_use]
    pub fn kek_file(&self) -> Option<&Path> {
        self.kek_file.as_deref()
    }

    /// Takes the KEK out of the vault's file again, and removes its file if this call made it.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the vault's file cannot be written.
    pub fn take_back(mut self) -> Result<()> {
        self.file.set_keks(&self.before)?;
        if let Some(path) = &self.kek_file {
            drop(std::fs::remove_file(path));
        }
        Ok(())
    }
}

impl Settings {
    /// Gives an environment that does not exist yet a KEK of its own, in the vault's file. A local one is made, unless its file exists.
    ///
    /// # Errors
    /// [`Error::Exists`] for an environment that exists, [`Error::Invalid`] without an environment; else as [`Settings::change_kek`]
    /// before its first change.
    pub async fn give_kek(&self, actor: &str, change: KekChange<'_>) -> Result<GivenKek> {
        let name = change
            .environment
            .ok_or_else(|| Error::invalid("there is no environment", "name one"))?;
        let vault = self.open(actor, change.passphrase).await?;
        let known = vault.namespaces(actor).list().await;
        vault.close().await?;
        let home = |one: &ibyok_core::namespaces::NamespaceInfo| one.name == self.namespace;
        if known?.iter().any(|one| home(one) && one.environments.contains(name)) {
            return Err(Error::Exists {
                what: format!("environment `{name}`"),
            });
        }
        let _only = only_change(&self.directory)?;
        let store = self.open_store().await?;
        let id = vault_in(store.as_ref()).await?.ok_or_else(|| self.no_vault())?;
        let to = change.to.placed(self.place(&id), Some(name));
        let made = to.is_local() && to.is_absent(None);
        let kek = match made || !to.is_local() {
            true => {
                to.create(Some(name), change.new_passphrase, self.weak_passphrase)
                    .await?
            }
            false => to.open(Some(name), None).await?,
        };
        let mut file = VaultFile::read(&self.directory)?;
        let mut before = KekChoices::resolve(&Given::from_file(&self.directory.join(FILE))?)?;
        before.forget_passphrase_files();
        let mut after = before.clone();
        let remembered = match (change.to, to.remembered(kek.as_ref())) {
            (KekChoice::Local(None), _) => KekChoice::Local(None),
            (_, remembered) => remembered,
        };
        let list = after.list(Some(name));
        if !list.contains(&remembered) {
            list.insert(0, remembered);
        }
        let kek_file = match to {
            KekChoice::Local(file) => file.filter(|_| made),
            KekChoice::Passphrase(_) | KekChoice::AwsKms(_) => None,
        };
        file.set_keks(&after)?;
        Ok(GivenKek { file, before, kek_file })
    }
}
