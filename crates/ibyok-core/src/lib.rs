//! IBYOK as a library: a vault for the API keys that programs use.
//!
//! A [`Vault`] keeps keys sealed in a store, under environment keys that a KEK wraps. A program holds a scoped, expiring
//! [`AccessToken`] and retrieves the key it needs at run time; each retrieval is on a tamper-evident audit log before the
//! value is released.
//!
//! ```
#![doc = include_str!("../embed.rs")]
//! ```
//!
//! # The parts
//! - [`Vault::builder`] puts one together from a [`Store`], a [`Kek`] and a [`FileSink`]; bring your own by implementing the trait.
//! - [`Vault::retrieve`] is the hot path. [`Vault::operator`] and [`Vault::as_token`] give a [`Session`] with every other verb.
//! - [`Error`] says by its variant what can be done about it.
//!
//! # What it does not do
//! It knows no transport and no command line, reads no environment, and installs no logger. It does not protect a value once
//! it is released, nor against whoever can read the memory of the process that holds the vault.
#![forbid(unsafe_code)]

mod admission;
mod attempt;
mod attest;
mod audit_view;
mod authenticate;
mod authorize;
mod builder;
mod cache;
mod change;
mod checkpoints;
mod clock;
mod context;
mod damage;
mod environments;
mod error;
mod find_token;
mod floors;
mod folded;
#[cfg(test)]
mod forging;
mod geoip;
mod give_up;
mod guardrails;
mod incidents;
mod issue;
mod keys;
mod known_values;
mod lease;
mod limits;
mod list;
mod logs;
mod mock_value;
mod model;
mod modes;
mod namespaces;
mod opening;
mod page;
mod provider;
mod realm;
mod recording;
mod records;
#[cfg(test)]
mod recovered;
mod recovery;
mod refusals;
mod retrieve;
mod review;
mod review_tokens;
mod revoked;
mod rotate_token;
mod rotation;
mod session;
mod set_key;
pub mod settings;
mod stated;
mod status;
mod store_behind;
mod survey;
mod take_away;
mod tenant;
mod token_children;
mod token_keys;
mod token_refusals;
mod tokens;
mod usage;
mod vault;
mod whole_log;

// The public interface is:
pub use attest::SharedValue;
pub use audit_view::verify_log;
pub use builder::{VaultBuilder, vault_in};
pub use clock::{Clock, SystemClock};
pub use context::RequestContext;
pub use damage::{Damage, DamagedRecord};
pub use error::{Code, Error, Part, Result};
pub use geoip::GeoIp;
pub use guardrails::Guardrails;
pub use incidents::{
    DidRead, IncidentOpened, IncidentReport, IncidentRequest, KeyReader, LineAt, NotRevoked, ProviderPages, Reach,
    ReportLine, Step,
};
pub use known_values::{FingerprintBundle, KnownValue, KnownValues};
pub use limits::{EnvironmentLimit, LimitInForce, LimitScope};
pub use logs::AuditFollow;
pub use model::account::ACCOUNT_MAX;
pub use model::attestation::{ATTESTED_ITEMS, Attestation};
pub use model::environment::{Class, EnvironmentInfo};
pub use model::incident::{Closing, IncidentId, IncidentInfo, IncidentNote};
pub use model::interval::Interval;
pub use model::key::{KeyInfo, Role, Stamp, StateChange, VersionInfo};
pub use model::key_ref::KeyRef;
pub use model::mode::{Mode, ModeSource};
pub use model::name::{EnvironmentName, FieldName, KeyId, KeyName, Namespace};
pub use model::review::{ReviewDone, ReviewedLog};
pub use model::token::{AccessToken, ChildToken, Expiry, Issued, TokenInfo, TokenRequest, attenuate, token_id};
pub use model::variable::runs_code;
pub use model::which_version::WhichVersion;
pub use model::write::{Imported, KeyEdit, KeyWrite, VALUE_MAX, Written};
pub use modes::EnvironmentMode;
pub use namespaces::{NamespaceInfo, NamespaceRemoval, NamespaceRemoved, Namespaces};
pub use page::{Page, PageRequest};
pub use retrieve::{Released, ReleasedInfo};
pub use review::{Review, ReviewRequest, check_proof};
pub use review_tokens::TokenFinding;
pub use revoked::{ReadKey, RevokedToken};
pub use rotate_token::TokenRotation;
pub use rotation::{Consumer, Destroyed, DrainRequest, Due, RotationStatus, VersionUse, Waiting};
pub use session::{Session, WhoAmI};
pub use status::{AuditStatus, Ready, Status, StoreStatus};
pub use survey::RecordsStatus;
pub use tenant::Tenant;
pub use usage::{UsageBy, UsageItem, UsageReport, UsageRequest};
pub use vault::Vault;
pub use whole_log::WholeLog;

// What an embedder needs of the parts, so that this crate is the only dependency:
pub use ibyok_audit::review::{Acknowledged, Detector, Finding, FindingId, Severity, Thresholds};
pub use ibyok_audit::{
    Action, Durability, Entry, FileSink, Filter, Line, Lines, Outcome, Proof, Proven, Report, Sink, StdoutSink,
    VerifyingKey,
};
#[cfg(feature = "aws-kms")]
pub use ibyok_crypto::{AwsKms, AwsKmsOptions};
pub use ibyok_crypto::{Kek, LocalKek, PassphraseCost, PassphraseKek, Secret};
pub use ibyok_policy::{Environments, Grant, Pattern, Per, Rate, Restriction, Scope, Scopes, TokenId};
pub use ibyok_providers::{Catalogue, Provider};
pub use ibyok_storage::{FileStore, MemoryStore, Store};
pub use jiff::{SignedDuration, Timestamp};
pub use secrecy::{ExposeSecret, SecretString};
