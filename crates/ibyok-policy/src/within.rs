//! The comparison of grants: a child's with its issuer's, and a token's with its reader's.

use jiff::Timestamp;

use crate::decide::{all_understood, require};
use crate::limits::{self, Limits};
use crate::{Environments, Grant, RealmScope, Reason, Restriction, network};

/// Checks that a child's grant lies within the effective grant of the token that issues it: the parent's grant,
/// bounded by the parent's realm and by every restriction on the presented token. Times, rate, and the right to
/// rotate itself included.
///
/// Sound: if it is `Ok`, then [`decide`](crate::decide()) allows the parent every request that it allows the child in
/// the parent's namespace. Not complete: patterns are compared by [`Pattern::includes`](crate::Pattern::includes),
/// networks one by one. A parent with an end asks for a child with an end, a parent with a beginning for a child with
/// one: [`Validity::of`] gives both, to be used as defaults.
///
/// # Errors
/// The first dimension in which the child is wider, or [`Reason::UnknownRestriction`].
pub fn within(
    child: &Grant,
    realm: &RealmScope<'_>,
    parent: &Grant,
    restrictions: &[Restriction],
) -> Result<(), Reason> {
    all_understood(restrictions)?;
    require(within_realm(&child.environments, realm), Reason::Environment)?;
    for outer in limits::all(parent, restrictions) {
        within_reach(child, outer)?;
        within_times(child, outer)?;
        require(outer.self_rotate || !child.self_rotate, Reason::SelfRotate)?;
    }
    let rate_holds = parent
        .rate
        .is_none_or(|outer| child.rate.is_some_and(|rate| rate.is_within(outer)));
    require(rate_holds, Reason::Rate)
}

/// Decides whether the holder of a token may see another token and take it away: the other one's grant lies within the
/// holder's effective grant in scopes, environments, keys, networks and pending versions.
///
/// This is [`within`] without the limits that give no power over keys: times, rate, and the right to rotate itself.
/// Taking a token away gives no rights to anybody, so a token may end another one that outlives it.
///
/// Sound: if it is `Ok`, then [`decide`](crate::decide()) allows the holder every request that it allows the other
/// token while both are valid. Not complete, as [`within`].
///
/// # Errors
/// The first dimension in which the other token is wider, or [`Reason::UnknownRestriction`].
pub fn in_sight(
    other: &Grant,
    realm: &RealmScope<'_>,
    own: &Grant,
    restrictions: &[Restriction],
) -> Result<(), Reason> {
    all_understood(restrictions)?;
    require(within_realm(&other.environments, realm), Reason::Environment)?;
    limits::all(own, restrictions).try_for_each(|outer| within_reach(other, outer))
}

fn within_realm(environments: &Environments, realm: &RealmScope<'_>) -> bool {
    let Some(only) = realm.environment else {
        return true;
    };
    match environments {
        Environments::All => false,
        Environments::Named(names) => names.iter().all(|name| name == only),
    }
}

fn within_reach(child: &Grant, outer: Limits<'_>) -> Result<(), Reason> {
    let inner = child.limits();
    if let Some(scopes) = outer.scopes
        && !child.scopes.is_within(scopes)
    {
        let excess = child.scopes.iter().find(|scope| !scopes.allows(*scope));
        return Err(Reason::Scope(excess.unwrap_or(crate::Scope::Admin)));
    }
    require(
        holds(outer.environments, inner.environments, |outer, inner| {
            inner.is_subset(outer)
        }),
        Reason::Environment,
    )?;
    require(!outer.pending_only || inner.pending_only, Reason::Version)?;
    require(
        holds(outer.keys, inner.keys, |outer, inner| {
            inner
                .iter()
                .all(|narrow| outer.iter().any(|wide| wide.includes(narrow)))
        }),
        Reason::Key,
    )?;
    require(
        holds(outer.networks, inner.networks, |outer, inner| {
            inner.iter().all(|narrow| network::any_includes(outer, narrow))
        }),
        Reason::Network,
    )
}

fn within_times(child: &Grant, outer: Limits<'_>) -> Result<(), Reason> {
    let inner = child.limits();
    require(
        holds(outer.not_before, inner.not_before, |outer, inner| inner >= outer),
        Reason::NotYetValid,
    )?;
    require(
        holds(outer.expires, inner.expires, |outer, inner| inner <= outer),
        Reason::Expired,
    )
}

/// No outer limit holds anyway; an outer limit needs an inner one that lies within it.
fn holds<T>(outer: Option<T>, inner: Option<T>, within: impl FnOnce(T, T) -> bool) -> bool {
    match (outer, inner) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => within(outer, inner),
    }
}

/// The time in which a token is valid, all its limits together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Validity {
    /// The first instant at which it is valid: the latest of all.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it is not: the earliest of all.
    pub expires: Option<Timestamp>,
}

impl Validity {
    /// The times that a grant and all restrictions leave.
    #[must_use]
    pub fn of(grant: &Grant, restrictions: &[Restriction]) -> Self {
        let all = limits::all(grant, restrictions);
        Self {
            not_before: all.clone().filter_map(|limits| limits.not_before).max(),
            expires: all.filter_map(|limits| limits.expires).min(),
        }
    }
}
