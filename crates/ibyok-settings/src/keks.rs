//! The KEKs of a vault: one for all environments, and those of single environments.

use std::collections::BTreeMap;
use std::sync::Arc;

use ibyok_core::{EnvironmentName, Error, Kek, Result, kek::Keyring};

use crate::given::Given;
use crate::kek::{KekChoice, Place, Whose};
use crate::passphrase::Passphrase;

/// The KEKs that settings choose. Of each list, the first wraps, and the others only open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KekChoices {
    /// For the environments without a KEK of their own. Empty on a node that holds the KEKs of single environments alone.
    pub(crate) rest: Vec<KekChoice>,
    /// For each environment with KEKs of its own.
    pub(crate) of: BTreeMap<EnvironmentName, Vec<KekChoice>>,
}

/// A KEK that was opened, or that is not on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) whose: Whose,
    pub(crate) choice: KekChoice,
    pub(crate) key: String,
    pub(crate) kek: Option<Arc<dyn Kek>>,
}

impl KekChoices {
    /// Reads the choices of all sources. Without any, the KEK is a local one, or a passphrase where a file of one is given.
    pub(crate) fn resolve(given: &Given) -> Result<Self> {
        let (local, passphrase) = (given.kek_file.as_deref(), given.passphrase_file.as_deref());
        let mut choices = KekChoices::default();
        let text = given.kek.as_deref();
        let table = given.kek_for.iter().flatten();
        let table = table.map(|(name, text)| Ok((Some(name.parse()?), KekChoice::parse(text)?)));
        for entry in text.map(entries).into_iter().flatten().chain(table) {
            let (whose, choice): (Whose, KekChoice) = entry?;
            let choice = choice.with_file(local.filter(|_| whose.is_none()), passphrase);
            let list = choices.list(whose.as_ref());
            if !list.is_empty() {
                return Err(named_twice(whose.as_ref()));
            }
            list.push(choice);
        }
        if choices.rest.is_empty() && (choices.of.is_empty() || local.is_some()) {
            choices.rest.push(match (passphrase, local) {
                (Some(file), None) => KekChoice::Passphrase(Some(file.into())),
                (_, file) => KekChoice::Local(file.map(Into::into)),
            });
        }
        for entry in given.also_kek.as_deref().map(entries).into_iter().flatten() {
            let (whose, choice) = entry?;
            choices.list(whose.as_ref()).push(choice.with_file(None, passphrase));
        }
        Ok(choices)
    }

    /// Returns the choices for an environment; of one without KEKs of its own an empty list, which is then made.
    pub(crate) fn list(&mut self, whose: Option<&EnvironmentName>) -> &mut Vec<KekChoice> {
        match whose {
            None => &mut self.rest,
            Some(name) => self.of.entry(name.clone()).or_default(),
        }
    }

    /// Returns the choices that open an environment: its own, else those of the rest.
    pub(crate) fn opening(&self, whose: Option<&EnvironmentName>) -> &[KekChoice] {
        whose.and_then(|name| self.of.get(name)).unwrap_or(&self.rest)
    }

    /// The choice for the environments without a KEK of their own, if there is one.
    #[must_use]
    pub fn plain(&self) -> Option<&KekChoice> {
        self.rest.first()
    }

    /// Drops the files of passphrases, which the vault's file does not name.
    pub(crate) fn forget_passphrase_files(&mut self) {
        for choice in self.rest.iter_mut().chain(self.of.values_mut().flatten()) {
            if let KekChoice::Passphrase(file) = choice {
                *file = None;
            }
        }
    }

    /// Every choice, with the environment that it is for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Option<&EnvironmentName>, &KekChoice)> {
        let rest = self.rest.iter().map(|choice| (None, choice));
        let own = self.of.iter();
        rest.chain(own.flat_map(|(name, all)| all.iter().map(move |choice| (Some(name), choice))))
    }

    /// Opens every KEK that is on this machine. One KEK that several environments name is opened once; `held` are KEKs that are open.
    ///
    /// # Errors
    /// The error of a KEK that is there and does not open, or of the first if none is there.
    pub(crate) async fn open(&self, place: Place<'_>, ask: Option<Passphrase<'_>>, held: &[Slot]) -> Result<Vec<Slot>> {
        let mut slots: Vec<Slot> = Vec::new();
        for (whose, choice) in self.iter() {
            let choice = choice.placed(place, whose);
            let key = choice.key(whose);
            let known = slots.iter().chain(held).find(|slot| slot.key == key);
            let known = known.and_then(|slot| slot.kek.clone());
            let kek = match known {
                Some(kek) => Some(kek),
                None if choice.is_absent(ask) => None,
                None => Some(choice.open(whose, ask).await?),
            };
            let whose = whose.cloned();
            slots.push(Slot {
                whose,
                choice,
                key,
                kek,
            });
        }
        if slots.iter().all(|slot| slot.kek.is_none()) {
            for slot in &slots {
                slot.choice.open(slot.whose.as_ref(), ask).await?;
            }
        }
        Ok(slots)
    }

    /// The settings of the vault's file that say which KEKs these are.
    pub(crate) fn as_table(&self) -> toml::Table {
        let mut table = toml::Table::new();
        match self.plain() {
            Some(KekChoice::Local(Some(path))) => {
                table.insert("kek".to_owned(), "local".into());
                table.insert("kek_file".to_owned(), path.display().to_string().into());
            }
            Some(choice) => drop(table.insert("kek".to_owned(), choice.word().into())),
            None => {}
        }
        let also: Vec<toml::Value> = self.also().into_iter().map(Into::into).collect();
        if !also.is_empty() {
            table.insert("also_kek".to_owned(), also.into());
        }
        let own = self.of.iter();
        let own: toml::Table = own
            .filter_map(|(name, all)| Some((name.to_string(), all.first()?.word().into())))
            .collect();
        if !own.is_empty() {
            table.insert("kek_for".to_owned(), own.into());
        }
        table
    }

    /// The text of the variable `IBYOK_KEK` that makes the same choice.
    pub(crate) fn words(&self) -> String {
        let own = self.of.iter().filter_map(|(name, all)| Some((name, all.first()?)));
        let own = own.map(|(name, choice)| format!("{name}={}", choice.word()));
        let all: Vec<String> = own.chain(self.plain().map(KekChoice::word)).collect();
        all.join(",")
    }

    /// The KEKs that only open, each as an entry of `also_kek`.
    fn also(&self) -> Vec<String> {
        let rest = self.rest.iter().skip(1).map(KekChoice::word);
        let own = self.of.iter();
        let own = own.flat_map(|(name, all)| all.iter().skip(1).map(move |one| format!("{name}={}", one.word())));
        rest.chain(own).collect()
    }
}

/// Puts the KEKs that are open on one ring.
pub(crate) fn ring_of(slots: &[Slot]) -> Keyring {
    let mut ring = Keyring::default();
    for slot in slots {
        ring = match (&slot.whose, &slot.kek) {
            (None, Some(kek)) => ring.with(Arc::clone(kek)),
            (Some(name), Some(kek)) => ring.with_kek_for(name.as_str(), Arc::clone(kek)),
            (Some(name), None) => ring.with_own_kek(name.as_str()),
            (None, None) => ring,
        };
    }
    ring
}

/// The parts of a list such as `dev=local,prod=aws-kms:KEY,local`.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = Result<(Whose, KekChoice)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let entry = |part: &str| match part.split_once('=') {
        // A path may have an `=` in it.
        Some((name, text)) if !name.contains([':', '/']) => {
            Ok((Some(name.trim().parse()?), KekChoice::parse(text.trim())?))
        }
        _ => Ok((None, KekChoice::parse(part)?)),
    };
    parts.map(entry).collect::<Vec<_>>().into_iter()
}

fn named_twice(whose: Option<&EnvironmentName>) -> Error {
    let whose = whose.map_or("the environments without their own".to_owned(), |name| {
        format!("environment `{name}`")
    });
    Error::invalid(
        format!("the settings name two KEKs for {whose}"),
        "give one KEK for each environment as `ENV=KEK`, and one without `ENV=` for all others",
    )
}
