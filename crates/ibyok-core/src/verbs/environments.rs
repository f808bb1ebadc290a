//! The verbs on environments.

use std::sync::Arc;

use ibyok_audit::{Action, Phase};

use crate::base::error::{Error, Result};
use crate::gate::principal::Principal;
use crate::model::environment::{Class, EnvironmentInfo};
use crate::model::name::EnvironmentName;
use crate::realm::{Realm, RealmName};
use crate::records::page::Page;
use crate::vault::session::Session;

impl Session {
    /// Lists the environments of the session's namespace, for an operator. Names the damaged ones as well.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token; [`Error::Unavailable`].
    pub async fn environments(&self) -> Result<Page<EnvironmentInfo>> {
        let mut attempt = self.attempt(Action::KeyList);
        let outcome = async {
            let principal = self.inner.limits.authenticate(&mut attempt, &self.asking).await?;
            operators_only(&principal)?;
            let names = self.inner.records.environment_names(principal.namespace()).await?;
            let opened = self.inner.gate.open_environments(&principal, names).await?;
            let named = |realm: &Arc<Realm>| Some(info(realm, realm.name.environment.clone()?));
            let environments = opened.realms.iter().filter_map(named).collect();
            Ok(opened.page(environments))
        }
        .await;
        self.inner.recorder.answering(&attempt, outcome).await
    }

    /// Makes an environment, and the namespace if it has none yet; for an operator.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Denied`] for a token; [`Error::Unavailable`], [`Error::Kek`].
    pub async fn add_environment(&self, name: EnvironmentName, class: Class) -> Result<EnvironmentInfo> {
        let mut attempt = self.attempt(Action::EnvCreate);
        attempt.environment = Some(name.to_string());
        let outcome = async {
            let principal = self.inner.limits.authenticate(&mut attempt, &self.asking).await?;
            operators_only(&principal)?;
            let namespace = principal.namespace().clone();
            let realm = RealmName {
                namespace: namespace.clone(),
                environment: Some(name.clone()),
            };
            if self.inner.records.realm(&realm).await?.is_some() {
                return Err(Error::Exists {
                    what: self.inner.records.named_in(&namespace, format!("environment `{name}`")),
                });
            }
            self.inner.recorder.record(attempt.phase(Phase::Intended)).await?;
            let whole = RealmName {
                namespace,
                environment: None,
            };
            let made = async {
                self.inner
                    .changes
                    .make(&whole, Class::Prod, &attempt, &principal.by())
                    .await?;
                self.inner.changes.make(&realm, class, &attempt, &principal.by()).await
            };
            if let Err(error) = made.await {
                self.inner.recorder.log.append_unwaited(attempt.phase(Phase::NotDone));
                return Err(error);
            }
            self.inner.recorder.log.append_unwaited(attempt.phase(Phase::Done));
            let realm = self
                .inner
                .records
                .realm(&realm)
                .await?
                .ok_or_else(|| Error::integrity("the new environment"))?;
            Ok(info(&realm, name))
        }
        .await;
        self.inner.recorder.refusing(&attempt, outcome).await
    }
}

fn info(realm: &Realm, name: EnvironmentName) -> EnvironmentInfo {
    EnvironmentInfo {
        namespace: (!realm.is_home).then(|| realm.name.namespace.clone()),
        name,
        class: realm.attributes.class,
        created: realm.attributes.created,
        created_by: realm.attributes.created_by.clone(),
        tag: realm.tag().to_string(),
        kek: realm.kek.clone(),
        generation: realm.keys.current_generation(),
    }
}

pub(crate) fn operators_only(principal: &Principal) -> Result<()> {
    match principal {
        Principal::Operator { .. } => Ok(()),
        Principal::Token(_) => Err(Error::denied("operator", "only an operator may do this")),
    }
}
