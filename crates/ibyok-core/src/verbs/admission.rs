//! Admission: whether a verb may be asked for at all, before the rest of its request is read.

use ibyok_audit::Action;
use ibyok_policy::{Scope, TokenId, source_allowed};

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::authorize::within;
use crate::gate::principal::Principal;
use crate::gate::verb_class::VerbClass;
use crate::model::key_ref::{KeyHandle, KeyRef};
use crate::model::name::EnvironmentName;
use crate::vault::handles::EnvironmentVerbs;
use crate::vault::session::Session;

/// The sender of an admitted request, for limits per sender. It permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// The sender's token; `None` for an operator. Narrowed forms of a token are the same token.
    pub token: Option<TokenId>,
    /// The tokens that the token descends from.
    pub ancestors: Vec<TokenId>,
}

impl Admitted {
    fn of(principal: &Principal) -> Self {
        let holder = principal.holder();
        Admitted {
            token: holder.map(|holder| holder.id()),
            ancestors: holder.map_or_else(Vec::new, |holder| holder.held().record.parents.clone()),
        }
    }
}

impl Session {
    /// Checks whether the session may use a scope, on `key` if one is named, without doing anything.
    ///
    /// A server asks this before it reads the body of a request. It permits nothing: the verb itself decides again. Without a scope it
    /// checks only that the token is valid and used from its networks. Returns whose request it is. A refusal is on the audit log as a refusal of `action`, and counts
    /// against the token's limits; an admission is neither, since the verb that follows is.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::Limited`], [`Error::Unavailable`].
    pub async fn admit(&self, action: Action, scope: Option<Scope>, key: Option<&KeyRef>) -> Result<Admitted> {
        let mut attempt = self.attempt(action);
        let outcome = self.try_admit(&mut attempt, scope, key).await;
        self.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Returns true if the session may use a scope for something. It permits nothing: the verb itself decides again.
    ///
    /// A verb that consists of several others leaves out those that the session may not ask for. So a denial is not on the audit
    /// log. The request counts against the token's limits as one of `action`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Limited`], [`Error::Unavailable`].
    pub async fn may_use(&self, action: Action, scope: Scope) -> Result<bool> {
        let mut attempt = self.attempt(action);
        let principal = self.authenticate(&mut attempt).await?;
        match self.inner.gate.may_use_somewhere(&attempt, &principal, scope).await {
            Ok(()) => Ok(true),
            Err(Error::Denied { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn try_admit(
        &self,
        attempt: &mut Attempt<'_>,
        scope: Option<Scope>,
        key: Option<&KeyRef>,
    ) -> Result<Admitted> {
        let principal = self.inner.gate.establish(attempt, &self.asking).await?;
        let Err(refused) = self.admitted(attempt, &principal, scope, key).await else {
            return Ok(Admitted::of(&principal));
        };
        if matches!(refused, Error::Denied { .. }) {
            self.inner.limits.count_verb(attempt, &principal).await?;
        }
        Err(refused)
    }

    async fn admitted(
        &self,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        scope: Option<Scope>,
        key: Option<&KeyRef>,
    ) -> Result<()> {
        let inner = &self.inner;
        let (scope, key) = match (scope, key) {
            (Some(scope), Some(key)) => (scope, key),
            (Some(scope), None) => return inner.gate.may_use_somewhere(attempt, principal, scope).await,
            (None, _) => {
                let Some(holder) = principal.holder() else {
                    return Ok(());
                };
                let grant = &holder.held().record.grant;
                return Ok(source_allowed(grant, holder.restrictions(), attempt.context.source)?);
            }
        };
        let scoped = within(attempt, principal, key)?;
        let (namespace, environment) = (scoped.namespace(), scoped.environment());
        attempt.facts.environment = Some(environment.into());
        match scoped.handle() {
            KeyHandle::Name(name) => {
                attempt.facts.key = Some(name.into());
                inner
                    .gate
                    .allowed(attempt, principal, scope, namespace, Some(environment), Some(name))
            }
            KeyHandle::Id(id) => {
                attempt.facts.key_id = Some((*id).into());
                inner
                    .gate
                    .allowed_for_some_key(attempt, principal, scope, namespace, environment)
            }
        }
    }
}

impl EnvironmentVerbs<'_> {
    /// The environments that the session reaches now, as a step of a retrieval that names none. The retrieval counts, this does not.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Denied`] for a token that is used from outside its networks; [`Error::Unavailable`].
    pub async fn reached(self) -> Result<Vec<EnvironmentName>> {
        let mut attempt = self.session.attempt(Action::TokenList);
        attempt.limits.class = VerbClass::Retrieval;
        let outcome = self.session.try_whoami(&mut attempt).await.map(|who| who.environments);
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }
}
