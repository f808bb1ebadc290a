//! A later handle on the store finds what an earlier one wrote.

use std::sync::Arc;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{collection, id, new_place, two_handles};
use crate::changes::ChangeNumber;
use crate::record::{Expect, RecordId, Revision};
use crate::store::StoreExt;

/// Another handle on the same data, opened after the first one is gone, has every record at its revision, none that was deleted, and
/// a feed that reaches as far.
pub async fn reopening_sees_everything(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let place = new_place();
    let store = harness.open(&place).await?;
    let mut revisions: Vec<(RecordId, Revision)> = Vec::new();
    for number in 0..20 {
        revisions.push((
            id(number)?,
            store.put(&id(number)?, &number.to_be_bytes(), Expect::Absent).await?,
        ));
    }
    let Some((deleted, revision)) = revisions.pop() else {
        return Ok(());
    };
    store.delete(&deleted, revision).await?;
    let upto = store.changes(ChangeNumber::default()).await?.upto;
    let before = Arc::downgrade(&store);
    drop(store);
    // Otherwise a store that forgets everything with its last handle would pass.
    ensure!(
        before.strong_count() == 0,
        "the harness keeps the first handle open, so that opening again is no restart: give a new handle for each `open`"
    );

    let store = harness.open(&place).await?;
    for (number, (id, revision)) in (0_u16..).zip(&revisions) {
        let Some(stored) = store.get(id).await? else {
            return Err(Broken::new(format!("`{id}` is gone")));
        };
        ensure!(stored.bytes == number.to_be_bytes(), "`{id}` holds other bytes");
        ensure!(
            stored.revision == *revision,
            "`{id}` is at {:?} and was at {revision:?}",
            stored.revision
        );
    }
    let listed = store.list_all(&collection()?).await?;
    ensure!(
        listed.len() == revisions.len(),
        "{} of {} records are listed",
        listed.len(),
        revisions.len()
    );
    ensure!(store.get(&deleted).await?.is_none(), "a deleted record came back");
    let now = store.changes(ChangeNumber::default()).await?.upto;
    ensure!(now == upto, "the feed was at {upto:?} and is at {now:?}");
    Ok(())
}

/// A revision from before is good for a put after, and none is given again.
pub async fn revisions_go_on_after_reopening(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let place = new_place();
    let mut given: Vec<Revision> = Vec::new();
    let mut expect = Expect::Absent;
    for _ in 0..3 {
        let store = harness.open(&place).await?;
        let revision = store.put(&id(1)?, b"x", expect).await?;
        ensure!(!given.contains(&revision), "{revision:?} was given a second time");
        given.push(revision);
        store.delete(&id(1)?, revision).await?;
        drop(store);
        let store = harness.open(&place).await?;
        let revision = store.put(&id(1)?, b"y", Expect::Absent).await?;
        ensure!(
            !given.contains(&revision),
            "{revision:?} was given a second time, after a delete"
        );
        given.push(revision);
        expect = Expect::Revision(revision);
    }
    Ok(())
}

/// The store answers [`check`](crate::Store::check), says which backend it is, and promises what the harness declares.
pub async fn durability_is_as_declared(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = harness.open(&new_place()).await?;
    for _ in 0..2 {
        let health = store.check().await?;
        ensure!(!health.backend.is_empty(), "the backend has no name");
        let declared = harness.durability();
        ensure!(
            health.durability == declared,
            "declared {declared:?}, reported {:?}",
            health.durability
        );
        // The same when there is something in it.
        store.put(&id(1)?, b"x", Expect::Absent).await.ok();
    }
    Ok(())
}

/// [`scrub`](crate::Store::scrub) answers, and leaves every record and the change feed as they are, for all handles.
pub async fn scrubbing_changes_no_record(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [here, there] = two_handles(harness).await?;
    for number in 1..4 {
        here.put(&id(number)?, &number.to_be_bytes(), Expect::Absent).await?;
    }
    let gone = here.put(&id(4)?, b"gone", Expect::Absent).await?;
    here.delete(&id(4)?, gone).await?;
    let before = there.changes(ChangeNumber::default()).await?;
    here.scrub().await?;
    for store in [&here, &there] {
        for number in 1..4u16 {
            let stored = store.get(&id(number)?).await?;
            ensure!(
                stored.is_some_and(|stored| stored.bytes == number.to_be_bytes()),
                "record {number} is not what it was"
            );
        }
        let after = store.changes(ChangeNumber::default()).await?;
        ensure!(after == before, "the feed was {before:?} and is {after:?}");
    }
    let put = here.put(&id(4)?, b"new", Expect::Absent).await;
    ensure!(put.is_ok(), "nothing can be put afterwards: {put:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::conformance::run;
    use crate::error::Result;
    use crate::health::Durability;
    use crate::memory::MemoryStore;
    use crate::store::Store;

    /// Gives the same handle again instead of opening the data again.
    #[derive(Default)]
    struct NeverRestarts(Mutex<HashMap<String, Arc<dyn Store>>>);

    #[async_trait::async_trait]
    impl StoreHarness for NeverRestarts {
        async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(MemoryStore::new()) as Arc<dyn Store>;
            Ok(Arc::clone(open.entry(place.to_owned()).or_insert_with(new)))
        }

        async fn open_with_short_feed(&self, _: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
            Ok(None)
        }

        fn durability(&self) -> Durability {
            Durability::None
        }
    }

    #[test]
    fn a_harness_that_never_restarts_its_store_does_not_pass() {
        let kept = run(&NeverRestarts::default(), |harness| {
            Box::pin(reopening_sees_everything(harness))
        });
        let broken = kept.unwrap_err().of("reopening_sees_everything").to_string();
        assert!(
            broken.contains("no restart") && broken.contains("it matters because a restart"),
            "{broken}"
        );
    }
}
