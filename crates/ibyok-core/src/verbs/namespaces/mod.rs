//! The life of tenants: namespaces are made, listed and removed by the host of the vault.

mod contents;
mod remove;

use std::collections::BTreeMap;

use ibyok_audit::{Action, Phase};
use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::environment::Class;
use crate::model::name::{EnvironmentName, Namespace};
use crate::realm::RealmName;
use crate::realm::vault_record::first_environments;
use crate::vault::session::Session;
use crate::vault::{Inner, Vault};

pub use self::remove::{NamespaceRemoval, NamespaceRemoved};

/// The namespaces of a vault, for its host. Never use it in a handler that answers a tenant.
///
/// ```
/// # use ibyok_core::{Error, Vault, environments::Class, namespaces::NamespaceRemoval};
/// # async fn life(vault: &Vault) -> Result<(), Error> {
/// let namespaces = vault.namespaces("host:onboarding");
/// namespaces.create(&"acme".parse()?).await?; // with dev, staging and prod
/// namespaces.create_with(&"globex".parse()?, &[("live".parse()?, Class::Prod)]).await?;
/// for namespace in namespaces.list().await? {
///     println!("{}", namespace.name);
/// }
/// // Refused while it has keys or valid tokens, unless its name is repeated:
/// namespaces.remove(&"acme".parse()?, &NamespaceRemoval::with_contents_of("acme")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Namespaces(Session);

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NamespaceInfo {
    /// The name.
    pub name: Namespace,
    /// Its environments, in order.
    pub environments: Vec<EnvironmentName>,
    /// True if this is the vault's home, which operators act in and which is never removed.
    pub home: bool,
}

impl Vault {
    /// Returns the namespaces of the vault, managed by an operator of this name.
    ///
    /// The rules for the name are those of [`Vault::operator`].
    #[must_use]
    pub fn namespaces(&self, name: impl Into<String>) -> Namespaces {
        Namespaces(self.operator(name))
    }
}

impl Namespaces {
    /// Lists the namespaces, in order. No key is opened: this costs the same however many there are.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self) -> Result<Vec<NamespaceInfo>> {
        let mut attempt = self.0.attempt(Action::NamespaceList);
        let outcome = async {
            self.0.inner.limits.authenticate(&mut attempt, &self.0.asking).await?;
            let home = &self.0.inner.records.home.name.namespace;
            let mut all: BTreeMap<Namespace, Vec<EnvironmentName>> = BTreeMap::new();
            let tags = self.0.inner.records.tags().await?;
            // A namespace whose making or removal was interrupted is listed, so that an operator completes it.
            for (_, realm) in tags.iter() {
                all.entry(realm.namespace.clone()).or_default();
            }
            for realm in tags.expected() {
                let environments = all.entry(realm.namespace.clone()).or_default();
                environments.extend(realm.environment.clone());
            }
            let infos = all.into_iter().map(|(name, environments)| NamespaceInfo {
                home: name == *home,
                name,
                environments,
            });
            Ok(infos.collect())
        }
        .await;
        self.0.inner.recorder.answering(&attempt, outcome).await
    }

    /// Makes a namespace with the environments dev, staging and prod.
    ///
    /// # Errors
    /// As [`Namespaces::create_with`].
    pub async fn create(&self, name: &Namespace) -> Result<NamespaceInfo> {
        let usual = first_environments()?;
        let usual: Vec<_> = usual
            .into_iter()
            .filter_map(|(environment, class)| Some((environment?, class)))
            .collect();
        self.create_with(name, &usual).await
    }

    /// Makes a namespace with these environments, each with its class. After a crash the same call completes it.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is one of this name, which is left as it is; [`Error::Invalid`] without an environment;
    /// [`Error::Kek`], [`Error::Unavailable`].
    pub async fn create_with(
        &self,
        name: &Namespace,
        environments: &[(EnvironmentName, Class)],
    ) -> Result<NamespaceInfo> {
        let mut attempt = self.0.attempt(Action::NamespaceCreate);
        let outcome = self.try_create(&mut attempt, name, environments).await;
        self.0.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_create(
        &self,
        attempt: &mut Attempt<'_>,
        name: &Namespace,
        environments: &[(EnvironmentName, Class)],
    ) -> Result<NamespaceInfo> {
        let (session, who) = self.within(attempt, name).await?;
        let inner = &session.inner;
        if environments.is_empty() {
            return Err(Error::invalid(
                "a namespace needs an environment",
                "give at least one environment, for example `prod`",
            ));
        }
        let realm = |environment: Option<&EnvironmentName>| RealmName {
            namespace: name.clone(),
            environment: environment.cloned(),
        };
        // The realm that spans environments is made last: a namespace that a crash left half made does not exist yet.
        if inner
            .records
            .store
            .get(&realm(None).record_id(inner.records.vault))
            .await?
            .is_some()
        {
            return Err(Error::Exists {
                what: format!("namespace `{name}`"),
            });
        }
        inner.recorder.record(attempt.phase(Phase::Intended)).await?;
        let made = async {
            for (environment, class) in environments {
                inner
                    .make_and_say(&realm(Some(environment)), *class, attempt, &who.by())
                    .await?;
            }
            inner.make_and_say(&realm(None), Class::Prod, attempt, &who.by()).await
        };
        let made = made.await;
        let phase = if made.is_ok() { Phase::Done } else { Phase::NotDone };
        inner.recorder.log.append_unwaited(attempt.phase(phase));
        made?;
        Ok(NamespaceInfo {
            name: name.clone(),
            environments: inner.records.environment_names(name).await?,
            home: *name == inner.records.home.name.namespace,
        })
    }

    /// Returns the operator's session in a namespace. The lines of its verbs are those of that namespace.
    async fn within(&self, attempt: &mut Attempt<'_>, name: &Namespace) -> Result<(Session, Principal)> {
        attempt.facts.target = Some(("namespace", name.to_string()));
        let session = self.0.clone().in_namespace(name.clone())?;
        let who = session.inner.limits.authenticate(attempt, &session.asking).await?;
        Ok((session, who))
    }
}

impl Inner {
    async fn make_and_say(&self, realm: &RealmName, class: Class, attempt: &Attempt<'_>, by: &str) -> Result<()> {
        match self.changes.make(realm, class, attempt, by).await? {
            Some(life) => self.changes.say_life(attempt, realm, life).await,
            None => Ok(()),
        }
    }
}
