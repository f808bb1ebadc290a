//! The tokens that a token issued, itself or through others: who stays valid when it is rotated or revoked.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::{Scope, TokenId};
use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::find_token::{Found, no_token};
use crate::gate::principal::Principal;
use crate::model::key::Stamp;
use crate::model::take_away::TokenTakeAway;
use crate::model::token::{ChildToken, TokenRecord};
use crate::realm::Realm;
use crate::vault::Inner;

/// Decides whether a descendant of a token is named to a principal: a token always knows its own descendants.
pub(crate) fn names(principal: &Principal, child: &Found) -> bool {
    let own = |holder: &TokenId| child.record.parents.contains(holder);
    principal.holder().is_some_and(|holder| own(&holder.id())) || principal.sees(&child.realm, &child.record)
}

impl Inner {
    /// Every token that descends from a token, its own children first. They live in its realm. With them goes whether that is
    /// known to be all: a damaged record, which nobody can use, does not say from whom it descends.
    pub(crate) async fn descendants(&self, of: &Found) -> Result<(Vec<Found>, bool)> {
        let (mut found, mut all) = (Vec::new(), true);
        let mut walk = self.records.walk_records::<TokenRecord>(&of.realm, None)?;
        while let Some(tokens) = self.gate.tokens_of(&of.realm, &mut walk).await? {
            all &= tokens.damaged.is_empty();
            let children = tokens
                .live
                .into_iter()
                .filter(|(_, record)| record.parents.contains(&of.id));
            found.extend(children.map(|(id, record)| Found::new(id, &of.realm, record)));
        }
        found.sort_by_key(|child| (child.record.parents.len(), child.id));
        Ok((found, all))
    }

    /// Returns those of some tokens that are valid now, as far as a principal may know of them.
    pub(crate) async fn valid_of(
        &self,
        principal: &Principal,
        tokens: Vec<Found>,
        at: Timestamp,
    ) -> Result<Vec<ChildToken>> {
        let mut valid = Vec::new();
        for token in tokens {
            if names(principal, &token) && self.is_valid(&token, at).await? {
                valid.push(ChildToken {
                    id: token.id,
                    name: token.record.name,
                });
            }
        }
        Ok(valid)
    }

    /// True if a token as it was just read is not revoked, not expired, and descends from none that was revoked.
    async fn is_valid(&self, token: &Found, at: Timestamp) -> Result<bool> {
        let over = token.record.grant.expires.is_some_and(|expires| at >= expires);
        if over || token.record.revoked.is_some() {
            return Ok(false);
        }
        Ok(self.gate.ancestry_holds(&token.realm, &token.record).await?.is_ok())
    }

    /// Decides whether a principal may revoke the tokens that a token issued: the token itself, which could end them
    /// by ending itself, or a principal that may revoke tokens.
    pub(crate) async fn may_revoke_children(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
    ) -> Result<()> {
        if principal.holder().is_some_and(|holder| holder.id() == found.id) {
            return Ok(());
        }
        self.gate
            .may_use_somewhere(attempt, principal, Scope::TokensRevoke)
            .await
    }

    /// Finishes a rotation: revokes the token's descendants if that is wanted, and names those that stay valid
    /// (`None` if they could not be read) and those that were revoked.
    pub(crate) async fn children_after(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
        revoke: bool,
    ) -> (Option<Vec<ChildToken>>, Vec<TokenId>) {
        let mut revoked = Vec::new();
        let left = async {
            if revoke {
                self.revoke_descendants(attempt, principal, found, &mut revoked).await?;
            }
            let (descendants, _) = self.descendants(found).await?;
            self.valid_of(principal, descendants, attempt.at).await
        }
        .await;
        let left = left.inspect_err(|error| {
            tracing::warn!(token = %found.id, %error, "cannot read or revoke the tokens that a rotated token issued");
        });
        (left.ok(), revoked)
    }

    async fn revoke_descendants(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
        revoked: &mut Vec<TokenId>,
    ) -> Result<()> {
        let mut gone: BTreeSet<TokenId> = BTreeSet::new();
        for child in self.descendants(found).await?.0 {
            // With a parent go all its children.
            let by_parent = child.record.parents.iter().any(|parent| gone.contains(parent));
            if by_parent || !names(principal, &child) || !self.is_valid(&child, attempt.at).await? {
                continue;
            }
            let mut beside = attempt.beside(Action::TokenRevoke);
            beside.facts.target = Some(("token", child.id.to_string()));
            let change = self.take_token_away(&mut beside, principal, &child.realm, child.id, false);
            match change.await {
                Ok(_) => {
                    gone.insert(child.id);
                    revoked.push(child.id);
                }
                // The others are still revoked; the answer names this one as valid.
                Err(error @ (Error::Unauthenticated | Error::Unavailable { .. })) => return Err(error),
                Err(error) => tracing::warn!(token = %child.id, %error, "cannot revoke a token"),
            }
        }
        Ok(())
    }

    /// Revokes one token: the record as it is then, and whether it was valid for anybody before.
    pub(crate) async fn take_token_away(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        realm: &Arc<Realm>,
        token: TokenId,
        keep_children: bool,
    ) -> Result<(bool, TokenRecord)> {
        let stamp = Stamp {
            at: attempt.at,
            by: principal.by(),
        };
        let what = TokenTakeAway::Revoke { keep_children };
        // A restore of an older backup revokes the token again by this line.
        if keep_children && attempt.facts.because.is_none() {
            attempt.facts.because = Some("keep_children".to_owned());
        }
        let change = self.changes.change(
            attempt,
            principal,
            realm,
            token.bytes(),
            |_, record: Option<TokenRecord>| {
                let mut record = record.ok_or_else(|| no_token(&token.to_string()))?;
                let changed = record.take_away(what, &stamp);
                let out = (changed, record.clone());
                Ok(if changed {
                    Edit::TakesAway(record, out, what.into())
                } else {
                    Edit::IsAway(out)
                })
            },
        );
        change.await
    }
}
