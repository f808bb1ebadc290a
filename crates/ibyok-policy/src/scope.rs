//! The scopes of a token: single scopes and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// One thing that a token may do. Written as in `keys:read`.
///
/// Callers must decide about each scope, so the enum is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "code that handles scopes must handle a new one")]
pub enum Scope {
    /// `keys:read`: retrieve values.
    KeysRead,
    /// `keys:list`: see names and metadata, never values.
    KeysList,
    /// `keys:write`: create, set, edit, disable and enable keys.
    KeysWrite,
    /// `keys:rotate`: stage, promote, roll back and retire versions.
    KeysRotate,
    /// `keys:destroy`: remove keys and destroy versions.
    KeysDestroy,
    /// `usage:read`: see the use of keys by token.
    UsageRead,
    /// `audit:read`: read the audit log.
    AuditRead,
    /// `tokens:issue`: issue and rotate tokens within the own effective grant.
    TokensIssue,
    /// `tokens:revoke`: revoke tokens.
    TokensRevoke,
    /// `settings:write`: change settings and modes.
    SettingsWrite,
    /// `incidents:write`: open and close incidents.
    IncidentsWrite,
    /// `admin`: all scopes, also those that are added later.
    Admin,
}

impl Scope {
    /// Every scope, in the order in which sets are listed.
    pub const ALL: [Self; 12] = [
        Self::KeysRead,
        Self::KeysList,
        Self::KeysWrite,
        Self::KeysRotate,
        Self::KeysDestroy,
        Self::UsageRead,
        Self::AuditRead,
        Self::TokensIssue,
        Self::TokensRevoke,
        Self::SettingsWrite,
        Self::IncidentsWrite,
        Self::Admin,
    ];

    /// The scope as it is written, `keys:read`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeysRead => "keys:read",
            Self::KeysList => "keys:list",
            Self::KeysWrite => "keys:write",
            Self::KeysRotate => "keys:rotate",
            Self::KeysDestroy => "keys:destroy",
            Self::UsageRead => "usage:read",
            Self::AuditRead => "audit:read",
            Self::TokensIssue => "tokens:issue",
            Self::TokensRevoke => "tokens:revoke",
            Self::SettingsWrite => "settings:write",
            Self::IncidentsWrite => "incidents:write",
            Self::Admin => "admin",
        }
    }

    /// Returns the number of the scope in a token's restrictions. Never reused.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::KeysRead => 1,
            Self::KeysList => 2,
            Self::KeysWrite => 3,
            Self::KeysRotate => 4,
            Self::KeysDestroy => 5,
            Self::UsageRead => 6,
            Self::AuditRead => 7,
            Self::TokensIssue => 8,
            Self::TokensRevoke => 9,
            Self::SettingsWrite => 10,
            Self::IncidentsWrite => 11,
            Self::Admin => 12,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.number() == number)
    }

    const fn bit(self) -> u16 {
        1 << (self.number() - 1)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| Error::UnknownScope(crate::error::excerpt(text)))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A set of scopes. The empty set allows nothing; a set with [`Scope::Admin`] allows everything.
///
/// In JSON it is a list of strings. A scope that is not known is an error, never skipped.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u16);

impl Scopes {
    /// The set that allows nothing.
    pub const NONE: Self = Self(0);

    /// Adds a scope.
    pub const fn insert(&mut self, scope: Scope) {
        self.0 |= scope.bit();
    }

    /// Returns true if the set holds the scope itself, as it was granted.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Returns true if the set allows an action that needs this scope: it contains the scope, or contains `admin`.
    #[must_use]
    pub const fn allows(self, scope: Scope) -> bool {
        self.contains(scope) || self.contains(Scope::Admin)
    }

    /// Returns true if `other` allows everything that this set allows.
    ///
    /// All other scopes together are not `admin`: it also includes future scopes.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        other.contains(Scope::Admin) || self.0 & !other.0 == 0
    }

    /// Returns true if the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::NONE;
        for scope in scopes {
            set.insert(scope);
        }
        set
    }
}

impl<const N: usize> From<[Scope; N]> for Scopes {
    fn from(scopes: [Scope; N]) -> Self {
        scopes.into_iter().collect()
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Scope>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_reads_back_from_its_text_and_its_number() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>().unwrap(), scope);
            assert_eq!(Scope::from_number(scope.number()), Some(scope));
        }
        assert_eq!(Scope::from_number(0), None);
        assert_eq!(Scope::from_number(13), None);
    }

    #[test]
    fn an_unknown_scope_is_refused_and_never_skipped() {
        assert!("keys:Read".parse::<Scope>().is_err());
        assert!(serde_json::from_str::<Scopes>(r#"["keys:read","keys:fly"]"#).is_err());
    }

    #[test]
    fn admin_allows_everything_and_all_the_others_together_are_not_admin() {
        let admin = Scopes::from([Scope::Admin]);
        let others: Scopes = Scope::ALL.into_iter().filter(|s| *s != Scope::Admin).collect();
        assert!(Scope::ALL.into_iter().all(|scope| admin.allows(scope)));
        assert!(!others.allows(Scope::Admin));
        assert!(others.is_within(admin));
        assert!(!admin.is_within(others));
    }

    #[test]
    fn a_set_lists_its_scopes_in_one_order() {
        let set = Scopes::from([Scope::Admin, Scope::KeysRead, Scope::KeysRead]);
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["keys:read","admin"]"#);
        assert_eq!(format!("{set:?}"), r#"{"keys:read", "admin"}"#);
    }
}
