//! The view of the log: the lines that a principal may see.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ibyok_audit::Entry;
use ibyok_policy::{Decision, Request, Scope, decide};
use jiff::Timestamp;

use crate::gate::attempt::Attempt;
use crate::gate::principal::{Holder, Principal};
use crate::model::name::Namespace;

/// The number of answers that are remembered.
const REMEMBERED: usize = 10_000;

/// The lines that a principal may see. An operator sees those of its namespace, or the whole log if that was asked
/// for. A token sees those that its grant covers.
pub(crate) enum View {
    All,
    Namespace(Within),
    Token(Box<OfToken>),
}

/// The lines of one namespace. Lines without a namespace (strangers, the log itself) belong to the vault's home,
/// where its host is: they name no tenant, and guesses at tokens are to be found there.
pub(crate) struct Within {
    own: Namespace,
    /// The time at which the namespace was made; `None` for the home.
    since: Option<Timestamp>,
}

impl Within {
    fn shows(&self, entry: &Entry) -> bool {
        match &entry.namespace {
            // A namespace that was removed and made again must not see the lines of its predecessor.
            Some(namespace) => namespace == self.own.as_str() && self.since.is_none_or(|since| entry.time >= since),
            None => self.since.is_none(),
        }
    }
}

pub(crate) struct OfToken {
    holder: Arc<Holder>,
    within: Within,
    source: Option<IpAddr>,
    at: Timestamp,
    asked: HashMap<(Option<String>, Option<String>), bool>,
}

impl View {
    pub(crate) fn of(attempt: &Attempt<'_>, who: &Principal, since: Option<Timestamp>) -> Self {
        let within = Within {
            own: who.namespace().clone(),
            since,
        };
        match who {
            Principal::Operator(operator) if operator.reads_whole_log() => View::All,
            Principal::Operator(_) => View::Namespace(within),
            Principal::Token(holder) => View::Token(Box::new(OfToken {
                holder: Arc::clone(holder),
                within,
                source: attempt.context.source,
                at: attempt.at,
                asked: HashMap::new(),
            })),
        }
    }

    pub(crate) fn shows(&mut self, entry: &Entry) -> bool {
        match self {
            View::All => true,
            View::Namespace(within) => within.shows(entry),
            View::Token(token) => token.shows(entry),
        }
    }
}

impl OfToken {
    fn shows(&mut self, entry: &Entry) -> bool {
        if !self.within.shows(entry) {
            return false;
        }
        let asked = (entry.environment.clone(), entry.key.clone());
        if let Some(answer) = self.asked.get(&asked) {
            return *answer;
        }
        let request = Request {
            scope: Scope::AuditRead,
            namespace: self.within.own.as_str(),
            environment: entry.environment.as_deref(),
            key: entry.key.as_deref(),
            pending: false,
            source: self.source,
            at: self.at,
        };
        let grant = &self.holder.held().record.grant;
        let answer = decide(
            &self.holder.realm().scope(),
            grant,
            self.holder.restrictions(),
            &request,
        ) == Decision::Allow;
        // A log with very many keys must not fill the memory. Beyond the bound, each line is decided again.
        if self.asked.len() < REMEMBERED {
            self.asked.insert(asked, answer);
        }
        answer
    }
}
