//! The steps of a rotation, as the command line asks for them.

/// A step of a rotation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Pending becomes current.
    Promote,
    /// The version before becomes current again.
    Rollback,
}
