//! Homes of the log: databases that keep the files of logs for programs without a disk.
//!
//! [`remote`] has everything that the homes share: the thread that runs the calls, the leases of logs, and the deadline. A
//! [`Database`](remote::Database) has one method for each question that a home asks.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod remote;
mod worker;

use std::time::Duration;

use ibyok_audit::Error;

/// The time for which a log stays taken without a sign of its process. A machine that vanishes keeps its log for this time.
const LEASE: Duration = Duration::from_secs(30);

/// The interval at which a process renews the leases of its logs.
const RENEWAL: Duration = Duration::from_secs(5);

/// The error for a process whose log another process took: both would write lines with the same numbers.
fn lost(log: &str) -> Error {
    Error::other(format!(
        "another process took the audit log `{log}`, because this one did not reach the home for {} seconds: restart this program",
        LEASE.as_secs()
    ))
}

/// The error for a server that acknowledges what it may lose.
fn not_durable(why: &str) -> Error {
    Error::other(format!(
        "{why}, so it may lose lines that it acknowledged, and it cannot be the home of the audit log"
    ))
}
