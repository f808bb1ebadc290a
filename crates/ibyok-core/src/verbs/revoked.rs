//! The follow-up of a revocation: a holder keeps the values that it has read, so those keys must be replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ibyok_policy::TokenId;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::base::error::Result;
use crate::gate::attempt::Attempt;
use crate::gate::find_token::Found;
use crate::gate::principal::Principal;
use crate::model::token::{ChildToken, TokenInfo};
use crate::realm::Realm;
use crate::records::damage::DamagedRecord;
use crate::vault::Inner;
use crate::verbs::token_children::names;

/// The time for which a token's reads are listed.
const SINCE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A token that was revoked, and the secrets that its holder may still know.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RevokedToken {
    /// The token as it was left.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// The keys whose value it, and the tokens that were revoked with it, read in the last 90 days: they are to be
    /// replaced. Mocks are no values.
    pub read_keys: Vec<ReadKey>,
    /// True if those are all: `false` if there are keys that the session may not list, or counts that could not be
    /// read.
    pub read_keys_complete: bool,
    /// Tokens that it, or a token that it issued, rotated, and that were not revoked themselves: its holder has seen their secrets.
    pub rotated_tokens: Vec<TokenId>,
    /// The tokens that it issued, themselves or through others, that stay valid.
    pub children: Vec<ChildToken>,
    /// Of a token that was found by its name: damaged records that may hide another token of that name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_searched: Vec<DamagedRecord>,
    /// Of a token that was found by its name: not everything was searched for another of that name. A token that may not know the
    /// damaged records learns this alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub search_incomplete: bool,
}

/// A key that a token read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReadKey {
    /// `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The time of the last read.
    pub last: Timestamp,
    /// The number of reads.
    pub count: u64,
}

/// The secrets that the holder may still know.
struct Known {
    keys: BTreeMap<String, ReadKey>,
    complete: bool,
    rotated: Vec<TokenId>,
    children: Vec<ChildToken>,
}

impl Inner {
    /// Returns the token with the secrets that its holder may still know. The revocation stands even if that list is
    /// not complete.
    pub(crate) async fn revoked(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
        info: TokenInfo,
        keep_children: bool,
    ) -> RevokedToken {
        let mut known = Known {
            keys: BTreeMap::new(),
            complete: true,
            rotated: Vec::new(),
            children: Vec::new(),
        };
        if let Err(error) = self.gather(attempt, principal, found, keep_children, &mut known).await {
            tracing::warn!(token = %found.id, %error, "cannot read the uses of a revoked token");
            known.complete = false;
        }
        let mut read_keys: Vec<ReadKey> = known.keys.into_values().collect();
        read_keys.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.reference.cmp(&b.reference)));
        RevokedToken {
            info,
            read_keys,
            read_keys_complete: known.complete,
            rotated_tokens: known.rotated,
            children: known.children,
            not_searched: found.not_searched.clone(),
            search_incomplete: found.search_incomplete,
        }
    }

    async fn gather(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
        keep_children: bool,
        known: &mut Known,
    ) -> Result<()> {
        self.gather_reads(attempt, principal, (&found.realm, found.id), known)
            .await?;
        let (descendants, all) = self.descendants(found).await?;
        known.complete &= all;
        if !keep_children {
            for child in &descendants {
                self.gather_reads(attempt, principal, (&found.realm, child.id), known)
                    .await?;
            }
        }
        // A descendant rotated with a secret that this token's holder has seen, or could have.
        let by: BTreeSet<String> = std::iter::once(found.id)
            .chain(descendants.iter().map(|child| child.id))
            .map(|id| id.to_string())
            .collect();
        for child in &descendants {
            let rotated = child
                .record
                .rotated
                .as_ref()
                .is_some_and(|stamp| by.contains(&stamp.by));
            if rotated && child.record.revoked.is_none() && names(principal, child) {
                known.rotated.push(child.id);
            }
        }
        known.children = self.valid_of(principal, descendants, attempt.at).await?;
        Ok(())
    }

    async fn gather_reads(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        (realm, token): (&Arc<Realm>, TokenId),
        known: &mut Known,
    ) -> Result<()> {
        let since = attempt.at.checked_sub(SINCE).unwrap_or(Timestamp::MIN);
        let (keys, complete) = self.usage.keys_read_by(realm, token, since).await?;
        known.complete &= complete;
        for read in keys {
            let name = read.name.unwrap_or_else(|| read.id.to_string());
            if !self.gate.may_be_told(attempt, principal, &read.environment, &name) {
                known.complete = false;
                continue;
            }
            let reference = realm.reference_in(&read.environment, &name);
            let entry = known.keys.entry(reference.clone()).or_insert(ReadKey {
                reference,
                last: read.last,
                count: 0,
            });
            entry.last = entry.last.max(read.last);
            entry.count = entry.count.saturating_add(read.live);
        }
        Ok(())
    }
}
