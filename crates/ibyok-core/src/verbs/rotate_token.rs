//! A new secret for a token under the same id: the next epoch, with a while in which the one before is still accepted.
//!
//! A caller that rotates a token learns its new secret. So a token rotates itself, if its grant says so, and tokens
//! that it or its descendants issued and that lie within it, as if it issued them again. A secret gained this way
//! ends with the secret that was used.

use std::sync::Arc;
use std::time::Duration;

use ibyok_audit::Action;
use ibyok_policy::{Reason, Scope, may_rotate_itself, mint, within};
use jiff::{SignedDuration, Timestamp};

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::find_token::{Found, no_token};
use crate::gate::principal::{Holder, Principal};
use crate::model::key::Stamp;
use crate::model::take_away::TokenTakeAway;
use crate::model::token::{AccessToken, Issued, OlderEpoch, Through, TokenRecord};
use crate::model::token_ref::TokenRef;
use crate::vault::Inner;
use crate::vault::handles::TokenVerbs;

/// The default grace: the time for which the secret before is still accepted.
const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 3600);

/// The longest grace that makes sense: a program that needs longer never picks up the new secret.
const GRACE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);

/// The settings of a rotation of a token's secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRotation {
    /// The time for which the secret before is still accepted: 24 hours unless given, 90 days at most; zero ends it
    /// at once.
    pub grace: Option<Duration>,
    /// True if the tokens that it issued, themselves or through others, are revoked.
    pub revoke_children: bool,
}

impl TokenRotation {
    /// A rotation with this grace.
    #[must_use]
    pub fn grace(mut self, grace: Option<Duration>) -> Self {
        self.grace = grace;
        self
    }

    /// Sets whether the tokens that it issued are revoked as well.
    #[must_use]
    pub fn revoke_children(mut self, revoke: bool) -> Self {
        self.revoke_children = revoke;
        self
    }
}

impl TokenVerbs<'_> {
    /// Gives a token, found by id, by name, or `self`, a new secret under the same id: [`TokenVerbs::rotate_with`](crate::tokens::TokenVerbs::rotate_with) that leaves
    /// the tokens that it issued as they are.
    ///
    /// # Errors
    /// As [`TokenVerbs::rotate_with`](crate::tokens::TokenVerbs::rotate_with).
    pub async fn rotate(self, which: impl Into<TokenRef>, grace: Option<Duration>) -> Result<Issued> {
        self.rotate_with(which, &TokenRotation::default().grace(grace)).await
    }

    /// Gives a token, found by id, by name, or `self`, a new secret under the same id.
    ///
    /// The previous secret is accepted for the grace, and never beyond the token's own expiry. Tokens attenuated from it end
    /// with it. Grant and expiry do not change. If an older secret is still within its grace, it ends now: at most one is.
    ///
    /// Tokens that it issued stay valid unless they are to be revoked. With a grace of zero they are named: a holder
    /// of the secret before may have them.
    ///
    /// A token may rotate itself, if its grant says so and it presents its newest secret without restrictions. With `tokens:issue`
    /// it rotates the tokens that it or its descendants issued, as far as they lie within it. Such a secret is refused once the
    /// secret that rotated it is: revoked, expired or superseded. Of several that rotate a token at once, one succeeds.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token that the session may not rotate, [`Error::Invalid`] for a grace that is too
    /// long, [`Error::Conflict`] for a token that is no longer valid, or that another caller rotates at the same
    /// time; else as [`TokenVerbs::show`](crate::tokens::TokenVerbs::show).
    pub async fn rotate_with(self, which: impl Into<TokenRef>, rotation: &TokenRotation) -> Result<Issued> {
        let which = &which.into().to_string();
        let mut attempt = self.session.attempt(Action::TokenRotate);
        let outcome = self.try_rotate(&mut attempt, which, rotation).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_rotate(self, attempt: &mut Attempt<'_>, which: &str, rotation: &TokenRotation) -> Result<Issued> {
        let principal = self.session.authenticate(attempt).await?;
        let grace = check_grace(rotation.grace.unwrap_or(DEFAULT_GRACE))?;
        let scope = Scope::TokensIssue;
        let found = self
            .session
            .inner
            .gate
            .find_token(attempt, &principal, scope, which)
            .await?;
        attempt.facts.target = Some(("token", found.id.to_string()));
        let mut through = None;
        self.session
            .inner
            .limits
            .count_self_rotation(attempt, &principal, found.id)
            .await?;
        if let Principal::Token(holder) = &principal {
            through = may_have_the_secret(holder, &found)?;
        }
        if rotation.revoke_children {
            self.session
                .inner
                .may_revoke_children(attempt, &principal, &found)
                .await?;
        }
        self.session.inner.parents_hold(&found).await?;
        let (id, at, seen) = (found.id, attempt.at, found.record.epoch);
        let (stamp, namespace) = (Stamp { at, by: principal.by() }, principal.namespace().clone());
        let change = self.session.inner.changes.change(
            attempt,
            &principal,
            &found.realm,
            id.bytes(),
            |attempt, record: Option<TokenRecord>| {
                let mut record = record.ok_or_else(|| no_token(which))?;
                record.rotate(seen, grace, &stamp, through)?;
                attempt.facts.because = Some(because(&record));
                let what = TokenTakeAway::Supersede {
                    epoch: record.epoch,
                    at_once: record.older.is_none(),
                };
                let info = record.info(id, &namespace, at);
                Ok(Edit::TakesAway(record, info, what.into()))
            },
        );
        let info = change.await?;
        let token = mint(found.realm.keys.token_key(), id, info.epoch);
        let mut issued = Issued {
            info,
            token: AccessToken::of(&token),
            children: None,
            revoked_children: Vec::new(),
        };
        if grace.is_zero() || rotation.revoke_children {
            // Nothing may fail from here on: the secret is given out this once. The one that asked may have ended with it.
            let still = match &principal {
                Principal::Token(holder) if holder.id() == id => {
                    Principal::Token(Arc::new(holder.renewed(issued.info.epoch)))
                }
                other => other.clone(),
            };
            let left = self
                .session
                .inner
                .children_after(attempt, &still, &found, rotation.revoke_children);
            (issued.children, issued.revoked_children) = left.await;
        }
        Ok(issued)
    }
}

impl Inner {
    /// Checks that the tokens that this one descends from are still valid: without them no secret of it is.
    async fn parents_hold(self: &Arc<Self>, found: &Found) -> Result<()> {
        for parent in &found.record.parents {
            let held = self.records.load::<TokenRecord>(&found.realm, parent.bytes()).await?;
            let revoked = held.is_none_or(|held| held.record.revoked.as_ref().is_some_and(|r| !r.keep_children));
            if revoked {
                return Err(ended("the token that issued it was revoked"));
            }
        }
        Ok(())
    }
}

impl TokenRecord {
    /// Begins the next epoch, if the record is still at the one that was seen. The one before ends after `grace`, or
    /// with the token.
    fn rotate(&mut self, seen: u32, grace: SignedDuration, stamp: &Stamp, through: Option<Through>) -> Result<()> {
        if self.revoked.is_some() {
            return Err(ended("it was revoked"));
        }
        if self.grant.expires.is_some_and(|expires| stamp.at >= expires) {
            return Err(ended("it has expired"));
        }
        if self.epoch != seen {
            return Err(Error::Conflict {
                what: "somebody else rotated the token at the same time and has its new secret".to_owned(),
            });
        }
        let next = self.epoch.checked_add(1);
        let next = next.ok_or_else(|| ended("it has reached the largest number of rotations"))?;
        let ends = stamp.at.checked_add(grace).unwrap_or(Timestamp::MAX);
        let ends = self.grant.expires.map_or(ends, |expires| ends.min(expires));
        self.older = grace.is_positive().then_some(OlderEpoch {
            epoch: self.epoch,
            ends,
            through: self.through,
        });
        self.through = through;
        self.epoch = next;
        self.rotated = Some(stamp.clone());
        Ok(())
    }
}

/// Decides whether the holder of a token may learn another's secret, or its own next one; gives the secret that the new one
/// depends on.
fn may_have_the_secret(holder: &Holder, found: &Found) -> Result<Option<Through>> {
    let own = &holder.held().record.grant;
    if holder.id() == found.id {
        if !holder.restrictions().is_empty() {
            return Err(Error::denied(
                "restriction",
                "a narrowed token, or one with an old secret, may not rotate the original token",
            ));
        }
        may_rotate_itself(own, holder.restrictions())?;
        // The next secret is worth no more than the one that it is got with.
        return Ok(holder.through());
    }
    if !found.record.parents.contains(&holder.id()) {
        return Err(Error::denied(
            "token",
            "a token may rotate only itself and tokens that it or its descendants issued",
        ));
    }
    within(&found.record.grant, &holder.realm().scope(), own, holder.restrictions()).map_err(wider)?;
    Ok(Some(Through {
        token: holder.id(),
        epoch: holder.epoch(),
    }))
}

fn wider(reason: Reason) -> Error {
    match reason {
        Reason::Expired => Error::denied(reason.as_str(), "the token outlives the token that rotates it"),
        Reason::NotYetValid => Error::denied(reason.as_str(), "the token is valid before the token that rotates it"),
        other => other.into(),
    }
}

fn check_grace(grace: Duration) -> Result<SignedDuration> {
    if grace > GRACE_MAX {
        return Err(Error::invalid(
            "the grace is longer than 90 days",
            "give a shorter grace; `0s` ends the old secret at once",
        ));
    }
    SignedDuration::try_from(grace).map_err(|_| Error::invalid("the grace is not valid", "give a shorter grace"))
}

fn because(record: &TokenRecord) -> String {
    match &record.older {
        Some(older) => format!("epoch {}; the secret before ends {}", record.epoch, older.ends),
        None => format!("epoch {}; the secret before ends at once", record.epoch),
    }
}

fn ended(why: &str) -> Error {
    Error::Conflict {
        what: format!("the token cannot be rotated: {why}; issue a new one"),
    }
}
