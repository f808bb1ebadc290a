//! The cache of a node: records opened to their metadata, bounded in bytes, never a value and never a data key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ibyok_storage::{RecordId, Revision};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::model::attestation::AttestationRecord;
use crate::model::incident::IncidentRecord;
use crate::model::key::KeyRecord;
use crate::model::leaked::LeakedRecord;
use crate::model::review::ReviewRecord;
use crate::model::settings::SettingsRecord;
use crate::model::token::TokenRecord;

/// The memory that an entry takes in the cache itself: its id, its pointer, and its places in the table and in the queue.
const OVERHEAD: u64 = 128;

/// About how large a record is, for the cache's first allocation.
const GUESS: u64 = 1024;

/// A record as it was read: its content, and its revision in the store.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) record: T,
    pub(crate) revision: Revision,
    /// The memory that it takes, for the bound of the cache.
    pub(crate) size: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Key(Arc<Held<KeyRecord>>),
    Token(Arc<Held<TokenRecord>>),
    Settings(Arc<Held<SettingsRecord>>),
    Incident(Arc<Held<IncidentRecord>>),
    Attestation(Arc<Held<AttestationRecord>>),
    Leaked(Arc<Held<LeakedRecord>>),
    Review(Arc<Held<ReviewRecord>>),
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<RecordId, Entry> for Bytes {
    fn weight(&self, _: &RecordId, entry: &Entry) -> u64 {
        let size = match entry {
            Entry::Key(held) => held.size,
            Entry::Token(held) => held.size,
            Entry::Settings(held) => held.size,
            Entry::Incident(held) => held.size,
            Entry::Attestation(held) => held.size,
            Entry::Leaked(held) => held.size,
            Entry::Review(held) => held.size,
        };
        OVERHEAD + u64::try_from(size).unwrap_or(u64::MAX / 2)
    }
}

/// The cache of records. It may be read only under the lease (`lease.rs`).
#[derive(Debug)]
pub(crate) struct RecordCache {
    entries: Cache<RecordId, Entry, Bytes>,
    /// Moves at every invalidation; held while entries are removed or added, so that no fill that raced a change stays.
    fills: Mutex<()>,
    epoch: AtomicU64,
}

impl RecordCache {
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / GUESS).unwrap_or(usize::MAX).clamp(16, 1 << 16);
        RecordCache {
            entries: Cache::with_weighter(items, bytes, Bytes),
            fills: Mutex::new(()),
            epoch: AtomicU64::new(0),
        }
    }

    /// A number that moves whenever anything was invalidated.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, id: &RecordId) -> Option<Entry> {
        self.entries.get(id)
    }

    /// Keeps a record that was read, unless some record was invalidated since `epoch`, which was taken before the
    /// read.
    pub(crate) fn fill(&self, epoch: u64, id: RecordId, entry: Entry) {
        let _fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: an invalidation between check and insert would leave an old record in the cache.
        if self.epoch() == epoch {
            self.entries.insert(id, entry);
        }
    }

    pub(crate) fn invalidate<'a>(&self, ids: impl IntoIterator<Item = &'a RecordId>) {
        let _fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        for id in ids {
            self.entries.remove(id);
        }
    }

    pub(crate) fn clear(&self) {
        let _fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use ibyok_storage::{Collection, Kind};

    use super::*;

    fn entry() -> (RecordId, Entry) {
        let record = TokenRecord {
            rev: 1,
            name: "t".to_owned(),
            grant: serde_json::from_str(r#"{"scopes":["keys:read"],"environments":["dev"]}"#).unwrap(),
            epoch: 0,
            older: None,
            rotated: None,
            through: None,
            created: jiff::Timestamp::UNIX_EPOCH,
            created_by: "test".to_owned(),
            parents: Vec::new(),
            revoked: None,
        };
        let id = RecordId::new(Collection::new(Kind::new(4), *b"abcdefgh").unwrap(), [1; 16]);
        (
            id,
            Entry::Token(Arc::new(Held {
                record,
                revision: Revision::new(1),
                size: 100,
            })),
        )
    }

    #[test]
    fn a_fill_that_raced_a_change_is_dropped() {
        let cache = RecordCache::new(1 << 20);
        let (id, entry) = entry();
        let before = cache.epoch();
        cache.invalidate([&id]);
        cache.fill(before, id, entry.clone());
        assert!(cache.get(&id).is_none());
        cache.fill(cache.epoch(), id, entry);
        assert!(cache.get(&id).is_some());
    }

    #[test]
    fn what_was_invalidated_is_gone() {
        let cache = RecordCache::new(1 << 20);
        let (id, entry) = entry();
        cache.fill(cache.epoch(), id, entry);
        cache.invalidate([&id]);
        assert!(cache.get(&id).is_none());
    }
}
