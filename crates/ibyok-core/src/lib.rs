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
//! # Many tenants
//! A vault keeps its tenants apart by [`Namespace`]: keys, tokens, incidents, settings and lines of the audit log. A session acts in
//! one namespace and refuses every reference to another. A handler of requests needs no operator: [`Vault::tenant`] takes the tokens
//! of one tenant alone, and [`Tenant::key`] takes what a client sent as parts, so that a part never becomes two.
//!
//! ```
//! use ibyok_core::{AccessToken, Code, Error, RequestContext, Vault};
//!
//! /// Answers `GET /{tenant}/keys/{environment}/{name}`. Every text is as the client sent it, percent-decoded.
//! async fn answer(vault: &Vault, path: [&str; 3], bearer: &str, client: RequestContext) -> Result<Vec<u8>, Error> {
//!     let [tenant, environment, name] = path;
//!     let tenant = vault.tenant(tenant)?;
//!     let key = tenant.key(environment, name)?;
//!     let released = tenant.retrieve(&AccessToken::from(bearer), &key, &client).await?;
//!     Ok(released.bytes()?.to_vec())
//! }
//!
//! # use ibyok_core::{Environments, FileSink, Grant, LocalKek, MemoryStore, Scope, Scopes, Secret, TokenRequest};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let builder = Vault::builder().store(MemoryStore::new()).kek(LocalKek::generate()?);
//! # let vault = builder.audit(FileSink::open(place.path().join("audit")).await?).create().await?;
//! // The host makes the tenants, each with dev, staging and prod.
//! let mut tokens = Vec::new();
//! for tenant in ["acme", "globex"] {
//!     vault.namespaces("host").create(&tenant.parse()?).await?;
//!     let operator = vault.operator("host").in_namespace(tenant.parse()?)?;
//!     operator.keys().set(&"prod/openai".parse()?, Secret::copy_of(tenant.as_bytes())).await?;
//!     let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
//!     tokens.push(operator.tokens().issue(TokenRequest::new("worker", grant)).await?.token);
//! }
//! let client = RequestContext::default;
//! let (acme, globex) = (tokens[0].expose(), tokens[1].expose());
//! assert_eq!(answer(&vault, ["acme", "prod", "openai"], acme, client()).await?, b"acme");
//!
//! let refused = answer(&vault, ["acme", "prod", "openai"], globex, client()).await.unwrap_err();
//! assert_eq!(refused.code(), Code::Unauthenticated);
//! for [environment, name] in [["globex/prod", "openai"], ["prod", "../../globex/prod/openai"], ["ibyok:/", "globex/prod/openai"]] {
//!     let refused = answer(&vault, ["acme", environment, name], acme, client()).await.unwrap_err();
//!     assert_eq!(refused.code(), Code::Invalid);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//! - [`Vault::builder`] puts one together from a [`Store`], a [`Kek`] and a [`FileSink`]; bring your own by implementing the trait.
//! - [`Vault::retrieve`] is the hot path. [`Vault::operator`] and [`Vault::as_token`] give a [`Session`]. Its handles have every other verb:
//!   [`Session::keys`], [`Session::tokens`], [`Session::audit`], and so on.
//! - [`Vault::tenant`] is the vault for the requests of one tenant. [`Vault::namespaces`] makes, lists and removes tenants, and
//!   [`Vault::whole_log`] reads the audit log of all; both are for the host alone.
//! - [`Error`] says by its variant what can be done about it.
//!
//! # What it does not do
//! It knows no transport and no command line, reads no environment, and installs no logger. It does not protect a value once
//! it is released, nor against whoever can read the memory of the process that holds the vault.
#![forbid(unsafe_code)]

mod base;
mod changes;
mod floors;
#[cfg(test)]
mod forging;
mod gate;
mod geoip;
mod incidents;
mod leaked;
mod limits;
mod logs;
pub mod mask;
mod model;
mod modes;
mod opening;
mod realm;
mod recorder;
mod records;
#[cfg(test)]
mod recovered;
mod retrieve;
mod reviews;
mod usage;
mod vault;
mod verbs;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

// The public interface is:
pub use base::clock::{Clock, SystemClock};
pub use base::context::RequestContext;
pub use base::damage::{Affected, Damage};
pub use base::error::{Code, Error, Part, Result};
pub use base::secret_text::{holds_a_secret, without_secrets};
pub use floors::FloorsStatus;
#[cfg(feature = "geoip")]
pub use geoip::GeoIp;
pub use logs::AuditFollow;
pub use logs::unread_lines::unread_line;
pub use model::account::ACCOUNT_MAX;
pub use model::attestation::{ATTESTED_ITEMS, Attestation};
pub use model::condition::Condition;
pub use model::environment::{Class, EnvironmentInfo};
pub use model::guardrails::Guardrails;
pub use model::incident::{Closing, IncidentId, IncidentInfo, IncidentNote, IncidentState, Replacement};
pub use model::interval::Interval;
pub use model::key::{KeyInfo, Role, Stamp, StateChange, VersionInfo, VersionMark, VersionState};
pub use model::key_ref::KeyRef;
pub use model::limit::{LimitInForce, LimitScope, LimitSource};
pub use model::mode::{Mode, ModeSource};
pub use model::name::{EnvironmentName, FieldName, KeyId, KeyName, Namespace};
pub use model::review::{ReviewDone, ReviewedLog};
pub use model::token::{
    AccessToken, ChildToken, Expiry, Issued, TokenInfo, TokenRequest, TokenState, attenuate, token_id,
};
pub use model::variable::{VariableKind, reaches_browsers, runs_code};
pub use model::which_version::WhichVersion;
pub use model::write::{Imported, KeyEdit, KeyWrite, VALUE_MAX, Written};
pub use modes::EnvironmentMode;
pub use opening::builder::VaultBuilder;
pub use realm::vault_record::vault_in;
pub use records::damage::DamagedRecord;
pub use records::page::{Page, PageRequest};
pub use records::survey::RecordsStatus;
pub use retrieve::{Released, ReleasedInfo};
pub use usage::{UsageBy, UsageItem, UsageReport, UsageRequest};
pub use vault::Vault;
pub use vault::handles::{
    AttestationVerbs, AuditVerbs, EnvironmentVerbs, FloorVerbs, IncidentVerbs, KeyVerbs, KnownValueVerbs, LimitVerbs,
    ModeVerbs, ReviewVerbs, RotationVerbs, TokenVerbs, UsageVerbs,
};
pub use vault::session::{Session, WhoAmI};
pub use verbs::admission::Admitted;
pub use verbs::attest::SharedValue;
pub use verbs::audit::{opened_for_one_command, verify_log, verify_log_watched};
pub use verbs::floors::FloorsReport;
pub use verbs::floors::rollback::RolledBack;
pub use verbs::incidents::{
    DidRead, IncidentOpened, IncidentReport, IncidentRequest, KeyReader, LeakedCopy, LineAt, NotRevoked, ProviderPages,
    Reach, ReportLine, ServesLeaked, Step,
};
pub use verbs::known_values::{FingerprintBundle, KnownValue, KnownValues};
pub use verbs::limits::EnvironmentLimit;
pub use verbs::namespaces::{NamespaceInfo, NamespaceRemoval, NamespaceRemoved, Namespaces};
pub use verbs::review::{Review, ReviewRequest, check_proof};
pub use verbs::review_tokens::TokenFinding;
pub use verbs::revoked::{ReadKey, RevokedToken};
pub use verbs::rotate_token::TokenRotation;
pub use verbs::rotation::{Consumer, Destroyed, DrainRequest, Due, RotationStatus, VersionUse, Waiting};
pub use verbs::status::{AuditStatus, Ready, Status, StoreStatus};
pub use verbs::tenant::Tenant;
pub use verbs::whole_log::WholeLog;

// What an embedder needs of the parts, so that this crate is the only dependency:
pub use ibyok_audit::review::{Acknowledged, Detector, Finding, FindingId, Severity, Thresholds};
pub use ibyok_audit::words;
pub use ibyok_audit::{
    Action, AuditHome, Batch, Entry, Error as LogError, FileSink, Filter, Hold, Home, HomeFile, LeftOut, LeftOutReason,
    Line, Lines, MemoryHome, Outcome, Proof, Proven, Sink, SinkDescription, SinkDurability, StdoutSink, VerifyProgress,
    VerifyReport, VerifyingKey,
};
pub use ibyok_crypto as kek;
#[cfg(feature = "aws-kms")]
pub use ibyok_crypto::{AwsKms, AwsKmsOptions};
pub use ibyok_crypto::{Kek, LocalKek, PassphraseCost, PassphraseKek, Secret, VaultId};
pub use ibyok_policy::{Environments, Grant, Pattern, Per, Rate, Restriction, Scope, Scopes, TokenId};
pub use ibyok_providers::{Catalogue, Provider};
pub use ibyok_storage as store;
#[cfg(feature = "file")]
pub use ibyok_storage::FileStore;
pub use ibyok_storage::{MemoryStore, Store};
pub use jiff::{SignedDuration, Timestamp};
pub use secrecy::{ExposeSecret, SecretString};
