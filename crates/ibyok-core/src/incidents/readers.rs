//! Who read a key: by the audit logs of this place, with where from and what with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ibyok_audit::{Action, Entry, Filter, Outcome, Reader as LogReader};
use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Error, Part, Result};
use crate::vault::Inner;

/// How many addresses and programs are listed of one reader; beyond it they are only counted.
const LISTED_MAX: usize = 32;

/// How many readers are told apart: more than have read one key in any vault that is in order.
const READERS_MAX: usize = 10_000;

/// Somebody who read a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyReader {
    /// The token's id, or the operator's name.
    pub id: String,
    /// `token` or `operator`.
    pub kind: String,
    /// The token's name when it last read.
    pub name: Option<String>,
    /// How often.
    pub count: u64,
    /// When first, within the time that is looked at.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// Which versions.
    pub versions: BTreeSet<u64>,
    /// From which addresses, at most 32.
    pub addresses: BTreeSet<IpAddr>,
    /// What it called itself, at most 32.
    pub user_agents: BTreeSet<String>,
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
            versions: BTreeSet::new(),
            addresses: BTreeSet::new(),
            user_agents: BTreeSet::new(),
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.count = self.count.saturating_add(entry.count);
        self.first = self.first.min(entry.time);
        self.last = self.last.max(entry.time);
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

/// Whether a line is about a value that was released.
pub(super) fn is_release(entry: &Entry) -> bool {
    let released = [Action::KeyRetrieve.as_str(), Action::KeyExport.as_str()];
    entry.outcome == Outcome::Allowed && released.contains(&entry.action.as_str())
}

impl Inner {
    /// Looks through the lines that a filter wants, off the runtime: `look` gets each with its place.
    pub(super) async fn look_through<T: Send + 'static>(
        &self,
        filter: Filter,
        mut kept: T,
        mut look: impl FnMut(&mut T, &ibyok_audit::Line) + Send + 'static,
    ) -> Result<T> {
        self.log.flush().await?;
        let place = self.log.status().place;
        let task = tokio::task::spawn_blocking(move || -> Result<T> {
            // A line that cannot be read is what `audit verify` is for; the others still tell who read.
            for line in LogReader::open(place)?.lines(&filter)?.flatten() {
                look(&mut kept, &line);
            }
            Ok(kept)
        });
        task.await
            .map_err(|_| Error::unavailable(Part::AuditLog, "reading was interrupted"))?
    }

    /// Everybody who was given a key since a time, those who read last first.
    pub(super) async fn readers_of(&self, key_id: &str, since: Timestamp) -> Result<Vec<KeyReader>> {
        let mut filter = Filter::default();
        filter.key = Some(key_id.to_owned());
        filter.since = Some(since);
        let found = self.look_through(filter, BTreeMap::<String, KeyReader>::new(), |readers, line| {
            let entry = line.entry();
            let Some(id) = entry.principal.id.as_deref().filter(|_| is_release(entry)) else {
                return;
            };
            if readers.len() < READERS_MAX || readers.contains_key(id) {
                let reader = readers.entry(id.to_owned());
                reader.or_insert_with(|| KeyReader::new(entry, id)).add(entry);
            }
        });
        let mut readers: Vec<KeyReader> = found.await?.into_values().collect();
        readers.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.id.cmp(&b.id)));
        Ok(readers)
    }
}
