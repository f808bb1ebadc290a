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
//! one namespace and refuses every reference to another. A handler of requests needs no operator: [`Vault::tenant`] accepts the
//! tokens of one tenant only, and [`Tenant::key`] takes the parts that a client sent separately, so that a part never becomes two.
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
//! - [`Error`] shows the possible remedy by its variant.
//!
//! # Out of scope
//! It knows no transport and no command line, reads no environment, and installs no logger. It does not protect a value once
//! it is released, nor against someone who can read the memory of the process that holds the vault.
#![forbid(unsafe_code)]

mod backup;
mod base;
mod changes;
mod examine;
mod floor;
#[cfg(test)]
mod forged_lives;
#[cfg(test)]
mod forging;
mod gate;
mod incident;
mod leaked;
mod limit;
mod logs;
pub mod mask;
mod mode;
mod model;
mod opening;
mod realm;
mod recorder;
mod records;
#[cfg(test)]
mod recovered;
mod retrieve;
mod uses;
mod vault;
mod verbs;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

// The public interface is: the names that every program needs, and one module for each subject, named after its handle.
pub use base::context::RequestContext;
pub use base::error::{Code, Error, Result};
pub use ibyok_audit::{FileSink, Home, Sink};
pub use ibyok_crypto::{Kek, LocalKek, Secret};
pub use ibyok_policy::{Environments, Grant, Scope, Scopes};
#[cfg(feature = "file")]
pub use ibyok_storage::FileStore;
pub use ibyok_storage::{MemoryStore, Store};
pub use model::key_ref::KeyRef;
pub use model::name::{EnvironmentName, KeyName, Namespace};
pub use model::token::{AccessToken, TokenRequest};
pub use opening::builder::VaultBuilder;
pub use retrieve::Released;
pub use vault::Vault;
pub use vault::session::Session;
pub use verbs::tenant::Tenant;

// The crates whose types are in signatures, so that this crate is the only dependency:
pub use ibyok_crypto as kek;
pub use ibyok_policy as policy;
pub use ibyok_providers as providers;
pub use ibyok_storage as store;
pub use {ipnet, jiff, secrecy};

/// Statements of people about items of the checklist: [`Session::attestations`](crate::Session::attestations).
pub mod attestations {
    pub use crate::model::attestation::{ATTESTED_ITEMS, Attestation};
    pub use crate::vault::handles::AttestationVerbs;
}

/// The audit log: [`Session::audit`](crate::Session::audit), and everything for a custom sink or home.
pub mod audit {
    pub use crate::examine::{Examined, Examiner, FollowedUp, ReviewAccount};
    pub use crate::logs::AuditFollow;
    pub use crate::logs::unread_lines::unread_line;
    pub use crate::model::review::{FollowUps, ReviewDone, ReviewedLog};
    pub use crate::vault::handles::AuditVerbs;
    pub use crate::verbs::archive::{ArchiveRun, ArchivedLog};
    pub use crate::verbs::audit::{opened_for_one_command, verify_log, verify_log_watched};
    pub use crate::verbs::prove::check_proof;
    pub use crate::verbs::whole_log::WholeLog;
    pub use ibyok_audit::*;
}

/// Backups of a whole vault: [`Session::backups`](crate::Session::backups) takes them, and [`Backup`](backups::Backup) checks them.
pub mod backups {
    pub use crate::backup::copy::{Copied, StoreCopy};
    pub use crate::backup::fill::restore_records;
    pub use crate::backup::manifest::{BackupFloors, BackupInfo, BackupLog};
    pub use crate::backup::read::{Backup, Progress};
    pub use crate::backup::settle::Settled;
    pub use crate::backup::since::{ChangesSince, NeededGeneration, TakenAway, changes_since};
    pub use crate::backup::write::BackupRequest;
    pub use crate::vault::handles::BackupVerbs;
}

/// The time, as a vault reads it.
pub mod clock {
    pub use crate::base::clock::{Clock, SystemClock};
}

/// Environments: [`Session::environments`](crate::Session::environments).
pub mod environments {
    pub use crate::model::environment::{Class, EnvironmentInfo};
    pub use crate::vault::handles::EnvironmentVerbs;
}

/// The details of an error of a vault.
pub mod errors {
    pub use crate::base::damage::{Affected, Damage};
    pub use crate::base::error::{Part, quoted};
    pub use crate::base::remedy::Remedy;
}

/// Floors, below which nodes refuse records: [`Session::floors`](crate::Session::floors).
pub mod floors {
    pub use crate::floor::FloorsStatus;
    pub use crate::vault::handles::FloorVerbs;
    pub use crate::verbs::floors::FloorsReport;
    pub use crate::verbs::floors::rollback::RolledBack;
}

/// Incidents: [`Session::incidents`](crate::Session::incidents).
pub mod incidents {
    pub use crate::model::account::ACCOUNT_MAX;
    pub use crate::model::incident::{
        Closing, IfStillServed, IncidentId, IncidentInfo, IncidentNote, IncidentState, IncidentsShown, Replacement,
    };
    pub use crate::vault::handles::IncidentVerbs;
    pub use crate::verbs::incidents::{
        DidRead, IncidentFacts, IncidentOpened, IncidentRequest, KeyReader, LeakedCopy, LineAt, NotRevoked, Reach,
        ReaderSource, ReportLine, ServesLeaked,
    };
}

/// The KEKs of a vault: [`Vault::keks`](crate::Vault::keks), and where a running vault gets new ones.
pub mod keks {
    pub use crate::opening::keks::NoKeks;
    pub use crate::opening::reach::Reach;
    pub use crate::records::keks::KekSource;
    pub use crate::verbs::generations::rekey::EndingTokens;
    pub use crate::verbs::generations::{Generations, KeysOf};
    pub use crate::verbs::keks::{Keks, OutdatedKek, Rewrapped};
}

/// Keys and their versions: [`Session::keys`](crate::Session::keys).
pub mod keys {
    pub use crate::model::condition::Condition;
    pub use crate::model::interval::Interval;
    pub use crate::model::key::{Role, Stamp, StateChange, VersionMark, VersionState};
    pub use crate::model::key_info::{KeyInfo, VersionInfo};
    pub use crate::model::name::{FieldName, KeyId};
    pub use crate::model::variable::{VariableKind, reaches_browsers, runs_code};
    pub use crate::model::which_version::WhichVersion;
    pub use crate::model::write::{IfExists, Imported, KeyEdit, KeyWrite, VALUE_MAX, Written};
    pub use crate::retrieve::ReleasedInfo;
    pub use crate::vault::handles::KeyVerbs;
    pub use crate::verbs::withheld::Withheld;
}

/// The values that the vault knows, to find them in texts: [`Session::known_values`](crate::Session::known_values).
pub mod known_values {
    pub use crate::vault::handles::KnownValueVerbs;
    pub use crate::verbs::attest::SharedValue;
    pub use crate::verbs::known_values::{FingerprintBundle, KnownValue, KnownValues};
}

/// Limits of tokens, keys and environments: [`Session::limits`](crate::Session::limits).
pub mod limits {
    pub use crate::model::limit::{LimitInForce, LimitScope, LimitSource};
    pub use crate::vault::handles::LimitVerbs;
    pub use crate::verbs::limits::EnvironmentLimit;
}

/// Modes, mock or live: [`Session::modes`](crate::Session::modes).
pub mod modes {
    pub use crate::mode::EnvironmentMode;
    pub use crate::model::guardrails::Guardrails;
    pub use crate::model::mode::{Mode, ModeSource};
    pub use crate::vault::handles::ModeVerbs;
}

/// Namespaces, which are the tenants: [`Vault::namespaces`](crate::Vault::namespaces).
pub mod namespaces {
    pub use crate::verbs::namespaces::{NamespaceInfo, NamespaceRemoval, NamespaceRemoved, Namespaces};
}

/// Pages of lists.
pub mod pages {
    pub use crate::records::page::{Page, PageRequest};
}

/// Rotation of keys: [`Session::rotation`](crate::Session::rotation).
pub mod rotation {
    pub use crate::vault::handles::RotationVerbs;
    pub use crate::verbs::rotation::{
        Consumer, Destroyed, DrainRequest, RotationStatus, VersionUse, Waiting, WaitingFor,
    };
}

/// The identity of a session, and its admission to a verb.
pub mod sessions {
    pub use crate::model::caller_kind::CallerKind;
    pub use crate::vault::session::WhoAmI;
    pub use crate::verbs::admission::Admitted;
}

/// The health of a vault and its store.
pub mod status {
    pub use crate::model::record_kind::RecordKind;
    pub use crate::realm::vault_record::vault_in;
    pub use crate::records::damage::DamagedRecord;
    pub use crate::records::survey::RecordsStatus;
    pub use crate::verbs::status::{AuditStatus, LineDurability, Ready, Separation, Status, StoreStatus, Survives};
}

/// Access tokens: [`Session::tokens`](crate::Session::tokens).
pub mod tokens {
    pub use crate::model::token::{
        ChildToken, Descendants, Expiry, Issued, TokenInfo, TokenState, attenuate, token_id,
    };
    pub use crate::model::token_ref::TokenRef;
    pub use crate::vault::handles::TokenVerbs;
    pub use crate::verbs::revoked::{ReadKey, RevokedToken};
    pub use crate::verbs::rotate_token::TokenRotation;
    pub use crate::verbs::token_uses::{KeyNames, KeyUsed, TokenFacts, TokenUses};
}

/// Use of keys and tokens: [`Session::usage`](crate::Session::usage).
pub mod usage {
    pub use crate::uses::{UsageBy, UsageItem, UsageReport, UsageRequest};
    pub use crate::vault::handles::UsageVerbs;
}
