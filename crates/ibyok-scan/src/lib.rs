//! Finds leaked API keys: in a tree of files, in git's index, in the whole history of a repository.
//!
//! A key is found by its **shape** (the catalogue of [`ibyok_providers`] describes the keys of providers) and by
//! its **context** (a value that looks random, assigned to a name that suggests a secret). PEM private keys and the
//! vault's own access tokens, which carry a checksum, are found as well. A program that knows keys can name them: a
//! [`Matcher`] answers whether a candidate is a key of a vault, and this crate never sees the vault.
//!
//! ```
//! use ibyok_scan::{Engine, ScanPlace};
//!
//! let engine = Engine::new();
//! let leak = format!("OPENROUTER_API_KEY = \"sk-or-v1-{}\"\n", "e3b0c44298fc1c149afb".repeat(4).get(..64).unwrap());
//! let mut text = std::io::Cursor::new(leak);
//! let scanned = engine.scanner().scan(&mut text, &ScanPlace::new("settings.py"))?;
//!
//! let found = &scanned.findings[0];
//! assert_eq!((found.rule.as_str(), found.line, found.column), ("openrouter-key", 1, 23));
//! assert_eq!(found.excerpt, "OPENROUTER_API_KEY = sk-o…"); // never the key
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! This crate asks no provider whether a key is live, opens no archive, and runs nothing of a repository that it
//! scans. A finding never holds more of a secret than the first four characters of its prefix. `docs/scan.md` lists
//! the secrets that are found, those that are not, and the cost in false positives.
#![forbid(unsafe_code)]

mod detect;
mod engine;
mod error;
mod excuse;
mod excused;
mod finding;
mod git;
mod ignored;
mod matcher;
mod place;
mod printable;
mod progress;
mod report;
mod stream;
mod tree;
mod utf16;

// The public interface is:
pub use engine::{Engine, Scanned, Scanner};
pub use error::Error;
pub use excused::ExcusedFiles;
pub use finding::{ScanFinding, ScanSeverity};
pub use git::{Installed, Repository};
pub use ignored::{add_ignored, not_ignored, top_of};
pub use matcher::{KnownKey, Matcher};
pub use place::ScanPlace;
pub use printable::printable;
pub use progress::Progress;
pub use report::{ScanReport, sarif};
pub use tree::{TreeOptions, scan_checkout, scan_files, scan_stream, scan_tree};
