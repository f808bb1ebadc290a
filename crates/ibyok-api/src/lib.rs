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

pub use change::Change;
pub use document::Document;
pub use external::{ExternalKey, ExternalMode, ExternalUsage, ExternalUsageItem, ExternalValue};
pub use grant::{Grant, Scope};
pub use health::{Agreement, Alive, History, PartState, Ready};
pub use incident::{
    Closing, Incident, IncidentClosing, IncidentNote, IncidentNoteRequest, IncidentOpened, IncidentRequest,
    IncidentState, LeakedCopy, NotRevoked, Replacement, Step, StepId,
};
pub use interval::{Interval, NotAnInterval};
pub use key::{KeyInfo, Mark, Role, Stamp, StateChange, StateChangeTo, VersionInfo, VersionState, Written};
pub use key_change::{Enabling, Forcing, KeyCopy, KeyEdit, KeyWrite, WhichVersion};
pub use last_use::LastUse;
pub use limit::{EnvironmentLimit, EnvironmentLimitChange, LimitInForce, LimitScope, LimitSource};
pub use mode::{EnvironmentClass, EnvironmentMode, KeyMode, Mode, ModeOverride, ModeSource, SetMode};
pub use name::{FieldName, NotAFieldName};
pub use page::{Damage, DamagedRecord, Page};
pub use problem::{Problem, ProblemCode};
pub use rate::{NotARate, Per, Rate};
pub use report::{DidRead, IncidentReport, KeyReader, LineAt, Outcome, ProviderPages, Reach, ReaderSource, ReportLine};
pub use review::{
    Acknowledged, Finding, FindingAck, FindingSubject, LogRead, Review, ReviewDay, ReviewDone, ReviewDoneRequest,
    ReviewNetwork, ReviewThresholds, ReviewToken, ReviewedLog, Severity, ShownLine, SubjectKind,
};
pub use rotation::{
    Consumer, ConsumerKind, Destroyed, Drain, Due, DueKind, RotationStatus, VersionName, VersionUse, Waiting,
    WaitingWhy,
};
pub use token::{
    ChildToken, Issued, PrincipalKind, ReadKey, RevokedToken, TokenFinding, TokenFindingKind, TokenInfo, TokenRequest,
    TokenRotation, TokenState, WhoAmI,
};
pub use usage::{UsageBy, UsageItem, UsageReport};
pub use value::Value;
