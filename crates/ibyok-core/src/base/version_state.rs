//! The state of a version, which errors name as well.

use crate::base::words::words;

words! {
    /// The one word for the state of a version: `destroyed`, else `disabled`, else its role.
    pub enum VersionState {
        /// Staged, to become current.
        Pending = "pending",
        /// Served when no version is named.
        Current = "current",
        /// Served when asked for by number.
        Retiring = "retiring",
        /// No longer served.
        Retired = "retired",
        /// Not served until it is enabled.
        Disabled = "disabled",
        /// The bytes are gone.
        Destroyed = "destroyed",
    }
}
