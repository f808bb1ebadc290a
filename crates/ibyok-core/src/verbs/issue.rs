//! Issuing access tokens: never wider and never longer than their issuer.

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::{Environments, Grant, Reason, Scope, Scopes, TokenId, Validity, mint, within};
use jiff::{SignedDuration, Timestamp};

use crate::base::error::{Error, Result};
use crate::base::secret_text::looks_like_a_token;
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::authenticate::PARENTS_MAX;
use crate::gate::principal::Principal;
use crate::model::name::{EnvironmentName, Namespace, no_secret};
use crate::model::token::{AccessToken, Expiry, Issued, TokenRecord, TokenRequest, canonical};
use crate::realm::{Realm, RealmName, token_id};
use crate::vault::Inner;
use crate::vault::handles::TokenVerbs;

/// The life of a token unless its request says otherwise.
const DEFAULT_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most environments, patterns or networks that a grant names: each is checked whenever the token is used.
const LIST_MAX: usize = 64;

/// The longest name of a token, in bytes.
const NAME_MAX: usize = 128;

impl TokenVerbs<'_> {
    /// Issues an access token.
    ///
    /// A token's child lies within its own effective grant, expiry included, and is valid only as long as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name or a grant that makes no sense, [`Error::Denied`] for one wider than the session's own,
    /// [`Error::NotFound`] for an environment that does not exist; [`Error::Unauthenticated`], [`Error::Unavailable`].
    pub async fn issue(self, request: TokenRequest) -> Result<Issued> {
        let mut attempt = self.session.attempt(Action::TokenIssue);
        let outcome = self.try_issue(&mut attempt, request).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_issue(self, attempt: &mut Attempt<'_>, request: TokenRequest) -> Result<Issued> {
        let principal = self.session.authenticate(attempt).await?;
        check_name(&request.name)?;
        let namespace = principal.namespace().clone();
        let mut grant = request.grant;
        grant.expires = expiry(&principal, request.expiry, attempt.at)?;
        if let Environments::Named(names) = &mut grant.environments {
            *names = canonical(names)?;
        }
        check_grant(&grant, attempt.at)?;
        self.session.inner.may_issue(attempt, &principal, &grant).await?;
        let realm = self
            .session
            .inner
            .realm_of_token(&principal, &namespace, &grant)
            .await?;
        let id = token_id(&realm, random_id()?)?;
        attempt.facts.target = Some(("token", id.to_string()));
        let record = TokenRecord {
            rev: 0,
            name: request.name,
            grant,
            epoch: 0,
            older: None,
            rotated: None,
            // A token that was issued with a secret gained by rotation falls with that secret.
            through: principal.holder().and_then(|holder| holder.through()),
            created: attempt.at,
            created_by: principal.by(),
            parents: parents(&principal)?,
            revoked: None,
        };
        let info = record.info(id, &namespace, attempt.at);
        let change = self.session.inner.changes.change(
            attempt,
            &principal,
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
            children: None,
            revoked_children: Vec::new(),
        })
    }
}

impl Inner {
    async fn may_issue(&self, attempt: &Attempt<'_>, principal: &Principal, grant: &Grant) -> Result<()> {
        let Principal::Token(holder) = principal else {
            return Ok(());
        };
        let namespace = principal.namespace();
        self.gate
            .environments_allowed(attempt, principal, Scope::TokensIssue, namespace)
            .await?;
        // The right to issue must hold in every environment that the child is to reach.
        for environment in named(grant) {
            let environment = environment.parse()?;
            self.gate
                .allowed_for_some_key(attempt, principal, Scope::TokensIssue, namespace, &environment)?;
        }
        let own = &holder.held().record.grant;
        within(grant, &holder.realm().scope(), own, holder.restrictions()).map_err(wider)
    }

    /// Returns the realm in which a new token's record lives: that of its parent, so that a node that can check the
    /// one can check the other. An operator's lives in its environment if it has exactly one, else in the realm that
    /// spans them.
    async fn realm_of_token(&self, principal: &Principal, namespace: &Namespace, grant: &Grant) -> Result<Arc<Realm>> {
        let names: Vec<EnvironmentName> = named(grant).map(str::parse).collect::<Result<_>>()?;
        for name in &names {
            self.records.environment_realm(namespace, name).await?;
        }
        if let Principal::Token(holder) = principal {
            return Ok(Arc::clone(holder.realm()));
        }
        let environment = match (&grant.environments, names.as_slice()) {
            (Environments::Named(_), [only]) => Some(only.clone()),
            _ => None,
        };
        let name = RealmName {
            namespace: namespace.clone(),
            environment,
        };
        let realm = self.records.realm(&name).await?;
        realm.ok_or_else(|| Error::NotFound {
            what: format!("namespace `{namespace}`"),
            hint: None,
        })
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
    let own = &holder.held().record.parents;
    if own.len() >= PARENTS_MAX {
        return Err(Error::invalid(
            format!("a token has at most {PARENTS_MAX} ancestors"),
            "issue this token from a token with fewer ancestors, or as the operator",
        ));
    }
    Ok(std::iter::once(holder.id()).chain(own.iter().copied()).collect())
}

/// Returns the end of the new token: as asked, else in 30 days or with its parent, whichever is sooner.
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
                Principal::Token(holder) => Validity::of(&holder.held().record.grant, holder.restrictions()).expires,
            };
            Ok(Some(own.map_or(default, |own| own.min(default))))
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    let form = "1 to 128 bytes without control characters, and not in the form of a token's id";
    let fine = !name.is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control);
    if !fine || name.parse::<TokenId>().is_ok() || name == "self" || looks_like_a_token(name) {
        return Err(Error::invalid_name("token name", name, form));
    }
    no_secret("token name", name)
}

/// The reason for which a child does not lie within its issuer.
fn wider(reason: Reason) -> Error {
    match reason {
        Reason::Expired => Error::denied(reason.as_str(), "the new token would outlive the token that issues it"),
        Reason::NotYetValid => Error::denied(
            reason.as_str(),
            "the new token would be valid before the token that issues it",
        ),
        other => other.into(),
    }
}

fn check_grant(grant: &Grant, now: Timestamp) -> Result<()> {
    if grant.scopes.is_empty() {
        return Err(Error::invalid(
            "the grant has no scope",
            "give at least one scope, for example `keys:read`",
        ));
    }
    if matches!(&grant.environments, Environments::Named(names) if names.is_empty()) {
        return Err(Error::invalid(
            "the grant has no environment",
            "give at least one environment, or allow all environments",
        ));
    }
    let named = match &grant.environments {
        Environments::All => 0,
        Environments::Named(names) => names.len(),
    };
    let networks = grant.networks.as_ref().map_or(0, Vec::len);
    if named.max(networks).max(grant.keys.as_ref().map_or(0, Vec::len)) > LIST_MAX {
        return Err(Error::invalid(
            format!("the grant may have at most {LIST_MAX} environments, patterns or networks"),
            "use wider patterns, or issue several tokens",
        ));
    }
    let canary = Scopes::from([Scope::KeysRead, Scope::KeysList]);
    if grant.pending_only && !grant.scopes.is_within(canary) {
        return Err(Error::invalid(
            "a token for pending versions may have only the scopes `keys:read` and `keys:list`",
            "remove every scope except `keys:read` and `keys:list`",
        ));
    }
    if grant.expires.is_some_and(|expires| expires <= now) {
        return Err(Error::invalid("the expiry is in the past", "give a later expiry"));
    }
    if let (Some(from), Some(until)) = (grant.not_before, grant.expires)
        && from >= until
    {
        return Err(Error::invalid(
            "the token would expire before it becomes valid",
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
