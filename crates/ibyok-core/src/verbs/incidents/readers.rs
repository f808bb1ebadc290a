//! The readers of a key: by the audit logs of this place, with addresses and programs, and by the counts of other
//! nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ibyok_audit::{Action, Entry, Filter, Outcome};
use jiff::Timestamp;
use serde::Serialize;

use crate::base::error::{Error, Part, Result};
use crate::base::words::words;
use crate::logs::unread_lines::UnreadLines;
use crate::model::mode::Mode;
use crate::model::name::KeyId;
use crate::realm::Realm;
use crate::uses::{Caller, Reader};
use crate::vault::Inner;

/// The number of addresses and programs that are listed of one reader; there may be more.
const LISTED_MAX: usize = 32;

/// The number of readers that are listed separately: more than have read one key in any vault that is in order.
const READERS_MAX: usize = 10_000;

/// The place of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LineAt {
    /// The log.
    pub log: String,
    /// The line's number in it.
    pub seq: u64,
}

words! {
    /// The source of what is known about a reader.
    pub enum ReaderSource {
        /// The audit logs of this place.
        Log = "log",
        /// Another node counted it, and its log has the addresses.
        Usage = "usage",
    }
}

/// A reader of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyReader {
    /// The token's id, or the operator's name.
    pub id: String,
    /// `token` or `operator`.
    pub kind: String,
    /// The token's name when it last read.
    pub name: Option<String>,
    /// The number of reads, by its source: in the logs of this place since the beginning of the search, or as other
    /// nodes counted them in 90 days.
    pub count: u64,
    /// The time of its first read, within the time that is searched.
    pub first: Timestamp,
    /// The time of its last read.
    pub last: Timestamp,
    /// The line of the last time, in the logs of this place.
    pub last_line: Option<LineAt>,
    /// The versions that it read.
    pub versions: BTreeSet<u64>,
    /// The addresses that it read from, at most 32. Of a read that another node counted, the networks.
    pub addresses: BTreeSet<IpAddr>,
    /// The names that its programs gave themselves, at most 32.
    pub user_agents: BTreeSet<String>,
    /// The source of what is known about it.
    pub source: ReaderSource,
}

impl KeyReader {
    fn new(entry: &Entry, id: &str) -> Self {
        KeyReader {
            id: id.to_owned(),
            kind: entry.principal.kind.clone(),
            name: None,
            count: 0,
            first: entry.time,
            last: entry.time,
            last_line: None,
            versions: BTreeSet::new(),
            addresses: BTreeSet::new(),
            user_agents: BTreeSet::new(),
            source: ReaderSource::Log,
        }
    }

    /// A reader whom another node counted.
    fn counted(kind: &str, id: String, counted: &Reader) -> Self {
        KeyReader {
            id,
            kind: kind.to_owned(),
            name: counted.name.clone(),
            count: 0,
            first: counted.first,
            last: counted.last,
            last_line: None,
            versions: BTreeSet::new(),
            addresses: BTreeSet::new(),
            user_agents: BTreeSet::new(),
            source: ReaderSource::Usage,
        }
    }

    fn merge(&mut self, counted: &Reader) {
        self.count = self.count.saturating_add(counted.count);
        self.first = self.first.min(counted.first);
        self.last = self.last.max(counted.last);
        self.versions.insert(u64::from(counted.version));
        self.addresses.extend(counted.network.map(|network| network.addr()));
    }

    fn add(&mut self, entry: &Entry) {
        self.count = self.count.saturating_add(entry.count);
        self.first = self.first.min(entry.time);
        self.last = self.last.max(entry.time);
        if self.last == entry.time {
            let log = entry.log.clone();
            self.last_line = Some(LineAt { log, seq: entry.seq });
        }
        if entry.principal.name.is_some() {
            self.name.clone_from(&entry.principal.name);
        }
        self.versions.extend(entry.version);
        if self.addresses.len() < LISTED_MAX {
            self.addresses.extend(entry.client.ip);
        }
        if self.user_agents.len() < LISTED_MAX {
            self.user_agents.extend(entry.client.user_agent.clone());
        }
    }
}

/// The readers of a key, as far as they are known.
pub(super) struct Readers {
    pub(super) readers: Vec<KeyReader>,
    /// The causes that may hide others: nodes that do not report, counts that do not open.
    pub(super) unseen: Vec<String>,
}

/// True if a line is about the real value, released.
pub(super) fn is_release(entry: &Entry) -> bool {
    let released = [Action::KeyRetrieve.as_str(), Action::KeyExport.as_str()];
    let mocked = entry.mode.as_deref() == Some(Mode::Mock.as_str());
    entry.outcome == Outcome::Allowed && !mocked && released.contains(&entry.action.as_str())
}

impl Inner {
    /// Looks through the lines that a filter wants, off the runtime: `look` gets each with its place. Lines that cannot be read or
    /// believed are added to `unseen`.
    pub(super) async fn look_through<T: Send + 'static>(
        &self,
        filter: Filter,
        mut kept: T,
        mut look: impl FnMut(&mut T, &ibyok_audit::Line) + Send + 'static,
        unseen: &mut Vec<String>,
    ) -> Result<T> {
        self.recorder.log.flush().await?;
        let reader = self.logs.log_reader(&filter).await?;
        let task = tokio::task::spawn_blocking(move || -> Result<(T, UnreadLines)> {
            let (mut lines, mut unread) = (reader.lines(&filter)?, UnreadLines::default());
            for line in lines.by_ref() {
                match line {
                    Ok(line) => look(&mut kept, &line),
                    // The other lines still show their readers.
                    Err(error) => unread.failed(&error),
                }
            }
            unread.left_out(&lines);
            Ok((kept, unread))
        });
        let (kept, unread) = task
            .await
            .map_err(|_| Error::unavailable(Part::AuditLog, "reading was interrupted"))??;
        for gap in unread.in_words() {
            // Each part of a report reads the log by itself.
            if !unseen.contains(&gap) {
                unseen.push(gap);
            }
        }
        Ok(kept)
    }

    /// Returns the callers that were given a key since a time, the last reader first: by the logs of this place, and
    /// by the counts of other nodes in the last 90 days.
    pub(super) async fn readers_of(
        self: &Arc<Self>,
        realm: &Arc<Realm>,
        key: KeyId,
        since: Timestamp,
    ) -> Result<Readers> {
        let mut unseen = Vec::new();
        let mut found = self.readers_by_log(realm, key, since, &mut unseen).await?;
        let consumers = self.usage.consumers(realm, key).await?;
        unseen.extend(consumers.unseen());
        for counted in consumers.readers {
            let (kind, id) = match &counted.caller {
                Caller::Token(id) => ("token", id.to_string()),
                Caller::Operator(name) => ("operator", name.clone()),
                _ => continue,
            };
            if counted.last < since {
                continue;
            }
            if let Some(reader) = found.get_mut(&id).filter(|reader| reader.source == ReaderSource::Log) {
                // How often is the log's to say; that it read elsewhere too, and what, is not to be missed.
                reader.last = reader.last.max(counted.last);
                reader.versions.insert(u64::from(counted.version));
                continue;
            }
            let reader = found.entry(id.clone());
            reader
                .or_insert_with(|| KeyReader::counted(kind, id, &counted))
                .merge(&counted);
        }
        let mut readers: Vec<KeyReader> = found.into_values().collect();
        readers.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.id.cmp(&b.id)));
        Ok(Readers { readers, unseen })
    }

    async fn readers_by_log(
        &self,
        realm: &Realm,
        key: KeyId,
        since: Timestamp,
        unseen: &mut Vec<String>,
    ) -> Result<BTreeMap<String, KeyReader>> {
        let mut filter = Filter::default();
        filter.namespace = Some(realm.name.namespace.to_string());
        filter.key = Some(key.to_string());
        filter.since = Some(since);
        let look = |readers: &mut BTreeMap<String, KeyReader>, line: &ibyok_audit::Line| {
            let entry = line.entry();
            let Some(id) = entry.principal.id.as_deref().filter(|_| is_release(entry)) else {
                return;
            };
            if readers.len() < READERS_MAX || readers.contains_key(id) {
                let reader = readers.entry(id.to_owned());
                reader.or_insert_with(|| KeyReader::new(entry, id)).add(entry);
            }
        };
        self.look_through(filter, BTreeMap::new(), look, unseen).await
    }
}
