//! Limits: how often a token may retrieve, and how often a key may be retrieved.
//!
//! A token's limit is checked as soon as the token is known, before any realm is opened or key unwrapped. A key's
//! limit is checked once its record is read, before anything of it is opened. Buckets have hashes of parsed ids as
//! their names, so that no other spelling of a name is another bucket.
//!
//! - `bucket`: one bucket, in whole numbers
//! - `node`: the buckets of this node
//! - `verbs_of_tokens`: the limits of every token on verbs that release no value

mod bucket;
pub(crate) mod node;
mod verbs_of_tokens;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ibyok_crypto::cut;
use ibyok_policy::{Rate, TokenId};
use ibyok_storage::{Draw, Taken};

pub(crate) use self::node::NodeBuckets;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::authorize::within;
use crate::gate::permit::Permit;
use crate::gate::principal::{Asking, Holder, Principal};
use crate::model::key::KeyRecord;
use crate::model::key_ref::{KeyHandle, KeyRef};
use crate::model::limit::LimitSource;
use crate::model::limit::{LimitInForce, LimitScope};
use crate::model::settings::SettingsRecord;
use crate::realm::Realm;
use crate::records::Records;

/// Establishes who asks, and counts each request against the limits of its token and its key.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) records: Arc<Records>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) buckets: NodeBuckets,
}

/// The subject of a limit.
enum Of {
    Token,
    Ancestor,
    Key(String),
    /// Verbs that release no value, by the default: the token's own bucket, or the one that its ancestor's children share.
    Verbs {
        word: &'static str,
        own: bool,
    },
    /// Verbs that release no value, by the rate of the token or of an ancestor.
    VerbsAtRate {
        word: &'static str,
        rate: Rate,
    },
}

/// A limit that a use counts against.
struct Limit {
    of: Of,
    rate: Option<Rate>,
    draw: Draw,
}

impl Limit {
    fn new(of: Of, rate: Rate, realm: &Realm, id: [u8; 16]) -> Self {
        let kind: &[u8] = match of {
            Of::Key(_) => b"key",
            Of::Token | Of::Ancestor | Of::Verbs { .. } | Of::VerbsAtRate { .. } => b"token",
        };
        // The rate is a part of the name: a changed rate is another bucket at once, even while another node still has
        // the old one.
        let named = [kind, &id, rate.to_string().as_bytes()].concat();
        let hash = realm.keys.keyed_hash("ibyok limit bucket v1", &named);
        Limit {
            of,
            rate: Some(rate),
            draw: Draw {
                bucket: cut(hash),
                count: rate.count,
                seconds: NonZeroU32::new(rate.per.seconds()).unwrap_or(NonZeroU32::MIN),
            },
        }
    }

    /// A limit on the verbs of a token that release no value.
    fn of_verbs(of: Of, realm: &Realm, id: [u8; 16], count: NonZeroU32, seconds: NonZeroU32) -> Self {
        let word = match of {
            Of::Verbs { word, .. } | Of::VerbsAtRate { word, .. } => word,
            Of::Token | Of::Ancestor | Of::Key(_) => "",
        };
        let named = [
            word.as_bytes(),
            &id,
            &count.get().to_be_bytes(),
            &seconds.get().to_be_bytes(),
        ]
        .concat();
        let hash = realm.keys.keyed_hash("ibyok verb limit bucket v1", &named);
        let bucket = cut(hash);
        let draw = Draw { bucket, count, seconds };
        Limit { of, rate: None, draw }
    }

    fn is_default(&self) -> bool {
        matches!(self.of, Of::Verbs { .. })
    }

    fn reached(&self, retry_after: Duration) -> Error {
        let rate = self
            .rate
            .map_or_else(|| per_minute(&self.draw), |rate| rate.to_string());
        let what = match &self.of {
            Of::Token => format!("this token has reached its limit of {rate}"),
            Of::Ancestor => format!("a token that this one descends from has reached its limit of {rate}"),
            Of::Key(label) => format!("key `{label}` has reached its limit of {rate}"),
            Of::Verbs { word, own: true } => {
                format!("this token has reached the limit of every token for {word}, {rate}")
            }
            Of::Verbs { word, own: false } => {
                format!("the tokens that descend from one token have together reached their limit for {word}, {rate}")
            }
            Of::VerbsAtRate { word, rate } => format!("this token has reached its rate for {word}, {rate}"),
        };
        Error::Limited { what, retry_after }
    }
}

/// Refuses a limit above the highest that is allowed. One that the key has already stays.
pub(crate) fn within_highest(
    wanted: Option<Option<Rate>>,
    highest: Option<Rate>,
    there: Option<&KeyRecord>,
) -> Result<()> {
    let (Some(Some(wanted)), Some(highest)) = (wanted, highest) else {
        return Ok(());
    };
    let stays = there.is_some_and(|record| record.limit == Some(wanted));
    if stays || wanted.is_within(highest) {
        return Ok(());
    }
    let reason = format!("a token may give a key at most the limit of its environment, {highest}");
    Err(Error::denied("limit", reason))
}

impl Limits {
    /// Establishes who asks, and counts the verb against the limits of a token (but for a retrieval, which is counted once it is known of
    /// which key). Every way in which a token is not valid is the one error, with its reason for the log only.
    pub(crate) async fn authenticate(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        asking: &Asking,
    ) -> Result<Principal> {
        let principal = self.gate.establish(attempt, asking).await?;
        self.count_verb(attempt, &principal).await?;
        Ok(principal)
    }

    /// Counts a retrieval against the token's limit, and those of the tokens that it descends from; one that is tried again only once.
    ///
    /// # Errors
    /// [`Error::Limited`]; [`Error::Unavailable`] if nobody can say.
    pub(crate) async fn count_token(
        &self,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        reference: &KeyRef,
    ) -> Result<()> {
        // A second try of the same request, after a record changed under it, is not a second use.
        let Some(holder) = principal.holder().filter(|_| !attempt.limits.again) else {
            return Ok(());
        };
        let limits = limits_of(holder)?;
        let taken = self.take(&limits).await;
        if taken.is_err() {
            attempt.limits.limited = Some(holder.id());
            // Nothing else has checked the reference yet, and the log must record the request.
            if let Ok(scoped) = within(attempt, principal, reference) {
                attempt.facts.environment = Some(scoped.environment().into());
                match scoped.handle() {
                    KeyHandle::Name(name) => attempt.facts.key = Some(name.into()),
                    KeyHandle::Id(id) => attempt.facts.key_id = Some((*id).into()),
                }
            }
        }
        taken
    }

    /// Counts a retrieval against the key's limit. An operator is not limited.
    ///
    /// # Errors
    /// As [`Limits::count_token`].
    pub(crate) async fn count_key(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        (record, settings): (&KeyRecord, &SettingsRecord),
    ) -> Result<()> {
        let Some(holder) = permit.principal().holder().filter(|_| !attempt.limits.again) else {
            return Ok(());
        };
        let Some(rate) = record.limit.or(settings.limit) else {
            return Ok(());
        };
        attempt.limits.limited = Some(holder.id());
        let of = Of::Key(permit.label());
        self.take(&[Limit::new(of, rate, permit.realm(), permit.id().0)]).await
    }

    /// The rate that a principal's limit of a key may not exceed: a token's, the default of the environment. The caller must hold
    /// the lease.
    ///
    /// # Errors
    /// [`Error::Integrity`] if the settings that would say so cannot be read.
    pub(crate) async fn highest_limit(&self, permit: &Permit, wanted: Option<Option<Rate>>) -> Result<Option<Rate>> {
        match (permit.principal().holder(), wanted) {
            (Some(_), Some(Some(_))) => Ok(self.records.environment_settings(permit.realm()).await?.record.limit),
            _ => Ok(None),
        }
    }

    /// The limit of a key and where it is from: its own, else the default of its environment. The caller must hold the lease.
    async fn limit_of(&self, realm: &Realm, record: &KeyRecord) -> Result<Option<(Rate, LimitSource)>> {
        if let Some(rate) = record.limit {
            return Ok(Some((rate, LimitSource::Key)));
        }
        let settings = self.records.environment_settings(realm).await?;
        Ok(settings.record.limit.map(|rate| (rate, LimitSource::Environment)))
    }

    /// Returns the limit for display; `None` also if it cannot be read.
    pub(crate) async fn limit_in_force(&self, realm: &Realm, record: &KeyRecord) -> Result<Option<LimitInForce>> {
        let limit = match self.limit_of(realm, record).await {
            Err(Error::Integrity { .. }) => None,
            known => known?,
        };
        Ok(limit.map(|(rate, source)| LimitInForce {
            rate,
            source,
            scope: self.limit_scope(),
        }))
    }

    /// Returns the scope over which this node's limits count.
    pub(crate) fn limit_scope(&self) -> LimitScope {
        match self.records.store.limiter() {
            Some(_) => LimitScope::Shared,
            None => LimitScope::Node,
        }
    }

    /// Takes one use of each limit, or of none.
    async fn take(&self, limits: &[Limit]) -> Result<()> {
        if limits.is_empty() {
            return Ok(());
        }
        let draws: Vec<Draw> = limits.iter().map(|limit| limit.draw).collect();
        let taken = match self.records.store.limiter() {
            // All limits go to the shared limiter in one call, so that a refusal by one takes nothing from the others on any node.
            Some(shared) => shared.take(&draws).await?,
            None => self.buckets.take(&draws, self.records.clock.elapsed()),
        };
        self.taken(limits, taken)
    }

    fn taken(&self, limits: &[Limit], taken: Taken) -> Result<()> {
        match taken {
            Taken::All => Ok(()),
            Taken::None { which, wait } => Err(match limits.get(which) {
                Some(limit) => limit.reached(wait),
                None => Error::unavailable(
                    crate::base::error::Part::Store,
                    "it names a limit that was not asked about",
                ),
            }),
        }
    }
}

/// Returns a token's own limit, and those of its ancestors: their buckets count the uses of all their children.
fn limits_of(holder: &Holder) -> Result<Vec<Limit>> {
    let own = &holder.held().record;
    let limit = |of, rate: Option<Rate>, id: TokenId| rate.map(|rate| Limit::new(of, rate, holder.realm(), id.bytes()));
    let mut limits: Vec<Limit> = limit(Of::Token, own.grant.rate, holder.id()).into_iter().collect();
    for parent in &own.parents {
        let rate = holder.ancestor(parent)?.grant.rate;
        limits.extend(limit(Of::Ancestor, rate, *parent));
    }
    Ok(limits)
}

/// A default as a rate in words.
fn per_minute(draw: &Draw) -> String {
    let (count, seconds) = (u64::from(draw.count.get()), u64::from(draw.seconds.get()));
    match (count * 60) / seconds {
        // One a minute and less reads better by the hour, and whole numbers would round it to zero.
        0 | 1 => format!("{}/hour", count * 3600 / seconds),
        minute => format!("{minute}/min"),
    }
}
