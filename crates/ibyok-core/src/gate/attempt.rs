//! An attempt, as far as it is known, so that refusals and failures are on the log as fully as successes.

use std::sync::Arc;

use ibyok_audit::{Action, Event, Outcome, Phase, Principal as Who};
use ibyok_policy::TokenId;
use jiff::Timestamp;

use crate::base::context::RequestContext;
use crate::base::error::Error;
use crate::base::secret_text::without_secrets;
use crate::gate::facts::Facts;
use crate::gate::principal::Principal;
use crate::gate::verb_class::VerbClass;
use crate::model::condition::Condition;
use crate::model::name::{KeyId, KeyName};
use crate::realm::Realm;

/// One attempt of a caller: the request, the principal that makes it, the facts that its line states, and the state of the limits.
#[derive(Debug)]
pub(crate) struct Attempt<'c> {
    pub(crate) action: Action,
    pub(crate) at: Timestamp,
    pub(crate) context: &'c RequestContext,
    /// The facts that the line states, as far as they are known.
    pub(crate) facts: Facts,
    /// The state of the limits that count it.
    pub(crate) limits: Counted,
    /// The principal that asks, once it is established.
    pub(crate) caller: Option<Principal>,
    /// The key that it is permitted for.
    pub(crate) permitted: Option<(Arc<Realm>, KeyId, KeyName)>,
    /// True if the pending version is asked for, and no other.
    pub(crate) pending: bool,
    /// The condition on which a key is changed.
    pub(crate) condition: Option<Condition>,
}

/// The state of the limits that count an attempt.
#[derive(Debug)]
pub(crate) struct Counted {
    /// The token whose use a limit may refuse; its refusals are folded.
    pub(crate) limited: Option<TokenId>,
    /// The bucket that the verb counts against.
    pub(crate) class: VerbClass,
    /// True if the verb is over its limit and done anyway: the log then gets only lines that say something new.
    pub(crate) over: bool,
    /// True if limits have counted it already: it is tried once more.
    pub(crate) again: bool,
}

impl<'c> Attempt<'c> {
    pub(crate) fn new(action: Action, at: Timestamp, context: &'c RequestContext) -> Self {
        Attempt {
            action,
            at,
            context,
            facts: Facts::default(),
            limits: Counted {
                limited: None,
                class: VerbClass::of(action),
                over: false,
                again: false,
            },
            caller: None,
            permitted: None,
            pending: false,
            condition: None,
        }
    }

    /// The reference of the key that it is permitted for, as errors show it.
    pub(crate) fn label(&self) -> String {
        match &self.permitted {
            Some((realm, _, key)) => realm.reference(key),
            None => String::new(),
        }
    }

    /// Another action of the same principal within this one, with its own lines on the log.
    pub(crate) fn beside(&self, action: Action) -> Self {
        let facts = Facts {
            principal: self.facts.principal.clone(),
            namespace: self.facts.namespace.clone(),
            ..Facts::default()
        };
        Attempt {
            facts,
            caller: self.caller.clone(),
            ..Attempt::new(action, self.at, self.context)
        }
    }

    /// True if the holder of an access token tries it, and also as long as no principal is established.
    pub(crate) fn is_by_token(&self) -> bool {
        !matches!(self.caller, Some(Principal::Operator { .. }))
    }

    /// Makes the event of an allowed attempt.
    pub(crate) fn allowed(&self) -> Event<'_> {
        self.said(self.event(self.action, Outcome::Allowed))
    }

    /// The event of a change before it is in the store, or of its end.
    pub(crate) fn phase(&self, phase: Phase) -> Event<'_> {
        self.said(self.event(self.action, Outcome::Allowed)).phase(phase)
    }

    fn said<'e>(&'e self, event: Event<'e>) -> Event<'e> {
        match (self.facts.reason, self.facts.because.as_deref()) {
            (Some(reason), _) => event.reason(reason),
            (None, Some(because)) => event.reason(without_secrets(because)),
            (None, None) => event,
        }
    }

    /// Makes the event of an attempt that was refused or failed.
    pub(crate) fn refused(&self, error: &Error) -> Event<'_> {
        // Without a valid token the log cannot say which action would have been allowed.
        let action = match error {
            Error::Unauthenticated => Action::TokenUseFailed,
            _ => self.action,
        };
        self.event(action, outcome_of(error)).reason(self.reason_of(error))
    }

    /// The reason of a refusal or failure, as the log has it.
    pub(crate) fn reason_of(&self, error: &Error) -> &'static str {
        match (self.facts.reason, error) {
            (Some(reason), _) => reason,
            (None, Error::Denied { limit, .. }) => limit,
            (None, error) => error.code().as_str(),
        }
    }

    /// The event of attempts that ended the same way.
    pub(crate) fn ended(&self, outcome: Outcome, reason: &'static str) -> Event<'_> {
        self.event(self.action, outcome).reason(reason)
    }

    /// The token that asks, once it is established.
    pub(crate) fn token(&self) -> Option<TokenId> {
        self.caller.as_ref()?.holder().map(|holder| holder.id())
    }

    /// True if the log can name the principal.
    pub(crate) fn is_known(&self) -> bool {
        self.facts.principal.is_some() || self.caller.is_some()
    }

    /// The principal as the line names it.
    pub(crate) fn who(&self) -> Who<'_> {
        match (&self.facts.principal, &self.caller) {
            (Some(principal), _) => principal.clone(),
            (None, Some(caller)) => caller.who(),
            (None, None) => self.facts.nobody(),
        }
    }

    fn event(&self, action: Action, outcome: Outcome) -> Event<'_> {
        let event = Event::new(action, outcome, self.at).principal(self.who());
        self.of_context(self.facts.on(event))
    }

    /// Adds the circumstances of the request. A caller may have put a secret into the wrong header.
    fn of_context<'e>(&'e self, event: Event<'e>) -> Event<'e> {
        let context = self.context;
        let mut event = event.client(context.source, None);
        if let Some(agent) = &context.user_agent {
            event = event.user_agent(without_secrets(agent));
        }
        if let Some(id) = &context.request_id {
            event = event.request_id(without_secrets(id));
        }
        if let Some(id) = &context.trace_id {
            event = event.trace_id(without_secrets(id));
        }
        event
    }
}

/// The outcome that a refusal or failure has on the log.
pub(crate) fn outcome_of(error: &Error) -> Outcome {
    match error {
        Error::Denied { .. } | Error::Unauthenticated | Error::Limited { .. } => Outcome::Denied,
        _ => Outcome::Failed,
    }
}
