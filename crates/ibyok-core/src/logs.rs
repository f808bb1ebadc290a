//! The logs of this vault: those whose keys the store holds. Whoever reads the audit log asks here which logs may be believed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibyok_audit::{Filter, Follow, Line, Reader, VerifyingKey, claimed_keys, logs_in};
use ibyok_storage::{Collection, Kind, RecordId};

use crate::clock::Clock as _;
use crate::error::{Error, Result};
use crate::model::kind;
use crate::model::name::{Namespace, from_base62};
use crate::opening::{log_key, proven_key, vouched_logs, with_lines};
use crate::realm::Realm;
use crate::vault::{Inner, Vault};

/// How long a log for which the store holds no key is left alone while logs are followed.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The keys of logs that were asked for. A log signs with one key all its life.
#[derive(Debug, Default)]
pub(crate) struct LogKeys(Mutex<HashMap<String, VerifyingKey>>);

impl Inner {
    /// The keys of those logs beside this process's own for which the store or their own lines vouch, under a realm of the vault's home
    /// that this node opens.
    pub(crate) async fn vouched_keys(&self) -> Result<Vec<VerifyingKey>> {
        let mut keys = Vec::new();
        for log in logs_in(&self.log.status().place)? {
            keys.extend(self.key_of_log(&log).await?);
        }
        Ok(keys)
    }

    /// The keys of those logs whose lines this node lets decide something about the vault as a whole: those of its own home. Whoever holds
    /// the keys of another realm decides about that realm alone.
    pub(crate) async fn home_keys(&self) -> Result<Vec<VerifyingKey>> {
        vouched_logs(self.store.as_ref(), &self.log.status().place, &self.home).await
    }

    /// The key of a log, if the store holds it or the log's own lines prove it.
    pub(crate) async fn key_of_log(&self, log: &str) -> Result<Option<VerifyingKey>> {
        let known = self
            .log_keys
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(log)
            .cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(id) = from_base62(log) else { return Ok(None) };
        let key = match self.key_in_store(log, id).await? {
            Some(key) => Some(key),
            None => self.key_by_lines(log).await?,
        };
        if let Some(key) = &key {
            let mut keys = self.log_keys.0.lock().unwrap_or_else(PoisonError::into_inner);
            keys.insert(log.to_owned(), key.clone());
        }
        Ok(key)
    }

    async fn key_in_store(&self, log: &str, id: [u8; 16]) -> Result<Option<VerifyingKey>> {
        let own = self.home.record(kind::LOG_KEY, id)?;
        if let Some(key) = self.log_key_of(&self.home, log, &own).await? {
            return Ok(Some(key));
        }
        // The home of another process beside this one may be another realm: that of a server that opens `dev` alone, say.
        let default = Namespace::default();
        let tags = self.tags().await?;
        for (tag, name) in tags.iter() {
            if name.namespace != self.home.name.namespace && name.namespace != default {
                continue;
            }
            let record = RecordId::new(Collection::new(Kind::new(kind::LOG_KEY), *tag.as_bytes())?, id);
            if record == own || self.store.get(&record).await?.is_none() {
                continue;
            }
            match self.realm(name).await {
                Ok(Some(realm)) => return self.log_key_of(&realm, log, &record).await,
                // Nobody here can say what its key is.
                Ok(None) | Err(Error::Kek { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A key that stands beside a log, if the log's lines carry the MACs that only a realm of this vault can make: the log was begun
    /// after the copy of the store that was put back.
    async fn key_by_lines(&self, log: &str) -> Result<Option<VerifyingKey>> {
        let place = self.log.status().place;
        let mut claims = claimed_keys(&place)?;
        claims.retain(|key| key.log() == Some(log));
        if claims.is_empty() {
            return Ok(None);
        }
        if let Some(key) = proven_key(&place, &self.home, &claims)? {
            return Ok(Some(key));
        }
        let default = Namespace::default();
        let tags = self.tags().await?;
        for (_, name) in tags.iter() {
            if **name == self.home.name || (name.namespace != self.home.name.namespace && name.namespace != default) {
                continue;
            }
            match self.realm(name).await {
                Ok(Some(realm)) => {
                    if let Some(key) = proven_key(&place, &realm, &claims)? {
                        return Ok(Some(key));
                    }
                }
                Ok(None) | Err(Error::Kek { .. } | Error::Integrity { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn log_key_of(&self, realm: &Realm, log: &str, record: &RecordId) -> Result<Option<VerifyingKey>> {
        match log_key(self.store.as_ref(), realm, record).await {
            Ok(key) => Ok(key.map(|key| with_lines(realm, key.public(log)))),
            Err(Error::Integrity { .. }) => {
                self.remember_damaged(record);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A reader of the logs of this vault, and of nothing else that stands beside them; or of the one log that the filter names, if
    /// that is foreign and so was asked for by its name.
    pub(crate) async fn log_reader(&self, filter: &Filter) -> Result<Reader> {
        let (place, keys) = (self.log.status().place, self.vouched_keys().await?);
        let is_vouched = |log: &String| keys.iter().any(|key| key.log() == Some(log.as_str()));
        if filter.log.as_ref().is_some_and(|log| !is_vouched(log)) {
            return Ok(Reader::open(place)?);
        }
        Ok(Reader::vouched(place, keys)?)
    }

    /// Whether a log stands beside this process's own, and no key of this vault vouches for it.
    pub(crate) async fn is_foreign(&self, log: &str) -> Result<bool> {
        let there = logs_in(&self.log.status().place)?.iter().any(|id| id == log);
        Ok(there && self.key_of_log(log).await?.is_none())
    }
}

impl Vault {
    /// Whether a log with this id stands beside this process's own, and no key of this vault vouches for it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the logs or the store cannot be read.
    pub async fn is_foreign_log(&self, log: &str) -> Result<bool> {
        self.inner.is_foreign(log).await
    }
}

/// Lines of the audit log from some time on, also of processes that were started since.
#[derive(Debug)]
pub struct AuditFollow {
    inner: Arc<Inner>,
    follow: Follow,
    /// The logs that are followed; `None` if all are, whoever vouches for them.
    vouched: Option<HashSet<String>>,
    asked: HashMap<String, Duration>,
}

impl AuditFollow {
    pub(crate) async fn new(inner: &Arc<Inner>, filter: &Filter) -> Result<Self> {
        let reader = inner.log_reader(filter).await?;
        let by_name = match &filter.log {
            Some(log) => inner.is_foreign(log).await?,
            None => false,
        };
        Ok(AuditFollow {
            inner: Arc::clone(inner),
            follow: reader.follow(filter)?,
            vouched: (!by_name).then(HashSet::new),
            asked: HashMap::new(),
        })
    }

    /// The lines that came since the last time, by time. Never waits for lines: ask again and again, say every 200 ms.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the logs or the store cannot be read; [`Error::Integrity`] for a line that is none of ours. The next
    /// call goes on behind it.
    pub async fn poll(&mut self) -> Result<Vec<Line>> {
        if let Some(vouched) = &mut self.vouched {
            let now = self.inner.clock.elapsed();
            for log in logs_in(&self.inner.log.status().place)? {
                let soon = self
                    .asked
                    .get(&log)
                    .is_some_and(|at| now.saturating_sub(*at) < ASK_AGAIN);
                if soon || vouched.contains(&log) {
                    continue;
                }
                match self.inner.key_of_log(&log).await? {
                    Some(key) => {
                        self.follow.vouch([key]);
                        vouched.insert(log);
                    }
                    None => drop(self.asked.insert(log, now)),
                }
            }
        }
        Ok(self.follow.poll()?)
    }
}
