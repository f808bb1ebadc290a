//! The steps of a rotation.

use ibyok_core::{keys::Interval, rotation::DrainRequest};

/// A step of a rotation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Makes the pending version current. A reason forces this for a leaked value.
    Promote(Option<String>),
    /// Makes the previous version current again. A reason forces this for a leaked value.
    Rollback(Option<String>),
    /// Retires the retiring versions: all of them, or the one that the reference names.
    Retire(Drain),
}

/// The conditions on which a version is retired or destroyed.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a caller builds it from its own flags")]
pub struct Drain {
    /// The time that must have passed since the last read of the version.
    pub quiet: Option<Interval>,
    /// True to proceed even if consumers still use the version.
    pub force: bool,
    /// The reason for `force`, for the audit log.
    pub reason: Option<String>,
}

impl Drain {
    /// Returns the conditions as a vault in this process takes them.
    #[must_use]
    pub fn request(&self) -> DrainRequest {
        let mut request = DrainRequest::default();
        request.quiet = self.quiet.map(Interval::duration).unwrap_or_default();
        request.force = self.force;
        request.reason.clone_from(&self.reason);
        request
    }
}
