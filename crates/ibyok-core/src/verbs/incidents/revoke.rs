//! Revoking the tokens that read a leaked key.

use std::time::Duration;

use ibyok_audit::Action;
use ibyok_policy::{Scope, TokenId};
use jiff::Timestamp;

use super::mark::Opened;
use super::readers::Readers;
use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::incident::Found;
use crate::vault::handles::IncidentVerbs;

/// The time within which other nodes see that the key is frozen, and report the releases until then.
const TOLD: Duration = Duration::from_millis(2500);

/// The result of revoking readers.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) not_revoked: Vec<NotRevoked>,
    /// The causes that may hide a reader.
    pub(super) unseen: Vec<String>,
}

/// A token that was to be revoked and was not.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct NotRevoked {
    /// The token.
    pub token: TokenId,
    /// The reason.
    pub why: String,
}

impl IncidentVerbs<'_> {
    /// Revokes the readers of a key as [`IncidentVerbs::revoke_readers`] does, and with them those of other keys with the
    /// same value.
    pub(super) async fn revoke_all_readers(
        self,
        attempt: &mut Attempt<'_>,
        (permit, found): (&Permit, Found),
        also: Vec<(Permit, Opened)>,
        since: Timestamp,
    ) -> Result<(Found, Left)> {
        let (found, mut left) = self.revoke_readers(attempt, permit, found, since).await?;
        for (permit, opened) in also {
            let (_, more) = self.revoke_known(attempt, &permit, opened.found, since).await?;
            left.not_revoked.extend(more.not_revoked);
            left.unseen.extend(more.unseen);
        }
        left.unseen.sort_unstable();
        left.unseen.dedup();
        Ok((found, left))
    }

    /// Revokes each token that read the key since a time and is still valid, and keeps their ids in the incident:
    /// those that are known at once, and a moment later those that other nodes had not reported yet.
    async fn revoke_readers(
        self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        found: Found,
        since: Timestamp,
    ) -> Result<(Found, Left)> {
        let (found, _) = self.revoke_known(attempt, permit, found, since).await?;
        tokio::time::sleep(TOLD).await;
        self.revoke_known(attempt, permit, found, since).await
    }

    async fn revoke_known(
        self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        found: Found,
        since: Timestamp,
    ) -> Result<(Found, Left)> {
        let mut revoked = Vec::new();
        let Readers { readers, unseen } = self
            .session
            .inner
            .readers_of(permit.realm(), permit.id(), since)
            .await?;
        let mut left = Left {
            not_revoked: Vec::new(),
            unseen,
        };
        let tokens = readers.iter().filter(|reader| reader.kind == "token");
        for token in tokens.filter_map(|reader| reader.id.parse().ok()) {
            match self.revoke_reader(attempt, permit, token, found.record.opened.at).await {
                Ok(true) => revoked.push(token),
                Ok(false) => {}
                Err(error @ (Error::Unavailable { .. } | Error::Unauthenticated)) => return Err(error),
                Err(error) => left.not_revoked.push(NotRevoked {
                    token,
                    why: error.to_string(),
                }),
            }
        }
        revoked.retain(|token| !found.record.revoked.contains(token));
        if revoked.is_empty() {
            return Ok((found, left));
        }
        let change = self
            .session
            .inner
            .incidents
            .change_incident(attempt, permit.principal(), &found, |record, _| {
                for token in &revoked {
                    if !record.revoked.contains(token) {
                        record.revoked.push(*token);
                    }
                }
                Ok(())
            });
        let record = change.await?;
        Ok((Found { record, ..found }, left))
    }

    /// `false` for a token that was no longer valid anyway. One that has been revoked since the incident was opened counts: a call
    /// before this one revoked it, and came to no end.
    async fn revoke_reader(
        self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        token: TokenId,
        opened: Timestamp,
    ) -> Result<bool> {
        let principal = permit.principal();
        let found = self.session.inner.gate.token_by_id(principal, token).await?;
        if let Some(revoked) = &found.record.revoked {
            return Ok(revoked.stamp.at >= opened);
        }
        if found.record.grant.expires.is_some_and(|end| end <= attempt.at) {
            return Ok(false);
        }
        let scope = Scope::TokensRevoke;
        self.session
            .inner
            .gate
            .may_use_somewhere(attempt, principal, scope)
            .await?;
        if !principal.sees(&found.realm, &found.record) {
            return Err(Error::denied("token", "this token may not revoke the token"));
        }
        let mut beside = attempt.beside(Action::TokenRevoke);
        beside.facts.target = Some(("token", token.to_string()));
        let change = self
            .session
            .inner
            .take_token_away(&mut beside, principal, &found.realm, token, false);
        Ok(change.await?.0)
    }
}
