//! A presented token becomes a principal, or nothing is said about why not.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use ibyok_crypto::{RealmTag, cut};
use ibyok_policy::{Restriction, Token, TokenId, Verified, valid_at};
use ibyok_storage::{Collection, Kind, RecordId};
use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::principal::{Asking, Holder, Operator, Principal, Texts};
use crate::model::name::Namespace;
use crate::model::token::{AccessToken, Through, TokenRecord};
use crate::realm::{Realm, RealmName};
use crate::records::cache::Held;
use crate::records::record::Record;

/// The number of ancestors that a token may have.
pub(crate) const PARENTS_MAX: usize = 4;

impl Gate {
    /// Establishes who asks, without counting anything.
    pub(crate) async fn establish(self: &Arc<Self>, attempt: &mut Attempt<'_>, asking: &Asking) -> Result<Principal> {
        let principal = match asking {
            Asking::Operator(actor) => Principal::Operator(Operator::established(actor)?),
            Asking::Token(token, only) => {
                Principal::Token(self.authenticate_token(attempt, token, only.as_ref()).await?)
            }
        };
        attempt.caller = Some(principal.clone());
        // An operator's lists of environments are no older than the lease either.
        self.records.hold_lease().await?;
        attempt.facts.namespace = Some(principal.namespace().into());
        Ok(principal)
    }

    async fn authenticate_token(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        token: &AccessToken,
        only: Option<&Namespace>,
    ) -> Result<Arc<Holder>> {
        let presented = Token::parse(token.expose()).map_err(|_| refuse(attempt, "malformed"))?;
        let found = self.verify(&presented, token, only).await;
        // Only now: to hash the id costs as much as to verify the token, and the log needs the hash of strangers alone.
        let found = found.map_err(|refused| {
            attempt.facts.unknown_token = Some(self.hash_of_unknown(presented.id()));
            refused.on(attempt)
        })?;
        let namespace = Arc::<str>::from(&found.name.namespace);
        let texts = Texts::of(&found.verified);
        let holder = self.holder(found, texts, attempt.at).await.map_err(|refused| {
            // The token is one of ours, and its id may be named.
            attempt.facts.principal = Some(texts.who().into_owned());
            attempt.facts.namespace = Some(namespace);
            refused.on(attempt)
        })?;
        self.records.remember_verified(holder.id(), token);
        Ok(holder)
    }

    /// Verifies the MAC of a presented token.
    async fn verify(
        self: &Arc<Self>,
        presented: &Token,
        token: &AccessToken,
        only: Option<&Namespace>,
    ) -> Result<Found, Invalid> {
        let id = presented.id();
        self.records.hold_lease().await?;
        let tag = RealmTag::from_bytes(id.tag()).map_err(|_| Invalid::Token("unknown"))?;
        let name = self.records.realm_by_tag(tag).await?;
        // To a tenant, a token of another tenant is a stranger's: it is refused before its realm's keys are opened.
        let name = name.filter(|name| only.is_none_or(|only| *only == name.namespace));
        let name = name.ok_or(Invalid::Token("unknown"))?;
        let verifier = self.records.verifier(&name, id, token).await?;
        let verifier = verifier.ok_or(Invalid::Token("unverified"))?;
        let verified = presented.verify_with(&verifier.key);
        Ok(Found {
            verified: verified.map_err(|_| Invalid::Token("unknown"))?,
            name,
            tag,
            realm: verifier.realm,
        })
    }

    /// Finds the record of a token that verified, and checks that it is valid.
    async fn holder(self: &Arc<Self>, found: Found, texts: Texts, at: Timestamp) -> Result<Arc<Holder>, Invalid> {
        let (id, verified) = (found.verified.id(), &found.verified);
        self.known_to_be_invalid(found.tag, verified, at)?;
        let realm = match found.realm {
            Some(realm) => realm,
            None => self
                .records
                .realm(&found.name)
                .await?
                .ok_or(Invalid::Token("unknown"))?,
        };
        let held = self.records.load::<TokenRecord>(&realm, id.bytes()).await?;
        let held = held.ok_or(Invalid::Token("unknown"))?;
        let holder = Holder::verified((verified, texts), realm, held);
        let ancestors = self.still_valid(&holder, holder.held(), at).await?;
        Ok(holder.with_ancestors(ancestors))
    }

    /// Returns the reason if the cached record of a token that verified says that it ended: its former holder costs
    /// no opening of the realm.
    fn known_to_be_invalid(&self, tag: RealmTag, verified: &Verified, at: Timestamp) -> Result<(), Invalid> {
        let collection = Collection::new(Kind::new(TokenRecord::KIND), *tag.as_bytes()).map_err(Error::from)?;
        let id = RecordId::new(collection, verified.id().bytes());
        let cached = self.records.cache.get(&id).and_then(TokenRecord::from_entry);
        cached.map_or(Ok(()), |held| {
            valid_by_itself(&held.record, verified.epoch(), verified.restrictions(), at)
        })
    }

    /// Fails unless a token that verified is valid now: not revoked, within its times, and with parents that are
    /// valid too. Returns the records of its parents.
    async fn still_valid(
        &self,
        holder: &Holder,
        held: &Held<TokenRecord>,
        at: Timestamp,
    ) -> Result<Vec<Arc<Held<TokenRecord>>>, Invalid> {
        let record = &held.record;
        valid_by_itself(record, holder.epoch(), holder.restrictions(), at)?;
        let ancestors = self
            .ancestors_of(holder.realm(), record)
            .await?
            .map_err(Invalid::Token)?;
        self.gained_rightly(holder.realm(), record.through_of(holder.epoch()), at)
            .await?
            .map_err(Invalid::Token)?;
        Ok(ancestors)
    }

    /// Checks that every secret through which a secret was gained is still accepted; if not, returns the reason, for
    /// the log. No secret of a revoked token is accepted, also if its children are kept.
    async fn gained_rightly(
        &self,
        realm: &Arc<Realm>,
        mut through: Option<Through>,
        at: Timestamp,
    ) -> Result<Result<(), &'static str>> {
        // A token is rotated by its ancestors alone, so that each link goes up.
        for _ in 0..=PARENTS_MAX {
            let Some(link) = through else { return Ok(Ok(())) };
            let Some(held) = self.records.load::<TokenRecord>(realm, link.token.bytes()).await? else {
                return Ok(Err("rotator_missing"));
            };
            let record = &held.record;
            if record.revoked.is_some() {
                return Ok(Err("rotator_revoked"));
            }
            if record.grant.expires.is_some_and(|expires| at >= expires) {
                return Ok(Err("rotator_expired"));
            }
            if !record.accepts_epoch(link.epoch, at) {
                return Ok(Err("rotator_superseded"));
            }
            through = record.through_of(link.epoch);
        }
        Ok(Err("rotator_missing"))
    }

    /// Checks that every token that this one descends from still vouches for it; if not, returns the reason, for the
    /// log.
    pub(crate) async fn ancestry_holds(
        &self,
        realm: &Arc<Realm>,
        record: &TokenRecord,
    ) -> Result<Result<(), &'static str>> {
        Ok(self.ancestors_of(realm, record).await?.map(drop))
    }

    /// The records of the tokens that a token descends from, in the order of its parents, or the reason for which one of them does not
    /// vouch for it.
    async fn ancestors_of(
        &self,
        realm: &Arc<Realm>,
        record: &TokenRecord,
    ) -> Result<Result<Vec<Arc<Held<TokenRecord>>>, &'static str>> {
        let mut ancestors = Vec::with_capacity(record.parents.len());
        for parent in &record.parents {
            let Some(parent) = self.records.load::<TokenRecord>(realm, parent.bytes()).await? else {
                return Ok(Err("parent_missing"));
            };
            let revoked = parent.record.revoked.as_ref();
            if revoked.is_some_and(|revoked| !revoked.keep_children) {
                return Ok(Err("parent_revoked"));
            }
            ancestors.push(parent);
        }
        Ok(Ok(ancestors))
    }

    /// The keyed hash by which the log distinguishes tokens that are none of ours.
    fn hash_of_unknown(&self, id: TokenId) -> String {
        let hash = self
            .records
            .home
            .keys
            .keyed_hash("ibyok unknown token v1", id.to_string().as_bytes());
        format!("unknown-{}", HEXLOWER.encode(&cut::<8, 32>(hash)))
    }

    /// Checks that a token is still valid by the store's state now: the last check before something is released or
    /// put.
    pub(crate) async fn still(self: &Arc<Self>, holder: &Holder) -> Result<()> {
        self.records.hold_lease().await?;
        let held = self
            .records
            .load(holder.realm(), holder.id().bytes())
            .await?
            .ok_or(Error::Unauthenticated)?;
        let valid = self.still_valid(holder, &held, self.records.now()).await;
        valid.map(drop).map_err(|error| match error {
            Invalid::Token(_) => Error::Unauthenticated,
            Invalid::Other(error) => error,
        })
    }
}

/// A token that verified.
struct Found {
    verified: Verified,
    name: Arc<RealmName>,
    tag: RealmTag,
    /// The realm, if it was opened to verify the token.
    realm: Option<Arc<Realm>>,
}

/// Fails if the record of a token that verified says that it is not valid, whatever the records of others say.
fn valid_by_itself(
    record: &TokenRecord,
    epoch: u32,
    restrictions: &[Restriction],
    at: Timestamp,
) -> Result<(), Invalid> {
    if !record.accepts_epoch(epoch, at) {
        return Err(Invalid::Token("superseded"));
    }
    if record.revoked.is_some() {
        return Err(Invalid::Token("revoked"));
    }
    valid_at(&record.grant, restrictions, at).map_err(|reason| Invalid::Token(reason.as_str()))
}

/// The reason for which a presented token is not valid.
#[derive(Debug)]
pub(crate) enum Invalid {
    Token(&'static str),
    Other(Error),
}

impl Invalid {
    /// The error for the caller. The reason goes on the line of the attempt alone.
    fn on(self, attempt: &mut Attempt<'_>) -> Error {
        match self {
            Invalid::Token(reason) => refuse(attempt, reason),
            Invalid::Other(error) => error,
        }
    }
}

impl From<Error> for Invalid {
    fn from(error: Error) -> Self {
        Invalid::Other(error)
    }
}

fn refuse(attempt: &mut Attempt<'_>, reason: &'static str) -> Error {
    attempt.facts.reason = Some(reason);
    Error::Unauthenticated
}
