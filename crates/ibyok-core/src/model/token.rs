//! Access tokens: the secret as it is presented, the record without it, and the descriptions made from the record.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ibyok_policy::{Grant, Restriction, Token, TokenId};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::key::Stamp;
use super::name::{EnvironmentName, Namespace};
use crate::base::error::{Error, Result};
use crate::base::words::words;
use crate::model::limit::LimitScope;

/// An access token as a program holds it: a secret. A clone shares the one copy in memory, which is wiped with the last of them.
///
/// [`AccessToken::new`] and `From<&str>` take any text: the vault parses it at each use, and records the refusal of a malformed one.
/// [`str::parse`] is for a token that a file or a variable holds: it removes white space around the text, such as the end of a
/// line, and checks the form at once.
#[derive(Clone)]
pub struct AccessToken(Arc<SecretString>);

impl AccessToken {
    /// Takes the text as it is.
    #[must_use]
    pub fn new(text: SecretString) -> Self {
        AccessToken(Arc::new(text))
    }

    pub(crate) fn of(token: &Token) -> Self {
        AccessToken::new(SecretString::from(token.expose().expose_secret().as_str()))
    }

    /// The token itself, to be handed to the program that is to hold it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Appends a restriction to a token, offline: the narrower token is valid wherever the wider one is, for less.
///
/// # Errors
/// [`Error::Invalid`] for a text that is not a token, or a token with no room for another restriction (8 of them, 512
/// bytes in all).
pub fn attenuate(token: &AccessToken, restriction: &Restriction) -> Result<AccessToken, Error> {
    let token = Token::parse(token.expose()).map_err(|_| not_a_token())?;
    let mut restriction = restriction.clone();
    if let Some(names) = &mut restriction.environments {
        *names = canonical(names)?;
    }
    let narrower = token.attenuate(&restriction);
    let narrower = narrower.map_err(|error| Error::Invalid {
        what: error.to_string(),
        hint: None,
    })?;
    Ok(AccessToken::of(&narrower))
}

/// The public id of a token, offline.
///
/// # Errors
/// [`Error::Invalid`] for a text that is not a token.
pub fn token_id(token: &AccessToken) -> Result<TokenId, Error> {
    Token::parse(token.expose())
        .map(|token| token.id())
        .map_err(|_| not_a_token())
}

fn not_a_token() -> Error {
    Error::invalid("this is not an access token", "check that you copied the whole token")
}

impl From<&str> for AccessToken {
    fn from(text: &str) -> Self {
        AccessToken::new(SecretString::from(text))
    }
}

impl FromStr for AccessToken {
    type Err = Error;

    /// Reads a token from a text. The checksum in a token finds a text that was cut or mistyped.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that is not a token. The error does not contain the text.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        Token::parse(text).map_err(|_| not_a_token())?;
        Ok(AccessToken::from(text))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// The sealed body of a token's record. It holds nothing from which the token could be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRecord {
    pub(crate) rev: u64,
    pub(crate) name: String,
    pub(crate) grant: Grant,
    pub(crate) epoch: u32,
    /// The epoch before, still accepted until its end, after a rotation of the token's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) older: Option<OlderEpoch>,
    /// The last rotation of its secret: its time, and the principal that rotated it and so has seen the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotated: Option<Stamp>,
    /// The secret through which the newest secret was gained, if that was another token's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) through: Option<Through>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    /// The tokens that this one descends from, nearest first; it is valid only while all of them are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<TokenId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<Revocation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OlderEpoch {
    pub(crate) epoch: u32,
    pub(crate) ends: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) through: Option<Through>,
}

/// One secret of a token that rotated another token: the new secret is valid only as long as this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Through {
    pub(crate) token: TokenId,
    pub(crate) epoch: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    pub(crate) stamp: Stamp,
    /// True if the tokens that it issued stay valid.
    #[serde(default)]
    pub(crate) keep_children: bool,
}

impl TokenRecord {
    pub(crate) fn accepts_epoch(&self, epoch: u32, at: Timestamp) -> bool {
        epoch == self.epoch || self.grace_of(epoch).is_some_and(|ends| at < ends)
    }

    /// The time at which the secret of an epoch ends, if it is the one before the newest.
    pub(crate) fn grace_of(&self, epoch: u32) -> Option<Timestamp> {
        let older = self.older.as_ref().filter(|older| older.epoch == epoch);
        older.map(|older| older.ends)
    }

    /// The secret through which the secret of an epoch was gained.
    pub(crate) fn through_of(&self, epoch: u32) -> Option<Through> {
        if epoch == self.epoch {
            return self.through;
        }
        let older = self.older.as_ref().filter(|older| older.epoch == epoch);
        older.and_then(|older| older.through)
    }

    pub(crate) fn info(&self, id: TokenId, namespace: &Namespace, at: Timestamp) -> TokenInfo {
        let expired = self.grant.expires.is_some_and(|expires| at >= expires);
        TokenInfo {
            id,
            name: self.name.clone(),
            namespace: namespace.clone(),
            state: match (&self.revoked, expired) {
                (Some(_), _) => TokenState::Revoked,
                (None, true) => TokenState::Expired,
                (None, false) => TokenState::Valid,
            },
            grant: self.grant.clone(),
            limit_scope: None,
            last_used: None,
            expires_at: self.grant.expires,
            created: self.created,
            created_by: self.created_by.clone(),
            epoch: self.epoch,
            older_secret_until: self.older.as_ref().map(|older| older.ends).filter(|ends| at < *ends),
            rotated: self.rotated.clone(),
            parents: self.parents.clone(),
            revoked: self.revoked.as_ref().map(|r| r.stamp.clone()),
        }
    }
}

words! {
    /// The state of a token.
    pub enum TokenState {
        /// The token works, within its times.
        Valid = "valid",
        /// The token's time is over.
        Expired = "expired",
        /// The token was revoked.
        Revoked = "revoked",
    }
}

/// An access token, as lists show it: everything but the secret.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenInfo {
    /// The public id, stable over rotations of the secret.
    pub id: TokenId,
    /// The name it was given.
    pub name: String,
    /// The namespace it belongs to.
    pub namespace: Namespace,
    /// `valid`, `expired` or `revoked`.
    pub state: TokenState,
    /// The grant: the actions that it permits.
    pub grant: Grant,
    /// The scope over which the grant's rate counts, if it has one: only where one token is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_scope: Option<LimitScope>,
    /// The time of the last use, on any node, as far back as counts are kept; `Some(None)` is never. Only where a
    /// list was asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Option<Timestamp>>,
    /// The time at which it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The time at which it was issued.
    pub created: Timestamp,
    /// The principal that issued it: an operator's name or a token's id.
    pub created_by: String,
    /// The number of rotations of its secret.
    pub epoch: u32,
    /// The time until which the secret before the newest is accepted, if it still is.
    pub older_secret_until: Option<Timestamp>,
    /// The time of the last rotation of its secret, and the principal that rotated it.
    pub rotated: Option<Stamp>,
    /// The tokens it descends from, nearest first.
    pub parents: Vec<TokenId>,
    /// The time at which it was revoked, and the principal that revoked it.
    pub revoked: Option<Stamp>,
}

/// The settings of a new token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenRequest {
    /// A name for people, 1 to 128 bytes without control characters.
    pub name: String,
    /// The grant; its expiry is taken from [`TokenRequest::expiry`].
    pub grant: Grant,
    /// The end of its validity.
    pub expiry: Expiry,
}

/// The end of a new token's validity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// In 30 days, or when the token that issues it ends, whichever is sooner.
    #[default]
    Default,
    /// At an instant.
    At(Timestamp),
    /// Never: to be asked for by name.
    Never,
}

impl TokenRequest {
    /// A token of a name with a grant, that ends at the grant's expiry, or by default if it has none.
    pub fn new(name: impl Into<String>, grant: Grant) -> Self {
        let expiry = grant.expires.map_or(Expiry::Default, Expiry::At);
        TokenRequest {
            name: name.into(),
            grant,
            expiry,
        }
    }

    /// Returns the request with another end.
    #[must_use]
    pub fn expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }
}

/// A token that was just issued or rotated: the only time that its secret is seen.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The token as lists show it.
    pub info: TokenInfo,
    /// The secret.
    pub token: AccessToken,
    /// The tokens that it issued, themselves or through others, that stay valid: only of a rotation that ends the secret before
    /// at once, or that revokes them.
    pub children: Option<Vec<ChildToken>>,
    /// The tokens that were revoked with the rotation, since that was asked for.
    pub revoked_children: Vec<TokenId>,
}

/// The fate of the tokens that a revoked token issued, itself or through others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Descendants {
    /// They are revoked as well.
    Revoke,
    /// They stay valid.
    Keep,
}

/// A token that another one issued, itself or through others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChildToken {
    /// The public id.
    pub id: TokenId,
    /// The name it was given.
    pub name: String,
}

/// The names as they are stored: `production` is `prod`.
pub(crate) fn canonical(names: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    names
        .iter()
        .map(|name| name.parse::<EnvironmentName>().map(|name| name.to_string()))
        .collect()
}
