//! The steps of a rotation, as the command line asks for them.

use ibyok_core::{keys::Interval, rotation::DrainRequest};

/// A step of a rotation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Pending becomes current; although it leaked if there is a reason.
    Promote(Option<String>),
    /// The version before becomes current again; although it leaked if there is a reason.
    Rollback(Option<String>),
    /// Retiring versions are no longer served: all of them, or the one that the reference names.
    Retire(Drain),
}

/// The conditions for a version to go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drain {
    /// The time that must have passed since its last read.
    pub(crate) quiet: Option<Interval>,
    /// True if it goes although consumers need it.
    pub(crate) force: bool,
    /// Why.
    pub(crate) reason: Option<String>,
}

impl Drain {
    /// As the vault here takes it.
    pub(crate) fn request(&self) -> DrainRequest {
        let mut request = DrainRequest::default();
        request.quiet = self.quiet.map(Interval::duration).unwrap_or_default();
        request.force = self.force;
        request.reason.clone_from(&self.reason);
        request
    }
}
