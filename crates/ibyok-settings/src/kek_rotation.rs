//! The change of a vault's KEK: in the vault's file, in the records, and in the file again.
//!
//! The file names the new KEK beside the old one first, so that a program that starts in the middle opens everything. It forgets the old
//! one last. A run that ended early is completed by the same run.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_core::keks::{OutdatedKek, Rewrapped};
use ibyok_core::{EnvironmentName, Error, Kek, LocalKek, Result, Store, Vault, status::vault_in};
use serde::Serialize;

use crate::directory;
use crate::given::Given;
use crate::kek::{KekChoice, Place};
use crate::keks::{KekChoices, Slot, ring_of};
use crate::passphrase::Passphrase;
use crate::remember::Variable;
use crate::settings::{FILE, Settings};
use crate::vault_file::VaultFile;

/// The KEK that a vault, or one environment of it, changes to.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KekChange<'a> {
    /// The new KEK.
    pub to: &'a KekChoice,
    /// The environment; `None` for all environments without a KEK of their own.
    pub environment: Option<&'a EnvironmentName>,
    /// Asks for the passphrase of the vault as it is.
    pub passphrase: Option<Passphrase<'a>>,
    /// Asks for a new passphrase.
    pub new_passphrase: Option<Passphrase<'a>>,
}

/// The result of a change of the KEK.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KekChanged {
    /// The number of environment keys that this run wrapped again.
    pub rewrapped: u64,
    /// The id of the new KEK.
    pub kek: String,
    /// The file of the new KEK, if it is a local one: to be copied to a safe place.
    pub kek_file: Option<PathBuf>,
    /// The KEKs that were in use before. The environments that changed do not need them any more, unless `damaged` has some.
    pub before: Vec<String>,
    /// The environment keys that could not be wrapped again. They still need the old KEK, which stays in the settings.
    pub damaged: Vec<OutdatedKek>,
    /// The variables that name the old KEK and have to be changed.
    #[serde(skip)]
    pub variables: Vec<Variable>,
}

impl<'a> KekChange<'a> {
    /// Makes a change to this KEK.
    #[must_use]
    pub fn to(to: &'a KekChoice) -> Self {
        KekChange {
            to,
            environment: None,
            passphrase: None,
            new_passphrase: None,
        }
    }

    /// Limits the change to one environment, which then has a KEK of its own.
    #[must_use]
    pub fn environment(mut self, environment: Option<&'a EnvironmentName>) -> Self {
        self.environment = environment;
        self
    }

    /// Sets the functions that ask a person for the present passphrase and for a new one.
    #[must_use]
    pub fn passphrases(mut self, present: Option<Passphrase<'a>>, new: Option<Passphrase<'a>>) -> Self {
        (self.passphrase, self.new_passphrase) = (present, new);
        self
    }
}

/// A change that is ready to begin: the vault is open with both KEKs.
struct Ready {
    vault: Vault,
    file: VaultFile,
    /// The choices of the file with the new KEK beside the old ones.
    both: KekChoices,
    /// The choices of the file with the new KEK alone.
    after: KekChoices,
    before: Vec<String>,
    kek: Arc<dyn Kek>,
    /// The file of the new KEK.
    kek_file: Option<PathBuf>,
}

impl Settings {
    /// Changes the KEK: wraps the environment keys of all namespaces under the new one, and rewrites `vault.toml`. `progress` gets the
    /// number of keys that are done, and the number of all.
    ///
    /// # Errors
    /// Before the first change: [`Error::Invalid`] for the KEK that is in use already, [`Error::Kek`] and [`Error::Unavailable`] for one
    /// that cannot be used or an old one that does not open, [`Error::NotFound`] for an environment that does not exist,
    /// [`Error::Conflict`] while another process changes the KEK. Later, the errors of the store, the log and the KEKs: the same
    /// call does the rest.
    pub async fn change_kek(
        &self,
        actor: &str,
        change: KekChange<'_>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<KekChanged> {
        if self.store.is_none() {
            directory::check(&self.directory)?;
        }
        let store = self.open_store().await?;
        let id = vault_in(store.as_ref()).await?.ok_or_else(|| self.no_vault())?;
        directory::make(&self.directory)?;
        let _only = only_change(&self.directory)?;
        let mut ready = self.prepared(actor, (&store, &id), &change).await?;
        // From here on the new KEK is known to every program that starts.
        let keks = ready.vault.keks(actor);
        let done = match ready.file.set_keks(&ready.both) {
            Ok(()) => keks.rewrap(change.environment, progress).await,
            Err(error) => Err(error),
        };
        let closed = ready.vault.close().await;
        let Rewrapped { rewrapped, damaged, .. } = done?;
        closed?;
        if damaged.is_empty() {
            ready.file.set_keks(&ready.after)?;
        }
        Ok(KekChanged {
            rewrapped,
            kek: described(ready.kek.as_ref()),
            kek_file: ready.kek_file,
            before: ready.before,
            damaged,
            variables: self.outdated_variables(&ready.after),
        })
    }

    /// Lists the environment keys that need a KEK other than `change` names. Changes nothing.
    ///
    /// # Errors
    /// As [`Settings::change_kek`] before its first change.
    pub async fn check_kek(&self, actor: &str, change: KekChange<'_>) -> Result<Vec<OutdatedKek>> {
        let store = self.open_store().await?;
        let id = vault_in(store.as_ref()).await?.ok_or_else(|| self.no_vault())?;
        let place = self.place(&id);
        let choices = self.keks.clone();
        let to = self.goal(place, &choices, &change);
        let is_absent = to.is_local() && to.is_absent(None);
        let kek: Arc<dyn Kek> = match is_absent {
            // Nothing can be wrapped under a KEK that is not made yet.
            true => Arc::new(LocalKek::generate()?),
            false => {
                to.open(change.environment, change.new_passphrase.or(change.passphrase))
                    .await?
            }
        };
        let mut slots = choices.open(place, change.passphrase, &[]).await?;
        lead(&mut slots, &choices, change.environment, &to, kek);
        let vault = self.opened_with(store, slots, actor).await?;
        let found = async {
            known_environment(&vault, actor, change.environment).await?;
            vault.keks(actor).outdated(change.environment).await
        };
        let found = found.await;
        vault.close().await?;
        found
    }

    /// Lists the environment keys that need a KEK other than the one that the settings name first.
    ///
    /// # Errors
    /// As [`Settings::open`].
    pub async fn outdated_keks(
        &self,
        actor: &str,
        environment: Option<&EnvironmentName>,
        passphrase: Option<Passphrase<'_>>,
    ) -> Result<Vec<OutdatedKek>> {
        let vault = self.open(actor, passphrase).await?;
        let found = async {
            known_environment(&vault, actor, environment).await?;
            vault.keks(actor).outdated(environment).await
        };
        let found = found.await;
        vault.close().await?;
        found
    }

    async fn prepared(
        &self,
        actor: &str,
        (store, id): (&Arc<dyn Store>, &str),
        change: &KekChange<'_>,
    ) -> Result<Ready> {
        let (place, whose) = (self.place(id), change.environment);
        let file = VaultFile::read(&self.directory)?;
        let to = self.goal(place, &self.keks, change);
        let made = to.is_local() && to.is_absent(None);
        // The old KEK first: without it nothing of the new one is made.
        let mut slots = self.keks.open(place, change.passphrase, &[]).await?;
        let kek = match made {
            true => to.create(whose, change.new_passphrase, self.weak_passphrase).await?,
            false => self.new_kek(&to, change).await?,
        };
        let kek_file = match &to {
            KekChoice::Local(file) => file.clone(),
            KekChoice::Passphrase(_) | KekChoice::AwsKms(_) => None,
        };
        let remembered = to.remembered(kek.as_ref());
        lead(&mut slots, &self.keks, whose, &to, Arc::clone(&kek));
        let ready = async {
            let vault = self.opened_with(Arc::clone(store), slots, actor).await?;
            match self.tried_out(&vault, actor, change, &remembered, place).await {
                Ok(()) => Ok(vault),
                Err(error) => {
                    vault.close().await?;
                    Err(error)
                }
            }
        };
        let vault = match ready.await {
            Ok(vault) => vault,
            Err(error) => {
                if let (true, Some(path)) = (made, &kek_file) {
                    drop(std::fs::remove_file(path));
                }
                return Err(error);
            }
        };
        let (both, after, before) = self.planned(place, whose, &remembered)?;
        Ok(Ready {
            vault,
            file,
            both,
            after,
            before,
            kek,
            kek_file,
        })
    }

    /// Opens a KEK that exists. A passphrase is a new one, unless the change to it has begun already.
    async fn new_kek(&self, to: &KekChoice, change: &KekChange<'_>) -> Result<Arc<dyn Kek>> {
        match to {
            KekChoice::Passphrase(_) => {
                to.create(change.environment, change.new_passphrase, self.weak_passphrase)
                    .await
            }
            KekChoice::Local(_) | KekChoice::AwsKms(_) => to.open(change.environment, None).await,
        }
    }

    /// Makes every check that is possible before the first change.
    async fn tried_out(
        &self,
        vault: &Vault,
        actor: &str,
        change: &KekChange<'_>,
        remembered: &KekChoice,
        place: Place<'_>,
    ) -> Result<()> {
        let keks = vault.keks(actor);
        known_environment(vault, actor, change.environment).await?;
        keks.try_out(change.environment).await?;
        keks.check_held(change.environment).await?;
        let present = self.keks.opening(change.environment);
        let is_named = |choice: &KekChoice| {
            choice.placed(place, change.environment) == remembered.placed(place, change.environment)
        };
        // A run that ended before it rewrote the file last has wrapped everything already.
        let under_way = present.len() > 1 && present.first().is_some_and(is_named);
        if !under_way && keks.outdated(change.environment).await?.is_empty() {
            let of = change
                .environment
                .map_or("the vault".to_owned(), |name| format!("environment `{name}`"));
            return Err(Error::invalid(
                format!("{of} uses the KEK `{}` already: nothing was changed", remembered.word()),
                "give another KEK with `--to`",
            ));
        }
        Ok(())
    }

    /// The place of the new KEK: a local one without a file gets one that is free, unless the change to one has begun.
    fn goal(&self, place: Place<'_>, present: &KekChoices, change: &KekChange<'_>) -> KekChoice {
        let whose = change.environment;
        match change.to {
            KekChoice::Local(None) => match present.opening(whose) {
                [begun @ KekChoice::Local(_), _, ..] => begun.placed(place, whose),
                _ => KekChoice::Local(Some(place.free(whose))),
            },
            to => to.placed(place, whose),
        }
    }

    /// The vault's file with both KEKs, and after the change; and the words for the KEKs of before.
    fn planned(
        &self,
        place: Place<'_>,
        whose: Option<&EnvironmentName>,
        to: &KekChoice,
    ) -> Result<(KekChoices, KekChoices, Vec<String>)> {
        let file = Given::from_file(&self.directory.join(FILE))?;
        let says = file.kek.is_some() || file.kek_for.is_some();
        let mut both = match says {
            true => KekChoices::resolve(&file)?,
            // The file says nothing: the choice came by flag, variable or default.
            false => self.keks.clone(),
        };
        both.forget_passphrase_files();
        let to = match to {
            // The default place is not named, so that the file can be moved.
            KekChoice::Local(Some(path)) if *path == place.of(whose) => KekChoice::Local(None),
            to => to.clone(),
        };
        let is_same = |one: &KekChoice| one.placed(place, whose) == to.placed(place, whose);
        let mut before: Vec<KekChoice> = self.keks.opening(whose).to_vec();
        before.extend(both.opening(whose).iter().cloned());
        let mut old: Vec<KekChoice> = Vec::new();
        for choice in before {
            // The default places of the rest and of an environment differ.
            let own = whose.filter(|name| self.keks.of.contains_key(*name));
            let choice = match choice {
                KekChoice::Local(None) if own.is_none() && whose.is_none() => KekChoice::Local(None),
                KekChoice::Local(_) => choice.placed(place, own),
                KekChoice::Passphrase(_) => KekChoice::Passphrase(None),
                KekChoice::AwsKms(_) => choice,
            };
            // Two passphrases have the same word.
            let is_new = matches!(choice, KekChoice::Passphrase(_)) || !is_same(&choice);
            if is_new
                && !old
                    .iter()
                    .any(|one| one.placed(place, whose) == choice.placed(place, whose))
            {
                old.push(choice);
            }
        }
        let mut after = both.clone();
        *after.list(whose) = vec![to.clone()];
        let words = old.iter().map(KekChoice::word).collect();
        *both.list(whose) = std::iter::once(to).chain(old).collect();
        Ok((both, after, words))
    }

    /// The variables that still name the old KEK.
    fn outdated_variables(&self, after: &KekChoices) -> Vec<Variable> {
        let given = &self.given;
        let says = given.kek.is_some() || given.kek_file.is_some();
        let names = says.then(|| Variable::new("IBYOK_KEK", Some(after.words())));
        names.into_iter().collect()
    }
}

/// Puts the new KEK before the others of its ring. An environment without its own KEKs takes those of the rest as the old ones.
fn lead(
    slots: &mut Vec<Slot>,
    choices: &KekChoices,
    whose: Option<&EnvironmentName>,
    to: &KekChoice,
    kek: Arc<dyn Kek>,
) {
    let is_own = whose.is_none_or(|name| choices.of.contains_key(name));
    if !is_own {
        let rest: Vec<Slot> = slots.iter().filter(|slot| slot.whose.is_none()).cloned().collect();
        slots.extend(rest.into_iter().map(|slot| Slot {
            whose: whose.cloned(),
            ..slot
        }));
    }
    let new = Slot {
        whose: whose.cloned(),
        choice: to.clone(),
        key: to.key(whose),
        kek: Some(kek),
    };
    slots.insert(0, new);
}

/// Refuses an environment that no namespace has.
async fn known_environment(vault: &Vault, actor: &str, name: Option<&EnvironmentName>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    let namespaces = vault.namespaces(actor).list().await?;
    match namespaces.iter().any(|one| one.environments.contains(name)) {
        true => Ok(()),
        false => Err(Error::NotFound {
            what: format!("environment `{name}`"),
            hint: Some("list the environments, and check the name".into()),
        }),
    }
}

/// The only process that changes the KEK of a vault, as long as the handle lives.
pub(crate) fn only_change(path: &Path) -> Result<File> {
    let failed = |error: std::io::Error| {
        Error::invalid(
            format!("`{}`: {error}", path.display()),
            "check that you may read the directory",
        )
    };
    let directory = File::open(path).map_err(failed)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(Error::Conflict {
            what: format!("another process changes the settings in `{}`", path.display()),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn described(kek: &dyn Kek) -> String {
    let description = kek.describe();
    description.to_string()
}

impl Settings {
    async fn opened_with(&self, store: Arc<dyn Store>, slots: Vec<Slot>, actor: &str) -> Result<Vault> {
        let ring = ring_of(&slots);
        let sink = self.open_log_of(&store, &ring).await?;
        self.plain_builder(store, ring, sink, actor)?.open().await
    }
}
