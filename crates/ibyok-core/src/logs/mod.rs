//! The logs of this vault: those whose keys the store holds. Readers of the audit log learn here which logs may be
//! believed.

pub(crate) mod checkpoints;
#[cfg(test)]
mod forged;
pub(crate) mod kept;
pub(crate) mod others;
pub(crate) mod own_end;
pub(crate) mod own_lines;
pub(crate) mod store_behind;
pub(crate) mod unread_lines;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibyok_audit::{About, Filter, Follow, LeftOut, Line, Reader, VerifyingKey, claimed_keys, logs_in};
use ibyok_storage::{Collection, Kind, RecordId};

use crate::base::clock::Clock as _;
use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::model::name::{Namespace, from_base62};
use crate::realm::log_keys::{log_key, proven_key, vouched_logs, with_lines};
use crate::realm::{Realm, RealmName};
use crate::recorder::Recorder;
use crate::records::Records;

/// The time for which a log without a key in the store is left alone while logs are followed.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The keys of logs that were asked for. A log signs with one key all its life.
#[derive(Debug, Default)]
pub(crate) struct LogKeys(Mutex<HashMap<String, Vec<VerifyingKey>>>);

/// The logs of a place whose lines may be believed.
#[derive(Debug, Default)]
pub(crate) struct VouchedLogs {
    /// The keys that vouch for them.
    pub(crate) keys: Vec<VerifyingKey>,
    /// The logs of this vault whose key is in an environment that is damaged.
    pub(crate) without_key: Vec<String>,
}

/// The answer to the question which keys vouch for a log.
#[derive(Debug)]
enum Vouching {
    /// These. None of them is of a stranger.
    Keys(Vec<VerifyingKey>),
    /// The store knows the log, and the environment that holds its key is damaged.
    Damaged,
}

/// The logs of this vault, with the one that this process writes.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) records: Arc<Records>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) log_keys: LogKeys,
}

impl Logs {
    /// Returns the logs in this process's place, other than its own, for which the store or their own lines vouch,
    /// under the vault's home or another realm that this node opens.
    pub(crate) async fn vouched(&self) -> Result<VouchedLogs> {
        self.recorder.log.fetch_others().await?;
        let mut vouched = VouchedLogs::default();
        for log in logs_in(&self.recorder.log.status().place)? {
            match self.vouching(&log).await? {
                Vouching::Keys(keys) => vouched.keys.extend(keys),
                Vouching::Damaged => vouched.without_key.push(log),
            }
        }
        Ok(vouched)
    }

    /// The keys of these logs.
    pub(crate) async fn vouched_keys(&self) -> Result<Vec<VerifyingKey>> {
        Ok(self.vouched().await?.keys)
    }

    /// Returns the keys of the logs whose lines may decide something about the vault as a whole on this node: those
    /// of its own home. A holder of the keys of another realm decides only about that realm.
    pub(crate) async fn home_keys(&self) -> Result<Vec<VerifyingKey>> {
        vouched_logs(
            self.records.store.as_ref(),
            &self.recorder.log.status().place,
            self.records.home_now().await.as_ref(),
        )
        .await
    }

    /// The keys of a log, if the store holds them or the log's own lines prove them.
    pub(crate) async fn keys_of_log(&self, log: &str) -> Result<Vec<VerifyingKey>> {
        Ok(match self.vouching(log).await? {
            Vouching::Keys(keys) => keys,
            Vouching::Damaged => Vec::new(),
        })
    }

    async fn vouching(&self, log: &str) -> Result<Vouching> {
        let known = self
            .log_keys
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(log)
            .cloned();
        if let Some(known) = known {
            return Ok(Vouching::Keys(known));
        }
        let Some(id) = from_base62(log) else {
            return Ok(Vouching::Keys(Vec::new()));
        };
        let keys = match self.keys_in_store(log, id).await? {
            Vouching::Keys(keys) if keys.is_empty() => self.keys_by_lines(log).await?,
            Vouching::Keys(keys) => keys,
            Vouching::Damaged => return Ok(Vouching::Damaged),
        };
        // Not kept if there are none: the store may have the key of the log by the next time.
        if !keys.is_empty() {
            let mut known = self.log_keys.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(log.to_owned(), keys.clone());
        }
        Ok(Vouching::Keys(keys))
    }

    async fn keys_in_store(&self, log: &str, id: [u8; 16]) -> Result<Vouching> {
        let own = self.records.home.record(kind::LOG_KEY, id)?;
        if let Some(key) = self
            .log_key_of(self.records.home_now().await.as_ref(), log, &own)
            .await?
        {
            return Ok(Vouching::Keys(vec![key]));
        }
        // The home of another process in this place may be another realm: that of a server that opens `dev` alone,
        // say.
        let (mut keys, mut is_damaged) = (Vec::new(), false);
        let tags = self.records.tags().await?;
        for (tag, name) in tags.iter().filter(|(_, name)| self.may_vouch(name)) {
            let record = RecordId::new(Collection::new(Kind::new(kind::LOG_KEY), *tag.as_bytes())?, id);
            if record == own || self.records.store.get(&record).await?.is_none() {
                continue;
            }
            match self.records.realm(name).await {
                Ok(Some(realm)) => match self.log_key_of(&realm, log, &record).await? {
                    Some(key) => keys.push(only_about(&realm, key)),
                    None => is_damaged = true,
                },
                // This node cannot learn its key.
                Ok(None) | Err(Error::Kek { .. }) => {}
                Err(Error::Integrity { .. }) => is_damaged = true,
                Err(error) => return Err(error),
            }
        }
        Ok(match keys.is_empty() && is_damaged {
            true => Vouching::Damaged,
            false => Vouching::Keys(keys),
        })
    }

    /// Returns the keys in a log's directory, if the log's lines carry the MACs that only a realm of this vault can
    /// make: the log was begun after the copy of the store that was put back.
    async fn keys_by_lines(&self, log: &str) -> Result<Vec<VerifyingKey>> {
        let place = self.recorder.log.status().place;
        let mut claims = claimed_keys(&place)?;
        claims.retain(|key| key.log() == Some(log));
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(key) = proven_key(&place, &self.records.home, &claims)? {
            return Ok(vec![key]);
        }
        let mut keys = Vec::new();
        let tags = self.records.tags().await?;
        for (_, name) in tags.iter().filter(|(_, name)| self.may_vouch(name)) {
            match self.records.realm(name).await {
                Ok(Some(realm)) => keys.extend(proven_key(&place, &realm, &claims)?.map(|key| only_about(&realm, key))),
                Ok(None) | Err(Error::Kek { .. } | Error::Integrity { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Returns true if a realm other than the home may be the home of another process that writes to the same place.
    fn may_vouch(&self, name: &RealmName) -> bool {
        let near = name.namespace == self.records.home.name.namespace || name.namespace == Namespace::default();
        near && *name != self.records.home.name
    }

    async fn log_key_of(&self, realm: &Realm, log: &str, record: &RecordId) -> Result<Option<VerifyingKey>> {
        match log_key(self.records.store.as_ref(), realm, record).await {
            Ok(key) => Ok(key.map(|key| with_lines(realm, key.public(log)))),
            Err(Error::Integrity { .. }) => {
                self.records.remember_damaged(record);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns a reader of the logs of this vault, and of no foreign log in the same place. A foreign log is read
    /// only if the filter names it.
    pub(crate) async fn log_reader(&self, filter: &Filter) -> Result<Reader> {
        self.log_reader_with(filter, &[]).await
    }

    /// The same with the lines of archives.
    pub(crate) async fn log_reader_with(&self, filter: &Filter, archives: &[PathBuf]) -> Result<Reader> {
        let (place, vouched) = (self.recorder.log.status().place, self.vouched().await?);
        let is_ours = |log: &String| {
            let has_key = vouched.keys.iter().any(|key| key.log() == Some(log.as_str()));
            has_key || vouched.without_key.contains(log)
        };
        if filter.log.as_ref().is_some_and(|log| !is_ours(log)) {
            return Ok(Reader::open(place)?.with_archives(archives.to_vec())?);
        }
        let reader = Reader::vouched(place, vouched.keys)?.without_keys_of(vouched.without_key);
        Ok(reader.with_archives(archives.to_vec())?)
    }

    /// True if a log is in the place of this process's own, and no key of this vault vouches for it.
    pub(crate) async fn is_foreign(&self, log: &str) -> Result<bool> {
        let there = logs_in(&self.recorder.log.status().place)?.iter().any(|id| id == log);
        Ok(there && matches!(self.vouching(log).await?, Vouching::Keys(keys) if keys.is_empty()))
    }
}

/// Lines of the audit log from some time on, also of processes that were started since.
#[derive(Debug)]
pub struct AuditFollow {
    logs: Arc<Logs>,
    follow: Follow,
    /// The logs that are followed; `None` if all are, foreign ones too.
    vouched: Option<HashSet<String>>,
    asked: HashMap<String, Duration>,
    /// The time of the last look for lines that other processes wrote to the home.
    fetched: Duration,
}

impl AuditFollow {
    pub(crate) async fn new(logs: &Arc<Logs>, filter: &Filter) -> Result<Self> {
        let reader = logs.log_reader(filter).await?;
        let by_name = match &filter.log {
            Some(log) => logs.is_foreign(log).await?,
            None => false,
        };
        Ok(AuditFollow {
            logs: Arc::clone(logs),
            follow: reader.follow(filter)?,
            vouched: (!by_name).then(HashSet::new),
            asked: HashMap::new(),
            fetched: logs.records.clock.elapsed(),
        })
    }

    /// The lines that came since the last time, by time. Never waits for lines: ask again and again, say every 200 ms.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the logs or the store cannot be read; [`Error::Integrity`] for a line that is none
    /// of ours. The next call continues after that line.
    pub async fn poll(&mut self) -> Result<Vec<Line>> {
        if let Some(vouched) = &mut self.vouched {
            let now = self.logs.records.clock.elapsed();
            if now.saturating_sub(self.fetched) >= ASK_AGAIN {
                self.fetched = now;
                self.logs.recorder.log.fetch_others().await?;
            }
            for log in logs_in(&self.logs.recorder.log.status().place)? {
                let soon = self
                    .asked
                    .get(&log)
                    .is_some_and(|at| now.saturating_sub(*at) < ASK_AGAIN);
                if soon || vouched.contains(&log) {
                    continue;
                }
                match self.logs.keys_of_log(&log).await? {
                    keys if keys.is_empty() => drop(self.asked.insert(log, now)),
                    keys => {
                        self.follow.vouch(keys);
                        vouched.insert(log);
                    }
                }
            }
        }
        Ok(self.follow.poll()?)
    }
    /// Returns the lines that were left out since this was called last, by log and reason.
    pub fn left_out(&mut self) -> Vec<LeftOut> {
        self.follow.left_out()
    }
}

/// The key of a log that a realm other than the home vouches for. A holder of that realm's keys can begin such a log:
/// its lines are believed about the realm's environment alone. The realm that spans the environments of the default
/// namespace is the home of servers for every tenant.
fn only_about(realm: &Realm, key: VerifyingKey) -> VerifyingKey {
    match &realm.name.environment {
        Some(environment) => key.only_about(About::new(
            realm.name.namespace.as_str(),
            environment.as_str(),
            realm.tag().as_str(),
        )),
        None => key,
    }
}
