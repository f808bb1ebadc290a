//! Problem documents (RFC 9457).

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The stable word for a refusal, which programs act on.
    pub enum ProblemCode {
        /// The request is not valid.
        Invalid = "invalid",
        /// The request has no valid token.
        Unauthenticated = "unauthenticated",
        /// The token may not do this.
        Denied = "denied",
        /// There is no such thing.
        NotFound = "not_found",
        /// The key is disabled.
        KeyDisabled = "key_disabled",
        /// The version is disabled or retired.
        VersionDisabled = "version_disabled",
        /// The version's value is destroyed.
        VersionDestroyed = "version_destroyed",
        /// The thing already exists.
        Exists = "exists",
        /// Another change came first, or the state does not allow this one.
        Conflict = "conflict",
        /// A consumer still uses the version.
        InUse = "in_use",
        /// The request's condition does not hold.
        Precondition = "precondition",
        /// The request or the value is too large.
        TooLarge = "too_large",
        /// The body's kind is not supported.
        UnsupportedMedia = "unsupported_media",
        /// The path does not have this method.
        Method = "method",
        /// The body took too long to arrive.
        Timeout = "timeout",
        /// A limit is reached.
        Limited = "limited",
        /// A record does not open, or is older than the log says.
        Integrity = "integrity",
        /// A part of the vault does not work.
        Unavailable = "unavailable",
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The URN of the kind of problem
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The phrase of the HTTP status
    #[serde(default)]
    pub title: String,
    /// The HTTP status
    #[serde(default)]
    pub status: u16,
    /// The problem in a sentence
    #[serde(default)]
    pub detail: String,
    /// The stable word that programs act on
    pub code: ProblemCode,
    /// The action that fixes the problem
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub hint: Option<String>,
    /// The id of the request in the server's logs
    #[serde(default)]
    pub request_id: String,
}
