//! The request to decide on, and its realm.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::Scope;

/// The reach of the realm under which a token was verified. It bounds the token's grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a realm is exactly these two")]
pub struct RealmScope<'a> {
    /// The one namespace of the realm.
    pub namespace: &'a str,
    /// The one environment of the realm, or `None` if it spans all environments of the namespace.
    pub environment: Option<&'a str>,
}

/// One action that a token's holder asks for.
///
/// `None` is "there is none" or "not known", and never passes a limit on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers must supply every new attribute")]
pub struct Request<'a> {
    /// The scope that the action needs.
    pub scope: Scope,
    /// The namespace it acts in.
    pub namespace: &'a str,
    /// The environment it acts on; `None` for a request that belongs to no single environment.
    pub environment: Option<&'a str>,
    /// The name of the key it acts on.
    pub key: Option<&'a str>,
    /// True if the request is for the pending version of the key, and no other.
    pub pending: bool,
    /// The address it comes from.
    pub source: Option<IpAddr>,
    /// The time of the request.
    pub at: Timestamp,
}
