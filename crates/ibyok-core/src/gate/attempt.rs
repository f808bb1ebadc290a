//! An attempt, as far as it is known, so that refusals and failures are on the log as fully as successes.

use std::sync::Arc;

use ibyok_audit::{Action, Event, Outcome, Phase, Principal as Who, PrincipalKind};
use ibyok_policy::TokenId;
use jiff::Timestamp;

use crate::base::context::RequestContext;
use crate::base::error::Error;
use crate::base::secret_text::without_secrets;
use crate::gate::principal::Principal;
use crate::gate::verb_class::VerbClass;
use crate::model::condition::Condition;
use crate::model::name::{KeyId, KeyName};
use crate::realm::Realm;

/// One attempt of a caller, filled in by the steps as they learn its facts.
#[derive(Debug)]
pub(crate) struct Attempt<'c> {
    pub(crate) action: Action,
    pub(crate) at: Timestamp,
    pub(crate) context: &'c RequestContext,
    pub(crate) principal: Option<Who>,
    /// The principal that asks, once it is established.
    pub(crate) caller: Option<Principal>,
    /// The key that it is permitted for.
    pub(crate) permitted: Option<(Arc<Realm>, KeyId, KeyName)>,
    /// A keyed hash of the id of a token that is none of ours.
    pub(crate) unknown_token: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) version: Option<u32>,
    /// True if the pending version is asked for, and no other.
    pub(crate) pending: bool,
    pub(crate) mode: Option<&'static str>,
    pub(crate) mode_source: Option<&'static str>,
    pub(crate) target: Option<(&'static str, String)>,
    pub(crate) record: Option<String>,
    pub(crate) rev: Option<u64>,
    pub(crate) count: u64,
    /// The token whose use a limit may refuse; its refusals are folded.
    pub(crate) limited: Option<TokenId>,
    /// The bucket that the verb counts against.
    pub(crate) class: VerbClass,
    /// True if the verb is over its limit and done anyway: the log then gets only lines that say something new.
    pub(crate) over: bool,
    /// True if limits have counted it already: it is tried once more.
    pub(crate) again: bool,
    /// The condition on which a key is changed.
    pub(crate) condition: Option<Condition>,
    /// A reason for the log, finer than the error that the caller gets.
    pub(crate) reason: Option<&'static str>,
    /// The reason that the caller gave.
    pub(crate) because: Option<String>,
}

impl<'c> Attempt<'c> {
    pub(crate) fn new(action: Action, at: Timestamp, context: &'c RequestContext) -> Self {
        Attempt {
            action,
            at,
            context,
            principal: None,
            caller: None,
            permitted: None,
            unknown_token: None,
            namespace: None,
            environment: None,
            key: None,
            key_id: None,
            version: None,
            pending: false,
            mode: None,
            mode_source: None,
            target: None,
            record: None,
            rev: None,
            count: 1,
            limited: None,
            class: VerbClass::of(action),
            over: false,
            again: false,
            condition: None,
            reason: None,
            because: None,
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
        Attempt {
            principal: self.principal.clone(),
            caller: self.caller.clone(),
            namespace: self.namespace.clone(),
            ..Attempt::new(action, self.at, self.context)
        }
    }

    /// True if the holder of an access token tries it, and also as long as no principal is established.
    pub(crate) fn is_by_token(&self) -> bool {
        !matches!(self.caller, Some(Principal::Operator { .. }))
    }

    /// Makes the event of an allowed attempt.
    pub(crate) fn allowed(&self) -> Event {
        self.said(self.event(self.action, Outcome::Allowed))
    }

    /// The event of a change before it is in the store, or of its end.
    pub(crate) fn phase(&self, phase: Phase) -> Event {
        self.said(self.event(self.action, Outcome::Allowed)).phase(phase)
    }

    fn said(&self, event: Event) -> Event {
        match (self.reason, self.because.as_deref()) {
            (Some(reason), _) => event.reason(reason),
            (None, Some(because)) => event.reason(without_secrets(because)),
            (None, None) => event,
        }
    }

    /// Makes the event of an attempt that was refused or failed.
    pub(crate) fn refused(&self, error: &Error) -> Event {
        // Without a valid token the log cannot say which action would have been allowed.
        let action = match error {
            Error::Unauthenticated => Action::TokenUseFailed,
            _ => self.action,
        };
        self.event(action, outcome_of(error)).reason(self.reason_of(error))
    }

    /// The reason of a refusal or failure, as the log has it.
    pub(crate) fn reason_of(&self, error: &Error) -> &'static str {
        match (self.reason, error) {
            (Some(reason), _) => reason,
            (None, Error::Denied { limit, .. }) => limit,
            (None, error) => error.code().as_str(),
        }
    }

    /// The event of attempts that ended the same way.
    pub(crate) fn ended(&self, outcome: Outcome, reason: &'static str) -> Event {
        self.event(self.action, outcome).reason(reason)
    }

    /// The token that asks, once it is established.
    pub(crate) fn token(&self) -> Option<TokenId> {
        self.caller.as_ref()?.holder().map(|holder| holder.id())
    }

    /// The principal of an unknown caller; a token that is none of ours is named by a keyed hash of its id only.
    fn nobody(&self) -> Who {
        let nobody = Who::new(PrincipalKind::Anonymous);
        match &self.unknown_token {
            Some(hash) => nobody.id(hash),
            None => nobody,
        }
    }

    fn event(&self, action: Action, outcome: Outcome) -> Event {
        let mut event = Event::new(action, outcome, self.at).count(self.count);
        event = event.principal(self.principal.clone().unwrap_or_else(|| self.nobody()));
        if let Some(namespace) = &self.namespace {
            event = event.namespace(namespace);
        }
        if let Some(environment) = &self.environment {
            event = event.environment(environment);
        }
        if let Some(key) = &self.key {
            event = event.key(key);
        }
        if let Some(id) = &self.key_id {
            event = event.key_id(id);
        }
        if let Some(version) = self.version {
            event = event.version(version);
        }
        if let Some(mode) = self.mode {
            event = event.mode(mode);
        }
        if let Some(source) = self.mode_source {
            event = event.mode_source(source);
        }
        if let Some((kind, id)) = &self.target {
            event = event.target(*kind, id);
        }
        if let Some(record) = &self.record {
            event = event.record(record);
        }
        if let Some(rev) = self.rev {
            event = event.rev(rev);
        }
        let context = self.context;
        // A caller may have put a secret into the wrong header.
        let agent = context.user_agent.as_deref().map(without_secrets);
        event = event.client(context.source, agent.as_deref());
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
