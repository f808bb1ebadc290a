//! The tamper-evident audit log of IBYOK: events, hash chain, signed checkpoints, sinks, reading, verification.
//!
//! An [`Event`] is one line of JSON. A [`Log`] gives each its place in a hash chain, writes what many tasks append in
//! one batch, syncs once, and answers each with a [`Receipt`]: the proof that the line is durable in every required
//! [`Sink`]. Signed [`Checkpoint`]s over an RFC 6962 tree of the lines are kept beside them.
//!
//! ```
//! use ibyok_audit::{Action, Event, FileSink, Log, Outcome, SigningKey};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! let directory = scratch.path().join("audit");
//! let log = Log::builder()
//!     .home(FileSink::open(&directory).await?)
//!     .signing_key(SigningKey::generate()?) // kept sealed by the caller: the log's next session needs it
//!     .open()
//!     .await?;
//!
//! let event = Event::new(Action::KeyRetrieve, Outcome::Allowed, jiff::Timestamp::now()).environment("prod").key("openai");
//! let ticket = event.ticket();
//! let receipt = log.append(event).await?; // durable now
//! assert!(receipt.is_for(ticket));
//! log.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Out of scope
//! It decides nothing and sees no secret. The owner of the machine can still cut off lines at the end, unless a
//! checkpoint that another person holds covers them. Every other change of the log shows. It is for Unix.
#![forbid(unsafe_code)]

mod about;
mod action;
mod archive;
mod beside;
mod chain;
mod checkpoint;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cut;
mod error;
mod event;
mod home;
mod key;
mod line;
mod line_key;
mod log;
mod prove;
mod read;
mod receipt;
pub mod review;
mod sink;
mod statement;
mod tree;
mod verify;
pub mod words;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

// The public interface is:
pub use about::About;
pub use action::{Action, Outcome, Phase, PrincipalKind};
pub use archive::{Archived, ArchivedSegment, Plan};
pub use chain::Head;
pub use checkpoint::Checkpoint;
pub use error::Error;
pub use event::{Event, Principal, TEXT_LIMIT};
pub use home::{Hold, Home, HomeFile, MemoryHome};
pub use key::{SigningKey, VerifyingKey};
pub use line_key::LineKey;
pub use log::{Log, LogBuilder, LogStatus, SinkMode, SinkStatus};
pub use prove::{Proof, prove, prove_with};
pub use read::{
    ArchivedLines, ChangesRead, Entry, EntryClient, EntryPrincipal, EntryTarget, Filter, Follow, LeftOut,
    LeftOutReason, Line, LinePlace, Lines, Reader, claimed_keys, export, has_other_logs, has_own_lines, logs_in,
    newest_checkpoints, newest_store_mark,
};
pub use receipt::{EventTicket, Receipt};
pub use sink::{
    AuditHome, Batch, FileSink, FileSinkBuilder, Gap, GapKind, LaterSync, LogPlace, LogSink, Sink, SinkDescription,
    SinkDurability, StdoutSink, TemporaryPlace, begun_logs_in, copy_logs, is_written,
};
pub use statement::{FloorsStatement, Statement, StoreMark};
pub use verify::{
    BadLine, Known, LogReport, Proven, VerifyFault, VerifyFinding, VerifyProgress, VerifyReport, is_archive, verify,
    verify_against, verify_proof,
};
