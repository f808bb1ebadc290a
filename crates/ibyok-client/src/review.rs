//! What is told of tokens beside what they are: after a revocation, and in a review.

use ibyok_policy::Grant;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::listing::DamagedRecord;
use crate::model::{ChildToken, TokenInfo};

/// A token that was revoked, and what its holder may still know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RevokedToken {
    /// The token as it was left.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// The keys that it, and what was revoked with it, read in the last 90 days: they are to be replaced.
    #[serde(default)]
    pub read_keys: Vec<ReadKey>,
    /// Whether that is all of them, as far as this client may know.
    #[serde(default)]
    pub read_keys_complete: bool,
    /// Tokens that it, or a token that it issued, rotated, and that were not revoked themselves: its holder has seen their secrets.
    #[serde(default)]
    pub rotated_tokens: Vec<String>,
    /// The tokens that it issued, themselves or through others, that stay valid.
    #[serde(default)]
    pub children: Vec<ChildToken>,
    /// Of a token that was found by its name: damaged records that may hide another token of that name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_searched: Vec<DamagedRecord>,
    /// Of a token that was found by its name: whether not everything was searched for another of that name. A token that may not know the
    /// damaged records learns this alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub search_incomplete: bool,
}

/// A key that a token read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReadKey {
    /// `environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// When it was read last.
    pub last: Timestamp,
    /// How often it was read.
    pub count: u64,
}

/// Something about a token that somebody should look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenFinding {
    /// The token's id.
    pub token: String,
    /// The token's name.
    pub name: String,
    /// `never_expires`, `wider_than_used`, `never_used`, `unused` or `expires_soon`.
    pub finding: String,
    /// The same in words.
    pub detail: String,
    /// Of one that expires soon: within 1, 7 or 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_days: Option<u16>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was last allowed anything.
    pub last_used: Option<Timestamp>,
    /// Of one that is wider than its use: what would have sufficed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrower: Option<Grant>,
}
