//! The parts of a backup that are outside the store: the settings, and the KEK's file.

use std::path::Path;
use std::sync::Arc;

use ibyok_core::backups::Backup;
use ibyok_core::{Error, Kek, Result, Secret, status::vault_in};

use crate::keks::Slot;
use crate::passphrase::Passphrase;
use crate::settings::{FILE, Settings};

/// The largest file of settings or of a KEK, in bytes.
const FILE_MAX: usize = 64 * 1024;

impl Settings {
    /// Returns the vault's file of settings for a backup; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the file cannot be read.
    pub fn settings_file(&self) -> Result<Option<Secret>> {
        read(&self.directory.join(FILE))
    }

    /// Returns the file of the vault's local KEK for a backup.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the KEK is no file, the file cannot be read, or an environment has a KEK of its own, which a backup cannot contain.
    pub fn kek_bytes(&self, vault: &str) -> Result<Secret> {
        if let Some(name) = self.keks.of.keys().next() {
            return Err(Error::invalid(
                format!(
                    "environment `{name}` has a KEK of its own, and a backup contains only the KEK that environments share"
                ),
                "remove `--with-kek`, and keep a copy of each KEK in another safe place (`ibyok kek export --env ENV FILE`)",
            ));
        }
        let file = self.kek_place(vault).ok_or_else(|| {
            Error::invalid(
                "the KEK of this vault is not a file, so a backup cannot contain it",
                "remove `--with-kek`; keep the passphrase, or access to the KMS key, in another place",
            )
        })?;
        read(&file)?.ok_or_else(|| {
            let what = format!("there is no KEK at `{}`", file.display());
            Error::invalid(what, "give its place with `--kek-file`")
        })
    }

    /// Opens the KEKs of the vault that a backup is of, as far as they are here. The list is empty if the vault's KEK is a file, and the
    /// file is not here.
    ///
    /// # Errors
    /// [`Error::Kek`], [`Error::Invalid`] if a KEK cannot be used.
    pub async fn keks_of(&self, backup: &Backup, passphrase: Option<Passphrase<'_>>) -> Result<Vec<Arc<dyn Kek>>> {
        let slots = self.slots_of(backup.vault(), passphrase).await?;
        Ok(slots.into_iter().filter_map(|slot| slot.kek).collect())
    }

    pub(crate) async fn slots_of(&self, vault: &str, passphrase: Option<Passphrase<'_>>) -> Result<Vec<Slot>> {
        if self.kek_place(vault).is_some_and(|file| !file.exists()) {
            return Ok(Vec::new());
        }
        self.keks.open(self.place(vault), passphrase, &[]).await
    }

    /// Returns the id of the vault in the store that the settings name; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store cannot be reached, [`Error::Integrity`] if it is damaged.
    pub async fn vault_there(&self) -> Result<Option<String>> {
        if self.store.is_none() && !self.store_file().exists() {
            return Ok(None);
        }
        let store = self.open_store().await?;
        vault_in(store.as_ref()).await
    }
}

fn read(path: &Path) -> Result<Option<Secret>> {
    let failed = |error: &dyn std::fmt::Display| {
        let what = format!("cannot read `{}`: {error}", path.display());
        Error::invalid(what, "check that you may read the file")
    };
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    Secret::read(&mut file, FILE_MAX)
        .map(Some)
        .map_err(|error| failed(&error))
}
