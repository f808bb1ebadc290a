//! The facts that refusals on one folded line have in common.

use std::net::IpAddr;
use std::sync::Arc;

use ibyok_audit::{Action, Principal as Who, PrincipalKind};
use ibyok_policy::TokenId;
use jiff::Timestamp;

use crate::base::context::RequestContext;
use crate::gate::attempt::Attempt;
use crate::gate::facts::Facts;
use crate::gate::principal::Principal;
use crate::model::name::{KeyId, KeyIdText, KeyName};
use crate::realm::Realm;

/// The facts that folded refusals have in common; a fact in which two of them differ is left out.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    action: Action,
    principal: Who<'static>,
    caller: Option<Principal>,
    permitted: Option<(Arc<Realm>, KeyId, KeyName)>,
    namespace: Option<Arc<str>>,
    environment: Option<Arc<str>>,
    key: Option<Arc<str>>,
    key_id: Option<KeyIdText>,
    source: Option<IpAddr>,
}

impl Common {
    pub(crate) fn of(attempt: &Attempt<'_>) -> Self {
        let principal = match attempt.is_known() {
            true => attempt.who().into_owned(),
            false => Who::new(PrincipalKind::Token),
        };
        Common {
            action: attempt.action,
            principal,
            caller: attempt.caller.clone(),
            permitted: attempt.permitted.clone(),
            namespace: attempt.facts.namespace.clone(),
            environment: attempt.facts.environment.clone(),
            key: attempt.facts.key.clone(),
            key_id: attempt.facts.key_id,
            source: attempt.context.source,
        }
    }

    /// Drops every fact that another refusal does not share.
    pub(crate) fn narrow(&mut self, token: Option<TokenId>, other: Self) {
        fn keep<T: PartialEq>(ours: &mut Option<T>, theirs: Option<T>) {
            if *ours != theirs {
                *ours = None;
            }
        }
        // Narrower forms of one token differ in their chain, so only the id is left.
        if self.principal != other.principal {
            let whoever = Who::new(PrincipalKind::Token);
            self.principal = match token {
                Some(token) => whoever.id(token.to_string()),
                None => whoever,
            };
        }
        // The refusals of several tokens are in this count, and none of them must be charged for all.
        if token.is_none() {
            self.caller = None;
        }
        let key = |permitted: &Option<(_, KeyId, _)>| permitted.as_ref().map(|(_, id, _)| *id);
        if key(&self.permitted) != key(&other.permitted) {
            self.permitted = None;
        }
        keep(&mut self.namespace, other.namespace);
        keep(&mut self.environment, other.environment);
        keep(&mut self.key, other.key);
        keep(&mut self.key_id, other.key_id);
        keep(&mut self.source, other.source);
    }

    /// The context of the folded line: the one address that all requests came from, if there is one.
    pub(crate) fn context(&self) -> RequestContext {
        self.source
            .map(|ip| RequestContext::default().from_address(ip))
            .unwrap_or_default()
    }

    /// The one attempt that the folded line is about.
    pub(crate) fn attempt<'c>(self, count: u64, at: Timestamp, context: &'c RequestContext) -> Attempt<'c> {
        let facts = Facts {
            principal: Some(self.principal),
            namespace: self.namespace,
            environment: self.environment,
            key: self.key,
            key_id: self.key_id,
            count,
            ..Facts::default()
        };
        Attempt {
            facts,
            caller: self.caller,
            permitted: self.permitted,
            ..Attempt::new(self.action, at, context)
        }
    }
}
