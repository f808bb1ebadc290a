//! Records as a node reads them: under a lease, opened under their realm, and not older than the node has seen them.
//!
//! - `record`: the kinds of records, and how each is opened and sealed
//! - `load`: reading one record, from the cache or the store
//! - `live_keys`: keys without the tombstones of removed keys
//! - `cache`, `lease`, `renew`: the records in memory, and how long a node may use them
//! - `lives`: realms that were removed, made again, set back or lost
//! - `realms`, `open`, `tags`, `environments`: the realms of the store, by their tags and names
//! - `generations`: realms that are held for long, as they are now
//! - `verifier`: the keys by which presented tokens are verified
//! - `keks`: the KEKs that the node holds
//! - `behind`, `store_behind`: a store that is older than the revisions this node knows
//! - `sealed`: every record that the keys of a realm seal, as the store has it
//! - `walk`: every record of a collection, many at a time
//! - `damage`, `refused`, `damaged_again`, `survey`: damaged records
//! - `page`: the pages of lists

pub(crate) mod behind;
pub(crate) mod cache;
pub(crate) mod damage;
pub(crate) mod damaged_again;
pub(crate) mod environments;
pub(crate) mod generations;
pub(crate) mod keks;
pub(crate) mod lease;
pub(crate) mod live_keys;
pub(crate) mod lives;
pub(crate) mod load;
pub(crate) mod open;
pub(crate) mod page;
pub(crate) mod realms;
pub(crate) mod record;
pub(crate) mod refused;
pub(crate) mod renew;
pub(crate) mod sealed;
pub(crate) mod store_behind;
pub(crate) mod survey;
pub(crate) mod tags;
pub(crate) mod verifier;
pub(crate) mod walk;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use ibyok_crypto::{KeyedHash, VaultId};
use ibyok_storage::{RecordId, Store};
use jiff::Timestamp;

use self::behind::StoreFinding;
use self::cache::RecordCache;
use self::keks::HeldKeks;
use self::lease::Lease;
use self::realms::Realms;
use crate::base::clock::{Clock, SteadyClock};
use crate::floor::Floors;
use crate::floor::stated::Stated;
use crate::realm::Realm;

/// The records of a store, as one node reads them.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) vault: VaultId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keks: HeldKeks,
    /// The realm under which this node's own records (its log's key and checkpoints) are sealed.
    pub(crate) home: Arc<Realm>,
    /// The same realm with the generations of its key as this node knew them last.
    pub(crate) newest_home: RwLock<Arc<Realm>>,
    /// The keyed hash of presented tokens, under a key of the home.
    pub(crate) presented: KeyedHash,
    /// The digest of the home's environment key record, as it last opened.
    pub(crate) home_record: Mutex<Option<[u8; 32]>>,
    pub(crate) clock: Arc<SteadyClock>,
    pub(crate) realms: Realms,
    pub(crate) cache: RecordCache,
    pub(crate) lease: Lease,
    /// The statements that the lines of the log make which are written now.
    pub(crate) stated: Arc<Stated>,
    /// The distance by which the store is behind the log, if it is.
    pub(crate) behind: Mutex<StoreFinding>,
    pub(crate) floors: Floors,
    pub(crate) key_cache_ttl: Duration,
    /// Records that were refused, for `status`.
    pub(crate) damaged_records: Mutex<BTreeSet<RecordId>>,
}

impl Records {
    /// The time, for deciding.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Drops everything that is known of realms, after this node changed one.
    pub(crate) fn forget_realms(&self) {
        // Moves the epoch first: a task that read the realms before the change must not keep what it read.
        self.cache.invalidate(std::iter::empty());
        self.realms.forget_all();
    }
}
