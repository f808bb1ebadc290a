//! The limit of those keys of an environment that have no limit of their own.

use ibyok_audit::Action;
use ibyok_policy::{Rate, Scope};
use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::open_realms::OpenRealms;
use crate::model::kind;
use crate::model::limit::LimitScope;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::settings::{SETTINGS_ID, SettingsRecord};
use crate::records::damage::DamagedRecord;
use crate::records::page::Page;
use crate::vault::handles::LimitVerbs;

/// The default limit of an environment's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnvironmentLimit {
    /// Its namespace, where that is not the vault's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The environment.
    pub environment: EnvironmentName,
    /// The limit on retrievals of each of its keys without its own limit; `None` is no limit.
    pub limit: Option<Rate>,
    /// The scope over which limits count.
    pub scope: LimitScope,
}

impl LimitVerbs<'_> {
    /// Lists the default limits of one environment, or of all in which the session may list keys.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`],
    /// [`Error::NotFound`] for an environment that does not exist,
    /// [`Error::Unavailable`].
    pub async fn list(self, environment: Option<&EnvironmentName>) -> Result<Page<EnvironmentLimit>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        let outcome = self.try_limits(&mut attempt, environment).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_limits(
        self,
        attempt: &mut Attempt<'_>,
        environment: Option<&EnvironmentName>,
    ) -> Result<Page<EnvironmentLimit>> {
        let principal = self.session.authenticate(attempt).await?;
        let namespace = principal.namespace().clone();
        attempt.facts.environment = environment.map(Into::into);
        let inner = &self.session.inner;
        let one = environment.is_some();
        let mut opened = match environment {
            Some(environment) => {
                inner
                    .gate
                    .allowed_for_some_key(attempt, &principal, Scope::KeysList, &namespace, environment)?;
                let realm = inner.records.environment_realm(&namespace, environment).await?;
                OpenRealms::one(realm)
            }
            None => {
                let allowed = inner
                    .gate
                    .environments_allowed(attempt, &principal, Scope::KeysList, &namespace);
                inner.gate.open_environments(&principal, allowed.await?).await?
            }
        };
        let mut limits = Vec::new();
        for realm in std::mem::take(&mut opened.realms) {
            let Some(environment) = realm.name.environment.clone() else {
                continue;
            };
            inner.records.hold_lease().await?;
            let settings = match inner.records.environment_settings(&realm).await {
                Ok(settings) => settings,
                Err(Error::Integrity { damage, .. }) if !one => {
                    let id = realm.record(kind::SETTINGS, SETTINGS_ID)?;
                    opened.push(DamagedRecord::of::<SettingsRecord>(&realm, &id, damage));
                    continue;
                }
                Err(error) => return Err(error),
            };
            limits.push(EnvironmentLimit {
                namespace: inner.records.not_home(&namespace),
                environment,
                limit: settings.record.limit,
                scope: inner.limits.limit_scope(),
            });
        }
        Ok(opened.page(limits))
    }

    /// Sets how often each key of an environment without its own limit may be retrieved, or removes that limit with `None`.
    ///
    /// It holds here when this returns, and on every other node within one second.
    ///
    /// # Errors
    /// As [`LimitVerbs::list`](crate::limits::LimitVerbs::list); a token needs `settings:write`, and for every key of the environment.
    pub async fn set(self, environment: &EnvironmentName, limit: Option<Rate>) -> Result<EnvironmentLimit> {
        let mut attempt = self.session.attempt(Action::SettingsChange);
        let outcome = self.try_set_limit(&mut attempt, environment, limit).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_set_limit(
        self,
        attempt: &mut Attempt<'_>,
        environment: &EnvironmentName,
        limit: Option<Rate>,
    ) -> Result<EnvironmentLimit> {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        let namespace = principal.namespace().clone();
        attempt.facts.environment = Some(environment.into());
        attempt.facts.target = Some(("environment", environment.to_string()));
        inner.gate.allowed(
            attempt,
            &principal,
            Scope::SettingsWrite,
            &namespace,
            Some(environment),
            None,
        )?;
        let realm = inner.records.environment_realm(&namespace, environment).await?;
        // The log is to say which limit was set or taken away.
        attempt.facts.because = Some(limit.map_or_else(|| "no limit".to_owned(), |rate| format!("limit {rate}")));
        let change = inner.changes.change(
            attempt,
            &principal,
            &realm,
            SETTINGS_ID,
            |_, there: Option<SettingsRecord>| {
                let record = there.unwrap_or_default();
                Ok(match record.limit == limit {
                    true => Edit::Unchanged(()),
                    false => Edit::Gives(SettingsRecord { limit, ..record }, ()),
                })
            },
        );
        change.await?;
        Ok(EnvironmentLimit {
            namespace: inner.records.not_home(&namespace),
            environment: environment.clone(),
            limit,
            scope: inner.limits.limit_scope(),
        })
    }
}
