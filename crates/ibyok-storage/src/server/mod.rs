//! What the backends that talk to a database server have in common: how long they wait, how they tell answers apart, and how they read
//! their URL.

#[cfg(feature = "postgres")]
mod contain;
mod location;
mod questions;

use std::time::Duration;

#[cfg(feature = "postgres")]
pub(crate) use self::contain::contain;
pub(crate) use self::location::Location;
pub(crate) use self::questions::Questions;

/// How long a call may take in all: waiting for its turn, connecting, asking, and asking once more.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// How long the server may work on one statement, so that it stops before its caller has gone away.
#[cfg(feature = "postgres")]
pub(crate) const STATEMENT: Duration = Duration::from_millis(2500);

/// How often [`Store::wait`](crate::Store::wait) looks even without a hint, for hints may be lost.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// A connection that was idle for this long may be dead without a sign: it is tried before a write goes through it, because a
/// write cannot be repeated.
pub(crate) const STALE: Duration = Duration::from_secs(1);
