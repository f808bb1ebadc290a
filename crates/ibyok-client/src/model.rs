//! What the server's answers say, in the words of its JSON.

use std::collections::BTreeMap;

use ibyok_policy::{Grant, Rate};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::limits::LimitInForce;
use crate::listing::DamagedRecord;

/// Who the holder of a token is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WhoAmI {
    /// `token`.
    pub kind: String,
    /// The token's id.
    pub id: String,
    /// The token's name.
    pub name: Option<String>,
    /// The namespace that it acts in.
    pub namespace: String,
    /// What it was given, before its restrictions.
    pub grant: Option<Grant>,
    /// How many restrictions were appended to it.
    pub restrictions: usize,
    /// Whether it has a newer secret, and this one ends with its grace.
    #[serde(default)]
    pub superseded: bool,
    /// The environments that it reaches now, restrictions included.
    #[serde(default)]
    pub environments: Vec<String>,
    /// When it ends, restrictions included.
    pub expires_at: Option<Timestamp>,
}

/// A key, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyInfo {
    /// `environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The public id, `key_…`.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// The environment.
    pub environment: String,
    /// The name.
    pub name: String,
    /// The provider, as given.
    pub provider: Option<String>,
    /// The variable that programs read it from.
    pub variable: String,
    /// Whether an operator chose the variable; one that a token chose may steer programs.
    #[serde(default)]
    pub variable_named: bool,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The current version's number.
    pub version: Option<u32>,
    /// The current version's state: `current`, `disabled` or `destroyed`.
    #[serde(default)]
    pub state: Option<String>,
    /// The number of the version that is staged, if one is.
    #[serde(default)]
    pub pending: Option<u32>,
    /// Whether the whole key is disabled.
    pub disabled: bool,
    /// How often it may be retrieved; `None` is as often as its environment lets it.
    #[serde(default)]
    pub limit: Option<Rate>,
    /// How old a current version may become before it is due to be rotated.
    #[serde(default)]
    pub rotate_every: Option<String>,
    /// When the current version is due to be rotated.
    #[serde(default)]
    pub rotation_due: Option<Timestamp>,
    /// When the key ends at its provider.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// The limit that holds for it, if there is one: only where one key is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_in_force: Option<LimitInForce>,
    /// The mode that the key has whatever its environment's is: `live` or `mock`.
    #[serde(default)]
    pub mode_override: Option<String>,
    /// The mode that it is served in; `None` where it is refused.
    #[serde(default)]
    pub mode: Option<String>,
    /// Which tier decided that: `guardrail`, `key_override` or `tenant_setting`.
    #[serde(default)]
    pub mode_source: Option<String>,
    /// The time of the last use; `Some(None)` is never. Only where a list was asked for it.
    #[serde(default, deserialize_with = "told", skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Option<Timestamp>>,
    /// When the key was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Number of changes of the key so far; see [`Client::only_if_revision`](crate::Client::only_if_revision).
    #[serde(default)]
    pub revision: u64,
    /// How many versions there are.
    #[serde(default)]
    pub versions_count: usize,
    /// Every version, oldest first; none in a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionInfo>,
}

/// A field that is there, also where it is null.
fn told<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A version of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VersionInfo {
    /// The number, from 1.
    pub version: u32,
    /// `destroyed`, else `disabled`, else the role.
    pub state: String,
    /// `pending`, `current`, `retiring` or `retired`.
    pub role: String,
    /// `disabled`, `destroyed`, `compromised`, as far as they apply.
    #[serde(default)]
    pub marks: Vec<String>,
    /// The names of its fields.
    #[serde(default)]
    pub fields: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    #[serde(rename = "by")]
    pub created_by: String,
    /// Each change of its state.
    #[serde(default)]
    pub changes: Vec<StateChange>,
}

/// A change of a version's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateChange {
    /// What it became.
    pub to: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Written {
    /// `environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id.
    pub id: String,
    /// The new version.
    pub version: u32,
    /// Its state.
    pub state: String,
    /// The provider.
    #[serde(default)]
    pub provider: Option<String>,
    /// Whether the provider was recognised by the value's shape, and not named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recognised: bool,
    /// The variable that programs read it from.
    #[serde(default)]
    pub variable: Option<String>,
    /// What a person should look at: a value that does not look like a key of its provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenInfo {
    /// The public id.
    pub id: String,
    /// The name it was given.
    pub name: String,
    /// The namespace it belongs to.
    pub namespace: String,
    /// `valid`, `expired` or `revoked`.
    pub state: String,
    /// What it was given.
    pub grant: Grant,
    /// Over what the grant's rate counts, `node` or `shared`: only where one token is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_scope: Option<String>,
    /// The time of the last use; `Some(None)` is never. Only where a list was asked for it.
    #[serde(default, deserialize_with = "told", skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Option<Timestamp>>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was issued.
    pub created: Timestamp,
    /// Who issued it.
    pub created_by: String,
    /// How often its secret was rotated.
    #[serde(default)]
    pub epoch: u32,
    /// Until when the secret before the newest is accepted, if it still is.
    #[serde(default)]
    pub older_secret_until: Option<Timestamp>,
    /// When and by whom its secret was rotated last.
    #[serde(default)]
    pub rotated: Option<Stamp>,
    /// The tokens it descends from, nearest first.
    #[serde(default)]
    pub parents: Vec<String>,
    /// When and by whom it was revoked.
    pub revoked: Option<Stamp>,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// What a new token is to be.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenRequest {
    /// A name for people.
    pub name: String,
    /// What it may do. Without an expiry it gets the server's default of 30 days.
    #[serde(flatten)]
    pub grant: Grant,
    /// Whether it is never to end, which has to be said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_expiry: bool,
}

impl TokenRequest {
    /// A token of a name with a grant.
    #[must_use]
    pub fn new(name: impl Into<String>, grant: Grant) -> Self {
        TokenRequest {
            name: name.into(),
            grant,
            no_expiry: false,
        }
    }

    /// The same without an end.
    #[must_use]
    pub fn no_expiry(mut self) -> Self {
        self.no_expiry = true;
        self
    }
}

/// A token that was just issued or rotated: the only time that its secret is seen.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Issued {
    /// The public id.
    pub id: String,
    /// The secret.
    #[serde(deserialize_with = "crate::retrieved::secret_text")]
    pub token: SecretString,
    /// The name it was given.
    pub name: String,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// What it was given.
    pub grant: Grant,
    /// How often its secret was rotated.
    #[serde(default)]
    pub epoch: u32,
    /// Until when the secret before this one is accepted, if it still is.
    #[serde(default)]
    pub older_secret_until: Option<Timestamp>,
    /// The tokens that it issued that stay valid: only where a rotation ends the secret before at once, or revokes them.
    #[serde(default)]
    pub children: Option<Vec<ChildToken>>,
    /// The tokens that a rotation revoked, since that was asked for.
    #[serde(default)]
    pub revoked_children: Vec<String>,
}

/// A token that another one issued, itself or through others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChildToken {
    /// The public id.
    pub id: String,
    /// The name it was given.
    pub name: String,
}

/// One page of a list.
#[derive(Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
    #[serde(default = "Vec::new")]
    pub(crate) damaged: Vec<DamagedRecord>,
    #[serde(default)]
    pub(crate) incomplete: bool,
}
