//! The catalogue of IBYOK: API providers as data.
//!
//! A **provider** issues keys: OpenAI, Stripe, GitHub. The catalogue knows the shapes of its keys, the variables in
//! which programs expect them, the pages on which a person creates and revokes them, and the form of a mock. All of
//! it is in one file, `providers.toml`; adding a provider is adding an entry (`docs/providers.md`). The feature `toml` adds
//! `Catalogue::parse`, which reads a custom catalogue.
//!
//! ```
//! use ibyok_providers::{Catalogue, Matched, mock};
//!
//! let catalogue = Catalogue::builtin();
//!
//! // Whose key is this? Its shape may say so. (The zeros keep this example from being anyone's.)
//! let value = format!("sk-or-v1-{}", "0".repeat(64));
//! let provider = catalogue.recognise(value.as_bytes()).expect("OpenRouter's keys are unmistakable");
//! assert_eq!((provider.id(), provider.variable()), ("openrouter", "OPENROUTER_API_KEY"));
//!
//! // Does it look like the key it is said to be?
//! let github = catalogue.get("github").expect("GitHub is in the catalogue");
//! assert_eq!(github.matches(value.as_bytes()), Matched::No);
//!
//! // A mock has the provider's prefix, is the same for the same seed, and is never taken for a key.
//! let stand_in = mock(Some(provider), &[7; 32]);
//! assert!(stand_in.starts_with("sk-or-mock-"));
//! assert!(catalogue.is_mock(stand_in.as_bytes()));
//! assert!(catalogue.recognise(stand_in.as_bytes()).is_none());
//! ```
//!
//! Values are only compared: none is stored, copied or printed. No function asks a provider whether a key is live,
//! there is no I/O, and the data is compiled in. A shape is a hint and not a proof: providers change their formats,
//! so a value that does not fit deserves a warning, never a refusal.
#![forbid(unsafe_code)]

mod catalogue;
mod entry;
mod error;
mod example;
mod find;
mod mock;
#[cfg(feature = "toml")]
mod parse;
mod provider;
#[cfg(feature = "toml")]
mod rules;
mod shape;

pub use catalogue::Catalogue;
pub use error::Error;
pub use mock::{is_mock, mock};
pub use provider::{Capability, Category, Matched, Provider};
pub use shape::{MAX_VALUE_LEN, Shape};
