//! The stable words of errors.

use std::fmt;

/// The stable word of an error, the same on the command line, over HTTP and in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// `invalid`
    Invalid,
    /// `unauthenticated`
    Unauthenticated,
    /// `denied`
    Denied,
    /// `not_found`
    NotFound,
    /// `key_disabled`
    KeyDisabled,
    /// `version_disabled`
    VersionDisabled,
    /// `version_destroyed`
    VersionDestroyed,
    /// `exists`
    Exists,
    /// `conflict`
    Conflict,
    /// `precondition`
    Precondition,
    /// `in_use`
    InUse,
    /// `too_large`
    TooLarge,
    /// `limited`
    Limited,
    /// `integrity`
    Integrity,
    /// `unavailable`
    Unavailable,
    /// The KEK at hand does not open the vault; `unavailable`, too, where programs answer with words.
    Kek,
    /// The vault was closed by its own program; `unavailable`, too, where programs answer with words.
    Closed,
}

impl Code {
    /// The word itself, as it appears in `error.code` and in a problem document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Invalid => "invalid",
            Code::Unauthenticated => "unauthenticated",
            Code::Denied => "denied",
            Code::NotFound => "not_found",
            Code::KeyDisabled => "key_disabled",
            Code::VersionDisabled => "version_disabled",
            Code::VersionDestroyed => "version_destroyed",
            Code::Exists => "exists",
            Code::Conflict => "conflict",
            Code::Precondition => "precondition",
            Code::InUse => "in_use",
            Code::TooLarge => "too_large",
            Code::Limited => "limited",
            Code::Integrity => "integrity",
            // A caller of a server can do the same about all three: wait for its operator.
            Code::Unavailable | Code::Kek | Code::Closed => "unavailable",
        }
    }

    /// Returns the HTTP status with which `ibyok-server` answers, 400 to 503 (RFC 9110, and RFC 6585 for 429).
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Code::Invalid => 400,
            Code::Unauthenticated => 401,
            Code::Denied => 403,
            Code::NotFound | Code::KeyDisabled | Code::VersionDisabled | Code::VersionDestroyed => 404,
            Code::Exists | Code::Conflict | Code::InUse => 409,
            Code::Precondition => 412,
            Code::TooLarge => 413,
            Code::Limited => 429,
            Code::Integrity => 500,
            Code::Unavailable | Code::Kek | Code::Closed => 503,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
