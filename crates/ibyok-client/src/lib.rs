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
//! Answers are the documents of [`ibyok_api`]. Each is a [`Document`], which also keeps the members that this version does not know.
//!
//! The token travels over `https`, or over `http` to this very machine, unless the program allows more by name. The
//! client never sends it after a redirect, and takes no proxy from the environment. It retries a request that only
//! reads, with a growing and uneven delay, if the server cannot be reached or answers 503. It never sends a request
//! that changes something twice.
//!
//! The feature `https` (on by default) is TLS; a client without it reaches servers over `http` only, which spares a build of the TLS
//! library.
//!
//! The client keeps no value, so each retrieval is on the server's log. Values are wiped here when they are dropped,
//! but not in the buffers of the HTTP and TLS libraries below.
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
mod modes;
mod path;
mod problem;
mod retrieved;
mod rotation;
mod send;
mod tokens;
mod usage;
mod write;

pub use attenuate::attenuate;
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Error, Result};
pub use incidents::IncidentRequest;
pub use listing::Listing;
pub use problem::Problem;
pub use retrieved::Retrieved;
pub use secrecy::{ExposeSecret, SecretSlice, SecretString};
pub use tokens::Issued;
pub use usage::UsageRequest;
pub use write::KeyWrite;

// The documents of the wire:
pub use ibyok_api::{
    Acknowledged, Change, ChildToken, Closing, Consumer, ConsumerKind, Damage, DamagedRecord, Destroyed, DidRead,
    Document, Drain, Due, DueKind, EnvironmentClass, EnvironmentLimit, EnvironmentMode, Finding, FindingSubject, Grant,
    Incident, IncidentNote, IncidentOpened, IncidentReport, IncidentState, Interval, KeyEdit, KeyInfo, KeyReader,
    LastUse, LeakedCopy, LimitInForce, LimitScope, LimitSource, LineAt, LogRead, Mark, Mode, ModeOverride, ModeSource,
    NotRevoked, Outcome, Per, PrincipalKind, ProblemCode, ProviderPages, Rate, Reach, ReadKey, ReaderSource,
    Replacement, ReportLine, Review, ReviewDay, ReviewDone, ReviewNetwork, ReviewThresholds, ReviewToken, ReviewedLog,
    RevokedToken, Role, RotationStatus, Scope, Severity, ShownLine, Stamp, StateChange, StateChangeTo, Step, StepId,
    SubjectKind, TokenFinding, TokenFindingKind, TokenInfo, TokenRequest, TokenRotation, TokenState, UsageBy,
    UsageItem, UsageReport, VersionInfo, VersionName, VersionState, VersionUse, Waiting, WaitingWhy, WhoAmI, Written,
};
// Narrowing a token without the server:
pub use ibyok_policy::{Pattern, Restriction, Scopes};
