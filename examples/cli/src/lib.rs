//! The IBYOK command line, as a library: [`run`] does the same as the binary `ibyok`, on given streams and a given environment.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! let streams = ibyok_cli::Io::new(std::io::empty(), std::io::sink(), std::io::sink());
//! let code = ibyok_cli::run(["ibyok", "--help"].map(Into::into), &BTreeMap::new(), streams);
//! assert_eq!(code, std::process::ExitCode::SUCCESS);
//! ```
//!
//! It holds no rule that a program which embeds the vault would want: those are in `ibyok-operations`, `ibyok-access`, `ibyok-reports` and
//! `ibyok-settings`. Each command parses its arguments, calls one verb of [`ibyok_access::Access`] or of the vault, and prints the answer.
#![forbid(unsafe_code)]

mod access;
mod bars;
mod colour;
mod commands;
mod error;
mod exit;
mod globals;
mod identity;
mod io;
mod program;
mod progress;
mod remedy;
mod settings;
mod show;
mod table;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

// The public interface is:
pub use error::{Error, Result};
pub use exit::Exit;
pub use ibyok_settings::ProcessEnvironment;
pub use io::Io;
pub use program::{process_environment, run};
