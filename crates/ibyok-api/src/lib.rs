#![doc = include_str!("../README.md")]
//!
//! # Stability
//! Later versions may add members to answers and words to sets. Read answers by member and end each match on words with a default arm.
//! Make requests with `..Default::default()` or with a constructor.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![expect(
    clippy::exhaustive_structs,
    reason = "the server makes answers and the client makes requests, each in another crate"
)]

mod words; // the macro for sets of words; the modules below use it

mod change;
mod document;
mod external;
mod grant;
mod health;
mod incident;
mod interval;
mod key;
mod key_change;
mod last_use;
mod limit;
mod map;
mod mode;
mod name;
mod page;
mod problem;
mod rate;
mod report;
mod review;
mod rotation;
#[cfg(feature = "schema")]
pub mod schema;
mod token;
mod usage;
mod value;

// Each document has a module of its own, which has no other public item.
pub use change::*;
pub use document::*;
pub use external::*;
pub use grant::*;
pub use health::*;
pub use incident::*;
pub use interval::*;
pub use key::*;
pub use key_change::*;
pub use last_use::*;
pub use limit::*;
pub use mode::*;
pub use name::*;
pub use page::*;
pub use problem::*;
pub use rate::*;
pub use report::*;
pub use review::*;
pub use rotation::*;
pub use token::*;
pub use usage::*;
pub use value::*;
