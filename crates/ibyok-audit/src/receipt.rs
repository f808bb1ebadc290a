//! The proof that an event is on the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of one event within this process. No two events have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventTicket(u64);

impl EventTicket {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The proof that an event is durable in every required sink.
///
/// Only [`Log::append`](crate::Log::append) makes one; it can be neither cloned nor made by hand:
///
/// ```compile_fail
/// let receipt = ibyok_audit::Receipt { };
/// ```
#[derive(Debug)]
#[must_use = "a receipt is the proof that something may be released"]
pub struct Receipt {
    ticket: EventTicket,
    seq: u64,
    log: Arc<str>,
}

impl Receipt {
    pub(crate) fn new(ticket: EventTicket, seq: u64, log: Arc<str>) -> Self {
        Self { ticket, seq, log }
    }

    /// The event it is for.
    #[must_use]
    pub fn event(&self) -> EventTicket {
        self.ticket
    }

    /// Returns true if the receipt is for the event with this ticket.
    #[must_use]
    pub fn is_for(&self, ticket: EventTicket) -> bool {
        self.ticket == ticket
    }

    /// The event's place in the log, counted from 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The id of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }
}
