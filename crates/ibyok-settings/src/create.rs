//! Making a vault: its directory, KEK, settings and log, all of it or nothing.

use std::fs::File;
use std::path::{Path, PathBuf};

use ibyok_core::{
    EnvironmentName, Error, Kek, Result, Vault,
    clock::SystemClock,
    kek::{Keyring, VaultId},
    status::vault_in,
};

use crate::directory;
use crate::kek::KekChoice;
use crate::keks::{KekChoices, Slot, ring_of};
use crate::passphrase::Passphrase;
use crate::remember::{Remembered, Variable};
use crate::settings::{FILE, Settings};

/// The things that making a vault made besides it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Created {
    /// The vault's id.
    pub vault: String,
    /// The file of its local KEK: to be copied to a safe place, since without it the keys are lost.
    pub kek_file: Option<PathBuf>,
    /// The files of all its local KEKs, those of single environments included.
    pub kek_files: Vec<PathBuf>,
    /// The variables that later commands need, since the vault's file does not hold them.
    pub variables: Vec<Variable>,
}

/// The things that were made so far, to be removed if no vault comes of it.
#[derive(Default)]
struct Made {
    /// True if the store may hold something by now.
    begun: bool,
    files: Vec<PathBuf>,
    trees: Vec<PathBuf>,
    /// The innermost first. One that holds something else stays.
    directories: Vec<PathBuf>,
}

impl Made {
    fn remove(&self) {
        let left = |path: &Path, error: std::io::Error| {
            use std::io::ErrorKind::{DirectoryNotEmpty, NotFound};
            if !matches!(error.kind(), NotFound | DirectoryNotEmpty) {
                tracing::warn!(path = %path.display(), %error, "a refused `init` could not remove this");
            }
        };
        for path in &self.files {
            std::fs::remove_file(path).unwrap_or_else(|error| left(path, error));
        }
        for path in &self.trees {
            std::fs::remove_dir_all(path).unwrap_or_else(|error| left(path, error));
        }
        for path in &self.directories {
            std::fs::remove_dir(path).unwrap_or_else(|error| left(path, error));
        }
    }
}

/// The directories on the way to a place that are not there yet, the innermost first.
fn absent_above(path: &Path) -> impl Iterator<Item = PathBuf> {
    path.ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .take_while(|path| is_absent(path))
        .map(Path::to_owned)
}

fn is_absent(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err()
}

impl Settings {
    /// Makes a new vault there, and a KEK for it where that is a local one. Every setting that flags and variables gave and that
    /// differs from the default goes to the vault's file, so that later commands find the vault without them.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a vault already, which stays unchanged; [`Error::Invalid`] for a passphrase that is easy to guess, unless
    /// [`Settings::weak_passphrase`] is set; else as [`Settings::open`]. After an error no part of the new vault remains.
    pub async fn create(&self, actor: &str, passphrase: Option<Passphrase<'_>>) -> Result<(Vault, Created)> {
        self.refuse_unknown_environments()?;
        if self.keks.plain().is_none() {
            // The realm that spans environments needs a KEK as well.
            let mut whole = self.clone();
            whole.keks.rest.push(KekChoice::Local(None));
            return Box::pin(whole.create(actor, passphrase)).await;
        }
        SystemClock::check()?;
        let id = VaultId::generate()?;
        let mut made = Made::default();
        made.directories
            .extend(Some(self.audit.clone()).filter(|path| is_absent(path)));
        made.directories.extend(absent_above(&self.directory));
        let created = self.try_create(id, actor, passphrase, &mut made).await;
        if created.is_err() && !(made.begun && self.may_hold_a_vault().await) {
            made.remove();
        }
        created
    }

    /// A KEK for an environment that is not made would never be used, and the environment that was meant would share one.
    fn refuse_unknown_environments(&self) -> Result<()> {
        let made = ["dev", "staging", "prod"];
        match self.keks.of.keys().find(|name| !made.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Error::invalid(
                format!("there is no environment `{name}` in a new vault, so it needs no KEK"),
                format!(
                    "name one of {}; add others later with `envs add NAME --kek KEK`",
                    made.join(", ")
                ),
            )),
        }
    }

    async fn try_create(
        &self,
        id: VaultId,
        actor: &str,
        passphrase: Option<Passphrase<'_>>,
        made: &mut Made,
    ) -> Result<(Vault, Created)> {
        directory::make(&self.directory)?;
        let _only = only_here(&self.directory)?;
        // Before anything is made: a sink's setting may be wrong.
        drop(self.open_sinks()?);
        let store = self.open_store().await?;
        if vault_in(store.as_ref()).await?.is_some() {
            return Err(Error::Exists {
                what: match self.store {
                    None => format!("a vault in `{}`", self.directory.display()),
                    Some(_) => format!("a vault in the {} store", self.store_name()),
                },
            });
        }
        // The log first: a place that cannot hold it, or holds another vault's, must leave nothing half made.
        let sink = self.open_log(Vec::new()).await?;
        let slot = sink.state();
        if slot.public_key().is_none() {
            made.trees.push(slot.directory().to_owned());
        }
        let (ring, keks, kek_files) = self.make_keks(id, passphrase, made).await?;
        let Remembered { text, variables } = self.remembered(&keks)?;
        let file = self.directory.join(FILE);
        made.files.extend(Some(file.clone()).filter(|file| is_absent(file)));
        directory::write_file(&file, text.as_bytes())?;
        if self.store.is_none() {
            let store = self.store_file();
            let beside = ["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", store.display())));
            made.files.extend(beside.into_iter().filter(|file| is_absent(file)));
        }
        made.begun = true;
        let builder = self.plain_builder(store, ring, sink, actor)?;
        let vault = builder.vault_id(id).create().await?;
        let created = Created {
            vault: id.to_string(),
            kek_file: self.kek_place(&id.to_string()),
            kek_files,
            variables,
        };
        Ok((vault, created))
    }

    /// Makes the KEKs. Returns them, their choices as the vault's file has them, and the files that they are in.
    async fn make_keks(
        &self,
        id: VaultId,
        passphrase: Option<Passphrase<'_>>,
        made: &mut Made,
    ) -> Result<(Keyring, KekChoices, Vec<PathBuf>)> {
        let id = id.to_string();
        let (mut slots, mut files, mut keks) = (Vec::<Slot>::new(), Vec::new(), KekChoices::default());
        for (whose, choice) in self.keks.iter() {
            let placed = choice.placed(self.place(&id), whose);
            let known = slots
                .iter()
                .find(|slot| slot.choice == placed && slot.choice != KekChoice::Passphrase(None));
            let kek = match known.and_then(|slot| slot.kek.clone()) {
                Some(kek) => kek,
                None => self.make_kek(&placed, whose, passphrase, (made, &mut files)).await?,
            };
            let mut remembered = choice.remembered(kek.as_ref());
            if let (KekChoice::Local(Some(_)), KekChoice::Local(path)) = (choice, &placed) {
                remembered = KekChoice::Local(path.clone());
            }
            keks.list(whose).push(remembered);
            slots.push(Slot {
                whose: whose.cloned(),
                key: placed.key(whose),
                choice: placed,
                kek: Some(kek),
            });
        }
        Ok((ring_of(&slots), keks, files))
    }

    async fn make_kek(
        &self,
        placed: &KekChoice,
        whose: Option<&EnvironmentName>,
        passphrase: Option<Passphrase<'_>>,
        (made, files): (&mut Made, &mut Vec<PathBuf>),
    ) -> Result<std::sync::Arc<dyn Kek>> {
        let KekChoice::Local(Some(file)) = placed else {
            return placed.create(whose, passphrase, self.weak_passphrase).await;
        };
        let absent = is_absent(file);
        made.directories
            .extend(file.parent().into_iter().flat_map(absent_above));
        let kek = placed.create(whose, passphrase, self.weak_passphrase).await?;
        // One that was there before is refused above, and is not ours to remove.
        made.files.extend(Some(file.clone()).filter(|_| absent));
        files.push(file.clone());
        Ok(kek)
    }

    /// Returns true if the store holds a vault: the one that was to be made, whose answer was lost, or another that was made at the same
    /// time. A store that does not answer may hold one.
    async fn may_hold_a_vault(&self) -> bool {
        match self.open_store().await {
            Ok(store) => !matches!(vault_in(store.as_ref()).await, Ok(None)),
            Err(_) => true,
        }
    }
}

/// The only process that makes a vault in a directory, as long as the handle lives: of two processes, one could remove the files of the other.
pub(crate) fn only_here(path: &Path) -> Result<File> {
    let failed = |error: std::io::Error| {
        Error::invalid(
            format!("`{}`: {error}", path.display()),
            "check that you may read the directory",
        )
    };
    let directory = File::open(path).map_err(failed)?;
    directory.lock().map_err(failed)?;
    Ok(directory)
}
