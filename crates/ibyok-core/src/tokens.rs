//! The verbs on access tokens: issue, list, show, revoke.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::{Environments, Grant, Scope, TokenId, Validity, mint, within};
use jiff::{SignedDuration, Timestamp};

use crate::attempt::Attempt;
use crate::authenticate::{Holder, PARENTS_MAX, Principal};
use crate::change::Edit;
use crate::error::{Error, Result, quoted};
use crate::model::key::Stamp;
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::token::{AccessToken, Expiry, Issued, TokenInfo, TokenRecord, TokenRequest};
use crate::realm::{PAGE, Realm, RealmName};
use crate::session::{Page, PageRequest, Session};
use crate::take_away::TakeAway;
use crate::vault::Inner;

/// How long a token lives unless its request says otherwise.
const DEFAULT_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest name of a token, in bytes.
const NAME_MAX: usize = 128;

impl Session {
    /// Issues an access token.
    ///
    /// A token's child lies within its own effective grant, expiry included, and is valid only as long as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name or a grant that makes no sense, [`Error::Denied`] for one wider than the session's own,
    /// [`Error::NotFound`] for an environment that does not exist; [`Error::Unauthenticated`], [`Error::Unavailable`].
    pub async fn issue_token(&self, request: TokenRequest) -> Result<Issued> {
        let mut attempt = self.attempt(Action::TokenIssue);
        let outcome = self.try_issue(&mut attempt, request).await;
        self.inner.refusing(&attempt, outcome).await
    }

    async fn try_issue(&self, attempt: &mut Attempt, request: TokenRequest) -> Result<Issued> {
        let principal = self.inner.authenticate(attempt, &self.asking).await?;
        check_name(&request.name)?;
        let namespace = principal.namespace().clone();
        let mut grant = request.grant;
        grant.expires = expiry(&principal, request.expiry, attempt.at)?;
        if let Environments::Named(names) = &mut grant.environments {
            *names = canonical(names)?;
        }
        check_grant(&grant, attempt.at)?;
        self.inner.may_issue(attempt, &principal, &grant).await?;
        let realm = self.inner.realm_of_token(&principal, &namespace, &grant).await?;
        let id = token_id(&realm, random_id()?)?;
        attempt.target = Some(("token", id.to_string()));
        let record = TokenRecord {
            rev: 0,
            name: request.name,
            grant,
            epoch: 0,
            older: None,
            created: attempt.at,
            created_by: principal.by(),
            parents: parents(&principal)?,
            revoked: None,
        };
        let info = record.info(id, &namespace, attempt.at);
        let change = self.inner.change(
            attempt,
            &realm,
            id.bytes(),
            |_, there: Option<TokenRecord>| match there {
                None => Ok(Edit::Gives(record.clone(), ())),
                Some(_) => Err(Error::Exists {
                    what: "the token".to_owned(),
                }),
            },
        );
        change.await?;
        let token = mint(realm.keys.token_key(), id, 0);
        Ok(Issued {
            info,
            token: AccessToken::of(&token),
        })
    }

    /// Lists the tokens that this session may see: all for an operator, those of its own environments for a token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::Invalid`] for a page that was never given out,
    /// [`Error::Unavailable`].
    pub async fn list_tokens(&self, page: &PageRequest) -> Result<Page<TokenInfo>> {
        let mut attempt = self.attempt(Action::TokenList);
        let outcome = async {
            let principal = self.inner.authenticate(&mut attempt, &self.asking).await?;
            self.inner
                .may_use_somewhere(&attempt, &principal, Scope::TokensIssue)
                .await?;
            self.page_of_tokens(&attempt, &principal, page).await
        }
        .await;
        self.inner.answering(&attempt, outcome).await
    }

    async fn page_of_tokens(
        &self,
        attempt: &Attempt,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<TokenInfo>> {
        let cursor: Option<TokenId> = page
            .after
            .as_deref()
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::invalid_name("page", text, "the `next` of the page before"))
            })
            .transpose()?;
        let mut items = Vec::new();
        let mut reached = cursor.is_none();
        for realm in self.inner.realms_for(principal).await? {
            let after = cursor.filter(|cursor| cursor.tag() == *realm.tag().as_bytes());
            reached = reached || after.is_some();
            if !reached {
                continue;
            }
            let mut after = after.map(|cursor| cursor.bytes());
            loop {
                let found = self.inner.tokens_of(&realm, after).await?;
                let full = found.ids.len() == PAGE;
                for (id, record) in found.live {
                    if self.inner.sees(attempt, principal, Scope::TokensIssue, &realm, &record) {
                        items.push(record.info(id, principal.namespace(), attempt.at));
                    }
                    if items.len() >= page.bound() {
                        return Ok(Page {
                            items,
                            next: Some(id.to_string()),
                        });
                    }
                }
                after = found.ids.last().copied();
                if !full {
                    break;
                }
            }
        }
        Ok(Page { items, next: None })
    }

    /// What is known about a token, found by id, by name, or `self`.
    ///
    /// # Errors
    /// [`Error::NotFound`] (to a token [`Error::Denied`]) if there is none; [`Error::Conflict`] if several have the name;
    /// [`Error::Unauthenticated`], [`Error::Unavailable`].
    pub async fn show_token(&self, which: &str) -> Result<TokenInfo> {
        let mut attempt = self.attempt(Action::TokenList);
        let outcome = async {
            let principal = self.inner.authenticate(&mut attempt, &self.asking).await?;
            let found = self
                .inner
                .find_token(&attempt, &principal, Scope::TokensIssue, which)
                .await?;
            attempt.target = Some(("token", found.id.to_string()));
            Ok(found.record.info(found.id, principal.namespace(), attempt.at))
        }
        .await;
        self.inner.answering(&attempt, outcome).await
    }

    /// Revokes a token, found by id, by name, or `self`, and with it what it issued unless `keep_children` is set.
    ///
    /// It holds here when this returns, and on every other node within one second. Revoking twice is no error.
    ///
    /// # Errors
    /// As [`Session::show_token`].
    pub async fn revoke_token(&self, which: &str, keep_children: bool) -> Result<TokenInfo> {
        let mut attempt = self.attempt(Action::TokenRevoke);
        let outcome = async {
            let principal = self.inner.authenticate(&mut attempt, &self.asking).await?;
            let found = self
                .inner
                .find_token(&attempt, &principal, Scope::TokensRevoke, which)
                .await?;
            attempt.target = Some(("token", found.id.to_string()));
            let stamp = Stamp {
                at: attempt.at,
                by: principal.by(),
            };
            let (id, at, namespace) = (found.id, attempt.at, principal.namespace().clone());
            let change = self.inner.change(
                &mut attempt,
                &found.realm,
                id.bytes(),
                |_, record: Option<TokenRecord>| {
                    let mut record = record.ok_or_else(|| no_token(which))?;
                    let what = TakeAway::RevokeToken { keep_children };
                    let changed = record.take_away(what, &stamp);
                    let info = record.info(id, &namespace, at);
                    Ok(if changed {
                        Edit::TakesAway(record, info, what)
                    } else {
                        Edit::Unchanged(info)
                    })
                },
            );
            change.await
        }
        .await;
        self.inner.refusing(&attempt, outcome).await
    }
}

/// A token that was found.
struct Found {
    id: TokenId,
    realm: Arc<Realm>,
    record: TokenRecord,
}

struct TokensOf {
    ids: Vec<[u8; 16]>,
    live: Vec<(TokenId, TokenRecord)>,
}

impl Inner {
    async fn may_issue(&self, attempt: &Attempt, principal: &Principal, grant: &Grant) -> Result<()> {
        let Principal::Token(holder) = principal else {
            return Ok(());
        };
        let namespace = principal.namespace();
        self.environments_allowed(attempt, principal, Scope::TokensIssue, namespace)
            .await?;
        // The right to issue must hold in every environment that the child is to reach.
        for environment in named(grant) {
            let environment = environment.parse()?;
            self.allowed_for_some_key(attempt, principal, Scope::TokensIssue, namespace, &environment)?;
        }
        let own = &holder.held.record.grant;
        Ok(within(grant, &holder.realm.scope(), own, &holder.restrictions)?)
    }

    /// Where a new token's record lives: with its parent, so that whoever can check the one can check the other; an operator's
    /// in its environment if it has exactly one, else in the realm that spans them.
    async fn realm_of_token(&self, principal: &Principal, namespace: &Namespace, grant: &Grant) -> Result<Arc<Realm>> {
        let names: Vec<EnvironmentName> = named(grant).map(str::parse).collect::<Result<_>>()?;
        for name in &names {
            self.environment_realm(namespace, name).await?;
        }
        if let Principal::Token(holder) = principal {
            return Ok(Arc::clone(&holder.realm));
        }
        let environment = match (&grant.environments, names.as_slice()) {
            (Environments::Named(_), [only]) => Some(only.clone()),
            _ => None,
        };
        let name = RealmName {
            namespace: namespace.clone(),
            environment,
        };
        let realm = self.realm(&name).await?;
        realm.ok_or_else(|| Error::NotFound {
            what: format!("namespace `{namespace}`"),
            hint: None,
        })
    }

    /// The realms in which a principal may see tokens, in the order of lists.
    async fn realms_for(&self, principal: &Principal) -> Result<Vec<Arc<Realm>>> {
        if let Principal::Token(holder) = principal
            && holder.realm.name.environment.is_some()
        {
            return Ok(vec![Arc::clone(&holder.realm)]);
        }
        let mut realms = Vec::new();
        for name in self.realms_of(principal.namespace()).await? {
            realms.extend(self.realm(&name).await?);
        }
        Ok(realms)
    }

    async fn may_use_somewhere(&self, attempt: &Attempt, principal: &Principal, scope: Scope) -> Result<()> {
        self.environments_allowed(attempt, principal, scope, principal.namespace())
            .await
            .map(|_| ())
    }

    /// Whether a principal sees a token: an operator every one, a token those whose every environment it may use the scope in.
    fn sees(
        &self,
        attempt: &Attempt,
        principal: &Principal,
        scope: Scope,
        realm: &Realm,
        record: &TokenRecord,
    ) -> bool {
        let Principal::Token(holder) = principal else {
            return true;
        };
        let namespace = &realm.name.namespace;
        let in_realm = realm.name.environment.as_ref().map(ToString::to_string);
        let names: Vec<String> = match (&record.grant.environments, in_realm) {
            (_, Some(only)) => vec![only],
            (Environments::Named(names), None) => names.iter().cloned().collect(),
            (Environments::All, None) => {
                let unbound = holder.restrictions.iter().all(|r| r.environments.is_none());
                return unbound && holder.held.record.grant.environments == Environments::All;
            }
        };
        names.iter().all(|name| {
            name.parse().is_ok_and(|name| {
                self.allowed_for_some_key(attempt, principal, scope, namespace, &name)
                    .is_ok()
            })
        })
    }

    async fn tokens_of(&self, realm: &Arc<Realm>, after: Option<[u8; 16]>) -> Result<TokensOf> {
        let collection = realm.collection(kind::TOKEN)?;
        let after = after.map(|id| ibyok_storage::RecordId::new(collection, id));
        let ids = self.store.list(&collection, after.as_ref(), PAGE).await?;
        let mut live = Vec::new();
        for id in &ids {
            if let Some(held) = self.read::<TokenRecord>(realm, id).await? {
                live.push((token_id(realm, *id.id())?, held.record));
            }
        }
        Ok(TokensOf {
            ids: ids.iter().map(|id| *id.id()).collect(),
            live,
        })
    }

    async fn find_token(
        self: &Arc<Self>,
        attempt: &Attempt,
        principal: &Principal,
        scope: Scope,
        which: &str,
    ) -> Result<Found> {
        let hidden = |error: Error| match (principal, error) {
            (Principal::Token(_), Error::NotFound { .. }) => {
                Error::denied("token", "the token is not among those that this one may see")
            }
            (_, error) => error,
        };
        if let (Principal::Token(holder), "self") = (principal, which) {
            return Ok(found_self(holder));
        }
        if let Ok(id) = which.parse::<TokenId>() {
            if let Principal::Token(holder) = principal
                && holder.id == id
            {
                return Ok(found_self(holder));
            }
            self.may_use_somewhere(attempt, principal, scope).await?;
            let found = self.token_by_id(principal, id).await.map_err(hidden)?;
            if !self.sees(attempt, principal, scope, &found.realm, &found.record) {
                return Err(Error::denied(
                    "token",
                    "the token is not among those that this one may see",
                ));
            }
            return Ok(found);
        }
        self.may_use_somewhere(attempt, principal, scope).await?;
        self.token_by_name(attempt, principal, scope, which)
            .await
            .map_err(hidden)
    }

    async fn token_by_id(&self, principal: &Principal, id: TokenId) -> Result<Found> {
        let which = id.to_string();
        for realm in self.realms_for(principal).await? {
            if *realm.tag().as_bytes() == id.tag() {
                let record = realm.record(kind::TOKEN, id.bytes())?;
                let held = self.read::<TokenRecord>(&realm, &record).await?;
                let held = held.ok_or_else(|| no_token(&which))?;
                return Ok(Found {
                    id,
                    realm,
                    record: held.record,
                });
            }
        }
        Err(no_token(&which))
    }

    async fn token_by_name(&self, attempt: &Attempt, principal: &Principal, scope: Scope, name: &str) -> Result<Found> {
        let mut found: Vec<Found> = Vec::new();
        for realm in self.realms_for(principal).await? {
            let mut after = None;
            loop {
                let tokens = self.tokens_of(&realm, after).await?;
                for (id, record) in tokens.live {
                    if record.name == name && self.sees(attempt, principal, scope, &realm, &record) {
                        found.push(Found {
                            id,
                            realm: Arc::clone(&realm),
                            record,
                        });
                    }
                }
                after = tokens.ids.last().copied();
                if tokens.ids.len() < PAGE {
                    break;
                }
            }
        }
        // One that is still valid goes before those that had the name earlier.
        let valid = |f: &Found| f.record.revoked.is_none();
        if found.iter().any(valid) {
            found.retain(valid);
        }
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(no_token(name)),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                let ids: Vec<String> = found.iter().chain([&last]).map(|f| f.id.to_string()).collect();
                Err(Error::Conflict {
                    what: format!("several tokens are called {}: {}", quoted(name), ids.join(", ")),
                })
            }
        }
    }
}

fn found_self(holder: &Arc<Holder>) -> Found {
    Found {
        id: holder.id,
        realm: Arc::clone(&holder.realm),
        record: holder.held.record.clone(),
    }
}

fn token_id(realm: &Realm, id: [u8; 16]) -> Result<TokenId> {
    TokenId::new(*realm.tag().as_bytes(), id).map_err(|_| Error::integrity("a realm's tag"))
}

fn no_token(which: &str) -> Error {
    Error::NotFound {
        what: format!("token {}", quoted(which)),
        hint: Some("`tokens list` shows what there is".to_owned()),
    }
}

fn named(grant: &Grant) -> impl Iterator<Item = &str> {
    match &grant.environments {
        Environments::All => None,
        Environments::Named(names) => Some(names.iter().map(String::as_str)),
    }
    .into_iter()
    .flatten()
}

/// The ancestors of a child of this principal, nearest first.
fn parents(principal: &Principal) -> Result<Vec<TokenId>> {
    let Principal::Token(holder) = principal else {
        return Ok(Vec::new());
    };
    let own = &holder.held.record.parents;
    if own.len() >= PARENTS_MAX {
        return Err(Error::invalid(
            format!("a token has at most {PARENTS_MAX} ancestors"),
            "issue this one from a token nearer to the operator",
        ));
    }
    Ok(std::iter::once(holder.id).chain(own.iter().copied()).collect())
}

/// When the new token ends: as asked, else in 30 days or with its parent, whichever is sooner.
fn expiry(principal: &Principal, asked: Expiry, now: Timestamp) -> Result<Option<Timestamp>> {
    match asked {
        Expiry::At(at) => Ok(Some(at)),
        Expiry::Never => Ok(None),
        Expiry::Default => {
            let default = now
                .checked_add(DEFAULT_LIFE)
                .map_err(|_| Error::invalid("the clock is at its end", ""))?;
            let own = match principal {
                Principal::Operator { .. } => None,
                Principal::Token(holder) => Validity::of(&holder.held.record.grant, &holder.restrictions).expires,
            };
            Ok(Some(own.map_or(default, |own| own.min(default))))
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    let form = "1 to 128 bytes without control characters, and not the form of a token's id";
    let fine = !name.is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control);
    if !fine || name.parse::<TokenId>().is_ok() || name == "self" {
        return Err(Error::invalid_name("token name", name, form));
    }
    Ok(())
}

/// The names as they are stored: `production` is `prod`.
pub(crate) fn canonical(names: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    names
        .iter()
        .map(|name| name.parse::<EnvironmentName>().map(|name| name.to_string()))
        .collect()
}

fn check_grant(grant: &Grant, now: Timestamp) -> Result<()> {
    if grant.scopes.is_empty() {
        return Err(Error::invalid(
            "the grant has no scope",
            "name at least one, for example `keys:read`",
        ));
    }
    if matches!(&grant.environments, Environments::Named(names) if names.is_empty()) {
        return Err(Error::invalid(
            "the grant has no environment",
            "name one, or say that it is for all",
        ));
    }
    if grant.rate.is_some() {
        return Err(Error::invalid(
            "the grant has a rate, and this version limits none",
            "leave it out",
        ));
    }
    if grant.expires.is_some_and(|expires| expires <= now) {
        return Err(Error::invalid("the expiry is in the past", "give a later one"));
    }
    if let (Some(from), Some(until)) = (grant.not_before, grant.expires)
        && from >= until
    {
        return Err(Error::invalid(
            "the token would end before it begins",
            "give a later expiry",
        ));
    }
    Ok(())
}

fn random_id() -> Result<[u8; 16]> {
    let id =
        ibyok_crypto::VaultId::generate().map_err(|error| crate::realm::open_failed("randomness".to_owned(), error))?;
    Ok(*id.as_bytes())
}
