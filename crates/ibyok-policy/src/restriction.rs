//! Restrictions that a holder added to a token.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::limits::Limits;
use crate::setters::limit_setters;
use crate::{Pattern, Scopes};

/// The restriction that one call of [`Token::attenuate`](crate::Token::attenuate) adds, all its attributes together.
///
/// Start from `Restriction::default()`, which restricts nothing, and set attributes. A request passes if it
/// satisfies every attribute that is set; an empty set or list is satisfied by nothing.
///
/// A restriction read from a token may hold attributes that this version does not understand. It then denies
/// everything, regardless of its fields.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Restriction {
    /// Only the actions of these scopes.
    pub scopes: Option<Scopes>,
    /// Only these environments.
    pub environments: Option<BTreeSet<String>>,
    /// Only keys whose names match one of these.
    pub keys: Option<Vec<Pattern>>,
    /// Only from this instant on.
    pub not_before: Option<Timestamp>,
    /// Only before this instant.
    pub expires: Option<Timestamp>,
    /// Only from these networks.
    pub networks: Option<Vec<IpNet>>,
    /// Only the pending version of a key, and the answers of `keys:list`: for canaries.
    pub pending_only: bool,
    /// Removes the right to rotate from tokens that this token issues. A narrowed token itself never rotates itself.
    pub no_self_rotate: bool,
    not_understood: bool,
}

impl Restriction {
    /// Allows only these scopes.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Allows only these environments.
    #[must_use]
    pub fn environments<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.environments = Some(names.into_iter().map(Into::into).collect());
        self
    }

    limit_setters!();

    /// Takes away the right to rotate; see [`Restriction::no_self_rotate`].
    #[must_use]
    pub fn no_self_rotate(mut self) -> Self {
        self.no_self_rotate = true;
        self
    }

    /// A restriction that this version cannot read.
    pub(crate) fn not_understood() -> Self {
        Self {
            not_understood: true,
            ..Self::default()
        }
    }

    /// Returns true if every part of the restriction was understood. If not, it denies everything.
    #[must_use]
    pub const fn is_understood(&self) -> bool {
        !self.not_understood
    }

    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits {
            scopes: self.scopes,
            environments: self.environments.as_ref(),
            keys: self.keys.as_deref(),
            not_before: self.not_before,
            expires: self.expires,
            networks: self.networks.as_deref(),
            pending_only: self.pending_only,
            self_rotate: !self.no_self_rotate,
        }
    }
}
