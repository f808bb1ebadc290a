//! Finding tokens, and which of them a principal sees.

use std::sync::Arc;

use ibyok_crypto::RealmTag;
use ibyok_policy::{Environments, Scope, TokenId, in_sight, source_allowed};

use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, Result, quoted};
use crate::base::remedy::Remedy;
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::open_realms::OpenRealms;
use crate::gate::principal::{Holder, Principal};
use crate::model::kind;
use crate::model::token::TokenRecord;
use crate::realm::{Realm, token_id};
use crate::records::damage::DamagedRecord;
use crate::records::walk::Walk;

/// A token that was found.
pub(crate) struct Found {
    pub(crate) id: TokenId,
    pub(crate) realm: Arc<Realm>,
    pub(crate) record: TokenRecord,
    /// Damaged records that may hide another token of the name, of one that was found by its name.
    pub(crate) not_searched: Vec<DamagedRecord>,
    /// True if another token of the name may be in a place that was not searched, also one that the principal may not know.
    pub(crate) search_incomplete: bool,
}

/// Some tokens of a realm: those that are sound, and those whose records are damaged.
pub(crate) struct TokensOf {
    pub(crate) live: Vec<(TokenId, TokenRecord)>,
    pub(crate) damaged: Vec<(TokenId, Damage)>,
}

impl Principal {
    /// Decides whether the principal may see a token and take it away: an operator every one, a token those whose grant lies
    /// within its own effective grant.
    ///
    /// The one rule by which tokens are listed, shown, found, reviewed and revoked. Whether the principal has the scope that
    /// the verb needs is another question.
    pub(crate) fn sees(&self, realm: &Realm, record: &TokenRecord) -> bool {
        let Principal::Token(holder) = self else {
            return true;
        };
        let mut grant = record.grant.clone();
        // A record reaches no further than its realm, no matter which reach it states.
        if let Some(only) = &realm.name.environment {
            grant.environments = Environments::named([only.to_string()]);
        }
        let own = &holder.held().record.grant;
        in_sight(&grant, &holder.realm().scope(), own, holder.restrictions()).is_ok()
    }
}

impl Gate {
    pub(crate) async fn may_use_somewhere(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
    ) -> Result<()> {
        self.environments_allowed(attempt, principal, scope, principal.namespace())
            .await
            .map(|_| ())
    }

    /// The next tokens of a walk through a realm; `None` at its end.
    pub(crate) async fn tokens_of(&self, realm: &Realm, walk: &mut Walk<'_>) -> Result<Option<TokensOf>> {
        let Some(met) = walk.next::<TokenRecord>().await? else {
            return Ok(None);
        };
        let (mut live, mut damaged) = (Vec::new(), Vec::new());
        for (id, record) in met {
            let id = token_id(realm, *id.id())?;
            match record {
                Ok(record) => live.push((id, record)),
                Err(damage) => damaged.push((id, damage)),
            }
        }
        Ok(Some(TokensOf { live, damaged }))
    }

    /// Every token may read its own record and revoke itself, from its own networks. A narrowed token acts on the
    /// wider token that it was made from, so it needs the scope to revoke that.
    async fn may_touch_itself(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        holder: &Holder,
        scope: Scope,
    ) -> Result<()> {
        source_allowed(
            &holder.held().record.grant,
            holder.restrictions(),
            attempt.context.source,
        )?;
        // A secret in its grace is the token's own too, and may end it: a holder who lost the token has no other
        // secret.
        if scope == Scope::TokensRevoke && !holder.is_whole() {
            self.may_use_somewhere(attempt, principal, scope).await?;
        }
        Ok(())
    }

    pub(crate) async fn find_token(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        which: &str,
    ) -> Result<Found> {
        let hidden = |error: Error| match (principal, error) {
            (Principal::Token(_), Error::NotFound { .. }) => Error::denied("token", "this token may not see the token"),
            (_, Error::NotFound { what, hint }) => Error::NotFound {
                what: self.records.named_in(principal.namespace(), what),
                hint,
            },
            (_, error) => error,
        };
        if let (Principal::Token(holder), "self") = (principal, which) {
            self.may_touch_itself(attempt, principal, holder, scope).await?;
            return Ok(found_self(holder));
        }
        if let Ok(id) = which.parse::<TokenId>() {
            if let Principal::Token(holder) = principal
                && holder.id() == id
            {
                self.may_touch_itself(attempt, principal, holder, scope).await?;
                return Ok(found_self(holder));
            }
            self.may_use_somewhere(attempt, principal, scope).await?;
            let found = self.token_by_id(principal, id).await.map_err(hidden)?;
            if !principal.sees(&found.realm, &found.record) {
                return Err(Error::denied("token", "this token may not see the token"));
            }
            return Ok(found);
        }
        self.may_use_somewhere(attempt, principal, scope).await?;
        self.token_by_name(principal, scope, which).await.map_err(hidden)
    }

    pub(crate) async fn token_by_id(&self, principal: &Principal, id: TokenId) -> Result<Found> {
        let realm = self.realm_with_token(principal, id).await?;
        let record = realm.record(kind::TOKEN, id.bytes())?;
        let held = self.records.read::<TokenRecord>(&realm, &record).await?;
        let held = held.ok_or_else(|| no_token(&id.to_string()))?;
        Ok(Found::new(id, &realm, held.record))
    }

    /// The realm that a token's id names, if the principal may see tokens there.
    pub(crate) async fn realm_with_token(&self, principal: &Principal, id: TokenId) -> Result<Arc<Realm>> {
        let none = || no_token(&id.to_string());
        if let Principal::Token(holder) = principal
            && holder.realm().name.environment.is_some()
        {
            let own = *holder.realm().tag().as_bytes() == id.tag();
            return own.then(|| Arc::clone(holder.realm())).ok_or_else(none);
        }
        // The one realm is opened, and no other: a damaged environment must not stop a revocation in another.
        let tag = RealmTag::from_bytes(id.tag()).map_err(|_| none())?;
        let name = self.records.realm_by_tag(tag).await?.ok_or_else(none)?;
        if name.namespace != *principal.namespace() {
            return Err(none());
        }
        self.records.realm(&name).await?.ok_or_else(none)
    }

    /// Finds a token by its name. To be revoked, one that is found goes although other places were not searched: a damaged record
    /// elsewhere must not keep a token alive. The other verbs then want its id.
    async fn token_by_name(&self, principal: &Principal, scope: Scope, name: &str) -> Result<Found> {
        let mut search = self.search_by_name(principal, name).await?;
        // One that is still valid goes before those that had the name earlier.
        let valid = |f: &Found| f.record.revoked.is_none();
        let any_valid = search.found.iter().any(valid);
        if any_valid {
            search.found.retain(valid);
        }
        let enough = match scope {
            Scope::TokensRevoke => any_valid,
            _ => !search.found.is_empty() && !search.realms.incomplete,
        };
        if !enough && let Some(error) = search.not_searched(principal, name) {
            return Err(error);
        }
        let Search {
            mut found,
            realms,
            damaged,
        } = search;
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(no_token(name)),
            (Some(only), true) => Ok(Found {
                search_incomplete: realms.incomplete || !damaged.is_empty(),
                not_searched: match principal {
                    Principal::Operator(_) => realms.damaged.into_iter().chain(damaged).collect(),
                    Principal::Token(_) => realms.damaged,
                },
                ..only
            }),
            (Some(last), false) => {
                let ids: Vec<String> = found.iter().chain([&last]).map(|f| f.id.to_string()).collect();
                Err(Error::Conflict {
                    what: format!("several tokens have the name {}: {}", quoted(name), ids.join(", ")),
                })
            }
        }
    }

    async fn search_by_name(&self, principal: &Principal, name: &str) -> Result<Search> {
        let realms = self.realms_for(principal).await?;
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for realm in &realms.realms {
            let mut walk = self.records.walk_records::<TokenRecord>(realm, None)?;
            while let Some(tokens) = self.tokens_of(realm, &mut walk).await? {
                let named = tokens.live.into_iter();
                let named = named.filter(|(_, record)| record.name == name && principal.sees(realm, record));
                found.extend(named.map(|(id, record)| Found::new(id, realm, record)));
                for (id, damage) in tokens.damaged {
                    let record = realm.record(kind::TOKEN, id.bytes())?;
                    damaged.push(DamagedRecord::of::<TokenRecord>(realm, &record, damage));
                }
            }
        }
        Ok(Search { found, realms, damaged })
    }
}

/// The tokens of a name, and the places that were not searched.
struct Search {
    found: Vec<Found>,
    realms: OpenRealms,
    /// Damaged records of tokens, whose names are lost.
    damaged: Vec<DamagedRecord>,
}

impl Search {
    /// The error of a search in vain, if the name may be in a place that was not searched.
    fn not_searched(&self, principal: &Principal, name: &str) -> Option<Error> {
        let what = format!("token {}", quoted(name));
        if let Some(error) = self.realms.not_searched(&what) {
            return Some(error);
        }
        let first = self.damaged.first().filter(|_| self.found.is_empty())?;
        // Its owner cannot be read, so a token does not learn its id.
        let what = match principal {
            Principal::Operator(_) => format!("the record of token `{}`", first.id),
            Principal::Token(_) => "the record of a token".to_owned(),
        };
        Some(Error::damaged(what, first.damaged).about(Affected::Token))
    }
}

impl Found {
    pub(crate) fn new(id: TokenId, realm: &Arc<Realm>, record: TokenRecord) -> Self {
        Found {
            id,
            realm: Arc::clone(realm),
            record,
            not_searched: Vec::new(),
            search_incomplete: false,
        }
    }
}

pub(crate) fn found_self(holder: &Arc<Holder>) -> Found {
    Found::new(holder.id(), holder.realm(), holder.held().record.clone())
}

pub(crate) fn no_token(which: &str) -> Error {
    Error::NotFound {
        what: format!("token {}", quoted(which)),
        hint: Some(Remedy::ListTokens),
    }
}
