//! A session: the vault as one principal uses it.

use std::fmt;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::{Grant, Validity, source_allowed};
use jiff::Timestamp;
use serde::Serialize;

use crate::base::context::RequestContext;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::{Actor, Asking, Principal};
use crate::model::caller_kind::CallerKind;
use crate::model::condition::Condition;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::token::AccessToken;
use crate::vault::{Inner, Vault};

/// The vault as an operator or the holder of an access token sees it: the same verbs for both, the token's within its grant.
///
/// A token is authenticated again at every call, so that a session ends when its token does.
pub struct Session {
    pub(crate) inner: Arc<Inner>,
    pub(crate) asking: Asking,
    pub(crate) context: RequestContext,
    /// The condition on which a key is changed.
    pub(crate) condition: Option<Condition>,
}

/// Shows the vault's id and the caller, and none of the vault's parts.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("vault", &self.inner.records.vault.to_string())
            .field("asking", &self.asking)
            .finish_non_exhaustive()
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Session {
            inner: Arc::clone(&self.inner),
            asking: self.asking.again(),
            context: self.context.clone(),
            condition: self.condition.clone(),
        }
    }
}

impl Vault {
    /// Returns a session of the vault's operator in the vault's home namespace, recorded on the audit log under `name`.
    ///
    /// An operator can open the vault and so may do everything: the name is the only account of who did it. Every
    /// verb of the session refuses a name that is empty, longer than 256 bytes, has control characters, or has the
    /// form of an access token's id. A request handler that acts for somebody else uses [`Vault::as_token`] instead.
    #[must_use]
    pub fn operator(&self, name: impl Into<String>) -> Session {
        let asking = Asking::Operator(Actor {
            name: name.into(),
            namespace: self.inner.records.home.name.namespace.clone(),
            whole_log: false,
        });
        Session {
            inner: Arc::clone(&self.inner),
            asking,
            context: RequestContext::default(),
            condition: None,
        }
    }

    /// The vault as the holder of an access token.
    #[must_use]
    pub fn as_token(&self, token: &AccessToken) -> Session {
        let asking = Asking::Token(token.clone(), None);
        Session {
            inner: Arc::clone(&self.inner),
            asking,
            context: RequestContext::default(),
            condition: None,
        }
    }
}

/// The identity of a session.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WhoAmI {
    /// `operator` or `token`.
    pub kind: CallerKind,
    /// The operator's name, or the token's id.
    pub id: String,
    /// The token's name.
    pub name: Option<String>,
    /// The namespace that it acts in.
    pub namespace: Namespace,
    /// The grant of a token, before its restrictions.
    pub grant: Option<Grant>,
    /// The number of restrictions that were appended to the token.
    pub restrictions: usize,
    /// True if the token has a newer secret, and this one ends with its grace.
    pub superseded: bool,
    /// The environments that it reaches now: of a token, those that its realm, grant and restrictions all name.
    pub environments: Vec<EnvironmentName>,
    /// The time at which the token ends, restrictions included.
    pub expires_at: Option<Timestamp>,
}

impl Session {
    /// Returns the operator's session in `namespace`, where every verb then acts and outside of which it refuses to.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token's session: a token acts in the namespace that it was issued in.
    pub fn in_namespace(mut self, namespace: Namespace) -> Result<Self> {
        match &mut self.asking {
            Asking::Operator(actor) => actor.namespace = namespace,
            Asking::Token(..) => {
                return Err(Error::invalid(
                    "an access token acts only in the namespace in which it was issued",
                    "remove the namespace, or use a token that was issued there",
                ));
            }
        }
        Ok(self)
    }

    /// Returns the session for a request with this context.
    #[must_use]
    pub fn with_context(mut self, context: RequestContext) -> Self {
        self.context = context;
        self
    }

    /// Returns the same session, which changes a key only if `condition` holds.
    ///
    /// Every verb that changes a key then fails with [`Error::Precondition`] where the condition does not hold. The
    /// other verbs ignore it, and so does [`IncidentVerbs::open`](crate::incidents::IncidentVerbs::open): stopping a leak must not depend on earlier
    /// changes of the key.
    #[must_use]
    pub fn only_if(mut self, condition: Condition) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Returns the present time of the vault's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.records.now()
    }

    /// Returns the identity of this session. Not recorded, unless it is refused.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is not valid,
    /// [`Error::Denied`] for one that is used from outside its networks.
    pub async fn whoami(&self) -> Result<WhoAmI> {
        let mut attempt = self.attempt(Action::TokenList);
        let outcome = self.try_whoami(&mut attempt).await;
        self.inner.recorder.refusing(&attempt, outcome).await
    }

    pub(crate) async fn try_whoami(&self, attempt: &mut Attempt<'_>) -> Result<WhoAmI> {
        let principal = self.inner.limits.authenticate(attempt, &self.asking).await?;
        let all = self.inner.records.environment_names(principal.namespace()).await?;
        match &principal {
            Principal::Operator(operator) => Ok(WhoAmI {
                kind: CallerKind::Operator,
                id: operator.name().to_owned(),
                name: None,
                namespace: operator.namespace().clone(),
                grant: None,
                restrictions: 0,
                superseded: false,
                environments: all,
                expires_at: None,
            }),
            Principal::Token(holder) => {
                let grant = &holder.held().record.grant;
                source_allowed(grant, holder.restrictions(), attempt.context.source)?;
                Ok(WhoAmI {
                    kind: CallerKind::Token,
                    id: holder.id().to_string(),
                    name: Some(holder.held().record.name.clone()),
                    namespace: principal.namespace().clone(),
                    grant: Some(grant.clone()),
                    restrictions: holder.restrictions().len() - usize::from(holder.is_superseded()),
                    superseded: holder.is_superseded(),
                    environments: all.into_iter().filter(|name| holder.reaches(name)).collect(),
                    expires_at: Validity::of(grant, holder.restrictions()).expires,
                })
            }
        }
    }

    /// Establishes the principal that asks, and counts the attempt against the limits of its token.
    pub(crate) async fn authenticate(&self, attempt: &mut Attempt<'_>) -> Result<Principal> {
        self.inner.limits.authenticate(attempt, &self.asking).await
    }

    pub(crate) fn attempt(&self, action: Action) -> Attempt<'_> {
        Attempt {
            condition: self.condition.clone(),
            ..Attempt::new(action, self.inner.records.now(), &self.context)
        }
    }
}
