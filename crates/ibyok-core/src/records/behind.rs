//! A store that has not come as far as this node knows that it had.

use std::fmt;

/// The distance by which a store is behind: the change that it had come to, and the change that it is at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) known: u64,
    pub(crate) now: u64,
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Behind { known, now } = self;
        write!(
            f,
            "the store is at change {now}, and the audit log has seen change {known}: somebody put back an older copy of the store, or the store \
            lost writes; restore a newer copy, or accept this one"
        )
    }
}

/// The finding, as long as the store is behind.
#[derive(Debug, Default)]
pub(crate) struct StoreFinding {
    pub(super) behind: Option<Behind>,
    /// True if the finding is not on the log yet.
    pub(super) untold: bool,
}
