//! Operations on an IBYOK vault over time: the rules of the command line `ibyok`, for every program that embeds the vault.
//!
//! - [`reviews`] reviews the audit log for events that a person should examine, and records the follow-up.
//! - [`incidents`] reports an incident with the findings about the readers of its key, and lists the steps that remain.
//! - [`rotation`] lists the keys and tokens that are due. [`tokens`] reviews tokens by their use.
//! - [`checklist`] judges the state of a vault, its code and its people, and lists the remaining tasks.
//! - [`dotenv`] reads, rewrites and prints `.env` files as their readers agree. [`import`] plans and stores the values of one.
//! - `kek_copy` (a feature) seals copies of a local KEK with age.
//! - [`mod@file`] reads and writes files that hold secrets.
//! - [`log`] chooses lines of the audit log. [`time`] reads times as people type them. [`providers`] finds a provider by name.
//! - `scan` (feature `scan`) scans code for the vault's own keys.
//! - [`revocation`] selects the tokens of a person who leaves, and lists the secrets to replace afterwards.
//! - [`preset`] fills in the scopes and the end of a token by its purpose.
//! - [`run`] chooses the variables that a program gets, and masks keys in its output.
//!
//! ```
//! use ibyok_operations::revocation::{ListedToken, Selection};
//!
//! let leaving = Selection::new().name("alice-*");
//! let laptop = ListedToken { name: "alice-laptop", created_by: "os:ops@here", is_valid: true };
//! let worker = ListedToken { name: "billing", ..laptop };
//! assert!(leaving.includes(&laptop) && !leaving.includes(&worker));
//! ```
//!
//! # Verbs
//! Extension traits add verbs to a session, in the style of the vault's own. The vault decides and records each of them.
//!
//! ```
//! use ibyok_core::{FileSink, LocalKek, MemoryStore, Vault};
//! use ibyok_operations::reviews::{ReviewExt as _, ReviewRequest};
//! use ibyok_operations::rotation::DueExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> ibyok_core::Result<()> {
//! # let place = tempfile::tempdir().unwrap();
//! # let builder = Vault::builder().store(MemoryStore::new()).kek(LocalKek::generate()?);
//! # let vault = builder.audit(FileSink::open(place.path().join("audit")).await?).create().await?;
//! let operator = vault.operator("ann");
//! let review = operator.reviews().run(&ReviewRequest::default()).await?;
//! let due = operator.rotation().due(None).await?;
//! assert!(due.is_empty() && review.last_done.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Out of scope
//! It prints nothing, reads no environment, ends no process and knows no command line. A program parses, calls this crate and prints.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod checklist;
pub mod dotenv;
pub mod file;
pub mod import;
pub mod incidents;
#[cfg(feature = "kek-copy")]
pub mod kek_copy;
pub mod log;
mod note;
pub mod preset;
pub mod providers;
pub mod reviews;
pub mod revocation;
pub mod rotation;
pub mod run;
#[cfg(feature = "scan")]
pub mod scan;
pub mod time;
pub mod tokens;
mod words;

pub use note::Note;
