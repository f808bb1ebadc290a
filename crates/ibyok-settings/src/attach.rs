//! A vault that exists, for another machine: its file of settings, and the copy of its KEK.

use std::path::PathBuf;

use ibyok_core::kek::{KekId, Keyring};
use ibyok_core::secrecy::ExposeSecret as _;
use ibyok_core::{EnvironmentName, Error, LocalKek, Result, Secret, Vault, status::vault_in};

use crate::create::only_here;
use crate::directory;
use crate::given::Given;
use crate::kek::KekChoice;
use crate::keks::{KekChoices, ring_of};
use crate::passphrase::{self, Passphrase};
use crate::remember::{Remembered, Variable};
use crate::settings::{FILE, Settings};

/// A vault that a machine was attached to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attached {
    /// The vault's id.
    pub vault: String,
    /// The environments that this machine opens.
    pub environments: Vec<EnvironmentName>,
    /// The environments whose KEKs this machine does not have.
    pub closed: Vec<EnvironmentName>,
    /// The variables that later commands need, since the vault's file does not hold them.
    pub variables: Vec<Variable>,
}

/// A KEK that was taken from a copy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The file of the KEK.
    pub file: PathBuf,
    /// True if the file held this KEK already.
    pub was_there: bool,
    /// True if the KEK opened an environment of the vault. False if there is no vault yet, as before a restore.
    pub opened: bool,
}

impl Imported {
    /// Removes the file again, unless it held this KEK before.
    pub fn take_back(self) {
        if !self.was_there {
            std::fs::remove_file(&self.file).unwrap_or_else(|error| {
                tracing::warn!(%error, file = %self.file.display(), "cannot remove the KEK again");
            });
        }
    }
}

impl Settings {
    /// Writes the vault's file for a vault that exists in a store elsewhere, once its KEK has opened an environment of it.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a vault or a file of settings in the directory, [`Error::Invalid`] for a store in a file,
    /// [`Error::NotFound`] if the store holds no vault, [`Error::Kek`] if the KEKs do not open it. Nothing is written then.
    pub async fn attach(&self, passphrase: Option<Passphrase<'_>>) -> Result<Attached> {
        if self.store.is_none() {
            return Err(Error::invalid(
                "there is no store to attach to: a vault in a file belongs to one machine",
                "give the URL of the store in `IBYOK_STORE`, or with `--store` if it has no password",
            ));
        }
        for file in [self.directory.join(FILE), self.store_file()] {
            if std::fs::symlink_metadata(&file).is_ok() {
                return Err(Error::Exists {
                    what: format!("`{}`", file.display()),
                });
            }
        }
        directory::check(&self.directory)?;
        let store = self.open_store().await?;
        let id = vault_in(store.as_ref()).await?.ok_or_else(|| self.no_vault())?;
        let slots = self.keks.open(self.place(&id), passphrase, &[]).await?;
        let builder = Vault::builder().shared_store(store).keyring(ring_of(&slots));
        let reach = builder.reach().await?;
        let mut keks = KekChoices::default();
        for ((whose, choice), slot) in self.keks.iter().zip(&slots) {
            let remembered = match (choice, &slot.choice, &slot.kek) {
                (KekChoice::Local(Some(_)), placed, _) => placed.clone(),
                (choice, _, Some(kek)) => choice.remembered(kek.as_ref()),
                (choice, ..) => choice.clone(),
            };
            keks.list(whose).push(remembered);
        }
        keks.forget_passphrase_files();
        let Remembered { text, variables } = self.remembered(&keks)?;
        directory::make(&self.directory)?;
        let _only = only_here(&self.directory)?;
        directory::write_file(&self.directory.join(FILE), text.as_bytes())?;
        Ok(Attached {
            vault: reach.vault,
            environments: reach.environments,
            closed: reach.closed,
            variables,
        })
    }

    /// Reads the file of the vault's local KEK, or of that of an environment with its own, for a copy.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no vault, [`Error::Invalid`] if that KEK is not a file, [`Error::Kek`] if the file cannot be used.
    pub async fn local_kek(&self, environment: Option<&EnvironmentName>) -> Result<Secret> {
        let store = self.open_store().await?;
        let id = vault_in(store.as_ref()).await?.ok_or_else(|| self.no_vault())?;
        let file = self.local_file(&id, environment)?;
        // The checks of the file's owner and mode.
        LocalKek::from_file(&file).map_err(|error| Error::Kek { source: error.into() })?;
        let failed = |error: std::io::Error| {
            Error::invalid(
                format!("cannot read `{}`: {error}", file.display()),
                "check that you may read the file",
            )
        };
        let mut open = std::fs::File::open(&file).map_err(failed)?;
        let limit = 64;
        Secret::read(&mut open, limit).map_err(|error| Error::Kek { source: error.into() })
    }

    /// Writes a local KEK, taken from a copy, to its place, once it has opened an environment of the vault. Without a vault, writes it to
    /// the file that the settings name, for a restore.
    ///
    /// # Errors
    /// [`Error::Exists`] if the place holds another KEK, [`Error::Kek`] if the KEK does not open the vault, [`Error::Invalid`] if the vault's KEK is
    /// not a file. Nothing is written then.
    pub async fn import_kek(&self, kek: &Secret, environment: Option<&EnvironmentName>) -> Result<Imported> {
        let new = LocalKek::from_reader(&mut kek.expose_secret());
        let new = new.map_err(|error| Error::Kek { source: error.into() })?;
        let new_id = new.id();
        let store = self.open_store().await?;
        let Some(id) = vault_in(store.as_ref()).await? else {
            let file = self.given.kek_file.as_ref().map(PathBuf::from);
            let file = file.ok_or_else(|| Error::NotFound {
                what: format!("vault in `{}`", self.directory.display()),
                hint: Some("name the file for the KEK with `--kek-file`, to restore a backup with it".into()),
            })?;
            return Self::put_kek(file, kek, &new_id, false);
        };
        let file = self.local_file(&id, environment)?;
        let ring = match environment.filter(|name| self.keks.of.contains_key(*name)) {
            Some(name) => Keyring::default().with_kek_for(name.as_str(), std::sync::Arc::new(new)),
            None => Keyring::new(std::sync::Arc::new(new)),
        };
        Vault::builder().shared_store(store).keyring(ring).reach().await?;
        Self::put_kek(file, kek, &new_id, true)
    }

    /// Writes a KEK to a file, unless the file holds it.
    fn put_kek(file: PathBuf, kek: &Secret, id: &KekId, opened: bool) -> Result<Imported> {
        let was_there = std::fs::symlink_metadata(&file).is_ok();
        if was_there {
            let there = LocalKek::from_file(&file).map_err(|error| Error::Kek { source: error.into() })?;
            if there.id() != *id {
                return Err(Error::Exists {
                    what: format!("another KEK in `{}`", file.display()),
                });
            }
        } else {
            if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                directory::make(parent)?;
            }
            directory::write_file(&file, kek.expose_secret())?;
        }
        Ok(Imported {
            file,
            was_there,
            opened,
        })
    }

    /// Reads the passphrase of a copy from its file, or asks for it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty one, and for a new one that is easy to guess.
    pub fn passphrase_of_copy(&self, ask: Option<Passphrase<'_>>, is_new: bool) -> Result<Secret> {
        let file = self.given.passphrase_file.as_deref().map(std::path::Path::new);
        let typed = passphrase::read(file, None, ask)?;
        if is_new && !self.weak_passphrase {
            passphrase::check_new(&typed)?;
        }
        Ok(typed)
    }

    /// Opens the vault with its local KEK, where `passphrase_file` names the passphrase of a copy and not that of the vault.
    ///
    /// # Errors
    /// As [`Settings::open`].
    pub async fn open_beside_copy(&self, actor: &str, passphrase: Option<Passphrase<'_>>) -> Result<Vault> {
        if self.chooses_kek()? {
            return self.open(actor, passphrase).await;
        }
        let mut settings = self.clone();
        settings.given.passphrase_file = None;
        if let Some(choice) = settings.keks.rest.first_mut()
            && matches!(choice, KekChoice::Passphrase(_))
        {
            *choice = KekChoice::Local(self.given.kek_file.as_ref().map(PathBuf::from));
        }
        settings.open(actor, passphrase).await
    }

    /// Returns true if the settings name the kind of the KEK.
    fn chooses_kek(&self) -> Result<bool> {
        Ok(self.given.kek.is_some() || Given::from_file(&self.directory.join(FILE))?.kek.is_some())
    }

    fn local_file(&self, vault: &str, environment: Option<&EnvironmentName>) -> Result<PathBuf> {
        let own = match environment {
            Some(name) if !self.keks.of.contains_key(name) => {
                return Err(Error::invalid(
                    format!("no KEK is set for environment `{name}` alone"),
                    "leave the environment out for the KEK that the vault's environments share",
                ));
            }
            own => own,
        };
        let says = self.chooses_kek()?;
        // The file of a passphrase alone does not choose the kind of the KEK here: it is the passphrase of the copy.
        let usual = KekChoice::Local(self.given.kek_file.as_ref().map(PathBuf::from));
        let choice = match (self.keks.opening(environment).first(), says) {
            (Some(KekChoice::Passphrase(_)), false) => Some(&usual),
            (choice, _) => choice,
        };
        match choice.map(|choice| choice.placed(self.place(vault), own)) {
            Some(KekChoice::Local(Some(file))) => Ok(file),
            _ => Err(Error::invalid(
                "the KEK is not a file, so there is no copy of it",
                "keep the passphrase, or access to the KMS key, in another place",
            )),
        }
    }
}
