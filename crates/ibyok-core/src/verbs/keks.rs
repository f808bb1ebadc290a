//! The KEKs of a vault, for its host: which of them each environment key needs, and the change from one to another.

use std::collections::VecDeque;

use ibyok_audit::Action;
use ibyok_crypto::{EnvironmentKey, Error as CryptoError, KekContext, KekId};
use secrecy::ExposeSecret;
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::task::JoinSet;

use crate::base::error::{Error, Part, Result, open_failed};
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};
use crate::realm::rewrap::{is_outdated, named_in};
use crate::realm::tags::list_root;
use crate::realm::{RealmName, WHOLE, environment_key, not_opened};
use crate::vault::Vault;
use crate::vault::session::Session;

/// The number of environment keys that are wrapped at once. They share the syncs of the store and of the log.
pub(crate) const AT_ONCE: usize = 16;

/// The KEKs of a vault, for its host. Never use it in a handler that answers a tenant.
///
/// The change of a KEK has four steps. Open the vault with the new KEK ([`VaultBuilder::kek`](crate::VaultBuilder::kek)) and the old
/// one ([`VaultBuilder::also_kek`](crate::VaultBuilder::also_kek)). Try the new one out. Wrap every environment key again. From then on,
/// open the vault with the new KEK alone. A call that ended early is completed by the same call.
///
/// ```
/// # use ibyok_core::{FileSink, LocalKek, MemoryStore, Vault};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let (old, new) = (LocalKek::generate()?, LocalKek::generate()?);
/// # let audit = FileSink::open(place.path().join("audit")).await?;
/// # let vault = Vault::builder().store(MemoryStore::new()).kek(old).audit(audit).create().await?;
/// let keks = vault.keks("os:me@here");
/// keks.try_out(None).await?;
/// keks.rewrap(None, &mut |_, _| {}).await?;
/// assert!(keks.outdated(None).await?.is_empty());
/// # drop(new);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Keks(pub(crate) Session);

/// An environment key that needs a KEK other than the one that wraps new keys of its environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutdatedKek {
    /// The namespace.
    pub namespace: Namespace,
    /// The environment; `None` for the realm that spans environments.
    pub environment: Option<EnvironmentName>,
    /// The KEKs that open it now. Empty if the record cannot be read.
    pub keks: Vec<String>,
    /// The id of its record.
    pub record: String,
    /// The reason why it cannot be wrapped again, if it is damaged.
    pub damaged: Option<String>,
}

/// The result of wrapping environment keys again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rewrapped {
    /// The number of environment keys that were wrapped again.
    pub rewrapped: u64,
    /// The damaged ones, which still need the old KEK.
    pub damaged: Vec<OutdatedKek>,
}

impl Vault {
    /// Returns the KEKs of the vault, managed by an operator of this name.
    ///
    /// The rules for the name are those of [`Vault::operator`].
    #[must_use]
    pub fn keks(&self, name: impl Into<String>) -> Keks {
        Keks(self.operator(name))
    }
}

impl OutdatedKek {
    fn of(name: &RealmName, id: String, keks: Vec<String>) -> Self {
        OutdatedKek {
            namespace: name.namespace.clone(),
            environment: name.environment.clone(),
            keks,
            record: id,
            damaged: None,
        }
    }

    fn name(&self) -> RealmName {
        RealmName {
            namespace: self.namespace.clone(),
            environment: self.environment.clone(),
        }
    }

    /// Returns the environment with its namespace: `default/prod`, or `default/whole` for the realm that spans environments.
    #[must_use]
    pub fn place(&self) -> String {
        let environment = self.environment.as_ref().map_or(WHOLE, EnvironmentName::as_str);
        format!("{}/{environment}", self.namespace)
    }
}

impl Keks {
    /// Lists the environment keys that need another KEK than the one that wraps new keys of their environment, in every namespace.
    /// `only` limits the list to the environments of one name. The list has damaged records as well.
    ///
    /// # Errors
    /// [`Error::Kek`] if a KEK refuses, [`Error::Unavailable`].
    pub async fn outdated(&self, only: Option<&EnvironmentName>) -> Result<Vec<OutdatedKek>> {
        let records = &self.0.inner.records;
        let (ring, mut outdated) = (records.keks.ring(), Vec::new());
        for id in list_root(records.store.as_ref(), kind::REALM).await? {
            let Some(stored) = records.store.get(&id).await? else {
                continue;
            };
            let (name, record) = match named_in(records.vault, &id, &stored.bytes) {
                Ok(named) => named,
                // Its name cannot be trusted, so it may be any environment's.
                Err(error) => {
                    let home = RealmName {
                        environment: None,
                        ..records.home.name.clone()
                    };
                    let mut unread = OutdatedKek::of(&home, id.to_string(), Vec::new());
                    unread.damaged = Some(error.to_string());
                    outdated.push(unread);
                    continue;
                }
            };
            if only.is_some_and(|only| name.environment.as_ref() != Some(only)) {
                continue;
            }
            let is_old = match is_outdated(&record, &ring).await {
                // Another node has the KEKs of that environment.
                Err(CryptoError::NoKek { .. }) => false,
                is_old => is_old.map_err(|error| open_failed(environment_key(&name, &id), error))?,
            };
            if is_old {
                let keks = record.kek_ids().iter().map(ToString::to_string).collect();
                outdated.push(OutdatedKek::of(&name, id.to_string(), keks));
            }
        }
        outdated.sort_by_key(OutdatedKek::place);
        Ok(outdated)
    }

    /// Wraps a random key under the KEK that wraps new keys of an environment, and unwraps it: `None` is the KEK of the realm that
    /// spans environments. Stores nothing.
    ///
    /// # Errors
    /// [`Error::Kek`] if the KEK refuses, [`Error::Unavailable`] if it does not answer or gives back another key.
    pub async fn try_out(&self, environment: Option<&EnvironmentName>) -> Result<()> {
        let records = &self.0.inner.records;
        let namespace = records.home.name.namespace.as_str();
        let context = KekContext::new(records.vault, namespace, environment.map(EnvironmentName::as_str));
        let failed = |error| open_failed("a key to try the KEK out".to_owned(), error);
        let ring = records.keks.ring();
        let kek = ring.wraps(&context).map_err(failed)?;
        let key = EnvironmentKey::generate().map_err(failed)?;
        let wrapped = kek.wrap(&key, &context).await.map_err(failed)?;
        let again = kek.unwrap(&wrapped, &context).await.map_err(failed)?;
        match bool::from(key.expose_secret().as_slice().ct_eq(again.expose_secret().as_slice())) {
            true => Ok(()),
            false => Err(Error::unavailable(Part::Kek, "the KEK gave back another key")),
        }
    }

    /// Checks that this node holds the KEKs that open the environment keys which [`Keks::outdated`] lists. Calls no KEK that names
    /// itself.
    ///
    /// # Errors
    /// [`Error::Kek`] with the first environment whose KEK is missing, [`Error::Unavailable`].
    pub async fn check_held(&self, only: Option<&EnvironmentName>) -> Result<()> {
        let records = &self.0.inner.records;
        let ring = records.keks.ring();
        for one in self.outdated(only).await? {
            let environment = one.environment.as_ref().map(EnvironmentName::as_str);
            let context = KekContext::new(records.vault, one.namespace.as_str(), environment);
            let held = ring.keks_for(&context);
            let missing = one.keks.iter().filter_map(|id| id.parse::<KekId>().ok());
            let missing = missing.into_iter().find(|id| !held.iter().any(|kek| kek.accepts(id)));
            if let Some(id) = missing {
                let named = CryptoError::UnknownKek { named: id.to_string() };
                return Err(not_opened(&one.name(), one.place(), named));
            }
        }
        Ok(())
    }

    /// Wraps every environment key that [`Keks::outdated`] lists under the KEK that wraps new keys of its environment. Every record
    /// that is sealed under them stays as it is. `progress` gets the number of keys that are done, and the number of all.
    ///
    /// Each key is one compare-and-swap, and is opened under the new KEK alone before it is stored. After an error or a crash, the
    /// same call does the rest. Servers go on serving, if they hold both KEKs or have a
    /// [`KekSource`](crate::keks::KekSource).
    ///
    /// # Errors
    /// The errors of the first key that failed; the others may be done. A damaged record fails nothing, and is in the result.
    pub async fn rewrap(
        &self,
        only: Option<&EnvironmentName>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Rewrapped> {
        let (mut rewrapped, mut damaged) = (0, Vec::new());
        // A node that does not know the new KEK yet may have made an environment under the old one meanwhile.
        loop {
            let all = self.outdated(only).await?;
            let (known, todo): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.damaged.is_some());
            let todo: VecDeque<_> = todo.into_iter().filter(|one| !is_among(&damaged, one)).collect();
            for one in known {
                if !is_among(&damaged, &one) {
                    damaged.push(one);
                }
            }
            if todo.is_empty() {
                break;
            }
            let of_this_round = self.rewrap_each(todo, rewrapped, progress, &mut damaged).await;
            // The keys that this node holds are the same; the KEK's id that it shows is another.
            self.0.inner.records.forget_realms();
            rewrapped = of_this_round?;
        }
        Ok(Rewrapped { rewrapped, damaged })
    }

    /// Records that a copy of a local KEK is about to be made: of an environment's own, or of the one that the other environments
    /// share. Make the copy only after this returns. Whoever opens the copy can read the keys without a line on the log.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the log takes no line.
    pub async fn record_export(&self, environment: Option<&EnvironmentName>) -> Result<()> {
        self.record_copy(Action::KekExport, environment).await
    }

    /// Records that a local KEK was restored from a copy, as [`Keks::record_export`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the log takes no line.
    pub async fn record_import(&self, environment: Option<&EnvironmentName>) -> Result<()> {
        self.record_copy(Action::KekImport, environment).await
    }

    async fn record_copy(&self, action: Action, environment: Option<&EnvironmentName>) -> Result<()> {
        self.0.operator_of_home(action).await?;
        let mut attempt = self.0.attempt(action);
        self.0.authenticate(&mut attempt).await?;
        let whose = environment.map_or(WHOLE, EnvironmentName::as_str);
        attempt.facts.target = Some(("environment", whose.to_owned()));
        self.0.inner.recorder.record(attempt.allowed()).await
    }

    async fn rewrap_each(
        &self,
        mut todo: VecDeque<OutdatedKek>,
        before: u64,
        progress: &mut (dyn FnMut(u64, u64) + Send),
        damaged: &mut Vec<OutdatedKek>,
    ) -> Result<u64> {
        let (mut rewrapped, mut done, mut failed) = (before, before, None);
        let total = before.saturating_add(u64::try_from(todo.len()).unwrap_or(u64::MAX));
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && failed.is_none()
                && let Some(one) = todo.pop_front()
            {
                let keks = self.clone();
                running.spawn(async move {
                    let outcome = keks.rewrap_one(&one.name()).await;
                    (one, outcome)
                });
            }
            let Some(joined) = running.join_next().await else { break };
            let (mut one, outcome) = joined.map_err(|error| Error::unavailable(Part::Kek, error))?;
            match outcome {
                Ok(changed) => rewrapped += u64::from(changed),
                Err(error @ Error::Integrity { .. }) => {
                    one.damaged = Some(error.to_string());
                    damaged.push(one);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
            done += 1;
            progress(done, total);
        }
        failed.map_or(Ok(rewrapped), Err)
    }

    async fn rewrap_one(&self, name: &RealmName) -> Result<bool> {
        let session = self.0.clone().in_namespace(name.namespace.clone())?;
        let mut attempt = session.attempt(Action::KekRotate);
        let outcome = async {
            session.authenticate(&mut attempt).await?;
            session.inner.changes.rewrap(name, &attempt).await
        }
        .await;
        session.inner.recorder.refusing(&attempt, outcome).await
    }
}

fn is_among(damaged: &[OutdatedKek], one: &OutdatedKek) -> bool {
    damaged.iter().any(|known| known.record == one.record)
}
