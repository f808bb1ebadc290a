//! The verbs on environments.

use std::sync::Arc;

use ibyok_audit::{Action, Phase};

use crate::base::error::{Error, Result};
use crate::gate::principal::Principal;
use crate::model::environment::{Class, EnvironmentInfo};
use crate::model::name::EnvironmentName;
use crate::realm::{Realm, RealmName};
use crate::records::page::Page;
use crate::vault::handles::EnvironmentVerbs;

impl EnvironmentVerbs<'_> {
    /// Lists the environments of the session's namespace, for an operator. Names the damaged ones as well.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token; [`Error::Unavailable`].
    pub async fn list(self) -> Result<Page<EnvironmentInfo>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            let names = self
                .session
                .inner
                .records
                .environment_names(principal.namespace())
                .await?;
            let opened = self.session.inner.gate.open_environments(&principal, names).await?;
            let named = |realm: &Arc<Realm>| Some(info(realm, realm.name.environment.clone()?));
            let environments = opened.realms.iter().filter_map(named).collect();
            Ok(opened.page(environments))
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Makes an environment, and the namespace if it has none yet; for an operator.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Denied`] for a token; [`Error::Unavailable`], [`Error::Kek`].
    pub async fn add(self, name: EnvironmentName, class: Class) -> Result<EnvironmentInfo> {
        let mut attempt = self.session.attempt(Action::EnvCreate);
        attempt.facts.environment = Some((&name).into());
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            let namespace = principal.namespace().clone();
            let realm = RealmName {
                namespace: namespace.clone(),
                environment: Some(name.clone()),
            };
            if self.session.inner.records.realm(&realm).await?.is_some() {
                return Err(Error::Exists {
                    what: self
                        .session
                        .inner
                        .records
                        .named_in(&namespace, format!("environment `{name}`")),
                });
            }
            self.session
                .inner
                .recorder
                .record(attempt.phase(Phase::Intended))
                .await?;
            let whole = RealmName {
                namespace,
                environment: None,
            };
            let made = async {
                let (changes, by) = (&self.session.inner.changes, principal.by());
                if let Some(life) = changes.make(&whole, Class::Prod, &attempt, &by).await? {
                    changes.say_life(&attempt, &whole, life).await?;
                }
                changes.make(&realm, class, &attempt, &by).await
            };
            match made.await {
                Ok(Some((record, rev))) => {
                    (attempt.facts.record, attempt.facts.rev) = (Some(record.to_string()), Some(rev))
                }
                Ok(None) => {}
                Err(error) => {
                    self.session
                        .inner
                        .recorder
                        .log
                        .append_unwaited(attempt.phase(Phase::NotDone));
                    return Err(error);
                }
            }
            self.session
                .inner
                .recorder
                .log
                .append_unwaited(attempt.phase(Phase::Done));
            let realm = self
                .session
                .inner
                .records
                .realm(&realm)
                .await?
                .ok_or_else(|| Error::integrity("the new environment"))?;
            Ok(info(&realm, name))
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
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
