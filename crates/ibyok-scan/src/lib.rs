//! Finds leaked API keys: in a tree of files, in git's index, in the whole history of a repository.
//!
//! A key is found by its **shape** (the catalogue of [`ibyok_providers`] says what providers' keys look like), by its
//! **context** (a value that looks random, given to a name that says secret), as a PEM private key, as one of our own
//! access tokens (which carry a checksum), and by whoever knows it: a [`Matcher`] says of a candidate whether it is a
//! key of a vault, without this crate ever seeing the vault.
//!
//! ```
//! use ibyok_scan::{Engine, Place};
//!
//! let engine = Engine::new();
//! let leak = format!("OPENROUTER_API_KEY = \"sk-or-v1-{}\"\n", "e3b0c44298fc1c149afb".repeat(4).get(..64).unwrap());
//! let mut text = std::io::Cursor::new(leak);
//! let scanned = engine.scanner().scan(&mut text, &Place::new("settings.py"))?;
//!
//! let found = &scanned.findings[0];
//! assert_eq!((found.rule.as_str(), found.line, found.column), ("openrouter-key", 1, 23));
//! assert_eq!(found.excerpt, "OPENROUTER_API_KEY = sk-o…"); // never the key
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What it does not do: it asks no provider whether a key is live, it opens no archive, and it runs nothing of a
//! repository that it looks at. A finding never holds more of a secret than the first four characters of its prefix.
//! `docs/scan.md` says what is found, what is not, and what that cost in false positives.
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
pub use finding::{Finding, Severity};
pub use git::{Installed, Repository};
pub use ignored::not_ignored;
pub use matcher::{KnownKey, Matcher};
pub use place::Place;
pub use printable::printable;
pub use progress::Progress;
pub use report::{Report, sarif};
pub use tree::{TreeOptions, scan_files, scan_stream, scan_tree};
