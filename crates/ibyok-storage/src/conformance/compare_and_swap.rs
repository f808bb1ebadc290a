//! A write happens if the record is as expected, and then as a whole; otherwise nothing happens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{fresh, id, two_handles};
use crate::changes::ChangeNumber;
use crate::error::Error;
use crate::record::{Expect, RecordId, Revision};
use crate::store::Store;

/// The number of concurrent writers.
const WRITERS: u16 = 64;

/// [`Expect::Absent`] on a record that is there is [`Error::Exists`].
pub async fn expect_absent_refuses_what_exists(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    store.put(&id(1)?, b"first", Expect::Absent).await?;
    let answer = store.put(&id(1)?, b"second", Expect::Absent).await;
    ensure!(matches!(answer, Err(Error::Exists)), "{answer:?} instead of `Exists`");
    holds(&*store, &id(1)?, b"first").await
}

/// A revision that was replaced is [`Error::Conflict`], and so is one that never was.
pub async fn a_stale_revision_is_refused(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let first = store.put(&id(1)?, b"first", Expect::Absent).await?;
    let second = store.put(&id(1)?, b"second", Expect::Revision(first)).await?;
    for wrong in [
        first,
        Revision::new(second.as_u64().wrapping_add(1)),
        Revision::new(0),
        Revision::new(u64::MAX),
    ] {
        let answer = store.put(&id(1)?, b"third", Expect::Revision(wrong)).await;
        ensure!(
            matches!(answer, Err(Error::Conflict)),
            "{answer:?} instead of `Conflict`"
        );
    }
    holds(&*store, &id(1)?, b"second").await
}

/// [`Expect::Revision`] on a record that is not there is [`Error::Conflict`], and does not make it.
pub async fn a_revision_of_an_absent_record_is_refused(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let answer = store.put(&id(1)?, b"x", Expect::Revision(Revision::new(1))).await;
    ensure!(
        matches!(answer, Err(Error::Conflict)),
        "{answer:?} instead of `Conflict` in an empty store"
    );
    let revision = store.put(&id(1)?, b"x", Expect::Absent).await?;
    let answer = store.put(&id(2)?, b"x", Expect::Revision(revision)).await;
    ensure!(
        matches!(answer, Err(Error::Conflict)),
        "{answer:?} instead of `Conflict` for another record's revision"
    );
    store.delete(&id(1)?, revision).await?;
    let answer = store.put(&id(1)?, b"x", Expect::Revision(revision)).await;
    ensure!(
        matches!(answer, Err(Error::Conflict)),
        "{answer:?} instead of `Conflict` after it was deleted"
    );
    ensure!(store.get(&id(1)?).await?.is_none(), "a refused put made the record");
    Ok(())
}

/// A delete at another revision is [`Error::Conflict`], and so is one of a record that is not there.
pub async fn a_delete_needs_the_right_revision(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let answer = store.delete(&id(1)?, Revision::new(1)).await;
    ensure!(
        matches!(answer, Err(Error::Conflict)),
        "{answer:?} instead of `Conflict` in an empty store"
    );
    let first = store.put(&id(1)?, b"first", Expect::Absent).await?;
    let second = store.put(&id(1)?, b"second", Expect::Revision(first)).await?;
    let answer = store.delete(&id(1)?, first).await;
    ensure!(
        matches!(answer, Err(Error::Conflict)),
        "{answer:?} instead of `Conflict` at an old revision"
    );
    holds(&*store, &id(1)?, b"second").await?;
    store.delete(&id(1)?, second).await?;
    let answer = store.delete(&id(1)?, second).await;
    ensure!(
        matches!(answer, Err(Error::Conflict)),
        "{answer:?} instead of `Conflict` at the second delete"
    );
    Ok(())
}

/// Each put gives a revision that this record never had, also after it was deleted and made again.
pub async fn a_revision_is_never_used_again(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let mut seen = HashSet::new();
    for _ in 0..5 {
        let first = store.put(&id(1)?, b"same", Expect::Absent).await?;
        let second = store.put(&id(1)?, b"same", Expect::Revision(first)).await?;
        ensure!(
            seen.insert(first) && seen.insert(second),
            "a revision came again: {first:?} or {second:?}"
        );
        store.delete(&id(1)?, second).await?;
    }
    Ok(())
}

/// After a refusal the record, its revision and the change feed are as before.
pub async fn a_refused_write_changes_nothing(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let old = store.put(&id(1)?, b"old", Expect::Absent).await?;
    store.put(&id(1)?, b"new", Expect::Revision(old)).await?;
    let record = store.get(&id(1)?).await?;
    let upto = store.changes(ChangeNumber::default()).await?.upto;
    let refusals = [
        store.put(&id(1)?, b"x", Expect::Absent).await.is_err(),
        store.put(&id(1)?, b"x", Expect::Revision(old)).await.is_err(),
        store.put(&id(2)?, b"x", Expect::Revision(old)).await.is_err(),
        store.delete(&id(1)?, old).await.is_err(),
        store.delete(&id(2)?, old).await.is_err(),
    ];
    ensure!(
        refusals.iter().all(|refused| *refused),
        "what should be refused was done"
    );
    ensure!(
        store.get(&id(1)?).await? == record,
        "a refused write changed the record"
    );
    let after = store.changes(upto).await?;
    ensure!(
        after.upto == upto && after.changes.is_empty(),
        "a refused write is in the feed"
    );
    Ok(())
}

/// Of 64 writers that make the same record at once, over two handles, one succeeds and the others get
/// [`Error::Exists`].
pub async fn one_of_many_creators_wins(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let stores = two_handles(harness).await?;
    for round in 0..4 {
        race(&stores, id(round)?, Expect::Absent).await?;
    }
    Ok(())
}

/// Of 64 writers that replace the same revision at once, over two handles, one succeeds and the others get
/// [`Error::Conflict`].
pub async fn one_of_many_writers_wins(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let stores = two_handles(harness).await?;
    let mut revision = stores[0].put(&id(1)?, b"begin", Expect::Absent).await?;
    for _ in 0..4 {
        revision = race(&stores, id(1)?, Expect::Revision(revision)).await?;
    }
    Ok(())
}

async fn race(stores: &[Arc<dyn Store>; 2], id: RecordId, expect: Expect) -> Result<Revision, Broken> {
    let mut writers = JoinSet::new();
    for (number, store) in (0..WRITERS).zip(stores.iter().cycle()) {
        let store = Arc::clone(store);
        writers.spawn(async move { (number, store.put(&id, &number.to_be_bytes(), expect).await) });
    }
    let mut winners = Vec::new();
    for (number, answer) in writers.join_all().await {
        match answer {
            Ok(revision) => winners.push((number, revision)),
            Err(Error::Exists) if expect == Expect::Absent => {}
            Err(Error::Conflict) if expect != Expect::Absent => {}
            Err(error) => return Err(error.into()),
        }
    }
    let &[(winner, revision)] = winners.as_slice() else {
        return Err(Broken::new(format!(
            "{} of {WRITERS} writers succeeded instead of one",
            winners.len()
        )));
    };
    for store in stores {
        holds(&**store, &id, &winner.to_be_bytes()).await?;
    }
    Ok(revision)
}

/// Eight tasks on two handles add to one number, each reading, adding and putting until it succeeds: the sum is right.
pub async fn no_update_is_lost(harness: &dyn StoreHarness) -> Result<(), Broken> {
    const TASKS: u64 = 8;
    const TIMES: u64 = 12;

    let stores = two_handles(harness).await?;
    let id = id(1)?;
    stores[0].put(&id, &0_u64.to_be_bytes(), Expect::Absent).await?;
    let mut tasks = JoinSet::new();
    for (_, store) in (0..TASKS).zip(stores.iter().cycle()) {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for _ in 0..TIMES {
                add_one(&*store, &id).await?;
            }
            Ok::<(), Broken>(())
        });
    }
    tasks.join_all().await.into_iter().collect::<Result<(), _>>()?;
    let sum = number(&*stores[1], &id).await?.0;
    ensure!(sum == TASKS * TIMES, "{} additions made {sum}", TASKS * TIMES);
    Ok(())
}

async fn add_one(store: &dyn Store, id: &RecordId) -> Result<(), Broken> {
    loop {
        let (number, revision) = number(store, id).await?;
        match store
            .put(id, &(number + 1).to_be_bytes(), Expect::Revision(revision))
            .await
        {
            Ok(_) => return Ok(()),
            Err(Error::Conflict) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn number(store: &dyn Store, id: &RecordId) -> Result<(u64, Revision), Broken> {
    let Some(stored) = store.get(id).await? else {
        return Err(Broken::new("the record is gone"));
    };
    let bytes = stored
        .bytes
        .try_into()
        .map_err(|_| Broken::new("the record holds other bytes than were put"))?;
    Ok((u64::from_be_bytes(bytes), stored.revision))
}

/// Calls that are dropped at any point leave each record whole or absent and block no other call. No other call gets
/// their answers.
pub async fn a_dropped_call_does_no_harm(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    for number in 0..WRITERS {
        let patience = Duration::from_micros(u64::from(number) * 50);
        let id = id(number)?;
        let bytes = number.to_be_bytes();
        let put = tokio::time::timeout(patience, store.put(&id, &bytes, Expect::Absent)).await;
        // The next call must get its own answer, whatever became of the last one.
        let Ok(get) = tokio::time::timeout(patience, store.get(&id)).await else {
            continue;
        };
        let right = match get? {
            Some(stored) => stored.bytes == bytes,
            None => !matches!(put, Ok(Ok(_))),
        };
        ensure!(
            right,
            "after calls were dropped, a get gave something else than the put before it left"
        );
    }
    for number in 0..WRITERS {
        let id = id(number)?;
        if let Some(stored) = store.get(&id).await? {
            ensure!(
                stored.bytes == number.to_be_bytes(),
                "a record holds another's bytes after calls were dropped"
            );
        }
    }
    store.put(&id(WRITERS)?, b"still at work", Expect::Absent).await?;
    holds(&*store, &id(WRITERS)?, b"still at work").await
}

async fn holds(store: &dyn Store, id: &RecordId, bytes: &[u8]) -> Result<(), Broken> {
    let stored = store.get(id).await?;
    ensure!(
        stored.is_some_and(|stored| stored.bytes == bytes),
        "the record does not hold what the last put gave it"
    );
    Ok(())
}
