//! Events, and how they are built.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::action::{Action, Outcome, Phase, PrincipalKind};
use crate::receipt::EventTicket;
use crate::statement::Statement;

/// The longest text of one field, in characters. A longer text is cut and ends in `…`.
pub const TEXT_LIMIT: usize = 256;

/// An event: one line of the log.
///
/// Texts are cut to [`TEXT_LIMIT`] characters. An event is always one line, with any text in it. An event is not `Clone`:
/// its [ticket](Event::ticket) names it, and so does the [`Receipt`](crate::Receipt) of its append.
///
/// An event borrows its texts or holds them: a request whose names live long enough copies none of them. [`Event::into_owned`] makes an
/// event that outlives its request.
///
/// No field may hold a secret. The caller names an unknown token by a keyed hash only.
#[derive(Debug)]
#[must_use = "an event says nothing until it is appended"]
pub struct Event<'a> {
    pub(crate) ticket: EventTicket,
    pub(crate) at: Timestamp,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) phase: Option<Phase>,
    pub(crate) reason: Option<Cow<'a, str>>,
    pub(crate) principal: Principal<'a>,
    pub(crate) namespace: Option<Cow<'a, str>>,
    pub(crate) environment: Option<Cow<'a, str>>,
    pub(crate) key: Option<Cow<'a, str>>,
    pub(crate) key_id: Option<Cow<'a, str>>,
    pub(crate) version: Option<u64>,
    pub(crate) mode: Option<Cow<'a, str>>,
    pub(crate) mode_source: Option<Cow<'a, str>>,
    pub(crate) target: Option<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) record: Option<Cow<'a, str>>,
    pub(crate) rev: Option<u64>,
    pub(crate) count: u64,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) user_agent: Option<Cow<'a, str>>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) trace_id: Option<Cow<'a, str>>,
    pub(crate) states: Statement,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(mut self, $name: impl Into<Cow<'a, str>>) -> Self {
                self.$name = Some(cut($name.into()));
                self
            }
        )+
    };
}

impl<'a> Event<'a> {
    /// An event with everything else empty: an anonymous principal, a count of one.
    #[inline]
    pub fn new(action: Action, outcome: Outcome, at: Timestamp) -> Self {
        Self {
            ticket: EventTicket::next(),
            at,
            action,
            outcome,
            phase: None,
            reason: None,
            principal: Principal::new(PrincipalKind::Anonymous),
            namespace: None,
            environment: None,
            key: None,
            key_id: None,
            version: None,
            mode: None,
            mode_source: None,
            target: None,
            record: None,
            rev: None,
            count: 1,
            ip: None,
            user_agent: None,
            request_id: None,
            trace_id: None,
            states: Statement::default(),
        }
    }

    /// The name of this event within this process; its receipt carries the same.
    #[must_use]
    #[inline]
    pub fn ticket(&self) -> EventTicket {
        self.ticket
    }

    texts! {
        /// Why, in one word or a short sentence.
        reason,
        /// The tenant.
        namespace,
        /// The environment.
        environment,
        /// The key's name.
        key,
        /// The key's public id.
        key_id,
        /// `live` or `mock`.
        mode,
        /// The tier that decided the mode: `guardrail`, `key_override` or `tenant_setting`.
        mode_source,
        /// The id of the record that is changed.
        record,
        /// The name that the client gives itself.
        user_agent,
        /// The caller's request id.
        request_id,
        /// The caller's trace id.
        trace_id,
    }

    /// Sets the caller that made the request.
    #[inline]
    pub fn principal(mut self, principal: Principal<'a>) -> Self {
        self.principal = principal;
        self
    }

    /// The phase of a change.
    #[inline]
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    /// The key's version.
    #[inline]
    pub fn version(mut self, version: impl Into<u64>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the object of the action when it is not a key: a kind (`token`, `incident`, `log`, `environment`) and its
    /// id.
    #[inline]
    pub fn target(mut self, kind: impl Into<Cow<'a, str>>, id: impl Into<Cow<'a, str>>) -> Self {
        self.target = Some((cut(kind.into()), cut(id.into())));
        self
    }

    /// The revision that the changed record gets.
    #[inline]
    pub fn rev(mut self, rev: u64) -> Self {
        self.rev = Some(rev);
        self
    }

    /// Sets the number of things or requests that this line stands for.
    #[inline]
    pub fn count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Sets the statement about the store and the floors. An empty statement leaves the line as it is without one.
    #[inline]
    pub fn states(mut self, statement: Statement) -> Self {
        self.states = statement;
        self
    }

    /// Sets the address and the user agent of the client that sent the request.
    #[inline]
    pub fn client(mut self, ip: Option<IpAddr>, user_agent: Option<&'a str>) -> Self {
        self.ip = ip;
        self.user_agent = user_agent.map(|text| cut(Cow::Borrowed(text)));
        self
    }

    /// Returns the same event with copies of all texts that it borrowed.
    pub fn into_owned(self) -> Event<'static> {
        Event {
            ticket: self.ticket,
            at: self.at,
            action: self.action,
            outcome: self.outcome,
            phase: self.phase,
            reason: owned(self.reason),
            principal: self.principal.into_owned(),
            namespace: owned(self.namespace),
            environment: owned(self.environment),
            key: owned(self.key),
            key_id: owned(self.key_id),
            version: self.version,
            mode: owned(self.mode),
            mode_source: owned(self.mode_source),
            target: owned_pair(self.target),
            record: owned(self.record),
            rev: self.rev,
            count: self.count,
            ip: self.ip,
            user_agent: owned(self.user_agent),
            request_id: owned(self.request_id),
            trace_id: owned(self.trace_id),
            states: self.states,
        }
    }
}

fn owned(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text.map(|text| Cow::Owned(text.into_owned()))
}

fn owned_pair(pair: Option<(Cow<'_, str>, Cow<'_, str>)>) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    pair.map(|(kind, id)| (Cow::Owned(kind.into_owned()), Cow::Owned(id.into_owned())))
}

/// The caller that made a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal<'a> {
    pub(crate) kind: PrincipalKind,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) chain: Option<Cow<'a, str>>,
}

impl<'a> Principal<'a> {
    /// A caller of this kind of whom nothing more is known.
    #[must_use]
    #[inline]
    pub fn new(kind: PrincipalKind) -> Self {
        Self {
            kind,
            id: None,
            name: None,
            chain: None,
        }
    }

    /// The token's id, or a keyed hash of one that is not known.
    #[must_use]
    #[inline]
    pub fn id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.id = Some(cut(id.into()));
        self
    }

    /// The token's or the operator's name.
    #[must_use]
    #[inline]
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(cut(name.into()));
        self
    }

    /// The short keyed hash that distinguishes attenuated children.
    #[must_use]
    #[inline]
    pub fn chain(mut self, chain: impl Into<Cow<'a, str>>) -> Self {
        self.chain = Some(cut(chain.into()));
        self
    }

    /// Returns the same principal with copies of all texts that it borrowed.
    #[must_use]
    pub fn into_owned(self) -> Principal<'static> {
        Principal {
            kind: self.kind,
            id: owned(self.id),
            name: owned(self.name),
            chain: owned(self.chain),
        }
    }
}

/// The text, or its first 255 characters and `…`. Looks at no more than that much of it.
#[inline]
pub(crate) fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    // In line with its callers: an event is built in its place, and not moved for each text.
    if text.len() <= TEXT_LIMIT {
        text
    } else {
        shortened(text)
    }
}

fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.char_indices().nth(TEXT_LIMIT) {
        None => text,
        Some(_) => text.chars().take(TEXT_LIMIT - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(cut("x".repeat(256).into()).chars().count(), 256);
        let long = cut("ü".repeat(1_000_000).into());
        assert_eq!((long.chars().count(), long.ends_with('…')), (256, true));
    }

    #[test]
    fn every_event_has_a_ticket_of_its_own() {
        let event = || Event::new(Action::KeyList, Outcome::Allowed, Timestamp::UNIX_EPOCH);
        assert_ne!(event().ticket(), event().ticket());
    }
}
