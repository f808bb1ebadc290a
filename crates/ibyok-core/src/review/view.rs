//! Which lines somebody may see.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ibyok_audit::Entry;
use ibyok_policy::{Decision, Request, Scope, decide};
use jiff::Timestamp;

use crate::attempt::Attempt;
use crate::authenticate::{Holder, Principal};
use crate::model::name::Namespace;

/// How many answers are remembered.
const REMEMBERED: usize = 10_000;

/// Which lines somebody may see: an operator all, a token those that its grant covers.
pub(super) enum View {
    All,
    Token(Box<OfToken>),
}

pub(super) struct OfToken {
    holder: Arc<Holder>,
    source: Option<IpAddr>,
    at: Timestamp,
    asked: HashMap<(Option<String>, Option<String>), bool>,
}

impl View {
    pub(super) fn of(attempt: &Attempt<'_>, who: &Principal) -> Self {
        match who.holder() {
            None => View::All,
            Some(holder) => View::Token(Box::new(OfToken {
                holder: Arc::clone(holder),
                source: attempt.context.source,
                at: attempt.at,
                asked: HashMap::new(),
            })),
        }
    }

    pub(super) fn shows(&mut self, entry: &Entry) -> bool {
        match self {
            View::All => true,
            View::Token(token) => token.shows(entry),
        }
    }
}

impl OfToken {
    fn shows(&mut self, entry: &Entry) -> bool {
        let own = self.holder.realm.name.namespace.as_str();
        // What belongs to no namespace (strangers, the log itself) belongs to the first one, and never names another.
        let namespace = entry.namespace.as_deref().unwrap_or(Namespace::default().as_str()) == own;
        if !namespace {
            return false;
        }
        let asked = (entry.environment.clone(), entry.key.clone());
        if let Some(answer) = self.asked.get(&asked) {
            return *answer;
        }
        let request = Request {
            scope: Scope::AuditRead,
            namespace: own,
            environment: entry.environment.as_deref(),
            key: entry.key.as_deref(),
            pending: false,
            source: self.source,
            at: self.at,
        };
        let grant = &self.holder.held.record.grant;
        let answer = decide(&self.holder.realm.scope(), grant, &self.holder.restrictions, &request) == Decision::Allow;
        if self.asked.len() < REMEMBERED {
            self.asked.insert(asked, answer);
        }
        answer
    }
}
