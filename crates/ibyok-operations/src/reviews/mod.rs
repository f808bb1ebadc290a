//! Reviews of the audit log: the lines that deserve attention, and the follow-up of people.
//!
//! The vault decides the lines that a caller may see, and records each review. The rules for findings are those of
//! [`Reviewer`](ibyok_core::audit::review::Reviewer).

mod geoip;
mod request;
mod review;

pub use ibyok_core::audit::review::{Acknowledged, Detector, Finding, FindingId, Severity, Thresholds};
pub use ibyok_core::audit::{ReviewDone, ReviewedLog};

pub use self::geoip::GeoIp;
pub use self::request::{ReviewHabits, ReviewRequest};
pub(crate) use self::review::Examination;
pub use self::review::{Review, ReviewExt, ReviewVerbs};
