//! The parts that the backends with a database server have in common: deadlines, the matching of answers to
//! questions, and the reading of URLs.

#[cfg(feature = "postgres")]
mod contain;
mod location;
mod questions;

use std::time::Duration;

#[cfg(feature = "postgres")]
pub(crate) use self::contain::contain;
pub(crate) use self::location::Location;
pub(crate) use self::questions::Questions;

/// The longest time for a whole call: waiting for its turn, connecting, asking, and asking once more.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// The longest time that the server may work on one statement. It is shorter than the deadline, so that the server
/// stops before its caller has gone away.
#[cfg(feature = "postgres")]
pub(crate) const STATEMENT: Duration = Duration::from_millis(2500);

/// The interval at which [`Store::wait`](crate::Store::wait) looks even without a hint, because hints may be lost.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// A connection that was idle for this long may be dead without a sign: it is tried before a write goes through it, because a
/// write cannot be repeated.
pub(crate) const STALE: Duration = Duration::from_secs(1);
