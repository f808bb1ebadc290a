//! The verbs on access tokens that exist: list, show, revoke.

use ibyok_audit::Action;
use ibyok_policy::{Scope, TokenId};

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::token::Descendants;
use crate::model::token::{TokenInfo, TokenRecord};
use crate::model::token_ref::TokenRef;
use crate::realm::token_id;
use crate::records::damage::DamagedRecord;
use crate::records::page::{Filling, Page, PageRequest};
use crate::vault::handles::TokenVerbs;
use crate::verbs::revoked::RevokedToken;

impl TokenVerbs<'_> {
    /// Lists the tokens that this session may see: all for an operator, for a token those whose grant lies within its own
    /// effective grant in scopes, environments, keys and networks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::Invalid`] for a page that was never given out,
    /// [`Error::Unavailable`].
    pub async fn list(self, page: &PageRequest) -> Result<Page<TokenInfo>> {
        let mut attempt = self.session.attempt(Action::TokenList);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            self.session
                .inner
                .gate
                .may_use_somewhere(&attempt, &principal, Scope::TokensIssue)
                .await?;
            self.page_of_tokens(&attempt, &principal, page).await
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn page_of_tokens(
        self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<TokenInfo>> {
        let cursor: Option<TokenId> = page
            .after
            .as_deref()
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::invalid_name("page", text, "the `next` of the previous page"))
            })
            .transpose()?;
        let mut filling = Filling::new(page);
        let opened = self.session.inner.gate.realms_for(principal).await?;
        if cursor.is_none() {
            opened.note(&mut filling);
        }
        let mut reached = cursor.is_none();
        for realm in opened.realms {
            let after = cursor.filter(|cursor| cursor.tag() == *realm.tag().as_bytes());
            reached = reached || after.is_some();
            if !reached {
                continue;
            }
            let mut walk = self
                .session
                .inner
                .records
                .walk_records::<TokenRecord>(&realm, after.map(|cursor| cursor.bytes()))?
                .at_most(page.bound());
            let mut last_uses = self.session.inner.usage.last_uses(&realm);
            while let Some(met) = walk.next::<TokenRecord>().await? {
                for (record_id, record) in met {
                    let id = token_id(&realm, *record_id.id())?;
                    match (record, principal) {
                        (Ok(record), _) => {
                            if principal.sees(&realm, &record) {
                                let mut info = record.info(id, principal.namespace(), attempt.at);
                                if page.last_use {
                                    info.last_used = Some(last_uses.of_token(id).await?);
                                }
                                filling.push(info);
                            }
                        }
                        (Err(damage), Principal::Operator { .. }) => {
                            filling.push_damaged(DamagedRecord::of::<TokenRecord>(&realm, &record_id, damage));
                        }
                        // Its grant would say whether this principal sees it, and cannot be read.
                        (Err(_), Principal::Token(_)) => filling.may_be_incomplete(),
                    }
                    if filling.is_full() {
                        return Ok(filling.page(Some(id.to_string())));
                    }
                }
            }
        }
        Ok(filling.page(None))
    }

    /// Returns the description of a token, found by id, by name, or `self`.
    ///
    /// # Errors
    /// [`Error::NotFound`] (to a token [`Error::Denied`]) if there is none; [`Error::Conflict`] if several have the name;
    /// [`Error::Unauthenticated`], [`Error::Unavailable`].
    pub async fn show(self, which: impl Into<TokenRef>) -> Result<TokenInfo> {
        let which = &which.into().to_string();
        let mut attempt = self.session.attempt(Action::TokenList);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            let found = self
                .session
                .inner
                .gate
                .find_token(&attempt, &principal, Scope::TokensIssue, which)
                .await?;
            attempt.facts.target = Some(("token", found.id.to_string()));
            let mut info = found.record.info(found.id, principal.namespace(), attempt.at);
            info.limit_scope = info.grant.rate.map(|_| self.session.inner.limits.limit_scope());
            Ok(info)
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Revokes a token, found by id, by name, or `self`, and with it the tokens that it issued unless it is told to keep
    /// them.
    ///
    /// It holds here when this returns, and on every other node within one second. Revoking twice is no error. The answer names
    /// the keys that the token read and the tokens that stay valid, as far as that is known. The revocation holds even if they are not known.
    ///
    /// # Errors
    /// As [`TokenVerbs::show`](crate::tokens::TokenVerbs::show).
    pub async fn revoke(self, which: impl Into<TokenRef>, descendants: Descendants) -> Result<RevokedToken> {
        let (which, keep_children) = (&which.into().to_string(), descendants == Descendants::Keep);
        let mut attempt = self.session.attempt(Action::TokenRevoke);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            let found = self
                .session
                .inner
                .limits
                .find_token_to_revoke(&attempt, &principal, which)
                .await?;
            attempt.facts.target = Some(("token", found.id.to_string()));
            let change =
                self.session
                    .inner
                    .take_token_away(&mut attempt, &principal, &found.realm, found.id, keep_children);
            let (_, record) = change.await?;
            let info = record.info(found.id, principal.namespace(), attempt.at);
            let revoked = self
                .session
                .inner
                .revoked(&attempt, &principal, &found, info, keep_children);
            Ok(revoked.await)
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }
}
