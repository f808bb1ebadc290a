//! The kinds of records as lists of damaged and older records name them.

use crate::base::words::words;

words! {
    /// The kind of a record in the store.
    pub enum RecordKind {
        /// A key with its versions.
        Key = "key",
        /// An access token.
        Token = "token",
        /// The settings of an environment.
        Settings = "settings",
        /// An incident.
        Incident = "incident",
        /// The follow-ups of reviews.
        Reviews = "reviews",
        /// The statements of people.
        Attestations = "attestations",
        /// A value that leaked.
        LeakedValue = "leaked value",
        /// The key or the name of an environment.
        Environment = "environment",
        /// The key of an audit log.
        LogKey = "log_key",
        /// The newest checkpoint of an audit log.
        Checkpoint = "checkpoint",
        /// Any other record.
        Other = "record",
    }
}
