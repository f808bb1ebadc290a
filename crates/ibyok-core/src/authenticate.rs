//! A presented token becomes a principal, or nothing is said about why not.

use std::borrow::Cow;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ibyok_audit::{Principal as Who, PrincipalKind};
use ibyok_policy::{Environments, Restriction, Token, TokenId, Verified, valid_at};
use ibyok_storage::{Collection, Kind, RecordId};
use jiff::Timestamp;

use crate::attempt::Attempt;
use crate::cache::Held;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::key_ref::KeyRef;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::token::{AccessToken, Through, TokenRecord};
use crate::model::which_version::WhichVersion;
use crate::realm::Realm;
use crate::records::Record;
use crate::secret_text::{looks_like_a_token, without_secrets};
use crate::vault::Inner;

/// How many ancestors a token may have.
pub(crate) const PARENTS_MAX: usize = 4;

/// Who asks, established: made only by authentication.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// Whoever can open the vault.
    Operator(Actor),
    /// A valid access token.
    Token(Arc<Holder>),
}

/// An operator: whoever can open the vault.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    /// Whether it reads the audit log beyond its namespace.
    pub(crate) whole_log: bool,
}

/// The holder of a valid access token.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) id: TokenId,
    pub(crate) realm: Arc<Realm>,
    pub(crate) held: Arc<Held<TokenRecord>>,
    /// What it carries; of a secret that was superseded also the end of its grace, so that nothing it does reaches beyond that.
    pub(crate) restrictions: Vec<Restriction>,
    pub(crate) epoch: u32,
    pub(crate) chain: String,
}

impl Holder {
    /// Whether a newer secret was given out, so that this one is only in its grace.
    pub(crate) fn is_superseded(&self) -> bool {
        self.held.record.grace_of(self.epoch).is_some()
    }

    /// The same holder with the secret that it was just given for its token.
    pub(crate) fn renewed(&self, epoch: u32) -> Self {
        Holder {
            id: self.id,
            realm: Arc::clone(&self.realm),
            held: Arc::clone(&self.held),
            restrictions: Vec::new(),
            epoch,
            chain: self.chain.clone(),
        }
    }

    /// Whether it holds the token as it was minted: nothing was taken away but by a grace.
    pub(crate) fn is_whole(&self) -> bool {
        self.restrictions.len() == usize::from(self.is_superseded())
    }

    /// The secret of another token through which this one was gained.
    pub(crate) fn through(&self) -> Option<Through> {
        self.held.record.through_of(self.epoch)
    }

    /// Whether the token's realm, grant and restrictions all name an environment.
    pub(crate) fn reaches(&self, environment: &EnvironmentName) -> bool {
        let name = environment.as_str();
        let realm = self
            .realm
            .name
            .environment
            .as_ref()
            .is_none_or(|own| own == environment);
        let grant = match &self.held.record.grant.environments {
            Environments::All => true,
            Environments::Named(names) => names.contains(name),
        };
        let restricted =
            |r: &Restriction| r.is_understood() && r.environments.as_ref().is_none_or(|n| n.contains(name));
        realm && grant && self.restrictions.iter().all(restricted)
    }
}

impl Principal {
    /// Whether it may read pending versions alone.
    pub(crate) fn is_pending_only(&self) -> bool {
        self.holder().is_some_and(|holder| {
            holder.held.record.grant.pending_only || holder.restrictions.iter().any(|r| r.pending_only)
        })
    }

    /// What it means by a reference that says nothing of a version: the current one, or the only one that it may read.
    pub(crate) fn meaning<'r>(&self, reference: &'r KeyRef) -> Cow<'r, KeyRef> {
        if reference.version().is_current() && self.is_pending_only() {
            Cow::Owned(reference.clone().at_version(WhichVersion::Pending))
        } else {
            Cow::Borrowed(reference)
        }
    }

    /// The namespace that the principal acts in unless another is named.
    pub(crate) fn namespace(&self) -> &Namespace {
        match self {
            Principal::Operator(actor) => &actor.namespace,
            Principal::Token(holder) => &holder.realm.name.namespace,
        }
    }

    /// What stands in a record as who did it.
    pub(crate) fn by(&self) -> String {
        match self {
            Principal::Operator(actor) => actor.name.clone(),
            Principal::Token(holder) => holder.id.to_string(),
        }
    }

    pub(crate) fn holder(&self) -> Option<&Arc<Holder>> {
        match self {
            Principal::Operator(_) => None,
            Principal::Token(holder) => Some(holder),
        }
    }

    pub(crate) fn who(&self) -> Who {
        match self {
            Principal::Operator(actor) => Who::new(PrincipalKind::Operator).id(without_secrets(&actor.name)),
            Principal::Token(holder) => Who::new(PrincipalKind::Token)
                .id(holder.id.to_string())
                .name(&holder.held.record.name)
                .chain(&holder.chain),
        }
    }
}

/// How somebody asks.
#[derive(Debug)]
pub(crate) enum Asking {
    Operator(Actor),
    /// With a token, which has to be one of the namespace if one is given.
    Token(AccessToken, Option<Namespace>),
}

impl Asking {
    pub(crate) fn again(&self) -> Self {
        match self {
            Asking::Operator(actor) => Asking::Operator(actor.clone()),
            Asking::Token(token, only) => Asking::Token(token.again(), only.clone()),
        }
    }
}

impl Inner {
    /// Establishes who asks, and counts the verb against the limits of a token (but for a retrieval, which is counted once it is known of
    /// which key). Every way in which a token is not valid is the one error, with its reason for the log only.
    pub(crate) async fn authenticate(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        asking: &Asking,
    ) -> Result<Principal> {
        let principal = self.establish(attempt, asking).await?;
        self.count_verb(attempt, &principal).await?;
        Ok(principal)
    }

    /// Establishes who asks, without counting anything.
    pub(crate) async fn establish(self: &Arc<Self>, attempt: &mut Attempt<'_>, asking: &Asking) -> Result<Principal> {
        let principal = match asking {
            Asking::Operator(actor) => {
                check_actor(&actor.name)?;
                Principal::Operator(actor.clone())
            }
            Asking::Token(token, only) => {
                let holder = self.authenticate_token(attempt, token, only.as_ref()).await?;
                Principal::Token(Arc::new(holder))
            }
        };
        attempt.principal = Some(principal.who());
        attempt.caller = Some(principal.clone());
        // An operator's lists of environments are no older than the lease either.
        self.hold_lease().await?;
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
        self.hold_lease().await?;
        let tag = ibyok_crypto::RealmTag::from_bytes(id.tag()).ok();
        let name = match tag {
            Some(tag) => self.realm_by_tag(tag).await?,
            None => None,
        };
        // To a tenant the token of another is a stranger's: it is told apart before its realm's keys are opened.
        let name = name.filter(|name| only.is_none_or(|only| *only == name.namespace));
        let name = name.ok_or_else(|| refuse(attempt, "unknown"))?;
        let verifier = self.verifier(&name, id, token).await?;
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
            None => self.realm(&name).await?.ok_or_else(|| refuse(attempt, "unknown"))?,
        };
        let held = self
            .load::<TokenRecord>(&realm, id.bytes())
            .await?
            .ok_or_else(|| refuse(attempt, "unknown"))?;
        let mut restrictions = verified.restrictions().to_vec();
        restrictions.extend(held.record.grace_of(verified.epoch()).map(only_until));
        let holder = Holder {
            id,
            held,
            restrictions,
            epoch: verified.epoch(),
            chain: verified.chain().to_string(),
            realm,
        };
        self.still_valid(&holder, &holder.held, attempt.at)
            .await
            .map_err(|error| match error {
                Invalid::Token(reason) => refuse(attempt, reason),
                Invalid::Other(error) => error,
            })?;
        self.remember_verified(id, token);
        Ok(holder)
    }

    /// Whether the cached record of a token that verified says that it ended: its former holder costs no opening of the realm.
    fn known_to_be_invalid(
        &self,
        tag: Option<ibyok_crypto::RealmTag>,
        id: TokenId,
        verified: &Verified,
        at: Timestamp,
    ) -> Result<Result<(), &'static str>> {
        let Some(tag) = tag else { return Ok(Ok(())) };
        let collection = Collection::new(Kind::new(TokenRecord::KIND), *tag.as_bytes())?;
        let cached = self.cache.get(&RecordId::new(collection, id.bytes()));
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

    /// Whether a token that verified is valid now: not revoked, within its times, and so are all its parents.
    async fn still_valid(&self, holder: &Holder, held: &Held<TokenRecord>, at: Timestamp) -> Result<(), Invalid> {
        let record = &held.record;
        if !record.accepts_epoch(holder.epoch, at) {
            return Err(Invalid::Token("superseded"));
        }
        if record.revoked.is_some() {
            return Err(Invalid::Token("revoked"));
        }
        valid_at(&record.grant, &holder.restrictions, at).map_err(|reason| Invalid::Token(reason.as_str()))?;
        self.ancestry_holds(&holder.realm, record)
            .await?
            .map_err(Invalid::Token)?;
        self.gained_rightly(&holder.realm, record.through_of(holder.epoch), at)
            .await?
            .map_err(Invalid::Token)
    }

    /// Whether every secret through which a secret was gained still stands; else why not, for the log. A token that is revoked
    /// stands for none, also if its children are kept.
    async fn gained_rightly(
        &self,
        realm: &Arc<Realm>,
        mut through: Option<Through>,
        at: Timestamp,
    ) -> Result<Result<(), &'static str>> {
        // A token is rotated by its ancestors alone, so that each link goes up.
        for _ in 0..=PARENTS_MAX {
            let Some(link) = through else { return Ok(Ok(())) };
            let Some(held) = self.load::<TokenRecord>(realm, link.token.bytes()).await? else {
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

    /// Whether every token that this one descends from still stands for it; else why not, for the log.
    pub(crate) async fn ancestry_holds(
        &self,
        realm: &Arc<Realm>,
        record: &TokenRecord,
    ) -> Result<Result<(), &'static str>> {
        for parent in &record.parents {
            let Some(parent) = self.load::<TokenRecord>(realm, parent.bytes()).await? else {
                return Ok(Err("parent_missing"));
            };
            let revoked = parent.record.revoked.as_ref();
            if revoked.is_some_and(|revoked| !revoked.keep_children) {
                return Ok(Err("parent_revoked"));
            }
        }
        Ok(Ok(()))
    }

    /// By what a token that is none of ours is told from others on the log.
    fn hash_of_unknown(&self, id: TokenId) -> String {
        let hash = self
            .home
            .keys
            .keyed_hash("ibyok unknown token v1", id.to_string().as_bytes());
        format!(
            "unknown-{}",
            HEXLOWER.encode(hash.first_chunk::<8>().unwrap_or(&[0; 8]))
        )
    }

    /// Whether a token is still valid by what the store says now: for the last look before something is released or put.
    pub(crate) async fn still(self: &Arc<Self>, holder: &Holder) -> Result<()> {
        self.hold_lease().await?;
        let held = self
            .load(&holder.realm, holder.id.bytes())
            .await?
            .ok_or(Error::Unauthenticated)?;
        let valid = self.still_valid(holder, &held, self.now()).await;
        valid.map_err(|error| match error {
            Invalid::Token(_) => Error::Unauthenticated,
            Invalid::Other(error) => error,
        })
    }

    /// The time, for deciding.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The longest name of an operator, in bytes.
const ACTOR_MAX: usize = 256;

/// Checks the name that an operator acts under: the log would otherwise say that nobody did it, or that a token did.
pub(crate) fn check_actor(name: &str) -> Result<()> {
    let fine = !name.trim().is_empty() && name.len() <= ACTOR_MAX && !name.chars().any(char::is_control);
    if !fine || name.parse::<TokenId>().is_ok() || looks_like_a_token(name) {
        return Err(Error::invalid_name(
            "operator name",
            name,
            "1 to 256 bytes without control characters, and not the form of a token or a token's id",
        ));
    }
    Ok(())
}

/// What a secret that was superseded can do: everything, until its end.
fn only_until(ends: Timestamp) -> Restriction {
    let mut restriction = Restriction::default();
    restriction.expires = Some(ends);
    restriction
}

/// Why a token that verified is not valid.
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
