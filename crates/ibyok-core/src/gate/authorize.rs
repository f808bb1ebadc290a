//! A principal becomes a permit: for one action on one key, decided without looking whether the key exists.

use std::sync::Arc;

use ibyok_policy::{Decision, Grant, RealmScope, Request, Restriction, Scope, decide, may_list};

use crate::base::error::{Error, Result};
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Principal;
use crate::model::key_ref::{KeyHandle, KeyRef};
use crate::model::name::{EnvironmentName, KeyId, KeyName, Namespace};
use crate::model::scoped::Scoped;
use crate::model::which_version::WhichVersion;
use crate::realm::RealmName;

impl Gate {
    /// Decides whether a principal may use a scope in an environment, on a key if one is named.
    pub(crate) fn allowed(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        namespace: &Namespace,
        environment: Option<&EnvironmentName>,
        key: Option<&KeyName>,
    ) -> Result<()> {
        let environment = environment.map(EnvironmentName::as_str);
        let (source, at) = (attempt.context.source, attempt.at);
        let (namespace, key) = (namespace.as_str(), key.map(KeyName::as_str));
        let decided = decided(
            principal,
            decide,
            &Request {
                scope,
                namespace,
                environment,
                key,
                pending: attempt.pending,
                source,
                at,
            },
        );
        decided.inspect(|()| self.scope_used(attempt, principal, scope, environment))
    }

    /// As [`Gate::allowed`], for at least one key of the environment: lists, and verbs about tokens, ask in this
    /// way.
    pub(crate) fn allowed_for_some_key(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        namespace: &Namespace,
        environment: &EnvironmentName,
    ) -> Result<()> {
        let (source, at) = (attempt.context.source, attempt.at);
        let (namespace, environment) = (namespace.as_str(), Some(environment.as_str()));
        let decided = decided(
            principal,
            may_list,
            &Request {
                scope,
                namespace,
                environment,
                key: None,
                pending: attempt.pending,
                source,
                at,
            },
        );
        decided.inspect(|()| self.scope_used(attempt, principal, scope, environment))
    }

    /// Decides whether a principal could use a scope on a key, or with `None` on every key of an environment: nothing is done,
    /// and no scope counted as used.
    pub(crate) fn could(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        realm: &RealmName,
        key: Option<&KeyName>,
    ) -> bool {
        let request = Request {
            scope,
            namespace: realm.namespace.as_str(),
            environment: realm.environment.as_ref().map(EnvironmentName::as_str),
            key: key.map(KeyName::as_str),
            pending: false,
            source: attempt.context.source,
            at: attempt.at,
        };
        decided(principal, decide, &request).is_ok()
    }

    /// True if a principal may learn of a key because it would see the key on a list. Does nothing, and counts no
    /// scope as used.
    pub(crate) fn may_be_told(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        environment: &str,
        key: &str,
    ) -> bool {
        decided(principal, decide, &listing(attempt, principal, environment, Some(key))).is_ok()
    }

    /// True if a principal may list some key of an environment. Likewise counts nothing.
    pub(crate) fn may_list_in(&self, attempt: &Attempt<'_>, principal: &Principal, environment: &str) -> bool {
        decided(principal, may_list, &listing(attempt, principal, environment, None)).is_ok()
    }

    /// The environments of a namespace in which a principal may use a scope on some key.
    ///
    /// # Errors
    /// [`Error::Denied`] if there is none.
    pub(crate) async fn environments_allowed(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        namespace: &Namespace,
    ) -> Result<Vec<EnvironmentName>> {
        let mut refused = None;
        let mut allowed = Vec::new();
        for environment in self.records.environment_names(namespace).await? {
            match self.allowed_for_some_key(attempt, principal, scope, namespace, &environment) {
                Ok(()) => allowed.push(environment),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match (allowed.is_empty(), principal) {
            (true, Principal::Token(_)) => {
                Err(refused.unwrap_or_else(|| Error::denied("environment", "no environment")))
            }
            _ => Ok(allowed),
        }
    }

    /// Leave to use a scope on a key by reference.
    pub(crate) async fn authorize(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        reference: &KeyRef,
    ) -> Result<Permit> {
        let scoped = within(attempt, principal, reference)?;
        let (namespace, environment) = (scoped.namespace(), scoped.environment());
        attempt.facts.environment = Some(environment.into());
        attempt.pending = reference.version() == WhichVersion::Pending;
        let key = match scoped.handle() {
            KeyHandle::Name(name) => {
                attempt.facts.key = Some(name.into());
                self.allowed(attempt, principal, scope, namespace, Some(environment), Some(name))?;
                name.clone()
            }
            KeyHandle::Id(id) => {
                attempt.facts.key_id = Some((*id).into());
                let name = self.name_of((attempt, principal, scope), namespace, environment, *id);
                let name = Box::pin(name).await?;
                attempt.facts.key = Some((&name).into());
                self.allowed(attempt, principal, scope, namespace, Some(environment), Some(&name))
                    .map_err(|_| hidden_key())?;
                name
            }
        };
        let realm = match principal {
            Principal::Token(holder) if holder.realm().is(namespace, environment) => Arc::clone(holder.realm()),
            _ => self.records.environment_realm(namespace, environment).await?,
        };
        let id = KeyId(realm.keys.record_id(key.as_str()));
        attempt.facts.key_id = Some(id.into());
        attempt.permitted = Some((Arc::clone(&realm), id, key.clone()));
        Ok(Permit::given(principal, realm, key, id))
    }

    /// Returns leave for another key of a permit's environment if its principal could use a scope on that key. No scope counts as
    /// used.
    pub(crate) fn permit_beside(
        &self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        scope: Scope,
        (key, id): (&KeyName, KeyId),
    ) -> Option<Permit> {
        let (principal, realm) = (permit.principal(), permit.realm());
        let could = self.could(attempt, principal, scope, &realm.name, Some(key));
        could.then(|| Permit::given(principal, Arc::clone(realm), key.clone(), id))
    }

    /// Returns the name of the key with an id. To a token, a key that does not exist and one that it may not have are
    /// one answer.
    async fn name_of(
        self: &Arc<Self>,
        asked: (&Attempt<'_>, &Principal, Scope),
        namespace: &Namespace,
        environment: &EnvironmentName,
        id: KeyId,
    ) -> Result<KeyName> {
        let (attempt, principal, scope) = asked;
        let is_token = matches!(principal, Principal::Token(_));
        let hide = |error: Error| match error {
            Error::NotFound { .. } if is_token => hidden_key(),
            other => other,
        };
        self.allowed_for_some_key(attempt, principal, scope, namespace, environment)?;
        let realm = self
            .records
            .environment_realm(namespace, environment)
            .await
            .map_err(hide)?;
        self.records.hold_lease().await?;
        let held = self.records.live_key(&realm, id).await?;
        let name = held.map(|held| held.record.name.clone());
        name.ok_or_else(|| {
            hide(Error::NotFound {
                what: format!("key `{}`", realm.reference(id)),
                hint: None,
            })
        })
    }

    /// Notes that a token was allowed something: retrieving is counted where it happens.
    fn scope_used(&self, attempt: &Attempt<'_>, principal: &Principal, scope: Scope, environment: Option<&str>) {
        if let (Principal::Token(holder), true) = (principal, scope != Scope::KeysRead) {
            self.meter.scope(holder, scope, environment, attempt.at);
        }
    }
}

/// The reference as a principal means it, or the one refusal of every reference to another namespace.
///
/// The line of a refusal carries the caller's namespace: nobody can write lines into another tenant's part of the log. It names the
/// reference as its target and not as its key, so that it counts as an attempt on no key of the caller's own.
pub(crate) fn within<'r>(
    attempt: &mut Attempt<'_>,
    principal: &'r Principal,
    reference: &'r KeyRef,
) -> Result<Scoped<'r>> {
    let scoped = reference.scoped(principal.namespace());
    if scoped.is_err() {
        attempt.facts.target = Some(("key", reference.to_string()));
    }
    scoped
}

/// The refusal of a key that the token may not have, and of one that does not exist: by id the two are one answer.
fn hidden_key() -> Error {
    Error::denied("key", "the token's grant does not include the key")
}

/// One of the policy's two questions.
type Question = fn(&RealmScope<'_>, &Grant, &[Restriction], &Request<'_>) -> Decision;

fn listing<'a>(
    attempt: &Attempt<'_>,
    principal: &'a Principal,
    environment: &'a str,
    key: Option<&'a str>,
) -> Request<'a> {
    Request {
        scope: Scope::KeysList,
        namespace: principal.namespace().as_str(),
        environment: Some(environment),
        key,
        pending: false,
        source: attempt.context.source,
        at: attempt.at,
    }
}

/// An operator may do everything in its own namespace; for a token the policy decides.
fn decided(principal: &Principal, question: Question, request: &Request<'_>) -> Result<()> {
    let holder = match principal {
        Principal::Token(holder) => holder,
        Principal::Operator(operator) if operator.namespace().as_str() == request.namespace => return Ok(()),
        Principal::Operator(operator) => return Err(Error::other_namespace(operator.namespace())),
    };
    match question(
        &holder.realm().scope(),
        &holder.held().record.grant,
        holder.restrictions(),
        request,
    ) {
        Decision::Allow => Ok(()),
        Decision::Deny(reason) => Err(reason.into()),
    }
}
