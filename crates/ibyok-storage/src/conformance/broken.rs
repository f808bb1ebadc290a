//! Stores with one fault each. A suite that passes one of them would prove nothing.

mod limiter;
mod many;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use self::limiter::{Buckets, FaultyLimiter};
use super::{Broken, StoreHarness, run};
use crate::changes::{ChangeNumber, Changes};
use crate::error::{Error, Result};
use crate::health::{Durability, Health};
use crate::limiter::Limiter;
use crate::memory::MemoryStore;
use crate::record::{Collection, Expect, Kind, RecordId, RecordPut, Revision, Stored};
use crate::store::Store;

/// The fault of a broken store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    None,
    /// It returns a record for every id.
    InventsRecords,
    KeepsDeleted,
    /// The answer to a call that was dropped goes to the next call.
    AnswersOthers,
    /// It compares and writes in two steps.
    LostUpdate,
    /// It takes writes although it is sealed.
    BreaksSeals,
    /// It ignores the expected revision.
    AcceptsStale,
    /// It makes a record that was to be replaced.
    MakesAbsent,
    /// It replaces a record that was to be made.
    ReplacesExisting,
    DeletesAnyRevision,
    /// It counts revisions for each record, from 1.
    RepeatsRevisions,
    TruncatesBytes,
    TrimsBytes,
    /// It refuses no size.
    NoLimit,
    /// It holds one byte less than it must.
    SmallLimit,
    /// It takes upper and lower case for the same, as a careless collation does.
    IgnoresCase,
    /// It reads many records in the order of their ids.
    ReadsSorted,
    /// It leaves out the records that are not there.
    SkipsAbsent,
    ReadsWithoutLimit,
    /// It writes one record after the other, until one is not as expected.
    WritesUntilRefused,
    /// It writes the records that are as expected.
    WritesSome,
    WritesTwice,
    /// The last revision of a batch is the revision of each of its records.
    GivesOneRevision,
    /// The changes of a batch are in the feed in the order of ids.
    FeedsBatchesSorted,
    SkipsInListing,
    ListsUnordered,
    /// It goes on with the id that it was to go on after.
    RepeatsInListing,
    /// It goes on by position, so that a write in between moves everything.
    SkipsAfterWrites,
    /// It lists the kind in every realm.
    MixesRealms,
    MixesKinds,
    NoListLimit,
    IgnoresPlaceOfOthers,
    /// A write that was refused is in the feed.
    FeedsRefusals,
    /// Deletes are not in the feed.
    FeedForgetsDeletes,
    /// Every seventh change is not in the feed.
    FeedForgets,
    FeedUnordered,
    FeedsQuiet,
    HidesGap,
    HidesReplacement,
    NeverMore,
    /// It tells of a change a moment before the record can be read.
    TellsTooEarly,
    /// Waiting never ends.
    NeverWakes,
    /// Waiting does not look at what has happened already.
    WaitsForTheNext,
    /// Another handle is another store.
    SharesNothing,
    /// Another handle has the records and a feed of its own.
    SharesNoFeed,
    ClaimsDurability,
    /// Each handle has buckets of its own.
    LimitsPerHandle,
    /// It takes from one bucket before it looks at the next.
    TakesFromSome,
    NeverRefills,
    /// It scrubs live records.
    ScrubsTooMuch,
}

impl Fault {
    /// Each fault, and promises that it breaks.
    const ALL: [(Fault, &'static [&'static str]); 49] = [
        (
            Fault::BreaksSeals,
            &["a_sealed_store_takes_no_writes", "no_write_is_done_after_the_seal"],
        ),
        (Fault::InventsRecords, &["an_absent_record_is_none"]),
        (Fault::KeepsDeleted, &["what_was_put_is_read_back"]),
        (Fault::AnswersOthers, &["a_dropped_call_does_no_harm"]),
        (
            Fault::LostUpdate,
            &[
                "no_update_is_lost",
                "one_of_many_creators_wins",
                "one_of_many_writers_wins",
            ],
        ),
        (Fault::AcceptsStale, &["a_stale_revision_is_refused"]),
        (Fault::MakesAbsent, &["a_revision_of_an_absent_record_is_refused"]),
        (Fault::ReplacesExisting, &["expect_absent_refuses_what_exists"]),
        (Fault::DeletesAnyRevision, &["a_delete_needs_the_right_revision"]),
        (
            Fault::RepeatsRevisions,
            &["a_revision_is_never_used_again", "revisions_go_on_after_reopening"],
        ),
        (Fault::TruncatesBytes, &["bytes_are_kept_exactly"]),
        (Fault::TrimsBytes, &["bytes_are_kept_exactly"]),
        (Fault::NoLimit, &["a_record_over_the_limit_is_refused"]),
        (Fault::SmallLimit, &["the_largest_record_is_kept"]),
        (Fault::IgnoresCase, &["records_are_kept_apart"]),
        (Fault::ReadsSorted, &["many_records_are_read_in_order"]),
        (Fault::SkipsAbsent, &["many_records_are_read_in_order"]),
        (Fault::ReadsWithoutLimit, &["a_long_read_comes_in_parts"]),
        (
            Fault::WritesUntilRefused,
            &["a_batch_is_written_whole_or_not_at_all", "one_of_many_batches_wins"],
        ),
        (Fault::WritesSome, &["a_batch_is_written_whole_or_not_at_all"]),
        (Fault::WritesTwice, &["a_batch_is_written_whole_or_not_at_all"]),
        (Fault::GivesOneRevision, &["many_records_are_written_at_once"]),
        (Fault::FeedsBatchesSorted, &["many_records_are_written_at_once"]),
        (Fault::SkipsInListing, &["a_listing_is_ordered_and_complete"]),
        (Fault::ListsUnordered, &["a_listing_is_ordered_and_complete"]),
        (Fault::RepeatsInListing, &["a_listing_goes_on_after_an_id"]),
        (Fault::SkipsAfterWrites, &["a_listing_is_complete_under_writes"]),
        (Fault::MixesRealms, &["collections_never_mix"]),
        (Fault::MixesKinds, &["collections_never_mix"]),
        (Fault::NoListLimit, &["a_listing_is_capped"]),
        (
            Fault::IgnoresPlaceOfOthers,
            &["a_place_of_another_collection_is_refused"],
        ),
        (Fault::FeedsRefusals, &["a_refused_write_changes_nothing"]),
        (Fault::FeedForgetsDeletes, &["each_change_is_in_the_feed"]),
        (Fault::FeedForgets, &["changes_come_in_commit_order"]),
        (Fault::FeedUnordered, &["changes_come_in_commit_order"]),
        (Fault::FeedsQuiet, &["quiet_kinds_are_not_in_the_feed"]),
        (Fault::HidesGap, &["a_gap_is_visible"]),
        (Fault::HidesReplacement, &["a_feed_that_never_came_so_far_is_a_gap"]),
        (Fault::NeverMore, &["a_long_feed_is_told_in_pieces"]),
        (Fault::TellsTooEarly, &["a_change_that_is_told_can_be_read"]),
        (Fault::NeverWakes, &["waiting_ends_after_a_change"]),
        (Fault::WaitsForTheNext, &["waiting_for_what_has_changed_ends_at_once"]),
        (Fault::SharesNothing, &["reopening_sees_everything"]),
        (Fault::SharesNoFeed, &["changes_are_seen_from_another_handle"]),
        (Fault::ClaimsDurability, &["durability_is_as_declared"]),
        (Fault::LimitsPerHandle, &["a_limit_holds_over_all_handles"]),
        (Fault::TakesFromSome, &["a_use_is_taken_from_all_buckets_or_none"]),
        (Fault::NeverRefills, &["a_bucket_refills_with_time"]),
        (Fault::ScrubsTooMuch, &["scrubbing_changes_no_record"]),
    ];
}

/// A memory store with a fault.
#[derive(Debug, Clone)]
struct Faulty {
    fault: Fault,
    right: MemoryStore,
    /// The feed of this handle alone, for a store whose handles do not share it.
    own: MemoryStore,
    /// Revisions as the faulty store counts them.
    counts: Arc<Mutex<HashMap<RecordId, u64>>>,
    /// The answer to a call that is under way, or was dropped.
    left: Arc<Mutex<Option<Option<Stored>>>>,
    /// The position of the feed at the last listing.
    listed: Arc<Mutex<ChangeNumber>>,
    limiter: FaultyLimiter,
}

impl Faulty {
    fn new(fault: Fault, right: MemoryStore, buckets: Buckets) -> Self {
        Faulty {
            fault,
            right,
            own: MemoryStore::new(),
            counts: Arc::default(),
            left: Arc::default(),
            listed: Arc::default(),
            limiter: FaultyLimiter { fault, buckets },
        }
    }

    fn id(&self, id: &RecordId) -> RecordId {
        if self.fault != Fault::IgnoresCase || id.collection().realm().contains(&b'-') {
            return *id;
        }
        let realm = id.collection().realm().to_ascii_lowercase().try_into().unwrap();
        RecordId::new(Collection::new(id.collection().kind(), realm).unwrap(), *id.id())
    }

    fn bytes<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match self.fault {
            Fault::TruncatesBytes => bytes.get(..65_535).unwrap_or(bytes),
            Fault::TrimsBytes => bytes.trim_ascii_end(),
            Fault::NoLimit => bytes.get(..crate::MAX_RECORD).unwrap_or(bytes),
            _ => bytes,
        }
    }

    async fn current(&self, id: &RecordId) -> Result<Expect> {
        Ok(self
            .right
            .get(id)
            .await?
            .map_or(Expect::Absent, |stored| Expect::Revision(stored.revision)))
    }

    /// Returns the expectation that the right store receives in place of the caller's.
    async fn expect(&self, id: &RecordId, expect: Expect) -> Result<Expect> {
        let current = self.current(id).await?;
        Ok(match (self.fault, expect, current) {
            (Fault::AcceptsStale, Expect::Revision(_), Expect::Revision(_))
            | (Fault::MakesAbsent, Expect::Revision(_), Expect::Absent)
            | (Fault::ReplacesExisting, Expect::Absent, _) => current,
            (Fault::LostUpdate, ..) if expect == current => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.current(id).await?
            }
            (Fault::RepeatsRevisions, Expect::Revision(_), _) => current,
            _ => expect,
        })
    }

    /// The faults of a feed that is right otherwise.
    async fn spoil(&self, mut changes: Changes) -> Result<Changes> {
        match self.fault {
            Fault::FeedForgets => changes.changes.retain(|change| change.number.as_u64() % 7 != 0),
            Fault::FeedUnordered => changes.changes.reverse(),
            Fault::HidesGap | Fault::HidesReplacement => changes.gap = false,
            Fault::NeverMore => changes.more = false,
            Fault::FeedForgetsDeletes => {
                let mut kept = Vec::new();
                for change in changes.changes {
                    if self.right.get(&change.id).await?.is_some() {
                        kept.push(change);
                    }
                }
                changes.changes = kept;
            }
            _ => {}
        }
        Ok(changes)
    }
}

#[async_trait]
impl Store for Faulty {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        let stored = self.right.get(&self.id(id)).await?;
        match self.fault {
            Fault::InventsRecords => Ok(stored.or(Some(Stored {
                bytes: Vec::new(),
                revision: Revision::new(1),
            }))),
            Fault::AnswersOthers => {
                let answer = self.left.lock().unwrap().get_or_insert(stored).clone();
                tokio::time::sleep(Duration::from_millis(2)).await;
                self.left.lock().unwrap().take();
                Ok(answer)
            }
            _ => Ok(stored),
        }
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        let id = self.id(id);
        if self.fault == Fault::BreaksSeals && id == RecordId::SEAL {
            return self.own.put(&id, bytes, expect).await;
        }
        if self.fault == Fault::SmallLimit && bytes.len() >= crate::MAX_RECORD {
            return Err(Error::too_large(crate::MAX_RECORD));
        }
        let told = RecordId::new(Collection::root(Kind::new(9)), *id.id());
        if self.fault == Fault::TellsTooEarly {
            self.right.put(&told, b"", self.current(&told).await?).await?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if self.fault == Fault::FeedsQuiet && id.collection().kind().is_quiet() {
            self.right.put(&told, b"", self.current(&told).await?).await?;
        }
        let expected = self.expect(&id, expect).await?;
        let answer = self.right.put(&id, self.bytes(bytes), expected).await;
        match self.fault {
            Fault::FeedsRefusals if answer.is_err() => {
                self.right.put(&told, b"", self.current(&told).await?).await?;
            }
            Fault::SharesNoFeed if answer.is_ok() => {
                self.own.put(&id, b"", Expect::Absent).await.ok();
            }
            Fault::RepeatsRevisions if answer.is_ok() => {
                let mut counts = self.counts.lock().unwrap();
                let count = if expect == Expect::Absent {
                    1
                } else {
                    counts.get(&id).copied().unwrap_or_default() + 1
                };
                counts.insert(id, count);
                return Ok(Revision::new(count));
            }
            _ => {}
        }
        answer
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        self.faulty_get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        self.faulty_put_many(puts).await
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        let mut after = after.copied();
        if self.fault == Fault::IgnoresPlaceOfOthers {
            after = after.filter(|after| after.collection() == collection);
        }
        let mut ids = self.right.list(collection, after.as_ref(), limit).await?;
        if self.fault == Fault::SkipsAfterWrites {
            let now = self.right.changes(ChangeNumber::default()).await?.upto;
            let before = std::mem::replace(&mut *self.listed.lock().unwrap(), now);
            if after.is_some() && before != now {
                ids.splice(0..1.min(ids.len()), None);
            }
        }
        match self.fault {
            Fault::SkipsInListing if ids.len() > 2 => drop(ids.remove(1)),
            Fault::ListsUnordered => ids.reverse(),
            Fault::RepeatsInListing => {
                ids.splice(0..0, after);
                ids.truncate(limit);
            }
            Fault::MixesRealms => ids.extend(
                self.right
                    .list(&Collection::root(collection.kind()), None, limit)
                    .await?,
            ),
            Fault::MixesKinds => {
                let other = Collection::new(Kind::new(2), *b"aB3dE5gH")?;
                ids.extend(self.right.list(&other, None, limit).await?);
            }
            Fault::NoListLimit if limit > crate::LIST_LIMIT => {
                let more = self.right.list(collection, ids.last(), limit).await?;
                ids.extend(more);
            }
            _ => {}
        }
        Ok(ids)
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        let feed = if self.fault == Fault::SharesNoFeed {
            &self.own
        } else {
            &self.right
        };
        self.spoil(feed.changes(since).await?).await
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        if self.fault == Fault::NeverWakes {
            std::future::pending::<()>().await;
        }
        let since = match self.fault {
            Fault::WaitsForTheNext => self.right.changes(since).await?.upto,
            _ => since,
        };
        self.right.wait(since).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        let id = self.id(id);
        if self.fault == Fault::KeepsDeleted {
            return Ok(());
        }
        let expect = match self.current(&id).await? {
            Expect::Revision(current) if [Fault::DeletesAnyRevision, Fault::RepeatsRevisions].contains(&self.fault) => {
                current
            }
            _ => expect,
        };
        self.right.delete(&id, expect).await
    }

    async fn scrub(&self) -> Result<Option<String>> {
        if self.fault == Fault::ScrubsTooMuch {
            let id = super::run::id(2).unwrap();
            if let Expect::Revision(revision) = self.current(&id).await? {
                self.right.delete(&id, revision).await?;
            }
        }
        self.right.scrub().await
    }

    async fn check(&self) -> Result<Health> {
        let durability = if self.fault == Fault::ClaimsDurability {
            Durability::PowerLoss
        } else {
            Durability::None
        };
        Ok(Health::new("faulty", durability))
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        Some(&self.limiter)
    }
}

/// A fault, and the places with what their handles share.
struct Faults(Fault, Mutex<HashMap<String, (MemoryStore, Buckets)>>);

#[async_trait]
impl StoreHarness for Faults {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        let (shared, buckets) = self.1.lock().unwrap().entry(place.to_owned()).or_default().clone();
        let buckets = match self.0 {
            Fault::LimitsPerHandle => Buckets::default(),
            _ => buckets,
        };
        let right = if self.0 == Fault::SharesNothing {
            MemoryStore::new()
        } else {
            shared
        };
        Ok(Arc::new(Faulty::new(self.0, right, buckets)))
    }

    async fn open_with_short_feed(&self, _place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        let store = Faulty::new(self.0, MemoryStore::keeping(5), Buckets::default());
        Ok(Some((Arc::new(store), 5)))
    }

    fn durability(&self) -> Durability {
        Durability::None
    }
}

macro_rules! named {
    ([] $($promise:ident)*) => {
        /// Every promise by its name.
        fn promise(name: &str, harness: &dyn StoreHarness) -> std::result::Result<(), Broken> {
            match name {
                $(stringify!($promise) => run(harness, |harness| Box::pin(super::$promise(harness))),)*
                _ => panic!("there is no promise `{name}`"),
            }
        }

        const PROMISES: &[&str] = &[$(stringify!($promise)),*];
    };
}
crate::__each_promise! { [named] }

#[test]
fn each_fault_breaks_the_promises_that_it_is_named_with() {
    // At once, because some are found only by waiting.
    std::thread::scope(|scope| {
        for (fault, names) in Fault::ALL {
            scope.spawn(move || {
                for name in names {
                    let kept = promise(name, &Faults(fault, Mutex::default()));
                    assert!(kept.is_err(), "a store with the fault {fault:?} passes `{name}`");
                }
            });
        }
    });
}

#[test]
fn each_promise_is_broken_by_a_fault() {
    let broken: Vec<&str> = Fault::ALL.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for name in PROMISES {
        assert!(broken.contains(name), "no store breaks `{name}`");
    }
}

#[test]
fn without_a_fault_the_same_store_keeps_every_promise() {
    for name in PROMISES {
        let kept = promise(name, &Faults(Fault::None, Mutex::default()));
        assert!(kept.is_ok(), "`{name}`: {kept:?}");
    }
}

/// A feed that claims never to forget, and does.
#[test]
fn a_feed_that_is_declared_endless_must_be() {
    struct Endless;

    #[async_trait]
    impl StoreHarness for Endless {
        async fn open(&self, _place: &str) -> Result<Arc<dyn Store>> {
            Ok(Arc::new(MemoryStore::keeping(50)))
        }

        async fn open_with_short_feed(&self, _place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
            Ok(None)
        }

        fn durability(&self) -> Durability {
            Durability::None
        }
    }

    assert!(promise("a_gap_is_visible", &Endless).is_err());
}
