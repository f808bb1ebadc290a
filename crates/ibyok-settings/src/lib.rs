//! Settings of programs that open an IBYOK vault: flags, variables and the file `vault.toml`.
//!
//! [`Settings::resolve`] merges the three sources: a flag beats a variable, and a variable beats the file. [`Settings::open`] opens the
//! vault that they name, and [`Settings::create`] makes a new one.
//!
//! A caller passes the environment as a map, so that tests and embedding programs choose the variables. [`ProcessEnvironment::read`]
//! alone reads the environment of the process.
//!
//! ```
//! use std::collections::BTreeMap;
//! use ibyok_settings::{Given, Locations, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! let locations = Locations::new(home.path().join("data"), home.path().join("config"));
//! let settings = Settings::resolve(&Given::default(), &BTreeMap::new(), &locations)?;
//! let (vault, created) = settings.create("os:me@here", None).await?;
//! assert!(created.kek_file.is_some_and(|file| file.exists()));
//! vault.close().await?;
//!
//! let again = Settings::resolve(&Given::default(), &BTreeMap::new(), &locations)?;
//! again.open("os:me@here", None).await?.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`announced_token`] finds the access token of a program in its environment, in a file or by a command, and [`operator_name`] names the
//! user of the process for the audit log.
//!
//! # Out of scope
//! It parses no command line, prints nothing and asks no person: a program hands in its flags as [`Given`], and a function that asks for
//! a [`Passphrase`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod attach;
mod backup;
mod copy;
mod create;
mod directory;
mod give_kek;
mod given;
mod guardrails;
mod kek;
mod kek_rotation;
mod kek_source;
mod keks;
mod locations;
mod log_home;
mod old_lines;
mod operator;
mod parse;
mod passphrase;
mod process;
mod remember;
mod reopening;
mod restore;
mod secret_file;
mod settings;
mod sinks;
mod tls_files;
mod token;
mod vault_file;

// The public interface is:
pub use attach::{Attached, Imported};
pub use copy::Moved;
pub use create::Created;
pub use give_kek::GivenKek;
pub use given::Given;
pub use kek::KekChoice;
pub use kek_rotation::{KekChange, KekChanged};
pub use keks::KekChoices;
pub use locations::Locations;
pub use log_home::home_of;
pub use operator::operator_name;
pub use passphrase::Passphrase;
pub use process::ProcessEnvironment;
pub use remember::{Variable, has_password};
pub use restore::{Restore, Restored};
pub use settings::Settings;
pub use sinks::{SinkGiven, SinkKind, SinkModeGiven};
pub use tls_files::TlsFiles;
pub use token::{NoToken, announced_token, announces_token};
