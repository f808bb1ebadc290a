//! The consumers of a key, and the uses of a token: rotation and the review of tokens ask for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ibyok_policy::{Scope, Scopes, TokenId};
use ibyok_storage::{RecordId, StoreExt};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::caller::Caller;
use super::rollup::{Of, Subject};
use super::sign::Sign;
use super::tally::Tally;
use super::{ACTIVE_DAYS, Usage, day_of};
use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::model::name::KeyId;
use crate::realm::Realm;

/// The greatest age of the sign of a node that counts.
const FRESH: SignedDuration = SignedDuration::from_secs(3);

/// The time that a node with an older sign is given to show that only its clock is off.
const SHOW: Duration = Duration::from_millis(2500);
const LOOK: Duration = Duration::from_millis(250);

/// The time for which a node that went away without a word is missed.
const MISSED: SignedDuration = SignedDuration::from_hours(24);

/// The callers that read a key within the last 90 days.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consumers {
    /// Each caller with each version that it was given the real value of, the last reader first.
    pub(crate) readers: Vec<Reader>,
    /// Nodes that may have released values which are not counted yet: each is to be taken for a consumer.
    pub(crate) behind: Vec<Behind>,
    /// The number of records of the key's usage that do not open: a reader may be missing.
    pub(crate) damaged: u64,
}

/// A caller that read one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) caller: Caller,
    /// The token's name.
    pub(crate) name: Option<String>,
    pub(crate) version: u32,
    pub(crate) count: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// The last read that is not in the future: by a clock that was ahead, nobody has read anything before or after another.
    pub(crate) proven: Option<Timestamp>,
    /// The network of the last read.
    pub(crate) network: Option<IpNet>,
}

/// A node that said that it counts, and then nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    /// The id of its log.
    pub(crate) node: String,
    /// The operator who ran it.
    pub(crate) actor: String,
    pub(crate) last: Timestamp,
}

/// A key that a token read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRead {
    pub(crate) environment: String,
    pub(crate) id: KeyId,
    /// Its name at that time.
    pub(crate) name: Option<String>,
    pub(crate) count: u64,
    /// The number of times that it was given the value itself, and no mock.
    pub(crate) live: u64,
    pub(crate) last: Timestamp,
}

/// The uses of a token.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenUse {
    /// Every scope that it was allowed something by.
    pub(crate) scopes: Scopes,
    /// Every environment that it was allowed something in.
    pub(crate) environments: BTreeSet<String>,
    pub(crate) keys: Vec<KeyRead>,
    /// True if it read more keys than are counted separately.
    pub(crate) more_keys: bool,
    pub(crate) tally: Tally,
    /// The first and the last day on which it was allowed anything, as the start of the day where no time is known.
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) damaged: u64,
}

impl Usage {
    /// Returns the callers that read a key in the last 90 days, over all nodes. Includes the uses that this node
    /// counted, up to the last read.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store does not answer. Damaged records are counted in the answer.
    pub(crate) async fn consumers(self: &Arc<Self>, realm: &Arc<Realm>, key: KeyId) -> Result<Consumers> {
        self.flush_usage().await?;
        // Before the counts are read: a node that is well now has put its counts until then.
        let behind = self.behind(realm).await?;
        let now = self.records.now();
        let from = day_of(now).saturating_sub(ACTIVE_DAYS);
        let mut readers: HashMap<(Caller, u32), Reader> = HashMap::new();
        let mut damaged = 0;
        // The rest row has readers that were not counted by key, and any of them may have read this key.
        for subject in [Subject::Key(key), Subject::REST] {
            let found = self.rollups_of(realm, subject, from).await?;
            damaged += found.damaged;
            for row in found.rollups.into_iter().flat_map(|rollup| rollup.rows) {
                let Of::Reader { caller, version } = row.of else {
                    continue;
                };
                // A mock is no read of a version, so a caller of mocks keeps no version from being retired.
                let (Some(first), Some(last), true) = (row.tally.first, row.tally.last, row.tally.live > 0) else {
                    continue;
                };
                let version = version.unwrap_or(0);
                let reader = Reader {
                    caller: caller.clone(),
                    name: row.name,
                    version,
                    count: row.tally.live,
                    first,
                    last,
                    // A time in the future comes from a clock that is ahead, and must not pass as proof of a read of the current version.
                    proven: [last, first].into_iter().find(|at| *at <= now),
                    network: row.tally.network,
                };
                readers
                    .entry((caller, version))
                    .and_modify(|known| known.add(&reader))
                    .or_insert(reader);
            }
        }
        let mut readers: Vec<Reader> = readers.into_values().collect();
        readers.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.caller.cmp(&b.caller)));
        Ok(Consumers {
            readers,
            behind,
            damaged,
        })
    }

    /// The keys whose value a token read since a time, the last read first; and whether that is known to be all. Of one whose mocks it
    /// read it knows nothing.
    ///
    /// # Errors
    /// As [`Usage::use_of`].
    pub(crate) async fn keys_read_by(
        self: &Arc<Self>,
        realm: &Arc<Realm>,
        token: TokenId,
        since: Timestamp,
    ) -> Result<(Vec<KeyRead>, bool)> {
        let used = self.use_since(realm, token, day_of(since)).await?;
        // A damaged record or a row for many keys may hide a key, so the caller must not take the list for all.
        let complete = used.damaged == 0 && !used.more_keys;
        let seen = |key: &KeyRead| key.live > 0 && key.last >= since;
        Ok((used.keys.into_iter().filter(seen).collect(), complete))
    }

    /// Returns the uses of a token, as far back as counts are kept. The realm is the token's own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store does not answer. Damaged records are counted in the answer.
    pub(crate) async fn use_of(self: &Arc<Self>, realm: &Arc<Realm>, token: TokenId) -> Result<TokenUse> {
        self.use_since(realm, token, 0).await
    }

    pub(super) async fn use_since(self: &Arc<Self>, realm: &Arc<Realm>, token: TokenId, from: u16) -> Result<TokenUse> {
        self.flush_usage().await?;
        let found = self.rollups_of(realm, Subject::Token(token), from).await?;
        let mut used = TokenUse {
            damaged: found.damaged,
            ..TokenUse::default()
        };
        let mut keys: BTreeMap<(String, KeyId), KeyRead> = BTreeMap::new();
        for rollup in found.rollups {
            for row in rollup.rows {
                let Of::Key { environment, key } = row.of else { continue };
                used.add(&row.scopes, environment.as_deref(), &row.tally, rollup.day);
                let (Some(last), true) = (row.tally.last, row.tally.live > 0 || row.tally.mocked > 0) else {
                    continue;
                };
                let (Some(environment), Some(id)) = (environment, key) else {
                    used.more_keys = true;
                    continue;
                };
                let count = row.tally.live.saturating_add(row.tally.mocked);
                let read = keys.entry((environment.clone(), id)).or_insert(KeyRead {
                    environment,
                    id,
                    name: None,
                    count: 0,
                    live: 0,
                    last,
                });
                read.count = read.count.saturating_add(count);
                read.live = read.live.saturating_add(row.tally.live);
                read.last = read.last.max(last);
                read.name = row.name.or(read.name.take());
            }
        }
        used.keys = keys.into_values().collect();
        used.keys.sort_by_key(|key| std::cmp::Reverse(key.last));
        Ok(used)
    }

    /// The nodes whose sign says that they count, and is old. A node that only has another time shows it by going on.
    async fn behind(&self, realm: &Arc<Realm>) -> Result<Vec<Behind>> {
        let collection = realm.collection(kind::SIGN)?;
        let own = self.own_sign(realm)?;
        let mut suspects: Vec<(RecordId, Sign)> = Vec::new();
        let mut pages = self.records.store.pages(&collection);
        while let Some(page) = pages.next_page().await? {
            for id in page.iter().filter(|id| **id != own) {
                match self.read_sign(realm, id).await {
                    // An old sign alone is no proof: the clocks of two machines may differ by more than the bound.
                    Ok(Some(sign)) if self.is_suspect(&sign) => suspects.push((*id, sign)),
                    Ok(_) => {}
                    Err(Error::Integrity { .. }) => self.records.remember_damaged(id),
                    Err(error) => return Err(error),
                }
            }
        }
        let mut waited = Duration::ZERO;
        while !suspects.is_empty() && waited < SHOW {
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
            let mut still = Vec::new();
            for (id, sign) in suspects {
                let now = self.read_sign(realm, &id).await?;
                // A live node has moved its sign by now, even with a wrong clock.
                if now.is_some_and(|now| (now.at, now.seq, now.at_rest) == (sign.at, sign.seq, sign.at_rest)) {
                    still.push((id, sign));
                }
            }
            suspects = still;
        }
        let behind = suspects.into_iter().map(|(_, sign)| Behind {
            node: sign.log,
            actor: sign.actor,
            last: sign.at,
        });
        Ok(behind.collect())
    }

    fn is_suspect(&self, sign: &Sign) -> bool {
        let age = self.records.now().duration_since(sign.at);
        // Both directions: a sign from the future is as doubtful as an old one. After a day the node counts as gone for good.
        !sign.at_rest && age.abs() > FRESH && age < MISSED
    }
}

impl Reader {
    fn add(&mut self, other: &Reader) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.proven = self.proven.max(other.proven);
        if other.last >= self.last {
            (self.last, self.network) = (other.last, other.network);
        }
        if self.name.is_none() {
            self.name.clone_from(&other.name);
        }
    }
}

impl TokenUse {
    fn add(&mut self, scopes: &Scopes, environment: Option<&str>, tally: &Tally, day: u16) {
        let released = tally.live > 0 || tally.mocked > 0;
        scopes.iter().for_each(|scope| self.scopes.insert(scope));
        if released {
            self.scopes.insert(Scope::KeysRead);
        }
        self.tally.merge(tally);
        if !released && scopes.is_empty() {
            return;
        }
        self.environments.extend(environment.map(ToOwned::to_owned));
        let start = Timestamp::from_second(i64::from(day) * 24 * 60 * 60).unwrap_or_default();
        let (first, last) = (tally.first.unwrap_or(start), tally.last.unwrap_or(start));
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
    }
}
