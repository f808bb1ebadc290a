//! Typed client of the IBYOK server, for programs that do not embed the vault.
//!
//! A program holds an access token and fetches the key that it needs at run time:
//!
//! ```no_run
//! // Not run: it needs a server.
//! use ibyok_client::{Client, SecretString};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token = SecretString::from(std::env::var("IBYOK_TOKEN")?);
//! let client = Client::new("https://vault.example.com", token)?;
//! let key = client.retrieve("prod", "openai", None, None).await?;
//! let header = format!("Bearer {}", key.text()?);
//! # Ok(())
//! # }
//! ```
//!
//! A token can be narrowed before it is handed on, without asking the server:
//!
//! ```
//! use ibyok_client::{Restriction, SecretString, attenuate};
//!
//! let mut restriction = Restriction::default();
//! restriction.environments = Some(["dev".to_owned()].into());
//! let garbage = SecretString::from("not a token");
//! assert!(attenuate(&garbage, &restriction).is_err());
//! ```
//!
//! What it takes care of: the token travels over `https`, or over `http` to this very machine, unless the opposite is said by
//! name; it is never sent after a redirect, and no proxy is taken from the environment. What only reads is tried again, with
//! a growing and uneven delay, when the server cannot be reached or says 503; what changes something is never sent twice.
//!
//! The feature `https` (on by default) is TLS; a client without it reaches servers over `http` only, which spares a build of the TLS
//! library.
//!
//! What it does not do: it keeps no value, so each retrieval is on the server's log. Values are wiped here when they are
//! dropped, but not in the buffers of the HTTP and TLS libraries below.
#![forbid(unsafe_code)]

mod attenuate;
mod audit_review;
mod builder;
mod client;
mod error;
mod incidents;
mod keys;
mod limits;
mod listing;
mod model;
mod modes;
mod path;
mod problem;
mod retrieved;
mod review;
mod rotation;
mod send;
mod tokens;
mod usage;
mod write;

pub use attenuate::attenuate;
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Error, Result};
pub use ibyok_policy::{Environments, Grant, Pattern, Per, Rate, Restriction, Scope, Scopes, TokenId};
pub use incidents::{Incident, IncidentRequest};
pub use limits::{EnvironmentLimit, LimitInForce};
pub use listing::{DamagedRecord, Listing};
pub use model::{
    ChildToken, Issued, KeyInfo, Stamp, StateChange, TokenInfo, TokenRequest, VersionInfo, WhoAmI, Written,
};
pub use modes::EnvironmentMode;
pub use problem::Problem;
pub use retrieved::Retrieved;
pub use review::{ReadKey, RevokedToken, TokenFinding};
pub use rotation::{Consumer, Destroyed, Drain, Due, RotationStatus, VersionUse, Waiting};
pub use secrecy::{ExposeSecret, SecretSlice, SecretString};
pub use tokens::TokenRotation;
pub use usage::UsageRequest;
pub use write::{KeyEdit, KeyWrite};
