//! The decision: pure, total, the same for the same input.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::limits::{self, Limits};
use crate::{Grant, Pattern, RealmScope, Request, Restriction, Scope, network};

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody looks at protects nothing"]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that enforces a decision must handle a third one"
)]
pub enum Decision {
    /// The request may proceed.
    Allow,
    /// It may not, for this reason (the first in the order of [`decide`]).
    Deny(Reason),
}

impl Decision {
    /// Returns true if the decision is [`Decision::Allow`].
    #[must_use]
    pub const fn is_allow(self) -> bool {
        matches!(self, Self::Allow)
    }

    /// The decision as a result, for `?`.
    ///
    /// # Errors
    /// The reason of a denial.
    pub const fn into_result(self) -> Result<(), Reason> {
        match self {
            Self::Allow => Ok(()),
            Self::Deny(reason) => Err(reason),
        }
    }
}

impl From<Result<(), Reason>> for Decision {
    fn from(result: Result<(), Reason>) -> Self {
        match result {
            Ok(()) => Self::Allow,
            Err(reason) => Self::Deny(reason),
        }
    }
}

/// Why a request is denied, or why a grant does not lie within another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The request names another namespace than the token's.
    #[error("the token belongs to another namespace")]
    Namespace,
    /// The token carries a restriction that this version does not understand.
    #[error("the token has a restriction that this server does not understand")]
    UnknownRestriction,
    /// It is too early.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is too late.
    #[error("the token has expired")]
    Expired,
    /// The scope that the action needs is missing.
    #[error("the token lacks the scope `{0}`")]
    Scope(Scope),
    /// The environment is not among the token's.
    #[error("the token's grant does not include the environment")]
    Environment,
    /// No pattern of the token matches the key.
    #[error("the token's grant does not include the key")]
    Key,
    /// The token is limited to pending versions, and the request asks for something else.
    #[error("the token is limited to the pending version")]
    Version,
    /// The request comes from elsewhere, or its address is not known.
    #[error("the request comes from outside the token's networks")]
    Network,
    /// A child's rate is higher than its parent's, or it has none and its parent has one. Only [`within`](crate::within()) says so.
    #[error("the rate is missing, or higher than the rate of the issuing token")]
    Rate,
    /// The token may not rotate itself, or a child may and its parent may not.
    #[error("the token has no right to rotate itself")]
    SelfRotate,
}

impl Reason {
    /// A short word that stays the same, for the audit log: `scope`, `environment`, `key`, `expired`,
    /// `not_before`, `version`, `network`, `namespace`, `restriction`, `rate` or `self_rotate`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::UnknownRestriction => "restriction",
            Self::NotYetValid => "not_before",
            Self::Expired => "expired",
            Self::Scope(_) => "scope",
            Self::Environment => "environment",
            Self::Key => "key",
            Self::Version => "version",
            Self::Network => "network",
            Self::Rate => "rate",
            Self::SelfRotate => "self_rotate",
        }
    }
}

/// Decides whether a token of this realm, grant and restrictions may do the request.
///
/// The request is allowed if the realm, the grant and every restriction allow it. An attribute that the
/// request lacks passes no limit on it: without a key, a grant limited to keys denies; without an address, one
/// limited to networks; without an environment, one limited to environments, and every realm of one environment.
///
/// Of several reasons the first in this order is given: namespace, restriction, not before, expired, scope,
/// version, environment, key, network. The time is part of the decision; [`valid_at`] decides it separately.
///
/// ```
/// use ibyok_policy::{Decision, Environments, Grant, RealmScope, Request, Scope, Scopes, decide};
///
/// let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"]));
/// let realm = RealmScope { namespace: "default", environment: Some("dev") };
/// let request = Request {
///     scope: Scope::KeysRead,
///     namespace: "default",
///     environment: Some("dev"),
///     key: Some("openai"),
///     pending: false,
///     source: None,
///     at: "2026-11-24T12:00:00Z".parse()?,
/// };
/// assert_eq!(decide(&realm, &grant, &[], &request), Decision::Allow);
///
/// let write = Request { scope: Scope::KeysWrite, ..request };
/// assert!(!decide(&realm, &grant, &[], &write).is_allow());
/// # Ok::<(), jiff::Error>(())
/// ```
pub fn decide(realm: &RealmScope<'_>, grant: &Grant, restrictions: &[Restriction], request: &Request<'_>) -> Decision {
    judge(realm, grant, restrictions, request, request.pending, |patterns| {
        let named = |name| patterns.iter().any(|pattern| pattern.matches(name));
        request.key.is_some_and(named)
    })
    .into()
}

/// Decides whether a token may list keys at all: [`decide`] without a key.
///
/// Everything but the key is decided as there (`request.key` and `request.pending` are ignored); limits on keys pass
/// if they could match some name. The caller then filters the list by `decide` with each key's
/// name. Whenever `decide` allows some key, `may_list` allows the list.
pub fn may_list(
    realm: &RealmScope<'_>,
    grant: &Grant,
    restrictions: &[Restriction],
    request: &Request<'_>,
) -> Decision {
    judge(realm, grant, restrictions, request, true, |patterns| {
        !patterns.is_empty()
    })
    .into()
}

/// Checks that the times of a grant and of all restrictions hold at `at`: from `not_before` on, and before `expires`.
///
/// # Errors
/// [`Reason::NotYetValid`] or [`Reason::Expired`].
pub fn valid_at(grant: &Grant, restrictions: &[Restriction], at: Timestamp) -> Result<(), Reason> {
    times_hold(limits::all(grant, restrictions), at)
}

/// Checks that a grant and all restrictions accept a request from this address, for any action. For actions that
/// need no scope.
///
/// # Errors
/// [`Reason::Network`] or [`Reason::UnknownRestriction`].
pub fn source_allowed(grant: &Grant, restrictions: &[Restriction], source: Option<IpAddr>) -> Result<(), Reason> {
    all_understood(restrictions)?;
    networks_hold(limits::all(grant, restrictions), source)
}

/// Decides whether a grant and all restrictions let the token give itself a new secret.
///
/// # Errors
/// [`Reason::SelfRotate`] or [`Reason::UnknownRestriction`].
pub fn may_rotate_itself(grant: &Grant, restrictions: &[Restriction]) -> Result<(), Reason> {
    all_understood(restrictions)?;
    let mut all = limits::all(grant, restrictions);
    require(all.all(|limits| limits.self_rotate), Reason::SelfRotate)
}

fn judge(
    realm: &RealmScope<'_>,
    grant: &Grant,
    restrictions: &[Restriction],
    request: &Request<'_>,
    pending: bool,
    keys_pass: impl Fn(&[Pattern]) -> bool,
) -> Result<(), Reason> {
    require(request.namespace == realm.namespace, Reason::Namespace)?;
    all_understood(restrictions)?;
    let all = limits::all(grant, restrictions);
    times_hold(all.clone(), request.at)?;
    require(
        all.clone()
            .all(|limits| limits.scopes.is_none_or(|set| set.allows(request.scope))),
        Reason::Scope(request.scope),
    )?;
    let version_passes = match request.scope {
        Scope::KeysRead => pending,
        Scope::KeysList => true,
        // A canary changes nothing and hands nothing on.
        _ => false,
    };
    require(
        version_passes || all.clone().all(|limits| !limits.pending_only),
        Reason::Version,
    )?;
    let in_realm = realm.environment.is_none_or(|only| request.environment == Some(only));
    let in_limits = all.clone().all(|limits| {
        limits
            .environments
            .is_none_or(|names| request.environment.is_some_and(|name| names.contains(name)))
    });
    require(in_realm && in_limits, Reason::Environment)?;
    require(
        all.clone().all(|limits| limits.keys.is_none_or(&keys_pass)),
        Reason::Key,
    )?;
    networks_hold(all, request.source)
}

pub(crate) fn all_understood(restrictions: &[Restriction]) -> Result<(), Reason> {
    require(
        restrictions.iter().all(Restriction::is_understood),
        Reason::UnknownRestriction,
    )
}

fn times_hold<'a>(mut all: impl Iterator<Item = Limits<'a>> + Clone, at: Timestamp) -> Result<(), Reason> {
    let begun = all
        .clone()
        .all(|limits| limits.not_before.is_none_or(|first| at >= first));
    require(begun, Reason::NotYetValid)?;
    let not_ended = all.all(|limits| limits.expires.is_none_or(|end| at < end));
    require(not_ended, Reason::Expired)
}

fn networks_hold<'a>(mut all: impl Iterator<Item = Limits<'a>>, source: Option<IpAddr>) -> Result<(), Reason> {
    require(
        all.all(|limits| {
            limits
                .networks
                .is_none_or(|networks| network::any_holds(networks, source))
        }),
        Reason::Network,
    )
}

pub(crate) fn require(holds: bool, otherwise: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(otherwise) }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Deny(reason) => write!(f, "deny: {reason}"),
        }
    }
}
