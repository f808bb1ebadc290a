//! A presented token becomes a principal, or nothing is said about why not.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use ibyok_audit::{Principal as Who, PrincipalKind};
use ibyok_crypto::cut;
use ibyok_policy::{Token, TokenId, Verified, valid_at};
use ibyok_storage::{Collection, Kind, RecordId};
use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::principal::{Asking, Holder, Operator, Principal};
use crate::model::name::Namespace;
use crate::model::token::{AccessToken, Through, TokenRecord};
use crate::realm::Realm;
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
                let holder = self.authenticate_token(attempt, token, only.as_ref()).await?;
                Principal::Token(Arc::new(holder))
            }
        };
        attempt.principal = Some(principal.who());
        attempt.caller = Some(principal.clone());
        // An operator's lists of environments are no older than the lease either.
        self.records.hold_lease().await?;
        attempt.namespace = Some(principal.namespace().to_string());
        Ok(principal)
    }

    async fn authenticate_token(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        token: &AccessToken,
        only: Option<&Namespace>,
    ) -> Result<Holder> {
        let presented = Token::parse(token.expose()).map_err(|_| refuse(attempt, "malformed"))?;
        let id = presented.id();
        attempt.unknown_token = Some(self.hash_of_unknown(id));
        self.records.hold_lease().await?;
        let tag = ibyok_crypto::RealmTag::from_bytes(id.tag()).ok();
        let name = match tag {
            Some(tag) => self.records.realm_by_tag(tag).await?,
            None => None,
        };
        // To a tenant, a token of another tenant is a stranger's: it is refused before its realm's keys are opened.
        let name = name.filter(|name| only.is_none_or(|only| *only == name.namespace));
        let name = name.ok_or_else(|| refuse(attempt, "unknown"))?;
        let verifier = self.records.verifier(&name, id, token).await?;
        let verifier = verifier.ok_or_else(|| refuse(attempt, "unverified"))?;
        let verified = presented
            .verify(&verifier.key)
            .map_err(|_| refuse(attempt, "unknown"))?;
        // From here on the token is one of ours, and its id may be named.
        attempt.principal = Some(
            Who::new(PrincipalKind::Token)
                .id(id.to_string())
                .chain(verified.chain().to_string()),
        );
        attempt.namespace = Some(name.namespace.to_string());
        self.known_to_be_invalid(tag, id, &verified, attempt.at)?
            .map_err(|reason| refuse(attempt, reason))?;
        let realm = match verifier.realm {
            Some(realm) => realm,
            None => self
                .records
                .realm(&name)
                .await?
                .ok_or_else(|| refuse(attempt, "unknown"))?,
        };
        let held = self
            .records
            .load::<TokenRecord>(&realm, id.bytes())
            .await?
            .ok_or_else(|| refuse(attempt, "unknown"))?;
        let holder = Holder::verified(id, realm, held, &verified);
        self.still_valid(&holder, holder.held(), attempt.at)
            .await
            .map_err(|error| match error {
                Invalid::Token(reason) => refuse(attempt, reason),
                Invalid::Other(error) => error,
            })?;
        self.records.remember_verified(id, token);
        Ok(holder)
    }

    /// Returns the reason if the cached record of a token that verified says that it ended: its former holder costs
    /// no opening of the realm.
    fn known_to_be_invalid(
        &self,
        tag: Option<ibyok_crypto::RealmTag>,
        id: TokenId,
        verified: &Verified,
        at: Timestamp,
    ) -> Result<Result<(), &'static str>> {
        let Some(tag) = tag else { return Ok(Ok(())) };
        let collection = Collection::new(Kind::new(TokenRecord::KIND), *tag.as_bytes())?;
        let cached = self.records.cache.get(&RecordId::new(collection, id.bytes()));
        let Some(held) = cached.and_then(TokenRecord::from_entry) else {
            return Ok(Ok(()));
        };
        let record = &held.record;
        if !record.accepts_epoch(verified.epoch(), at) {
            return Ok(Err("superseded"));
        }
        if record.revoked.is_some() {
            return Ok(Err("revoked"));
        }
        Ok(valid_at(&record.grant, verified.restrictions(), at).map_err(|reason| reason.as_str()))
    }

    /// Fails unless a token that verified is valid now: not revoked, within its times, and with parents that are
    /// valid too.
    async fn still_valid(&self, holder: &Holder, held: &Held<TokenRecord>, at: Timestamp) -> Result<(), Invalid> {
        let record = &held.record;
        if !record.accepts_epoch(holder.epoch(), at) {
            return Err(Invalid::Token("superseded"));
        }
        if record.revoked.is_some() {
            return Err(Invalid::Token("revoked"));
        }
        valid_at(&record.grant, holder.restrictions(), at).map_err(|reason| Invalid::Token(reason.as_str()))?;
        self.ancestry_holds(holder.realm(), record)
            .await?
            .map_err(Invalid::Token)?;
        self.gained_rightly(holder.realm(), record.through_of(holder.epoch()), at)
            .await?
            .map_err(Invalid::Token)
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
        for parent in &record.parents {
            let Some(parent) = self.records.load::<TokenRecord>(realm, parent.bytes()).await? else {
                return Ok(Err("parent_missing"));
            };
            let revoked = parent.record.revoked.as_ref();
            if revoked.is_some_and(|revoked| !revoked.keep_children) {
                return Ok(Err("parent_revoked"));
            }
        }
        Ok(Ok(()))
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
        valid.map_err(|error| match error {
            Invalid::Token(_) => Error::Unauthenticated,
            Invalid::Other(error) => error,
        })
    }
}

/// The reason for which a token that verified is not valid.
#[derive(Debug)]
pub(crate) enum Invalid {
    Token(&'static str),
    Other(Error),
}

impl From<Error> for Invalid {
    fn from(error: Error) -> Self {
        Invalid::Other(error)
    }
}

fn refuse(attempt: &mut Attempt<'_>, reason: &'static str) -> Error {
    attempt.reason = Some(reason);
    Error::Unauthenticated
}
