//! The common form of grants and restrictions, so that one rule reads both.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::{Grant, Pattern, Restriction, Scopes};

/// The limits of one grant or of one restriction; `None` does not limit.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) scopes: Option<Scopes>,
    pub(crate) environments: Option<&'a BTreeSet<String>>,
    pub(crate) keys: Option<&'a [Pattern]>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) networks: Option<&'a [IpNet]>,
    pub(crate) pending_only: bool,
    /// True if the token may give itself a new secret. For a restriction: true if the restriction leaves that right.
    pub(crate) self_rotate: bool,
}

/// The limits of a grant, then those of each restriction.
pub(crate) fn all<'a>(grant: &'a Grant, restrictions: &'a [Restriction]) -> impl Iterator<Item = Limits<'a>> + Clone {
    std::iter::once(grant.limits()).chain(restrictions.iter().map(Restriction::limits))
}
