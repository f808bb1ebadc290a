//! Access tokens.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::name::KeyPattern;
use crate::words::words;
use crate::{DamagedRecord, Grant, LastUse, LimitScope, Rate, Scope, Stamp};

words! {
    /// The state of a token.
    pub enum TokenState {
        /// The server accepts the token.
        Valid = "valid",
        /// The token's time is over.
        Expired = "expired",
        /// Somebody revoked the token.
        Revoked = "revoked",
    }
}

words! {
    /// The kind of a principal.
    pub enum PrincipalKind {
        /// The holder of an access token.
        Token = "token",
        /// An operator of the vault.
        Operator = "operator",
    }
}

words! {
    /// The finding about a token.
    pub enum TokenFindingKind {
        /// The token has no expiry.
        NeverExpires = "never_expires",
        /// The token's grant allows more than the token uses.
        WiderThanUsed = "wider_than_used",
        /// The token was never used.
        NeverUsed = "never_used",
        /// The token was not used for long.
        Unused = "unused",
        /// The token expires soon.
        ExpiresSoon = "expires_soon",
        /// The token's record is damaged.
        Damaged = "damaged",
    }
}

/// The principal of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhoAmI {
    /// The kind of principal
    pub kind: PrincipalKind,
    /// The token's id, or the operator's name
    pub id: String,
    /// The token's name
    pub name: Option<String>,
    /// The namespace that the principal acts in
    pub namespace: String,
    /// The token's grant, before its restrictions
    pub grant: Option<Grant>,
    /// The number of restrictions that were appended to the token
    pub restrictions: u64,
    /// True if the token has a newer secret, and this one expires with its grace
    #[serde(default)]
    pub superseded: bool,
    /// The environments that the token reaches now, restrictions included
    #[serde(default)]
    pub environments: Vec<String>,
    /// The time at which the token expires, restrictions included; null is never
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Option<Timestamp>,
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Token"))]
pub struct TokenInfo {
    /// The public id, which stays when the secret is rotated
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TokenId"))]
    pub id: String,
    /// The name
    pub name: String,
    /// The namespace
    pub namespace: String,
    /// The state
    pub state: TokenState,
    /// The grant
    pub grant: Grant,
    /// The servers over which the grant's rate counts. Only an answer about one token shows it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "LimitScope"))]
    pub limit_scope: Option<LimitScope>,
    /// The time of the last use on any node; null is never. Only a list shows it, on request (`last_use`)
    #[serde(default, skip_serializing_if = "LastUse::is_not_shown")]
    pub last_used: LastUse,
    /// The time at which the token expires; null is never
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Option<Timestamp>,
    /// The time at which the token was issued
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub created: Timestamp,
    /// The principal that issued the token
    pub created_by: String,
    /// The number of rotations of the secret
    #[serde(default)]
    pub epoch: u32,
    /// The time until which the server accepts the secret before the newest
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub older_secret_until: Option<Timestamp>,
    /// The last rotation of the secret
    #[serde(default)]
    pub rotated: Option<Stamp>,
    /// The tokens that this one descends from, nearest first
    #[serde(default)]
    pub parents: Vec<String>,
    /// The revocation
    pub revoked: Option<Stamp>,
}

/// A token that another token issued, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChildToken {
    /// The public id
    pub id: String,
    /// The name
    pub name: String,
}

/// A token that was just issued or rotated: the only answer that shows its secret.
///
/// `T` is the type of the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(
        rename = "Issued",
        description = "A token that was just issued or rotated. No other answer shows its secret"
    )
)]
pub struct Issued<T> {
    /// The public id
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TokenId"))]
    pub id: String,
    /// The secret. No other answer shows it
    pub token: T,
    /// The name
    pub name: String,
    /// The time at which the token expires; null is never
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Option<Timestamp>,
    /// The grant
    pub grant: Grant,
    /// The number of rotations of the secret
    #[serde(default)]
    pub epoch: u32,
    /// The time until which the server accepts the secret before this one
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub older_secret_until: Option<Timestamp>,
    /// The tokens that it issued, directly or through others, and that stay valid. Only a rotation shows them, if the older secret ends at
    /// once or the request revokes children
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<ChildToken>"))]
    pub children: Option<Vec<ChildToken>>,
    /// The tokens that the rotation revoked on request
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked_children: Vec<String>,
}

impl<T> Issued<T> {
    /// Changes the type of the secret.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Issued<U> {
        Issued {
            id: self.id,
            token: into(self.token),
            name: self.name,
            expires_at: self.expires_at,
            grant: self.grant,
            epoch: self.epoch,
            older_secret_until: self.older_secret_until,
            children: self.children,
            revoked_children: self.revoked_children,
        }
    }
}

/// A token that was just revoked, with the facts about its holder's knowledge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevokedToken {
    /// The token after the revocation
    #[serde(flatten)]
    pub info: TokenInfo,
    /// The keys that the token, and the tokens revoked with it, read in the last 90 days. Replace them; mocks do not count
    #[serde(default)]
    pub read_keys: Vec<ReadKey>,
    /// True if `read_keys` is complete
    #[serde(default)]
    pub read_keys_complete: bool,
    /// The tokens that it, or a token that it issued, rotated, and that stay valid. Its holder has seen their secrets
    #[serde(default)]
    pub rotated_tokens: Vec<String>,
    /// The tokens that it issued, directly or through others, and that stay valid
    #[serde(default)]
    pub children: Vec<ChildToken>,
    /// The damaged records that may hide another token of the name in the request
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_searched: Vec<DamagedRecord>,
    /// True if the server could not search every record for another token of the name in the request
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub search_incomplete: bool,
}

/// A key that a token read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadKey {
    /// The key as `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`
    #[serde(rename = "ref")]
    pub reference: String,
    /// The time of the last read
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Time"))]
    pub last: Timestamp,
    /// The number of reads
    pub count: u64,
}

/// A finding of a review of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenFinding {
    /// The token's id
    pub token: String,
    /// The token's name
    pub name: String,
    /// The finding
    pub finding: TokenFindingKind,
    /// The finding in a sentence
    pub detail: String,
    /// The warning about a token that expires soon: within 1, 7 or 30 days
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::WithinDays"))]
    pub within_days: Option<u16>,
    /// The time at which the token expires; null is never
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Option<Timestamp>,
    /// The time of the last use
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub last_used: Option<Timestamp>,
    /// The narrowest grant that covers the token's use
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Grant"))]
    pub narrower: Option<Grant>,
}

/// The request to issue a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenRequest {
    /// A name for people
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::TokenName"))]
    pub name: String,
    /// The scopes; `keys:read` and `keys:list` if absent
    #[serde(default, deserialize_with = "known_scopes", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("default" = ["keys:read", "keys:list"])))]
    pub scopes: Option<Vec<Scope>>,
    /// The environments. The request needs either this member or `all_environments`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<crate::schema::EnvironmentName>>"))]
    pub environments: Option<Vec<String>>,
    /// Covers every environment
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_environments: bool,
    /// Patterns of key names; absent means every key, an empty list none
    #[serde(default, deserialize_with = "patterns", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<crate::schema::KeyPattern>>"))]
    pub keys: Option<Vec<String>>,
    /// The networks from which the token is valid; absent means every network
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<crate::schema::Network>>"))]
    pub cidrs: Option<Vec<IpNet>>,
    /// The first time at which the token is valid
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub not_before: Option<Timestamp>,
    /// The time from which the token is no longer valid; in 30 days if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Time>"))]
    pub expires_at: Option<Timestamp>,
    /// Issues a token that never expires. Excludes `expires_at`
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_expiry: bool,
    /// The rate of retrievals
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Lets the token read only pending versions
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending_only: bool,
    /// Lets the token replace its own secret
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_rotate: bool,
}

impl TokenRequest {
    /// Makes a request for a token of a name with a grant.
    pub fn new(name: impl Into<String>, grant: Grant) -> Self {
        TokenRequest {
            name: name.into(),
            scopes: Some(grant.scopes),
            environments: grant.environments,
            all_environments: grant.all_environments,
            keys: grant.keys,
            cidrs: grant.cidrs,
            not_before: grant.not_before,
            expires_at: grant.expires_at,
            no_expiry: false,
            rate: grant.rate,
            pending_only: grant.pending_only,
            self_rotate: grant.self_rotate,
        }
    }

    /// Asks for a token that never expires.
    #[must_use]
    pub fn no_expiry(mut self) -> Self {
        self.no_expiry = true;
        self
    }
}

/// Reads scopes and refuses an unknown one: a server must not issue a token without a right that the request names.
fn known_scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    struct Known(Scope);
    impl<'de> Deserialize<'de> for Known {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match Scope::deserialize(deserializer)? {
                Scope::Other(_) => Err(D::Error::custom("unknown scope")),
                known => Ok(Known(known)),
            }
        }
    }
    let scopes = Option::<Vec<Known>>::deserialize(deserializer)?;
    Ok(scopes.map(|scopes| scopes.into_iter().map(|scope| scope.0).collect()))
}

/// Reads patterns and refuses what is not one.
fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let patterns = Option::<Vec<KeyPattern>>::deserialize(deserializer)?;
    Ok(patterns.map(|patterns| patterns.into_iter().map(KeyPattern::into_string).collect()))
}

/// The request to give a token a new secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenRotation {
    /// The seconds for which the server still accepts the older secret; 24 hours if absent
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Grace>"))]
    pub grace_seconds: Option<u64>,
    /// Revokes the tokens that it issued, directly or through others
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoke_children: bool,
}
