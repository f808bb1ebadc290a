//! Sinks for the audit log of IBYOK besides its home, and a home in a database.
//!
//! | sink | feature | acknowledges durability |
//! | --- | --- | --- |
//! | [`SyslogSink`]: RFC 5424 over UDP, TCP, TLS (feature `syslog-tls`) or the local socket | – | no |
//! | `WebhookSink`: signed batches by HTTPS | `webhook` | with a 2xx |
//! | `PostgresSink`: a table | `postgres` | with a commit that is synced |
//! | `RedisSink`: a stream for each log | `redis` | if the server syncs each write |
//!
//! Each implements [`ibyok_audit::Sink`]. A program gives it to `VaultBuilder::also_audit`, or to `also_audit_required` if it acknowledges
//! durability.
//!
//! ```
//! use ibyok_sinks::SyslogSink;
//!
//! let sink = SyslogSink::new("udp://127.0.0.1:514", None)?;
//! # Ok::<(), ibyok_sinks::Error>(())
//! ```
//!
//! # Reconnection
//! A sink connects when the log gives it lines for the first time, and again after a failure. So a server that is down does not keep
//! a program with a best-effort sink from starting. A call ends within three seconds.
//!
//! # Homes
//! A sink keeps no log: a log is continued from its home alone. `PostgresHome` (feature `postgres`) and `RedisHome` (feature `redis`) are
//! homes in a database, for programs without a disk. They implement [`ibyok_audit::Home`].
//!
//! # Out of scope
//! Sinks and homes read no environment.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod home;
#[cfg(any(feature = "webhook", feature = "postgres", feature = "redis"))]
mod lane;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod last_check;
mod place;
#[cfg(feature = "postgres")]
mod postgres;
mod progress;
#[cfg(feature = "webhook")]
mod reach;
#[cfg(feature = "redis")]
mod redis;
mod syslog;
#[cfg(feature = "webhook")]
mod webhook;

// The public interface is:
pub use error::Error;
#[cfg(feature = "postgres")]
pub use home::postgres::PostgresHome;
#[cfg(feature = "redis")]
pub use home::redis::RedisHome;
#[cfg(feature = "postgres")]
pub use postgres::PostgresSink;
#[cfg(feature = "redis")]
pub use redis::RedisSink;
pub use syslog::SyslogSink;
#[cfg(feature = "webhook")]
pub use webhook::{SIGNATURE, WebhookOptions, WebhookSink, signature};
