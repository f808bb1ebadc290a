//! The seam at which use is counted: the core reports each use, and does not depend on the counting.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use ibyok_policy::Scope;
use jiff::Timestamp;

use super::principal::{Holder, Principal};
use crate::model::name::{KeyId, KeyName};
use crate::realm::Realm;

/// Counts retrievals under the numbers of their lines, and the scopes that tokens use.
///
/// A retrieval is in flight from before its line is appended until it is counted or given up, so that a meter knows of every line up to
/// a number whether its count is still to come.
pub(crate) trait Meter: Debug + Send + Sync {
    /// Takes off: a line is about to be appended. The ticket is handed back exactly once, to [`Meter::count`] or [`Meter::land`].
    fn take_off(&self) -> Ticket;

    /// Counts a use that is on the log now, under its line's number, and ends its flight.
    fn count(&self, ticket: Ticket, seq: u64, used: &Use<'_>);

    /// Ends a flight that is not counted.
    fn land(&self, ticket: Ticket);

    /// Notes that a token was allowed an action other than retrieving. No line is counted for it.
    fn scope(&self, holder: &Arc<Holder>, scope: Scope, environment: Option<&str>, at: Timestamp);
}

/// A meter's own mark of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The shard of the counts that the flight belongs to.
    pub(crate) shard: usize,
    /// The generation that the flight belongs to, of two.
    pub(crate) second: bool,
    /// The number of times that flights of the generation had been given up when it began.
    pub(crate) forgiven: u64,
}

/// The way in which a retrieval ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The real value was released.
    Live,
    /// A mock value was released.
    Mocked,
    /// Policy refused it.
    Denied,
    /// It was permitted, and something else was in the way.
    Failed,
}

/// Retrievals on one line of the log.
#[derive(Debug)]
pub(crate) struct Use<'a> {
    pub(crate) caller: &'a Principal,
    /// The key, if the line is about one that exists.
    pub(crate) key: Option<&'a (Arc<Realm>, KeyId, KeyName)>,
    /// The version whose real value was released.
    pub(crate) version: Option<u32>,
    pub(crate) ended: Ended,
    pub(crate) count: u64,
    pub(crate) at: Timestamp,
    pub(crate) source: Option<IpAddr>,
}

/// A line that is about to be appended and counted.
#[derive(Debug)]
pub(crate) struct Flight<'m> {
    meter: &'m dyn Meter,
    /// `None` once the flight is over.
    ticket: Option<Ticket>,
}

impl<'m> Flight<'m> {
    pub(crate) fn begin(meter: &'m dyn Meter) -> Self {
        let ticket = Some(meter.take_off());
        Flight { meter, ticket }
    }

    /// Counts a use that is on the log now, under its line's number.
    pub(crate) fn count(mut self, seq: u64, used: &Use<'_>) {
        if let Some(ticket) = self.ticket.take() {
            self.meter.count(ticket, seq, used);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.meter.land(ticket);
        }
    }
}
