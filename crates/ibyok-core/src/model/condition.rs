//! Conditions on which a key is changed.

use super::key::KeyRecord;

/// A condition on which a key is changed. If it does not hold, nothing is done.
///
/// It is checked in the same compare-and-swap as the change: of two writers who read the same revision, one alone changes the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The key exists.
    Exists,
    /// The key is at this revision, as [`KeyInfo::revision`](crate::keys::KeyInfo::revision) shows it.
    Revision(u64),
    /// The current version has this number.
    Version(u32),
    /// At least one of these conditions holds. An empty list never holds.
    Any(Vec<Condition>),
}

impl Condition {
    /// Decides whether the condition holds for a key that exists.
    pub(crate) fn holds(&self, key: &KeyRecord) -> bool {
        match self {
            Condition::Exists => true,
            Condition::Revision(revision) => key.rev == *revision,
            Condition::Version(number) => key.current().is_some_and(|current| current.number == *number),
            Condition::Any(all) => all.iter().any(|one| one.holds(key)),
        }
    }
}
